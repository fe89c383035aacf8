//! `#[timer]`: an async function that runs at intervals.

use crate::errors::Errors;
use crate::krate::{Krate, hygienic};
use crate::literal::duration_tokens;
use crate::options::Options;
use crate::signature::{Function, with_async};
use crate::task::call;
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use std::time::Duration;

pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let timer = lower(attr, &item, &mut errors);
    let generated = timer.as_ref().map(generate);
    let item = with_async(item);
    quote!(#item #errors #generated)
}

struct Timer {
    krate: Krate,
    function: Function,
    every: Duration,
}

fn lower(attr: TokenStream, item: &TokenStream, errors: &mut Errors) -> Option<Timer> {
    let mut options = Options::parse("timer", attr, errors);
    let before = errors.is_empty();
    let quoted = options.stray_name();
    if let Some(quoted) = &quoted {
        errors.at(quoted, "an interval is written `every = 10s`");
    }
    if !options.is_said("every") && before && quoted.is_none() {
        errors.push(Span::call_site(), "a timer needs its interval: `#[timer(every = 10s)]`");
    }
    let every = options.duration("every", errors);
    options.later("on_leader", errors, Options::flag);
    let krate = options.krate(errors);
    options.finish(errors);
    let function = Function::read("timer", item, errors)?;
    Some(Timer { krate, function, every: every.unwrap_or(Duration::from_secs(1)) })
}

fn generate(timer: &Timer) -> TokenStream {
    let Timer { krate, function, every } = timer;
    let (twin, name, place) = (function.ident(), function.name(), krate.place());
    let (twin_struct, cfgs) = (function.twin(twin), function.cfgs());
    let every = duration_tokens(*every);
    let (impls, call) = call(krate, function);
    quote_spanned! {hygienic()=>
        #twin_struct
        #cfgs
        const _: () = {
            #impls
            impl #krate::Timer for #twin {
                const OPTIONS: #krate::TimerOptions =
                    #krate::TimerOptions { name: #name, every: #every, place: #place };
                #call
            }
        };
    }
}

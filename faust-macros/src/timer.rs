//! `#[timer]`: an async function that runs at intervals.

use crate::errors::Errors;
use crate::krate::{Krate, hygienic};
use crate::literal::duration_tokens;
use crate::options::Options;
use crate::signature::Function;
use crate::task::call;
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use std::time::Duration;

pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let timer = lower(attr, &item, &mut errors);
    let generated = timer.as_ref().map(generate);
    quote!(#item #errors #generated)
}

struct Timer {
    krate: Krate,
    function: Function,
    every: Duration,
}

fn lower(attr: TokenStream, item: &TokenStream, errors: &mut Errors) -> Option<Timer> {
    let mut options = Options::parse("timer", attr, errors);
    if !options.is_said("every") {
        errors.push(Span::call_site(), "a timer needs its interval: `#[timer(every = 10s)]`");
    }
    let every = options.duration("every", errors);
    let krate = options.krate(errors);
    options.later(&["on_leader"], errors);
    options.finish(errors);
    let function = Function::read("timer", item, errors)?;
    Some(Timer { krate, function, every: every.unwrap_or(Duration::from_secs(1)) })
}

fn generate(timer: &Timer) -> TokenStream {
    let Timer { krate, function, every } = timer;
    let (twin, name, place) = (function.ident(), function.name(), krate.place());
    let twin_struct = function.twin(twin);
    let every = duration_tokens(*every);
    let (impls, call) = call(krate, function);
    quote_spanned! {hygienic()=>
        #twin_struct
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

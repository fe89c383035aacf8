//! `#[task]`: an async function that runs once, when the worker is up.

use crate::errors::Errors;
use crate::handles::Handles;
use crate::krate::{Krate, hygienic};
use crate::options::Options;
use crate::signature::{Function, with_async};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let task = lower(attr, &item, &mut errors);
    let generated = task.as_ref().map(generate);
    let item = with_async(item);
    quote!(#item #errors #generated)
}

struct Task {
    krate: Krate,
    function: Function,
}

fn lower(attr: TokenStream, item: &TokenStream, errors: &mut Errors) -> Option<Task> {
    let mut options = Options::parse("task", attr, errors);
    options.later("on_leader", errors, Options::flag);
    let krate = options.krate(errors);
    options.finish(errors);
    let function = Function::read("task", item, errors)?;
    Some(Task { krate, function })
}

fn generate(task: &Task) -> TokenStream {
    let Task { krate, function } = task;
    let (twin, name, place) = (function.ident(), function.name(), krate.place());
    let (twin_struct, cfgs) = (function.twin(twin), function.cfgs());
    let (impls, call) = call(krate, function);
    quote_spanned! {hygienic()=>
        #twin_struct
        #cfgs
        const _: () = {
            #impls
            impl #krate::Task for #twin {
                const OPTIONS: #krate::TaskOptions =
                    #krate::TaskOptions { name: #name, place: #place };
                #call
            }
        };
    }
}

/// The impls of a function's handles, and the items of its trait that call it with them.
pub(crate) fn call(krate: &Krate, function: &Function) -> (TokenStream, TokenStream) {
    let types = function.parameters().iter().map(|parameter| &parameter.ty).collect();
    let handles = Handles::of_worker(krate, function.ident(), types);
    let (tuple, params) = (handles.tuple(), handles.params());
    let call = function.call(&handles.arguments(&params));
    let future = function.future(krate);
    let items = quote_spanned! {hygienic()=>
        type Params = #tuple;
        fn call(#params: &Self::Params) -> #future {
            #call
        }
    };
    (handles.impls(), items)
}

//! `#[service]`: an async function that runs as long as its worker. What it says is checked; it does not run yet.

use crate::errors::Errors;
use crate::krate::hygienic;
use crate::options::Options;
use crate::signature::{Function, with_async};
use crate::task::call;
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let mut options = Options::parse("service", attr, &mut errors);
    let krate = options.krate(&mut errors);
    options.finish(&mut errors);
    let function = Function::read("service", &item, &mut errors);
    if errors.is_empty() {
        errors.push(Span::call_site(), "`#[service]` is not available in this version");
    }
    let generated = function.map(|function| {
        let (twin, cfgs) = (function.ident(), function.cfgs());
        let twin_struct = function.twin(twin);
        let (impls, call) = call(&krate, &function);
        quote_spanned! {hygienic()=>
            #twin_struct
            #cfgs
            const _: () = {
                #impls
                impl #krate::Service for #twin {
                    #call
                }
            };
        }
    });
    let item = with_async(item);
    quote!(#item #errors #generated)
}

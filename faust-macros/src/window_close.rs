//! `#[window_close(Trend)]`: an async function that is called with each window of a table that closes. The table is
//! checked; nothing calls the function yet, so what it takes is not.

use crate::errors::Errors;
use crate::krate::hygienic;
use crate::options::{Options, pieces};
use crate::signature::Function;
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Path;

pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let (table, options) = table(attr, &mut errors);
    let mut options = Options::parse("window_close", options, &mut errors);
    let krate = options.krate(&mut errors);
    options.finish(&mut errors);
    let function = Function::read("window_close", &item, &mut errors);
    if errors.is_empty() {
        errors.push(Span::call_site(), "`#[window_close]` is not available in this version");
    }
    let generated = function.map(|function| {
        let (twin, cfgs) = (function.ident(), function.cfgs());
        let twin_struct = function.twin(twin);
        let check = table.map(|table| quote!(const _: fn() = #krate::require_windows::<#table>;));
        quote_spanned! {hygienic()=>
            #twin_struct
            #cfgs
            const _: () = {
                #check
                impl #krate::WindowClose for #twin {}
            };
        }
    });
    quote!(#item #errors #generated)
}

/// The table in front, and the options behind it.
fn table(attr: TokenStream, errors: &mut Errors) -> (Option<Path>, TokenStream) {
    const USAGE: &str = "say whose windows: `#[window_close(Trend)]`, where `Trend` is a table";
    let mut given = pieces(attr, errors).into_iter();
    let Some(table) = given.next() else {
        errors.push(Span::call_site(), USAGE);
        return (None, TokenStream::new());
    };
    let path = syn::parse2(table.clone()).ok();
    if path.is_none() {
        errors.at(table, USAGE);
    }
    (path, quote!(#(#given),*))
}

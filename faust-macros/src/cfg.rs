//! `#[cfg(..)]`: what is generated for something stands under the same conditions.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Attribute;

pub(crate) fn is_cfg(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg")
}

/// The conditions among attributes.
pub(crate) fn cfgs(attrs: &[Attribute]) -> TokenStream {
    let cfgs = attrs.iter().filter(|attr| is_cfg(attr));
    quote!(#(#cfgs)*)
}

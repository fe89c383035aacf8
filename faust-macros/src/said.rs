//! A declaration as a constant: the fields that the attribute says, over the runtime's defaults.

use crate::krate::Krate;
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::LitStr;

#[derive(Default)]
pub(crate) struct Said(TokenStream);

impl Said {
    /// `field: value`, if there is one.
    pub(crate) fn plain(mut self, field: &str, value: Option<impl ToTokens>) -> Self {
        if let Some(value) = value {
            let field = format_ident!("{field}");
            self.0.extend(quote!(#field: #value,));
        }
        self
    }

    /// `field: Some(value)`, if there is one.
    pub(crate) fn some(self, field: &str, value: Option<impl ToTokens>) -> Self {
        self.plain(field, value.map(|value| quote!(::core::option::Option::Some(#value))))
    }

    /// `field: &[("a", "b")]`, if there are any.
    pub(crate) fn config(self, pairs: &[(LitStr, LitStr)]) -> Self {
        let pairs = pairs.iter().map(|(key, value)| quote!((#key, #value)));
        self.list("config", pairs.collect())
    }

    /// `field: &[a, b]`, if there are any.
    pub(crate) fn list(self, field: &str, items: Vec<TokenStream>) -> Self {
        let items = (!items.is_empty()).then(|| quote!(&[#(#items),*]));
        self.plain(field, items)
    }

    /// `TopicDef { said, ..TopicDef::new("name", place) }`
    pub(crate) fn over(&self, krate: &Krate, def: &str, name: &str) -> TokenStream {
        let (said, def) = (&self.0, Ident::new(def, crate::krate::hygienic()));
        let place = krate.place();
        let new = quote!(#krate::#def::new(#name, #place));
        if said.is_empty() { new } else { quote!(#krate::#def { #said ..#new }) }
    }
}

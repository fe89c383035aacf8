//! The path to the runtime: `::faust`, or what `crate = path` says.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Path;

/// As tokens it is the module that expansions call, `::faust::__private`.
pub(crate) struct Krate(Path);

impl Krate {
    pub(crate) fn new(path: Option<Path>) -> Self {
        Self(path.unwrap_or_else(|| syn::parse_quote!(::faust)))
    }

    /// `::faust` itself.
    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    /// The private module as the text of a path, which serde's attributes take.
    pub(crate) fn text(&self) -> String {
        self.to_token_stream().to_string().replace(' ', "")
    }

    /// Where the attribute stands.
    pub(crate) fn place(&self) -> TokenStream {
        quote!(#self::Place { file: ::core::file!(), line: ::core::line!() })
    }
}

impl ToTokens for Krate {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let path = &self.0;
        tokens.extend(quote!(#path::__private));
    }
}

/// Where generated code stands: its local names cannot meet the user's.
pub(crate) fn hygienic() -> Span {
    Span::mixed_site()
}

//! For editors: rust-analyzer completes, shows and renames a name in an attribute where the expansion has the same
//! token in a place that it knows. So under it an expansion also imports each option from a module of the runtime that
//! has them all, and reads each field that an option names. rustc sees nothing of this.

use crate::errors::Errors;
use crate::krate::hygienic;
use crate::options::{Options, pieces};
use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{Data, DeriveInput, GenericParam};

/// What a macro makes of an attribute and an item, behind the hints. They come first because rust-analyzer finds a
/// token that is being typed by its distance from the begin, and errors behind it quote what is typed.
pub(crate) fn expand(
    noun: &'static str,
    expand: fn(TokenStream, TokenStream) -> TokenStream,
    attr: TokenStream,
    item: TokenStream,
) -> TokenStream {
    let hints = hints(noun, &attr, &item);
    let expansion = expand(attr, item);
    quote!(#hints #expansion)
}

/// The options whose values are names that the runtime has a module for.
const NAMED: [(&str, &str); 3] = [("table", "window"), ("table", "scope"), ("page", "method")];

/// The options whose values are fields of the struct.
const FIELDS: [&str; 2] = ["key", "partition_by"];

fn hints(noun: &'static str, attr: &TokenStream, item: &TokenStream) -> Option<TokenStream> {
    // The macro itself says what is wrong.
    let mut ignored = Errors::default();
    let krate = Options::parse(noun, attr.clone(), &mut ignored).krate(&mut ignored);
    // In front of these options is a table, not one of them.
    let front = usize::from(noun == "window_close");
    let said = pieces(attr.clone(), &mut ignored).into_iter().skip(front).filter_map(said);
    let said = said.collect::<Vec<_>>();
    if said.is_empty() {
        return None;
    }
    let module = Ident::new(noun, hygienic());
    let keys = said.iter().map(|(key, _)| quote!(use #krate::options::#module::#key as _;));
    let values =
        said.iter().filter(|(key, _)| NAMED.iter().any(|(of, it)| *of == noun && key == it));
    let values = values.filter_map(|(key, value)| {
        let value = value.first()?;
        let list = Ident::new(&key.to_string(), hygienic());
        Some(quote!(use #krate::options::#module::#list::#value as _;))
    });
    let fields = fields(&said, item);
    Some(quote_spanned! {hygienic()=>
        #[allow(unexpected_cfgs)]
        const _: () = {
            #[cfg(rust_analyzer)]
            const _: () = {
                #(#keys)*
                #(#values)*
                #fields
            };
        };
    })
}

/// An option's key, and the names behind it.
fn said(piece: TokenStream) -> Option<(Ident, Vec<Ident>)> {
    let mut tokens = piece.into_iter();
    Some((name(tokens.next()?)?, names(tokens)))
}

/// The names behind `=`, or in the group there: `tumbling` of `tumbling(1min)`, `a` and `b` of `(a, b)`.
fn names(tokens: impl Iterator<Item = TokenTree>) -> Vec<Ident> {
    let mut names = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) if names.is_empty() => {
                names.extend(group.stream().into_iter().filter_map(name));
            }
            token => names.extend(name(token)),
        }
    }
    names
}

/// A name, which a keyword is not: it would break the hints, and the expansion with them.
fn name(token: TokenTree) -> Option<Ident> {
    syn::parse2(token.into()).ok()
}

/// `fn fields(this: &Word) { let _ = &this.word; }`
fn fields(said: &[(Ident, Vec<Ident>)], item: &TokenStream) -> Option<TokenStream> {
    let names = said.iter().filter(|(key, _)| FIELDS.iter().any(|it| key == it));
    let names: Vec<_> = names.flat_map(|(_, names)| names).collect();
    if names.is_empty() {
        return None;
    }
    let DeriveInput { ident, generics, data: Data::Struct(_), .. } =
        syn::parse2(item.clone()).ok()?
    else {
        return None;
    };
    let lifetimes = generics.params.iter().map(|param| match param {
        GenericParam::Lifetime(_) => Some(quote!('_)),
        _ => None,
    });
    let lifetimes = lifetimes.collect::<Option<Vec<_>>>()?;
    Some(quote!(fn fields(this: &#ident<#(#lifetimes),*>) { #(let _ = &this.#names;)* }))
}

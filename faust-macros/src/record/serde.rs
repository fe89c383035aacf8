//! The serde that a whole derives.
//!
//! Its impls hold *where* the fields can be encoded, instead of failing where one cannot: the check of the field is
//! then the only error. `for<'field>` is what lets rustc accept such a bound on a type that it knows.

use super::{Field, Form, Struct};
use crate::cfg::is_cfg;
use crate::krate::Krate;
use crate::types::{Text, has_lifetime, pretty};
use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Meta, Path, Token, parse_quote};

pub(super) fn derives(
    krate: &Krate,
    this: &Struct,
    key_bound: impl Fn(usize) -> Option<String>,
    and_clone: bool,
) -> TokenStream {
    let derived = derived(&this.attrs);
    let lacks = |name: &str| derived.iter().all(|derive| derive != name);
    let clone = (and_clone && lacks("Clone")).then(|| quote!(::core::clone::Clone));
    let serialize = lacks("Serialize").then(|| quote!(#krate::serde::Serialize));
    let deserialize = lacks("Deserialize").then(|| quote!(#krate::serde::Deserialize));
    let attribute =
        (serialize.is_some() || deserialize.is_some()).then(|| attribute(krate, this, key_bound));
    let derives: Vec<_> = [clone, serialize, deserialize].into_iter().flatten().collect();
    let derive = (!derives.is_empty()).then(|| quote!(#[derive(#(#derives),*)]));
    quote!(#derive #attribute)
}

/// `#[serde(crate = .., bound(..))]`
fn attribute(
    krate: &Krate,
    this: &Struct,
    key_bound: impl Fn(usize) -> Option<String>,
) -> TokenStream {
    let (path, name) = (krate.text(), pretty(this.this()));
    let serde = format!("{path}::serde");
    let field_bound = |n| match &this.lifetime {
        Some(lifetime) => format!("<{name} as {path}::FieldIn<{lifetime}, {n}>>::Field"),
        None => format!("<{name} as {path}::FieldOf<{n}>>::Field"),
    };
    let types: Vec<_> = checked(this)
        .filter_map(|(n, field)| match this.key.has(field) {
            true if this.lifetime.is_some() && Text::of(&field.ty).is_some() => None,
            true => key_bound(n),
            false => Some(field_bound(n)),
        })
        .collect();
    let bounds = |of: &str| {
        let bounds = types.iter().map(|ty| format!("for<'field> {ty}: {serde}::{of}"));
        bounds.collect::<Vec<_>>().join(", ")
    };
    let (serialize, deserialize) = (bounds("Serialize"), bounds("Deserialize<'de>"));
    if says(&this.attrs, &["bound"]) {
        quote!(#[serde(crate = #serde)])
    } else {
        quote!(#[serde(crate = #serde, bound(serialize = #serialize, deserialize = #deserialize))])
    }
}

/// The fields whose types serde encodes as they are, with their positions. What the user's attributes change is left
/// to serde, and so are a type that contains the struct itself and a field that is there under a condition.
pub(super) fn checked(this: &Struct) -> impl Iterator<Item = (usize, &Field)> {
    const OF_THE_STRUCT: [&str; 5] = ["from", "try_from", "into", "remote", "bound"];
    const OF_A_FIELD: [&str; 8] = [
        "skip",
        "skip_serializing",
        "skip_deserializing",
        "with",
        "serialize_with",
        "deserialize_with",
        "getter",
        "bound",
    ];
    let plain = matches!(this.form, Form::Pair(_)) || !says(&this.attrs, &OF_THE_STRUCT);
    this.fields.iter().enumerate().filter(move |(_, field)| {
        plain
            && !field.attrs.iter().any(is_cfg)
            && !says(&field.attrs, &OF_A_FIELD)
            && !mentions(field.ty.to_token_stream(), &this.name)
    })
}

/// The struct with `#[serde(borrow)]` where a field has a lifetime and serde does not see it for itself.
pub(super) fn with_borrows(item: TokenStream) -> TokenStream {
    let Ok(mut borrowing) = syn::parse2::<DeriveInput>(item.clone()) else { return item };
    let Data::Struct(data) = &mut borrowing.data else { return item };
    let told = |field: &&mut syn::Field| {
        has_lifetime(&field.ty)
            && Text::of(&field.ty) != Some(Text::Str)
            && !says(&field.attrs, &["borrow", "skip", "skip_deserializing"])
    };
    let mut any = false;
    for field in data.fields.iter_mut().filter(told) {
        field.attrs.push(parse_quote!(#[serde(borrow)]));
        any = true;
    }
    if any { borrowing.into_token_stream() } else { item }
}

/// Whether `#[serde(..)]` says one of these.
fn says(attrs: &[Attribute], keys: &[&str]) -> bool {
    let metas = listed::<Meta>(attrs, "serde");
    metas.iter().any(|meta| keys.iter().any(|key| meta.path().is_ident(key)))
}

/// The last names of what `#[derive(..)]` lists.
fn derived(attrs: &[Attribute]) -> Vec<String> {
    let paths = listed::<Path>(attrs, "derive").into_iter();
    paths.filter_map(|path| Some(path.segments.last()?.ident.to_string())).collect()
}

/// What attributes of this name list; nothing of what is malformed, which others report.
fn listed<T: syn::parse::Parse>(attrs: &[Attribute], name: &str) -> Vec<T> {
    let attrs = attrs.iter().filter(|attr| attr.path().is_ident(name));
    let lists = attrs
        .filter_map(|attr| attr.parse_args_with(Punctuated::<T, Token![,]>::parse_terminated).ok());
    lists.flatten().collect()
}

fn mentions(tokens: TokenStream, name: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == *name || ident == "Self",
        TokenTree::Group(group) => mentions(group.stream(), name),
        _ => false,
    })
}

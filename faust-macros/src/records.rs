//! `#[derive(Records)]`: an enum whose variants are records of several topics, as the input of an agent.

use crate::errors::Errors;
use crate::group::krate;
use crate::krate::{Krate, hygienic};
use crate::types::anchor;
use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Data, DeriveInput, Fields, Index, Type};

pub(crate) fn expand(item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let records = lower(item, &mut errors);
    let generated = records.as_ref().map(generate);
    quote!(#errors #generated)
}

struct Records {
    krate: Krate,
    name: Ident,
    /// Each variant, and the record in it; none where it is no plain enum, then errors say so.
    variants: Vec<(Ident, Type)>,
}

fn lower(item: TokenStream, errors: &mut Errors) -> Option<Records> {
    let DeriveInput { attrs, ident, generics, data, .. } = errors.keep(syn::parse2(item))?;
    let krate = krate(&attrs, errors);
    if !generics.params.is_empty() {
        errors
            .at(&generics, "records of several topics own what they hold: no lifetimes, no types");
        return None;
    }
    let data = match data {
        Data::Enum(data) => data,
        Data::Struct(data) => {
            errors.at(
                data.struct_token,
                "records of several topics are an enum; those of one are a struct under `#[topic(\"name\")]`",
            );
            return Some(Records { krate, name: ident, variants: Vec::new() });
        }
        Data::Union(data) => {
            errors.at(data.union_token, "records of several topics are an enum");
            return Some(Records { krate, name: ident, variants: Vec::new() });
        }
    };
    if data.variants.is_empty() {
        errors.at(&ident, "an enum of records has a variant for each topic: `Line(Line)`");
    }
    let mut variants = Vec::new();
    let mut sound = true;
    for variant in &data.variants {
        match &variant.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                variants.extend(
                    fields.unnamed.first().map(|field| (variant.ident.clone(), field.ty.clone())),
                );
            }
            _ => {
                let name = &variant.ident;
                errors.at(variant, format!("a variant holds one record: `{name}({name})`"));
                sound = false;
            }
        }
    }
    if !sound {
        variants.clear();
    }
    Some(Records { krate, name: ident, variants })
}

fn generate(records: &Records) -> TokenStream {
    let Records { krate, name, variants } = records;
    let numbers: Vec<_> = (0..variants.len()).map(Index::from).collect();
    let (idents, types): (Vec<_>, Vec<_>) = variants.iter().map(|(name, ty)| (name, ty)).unzip();
    let variant = |n: &Index| quote!(#krate::Variant::<#name, #n>);
    let each: Vec<_> = numbers.iter().map(variant).collect();
    let key = each.iter().cloned().rev().reduce(|rest, key| quote!(#krate::Both<#key, #rest>));
    let key = key.unwrap_or_else(|| quote!(#krate::NoKey));
    let checks = numbers.iter().zip(&types).map(|(n, ty)| {
        let span = anchor(ty).resolved_at(hygienic());
        let check = quote_spanned!(span=> __variant::<#name, #n>());
        quote!(const _: () = #check;)
    });
    let method = |body: &dyn Fn(usize) -> TokenStream| match variants.is_empty() {
        // Where there is nothing to choose from, an error says so.
        true => quote!(loop {}),
        false => {
            let arms = (0..variants.len()).map(body);
            quote_spanned!(hygienic()=> match self { #(Self::#idents(record) => #arms),* })
        }
    };
    let topic = method(&|n| {
        let n = Index::from(n);
        quote!(#n)
    });
    let key_of = method(&|n| {
        let variant = each.get(n);
        quote_spanned!(hygienic()=> #variant::write_key(record, out))
    });
    let value_of = method(&|n| {
        let variant = each.get(n);
        quote_spanned!(hygienic()=> #variant::write_value(record, out))
    });
    let read = numbers.iter().zip(&idents).zip(&each).map(|((n, ident), record)| {
        quote_spanned!(hygienic()=> #n => #record::read(key, value).map(#name::#ident),)
    });
    quote_spanned! {hygienic()=>
        #[allow(unused_variables, unused_imports)]
        const _: () = {
            use #krate::require_variant as __variant;
            #(
                impl #krate::VariantOf<#numbers> for #name {
                    type Record = #types;
                }
            )*
            #(#checks)*
            impl #krate::Records for #name {
                type Of<'m> = #name;
                type Key = #key;
                const TOPICS: &'static [#krate::TopicUse] = &[#(#each::TOPIC),*];
                fn read<'m>(
                    topic: usize,
                    key: ::core::option::Option<&'m [u8]>,
                    value: ::core::option::Option<&'m [u8]>,
                ) -> ::core::result::Result<Self::Of<'m>, #krate::CodecError> {
                    match topic {
                        #(#read)*
                        _ => ::core::result::Result::Err(#krate::CodecError::NoTopic),
                    }
                }
                fn topic(&self) -> usize {
                    #topic
                }
                fn write_key(
                    &self,
                    out: &mut #krate::Vec<u8>,
                ) -> ::core::result::Result<bool, #krate::CodecError> {
                    #key_of
                }
                fn write_value(
                    &self,
                    out: &mut #krate::Vec<u8>,
                ) -> ::core::result::Result<bool, #krate::CodecError> {
                    #value_of
                }
            }
        };
    }
}

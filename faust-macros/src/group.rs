//! `#[derive(AgentParam)]`: a struct of handles as one handle.

use crate::errors::Errors;
use crate::krate::{Krate, hygienic};
use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Attribute, Data, DeriveInput, Index, Member, Type};

pub(crate) fn expand(item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let group = lower(item, &mut errors);
    let generated = group.as_ref().map(generate);
    quote!(#errors #generated)
}

struct Group {
    krate: Krate,
    name: Ident,
    /// None where it is no plain struct; then errors say so.
    fields: Vec<(Member, Type)>,
    /// Whether a value can be made of the fields.
    sound: bool,
}

fn lower(item: TokenStream, errors: &mut Errors) -> Option<Group> {
    let input = errors.keep(syn::parse2::<DeriveInput>(item))?;
    let krate = krate(&input.attrs, errors);
    if !input.generics.params.is_empty() {
        errors.at(
            &input.generics,
            "a group of handles cannot be generic: implement `AgentParam` by hand",
        );
        return None;
    }
    let fields = match &input.data {
        Data::Struct(data) => Some(&data.fields),
        Data::Enum(data) => {
            errors.at(
                data.enum_token,
                "a group of handles is a struct: each of its fields is a handle",
            );
            None
        }
        Data::Union(data) => {
            errors.at(
                data.union_token,
                "a group of handles is a struct: each of its fields is a handle",
            );
            None
        }
    };
    let sound = fields.is_some();
    let fields =
        fields.map(|fields| fields.members().zip(fields.iter().map(|field| field.ty.clone())));
    let fields = fields.into_iter().flatten().collect();
    Some(Group { krate, name: input.ident, fields, sound })
}

/// `#[faust(crate = path)]`
pub(crate) fn krate(attrs: &[Attribute], errors: &mut Errors) -> Krate {
    let mut said = TokenStream::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("faust")) {
        match attr.meta.require_list() {
            Ok(list) => said.extend(list.tokens.clone()),
            Err(error) => {
                errors.keep::<()>(Err(error));
            }
        }
    }
    let mut options = crate::options::Options::parse("faust", said, errors);
    let krate = options.krate(errors);
    options.finish(errors);
    krate
}

fn generate(group: &Group) -> TokenStream {
    let Group { krate, name, fields, sound } = group;
    let numbers: Vec<_> = (0..fields.len()).map(Index::from).collect();
    let (members, types): (Vec<_>, Vec<_>) = fields.iter().map(|(member, ty)| (member, ty)).unzip();
    let each: Vec<_> = numbers.iter().map(|n| quote!(#krate::Member::<#name, #n>)).collect();
    let handles = numbers.iter().map(|n| quote!(<#name as #krate::AgentParamOf<#n>>::Handle));
    let partition_key = each
        .iter()
        .rev()
        .fold(quote!(#krate::AnyKey), |rest, member| quote!(#krate::Each<#member, #rest>));
    let uses = quote! {
        {
            const LISTS: &[&[#krate::Use]] = &[#(#each::USES),*];
            const COUNT: usize = 0 #(+ #each::USES.len())*;
            &#krate::concat::<COUNT>(LISTS)
        }
    };
    let (bound, cloned) = match sound {
        true => (
            quote_spanned!(hygienic()=> ::core::result::Result::Ok(Self { #(#members: #each::bind(bind)?),* })),
            quote_spanned!(hygienic()=> Self { #(#members: #each::again(&self.#members)),* }),
        ),
        false => (quote!(::core::result::Result::Err("no group".into())), quote!(loop {})),
    };
    let made = match sound {
        true => {
            quote_spanned!(hygienic()=> ::core::result::Result::Ok(Self { #(#members: #krate::Param::bind(worker)?),* }))
        }
        false => quote!(::core::result::Result::Err("no group".into())),
    };
    // `for<'group>` is what lets rustc accept such a bound on a type that it knows.
    let everywhere = quote!(where #(for<'group> #handles: #krate::Param),*);
    let root = krate.root();
    quote_spanned! {hygienic()=>
        const _: () = {
            #(
                impl #krate::AgentParamOf<#numbers> for #name {
                    type Handle = #types;
                }
            )*
            impl ::core::clone::Clone for #name {
                fn clone(&self) -> Self {
                    #cloned
                }
            }
            #[allow(unused_variables)]
            impl #krate::AgentParam for #name {
                type PartitionKey = #partition_key;
                const USES: &'static [#krate::Use] = #uses;
                fn bind(bind: &#krate::Bind<'_>) -> #root::Result<Self> {
                    #bound
                }
            }
            /// Where each member is a handle of timers, tasks and pages.
            #[allow(unused_variables)]
            impl #krate::Param for #name #everywhere {
                const USES: &'static [#krate::Use] = <Self as #krate::AgentParam>::USES;
                fn bind(worker: &#krate::Worker) -> #root::Result<Self> {
                    #made
                }
            }
            impl #krate::FromRequestParts<#krate::Worker> for #name #everywhere {
                type Rejection = #krate::Response;
                async fn from_request_parts(
                    _: &mut #krate::Parts,
                    worker: &#krate::Worker,
                ) -> ::core::result::Result<Self, Self::Rejection> {
                    #krate::from_worker(worker).await
                }
            }
        };
    }
}

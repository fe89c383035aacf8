//! Types as tokens: their names, and where errors about them point.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{GenericArgument, Lifetime, PathArguments, Type};

/// The one token of a type that carries errors: the last name of its path.
pub(crate) fn anchor(ty: &Type) -> Span {
    last_name(ty).map_or_else(|| ty.span(), Ident::span)
}

/// The last name of a type's path: `Table` of `faust::Table<Count>`.
pub(crate) fn last_name(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(ty) => ty.path.segments.last().map(|segment| &segment.ident),
        Type::Group(ty) => last_name(&ty.elem),
        _ => None,
    }
}

/// Whether a type is, by its name, what an agent reads.
pub(crate) fn is_input(ty: &Type) -> bool {
    last_name(ty).is_some_and(|name| name == "Event" || name == "Stream")
}

/// Tokens as people write them, for short types.
pub(crate) fn pretty(tokens: TokenStream) -> String {
    tokens
        .to_string()
        .replace(" < ", "<")
        .replace(" >", ">")
        .replace(" ::", "::")
        .replace(":: ", "::")
}

/// A text that is borrowed: `&'a str` or `Cow<'a, str>`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    Str,
    Cow,
}

impl Text {
    /// By its name: what else is named `Cow` is an error of rustc's.
    pub(crate) fn of(ty: &Type) -> Option<Self> {
        match ty {
            Type::Group(ty) => Self::of(&ty.elem),
            Type::Reference(ty) => is_str(&ty.elem).then_some(Self::Str),
            Type::Path(ty) => {
                let last = ty.path.segments.last().filter(|last| last.ident == "Cow")?;
                let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
                let mut arguments = arguments.args.iter();
                match (arguments.next(), arguments.next(), arguments.next()) {
                    (Some(GenericArgument::Lifetime(_)), Some(GenericArgument::Type(ty)), None) => {
                        is_str(ty).then_some(Self::Cow)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

fn is_str(ty: &Type) -> bool {
    last_name(ty).is_some_and(|name| name == "str")
}

/// Whether a lifetime is named in it.
pub(crate) fn has_lifetime(tokens: &impl ToTokens) -> bool {
    let mut any = false;
    map_lifetimes(tokens.to_token_stream(), &mut |name| {
        any = true;
        name
    });
    any
}

/// Whether something in it is borrowed, and not said for how long.
pub(crate) fn lacks_lifetime(tokens: &impl ToTokens) -> bool {
    let mut borrowed = false;
    tokens.to_token_stream().into_iter().any(|token| {
        let named = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '\'');
        if std::mem::take(&mut borrowed) && !named {
            return true;
        }
        match token {
            TokenTree::Punct(punct) => borrowed = punct.as_char() == '&',
            TokenTree::Group(group) => return lacks_lifetime(&group.stream()),
            _ => {}
        }
        false
    })
}

/// The tokens with another lifetime in place of those that `is` tells.
pub(crate) fn with_lifetime(
    tokens: &impl ToTokens,
    is: impl Fn(&Ident) -> bool,
    lifetime: &Lifetime,
) -> TokenStream {
    map_lifetimes(tokens.to_token_stream(), &mut |name| match is(&name) {
        true => Ident::new(&lifetime.ident.to_string(), name.span()),
        false => name,
    })
}

/// A lifetime is a quote that belongs to the name behind it.
fn map_lifetimes(tokens: TokenStream, map: &mut impl FnMut(Ident) -> Ident) -> TokenStream {
    let mut quoted = false;
    let mut one = |token| match token {
        TokenTree::Ident(name) if std::mem::take(&mut quoted) => TokenTree::Ident(map(name)),
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), map_lifetimes(group.stream(), map));
            inner.set_span(group.span());
            TokenTree::Group(inner)
        }
        TokenTree::Punct(punct) => {
            quoted = punct.as_char() == '\'';
            TokenTree::Punct(punct)
        }
        other => other,
    };
    tokens.into_iter().map(&mut one).collect()
}

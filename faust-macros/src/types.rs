//! Types as tokens: their names, and where errors about them point.

use proc_macro2::{Ident, Span, TokenStream};
use syn::Type;
use syn::spanned::Spanned;

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

//! `value: Set<Member>`: each member is a row of its own, under the key and itself.

use crate::record::{Form, Key, Struct};
use proc_macro2::{Delimiter, Group};
use quote::quote;
use syn::spanned::Spanned;
use syn::{GenericArgument, PathArguments, Type, parse_quote_spanned};

/// Makes of a key and a set the rows of its members; the type of the set, if the value is one.
pub(super) fn spread(row: &mut Struct) -> Option<Type> {
    let (Form::Pair(value), Key::Field(key)) = (&row.form, &row.key) else { return None };
    let member = member(&value.ty)?;
    let set = value.ty.clone();
    let mut group = Group::new(Delimiter::Parenthesis, quote!());
    group.set_span(key.ty.span());
    let mut part = value.clone();
    part.ty = member;
    let mut present = value.clone();
    present.ty = parse_quote_spanned!(set.span()=> bool);
    row.key = Key::Parts(group, vec![key.clone(), part]);
    row.form = Form::Pair(present);
    Some(set)
}

/// `Member` of `Set<Member>`, also behind a path.
fn member(ty: &Type) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Set")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(member)) if arguments.args.len() == 1 => Some(member.clone()),
        _ => None,
    }
}

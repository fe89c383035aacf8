//! The struct under `#[topic]` and `#[table]`: its form, its key, and the serde that is derived for it.
//!
//! Two forms: a *pair* has the fields `key` and `value` and no others, and they are the key and the value as they
//! stand; any other struct is the value as a *whole*, and may name fields of it as its key.

mod serde;

use crate::closest::did_you_mean;
use crate::errors::Errors;
use crate::krate::Krate;
use crate::options::{Options, pieces};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Attribute, Data, DeriveInput, Fields, Generics, Index, Member, Type};

pub(crate) struct Struct {
    attrs: Vec<Attribute>,
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    /// None where it is no plain struct; then errors say so.
    pub(crate) fields: Vec<Field>,
    pub(crate) key: Key,
    /// Whether `key = ..` is there, right or wrong.
    pub(crate) key_is_said: bool,
    pub(crate) form: Form,
}

#[derive(Clone)]
pub(crate) struct Field {
    attrs: Vec<Attribute>,
    pub(crate) member: Member,
    pub(crate) ty: Type,
}

pub(crate) enum Form {
    /// With the field `value`.
    Pair(Field),
    Whole,
    /// No struct, or a generic one.
    Unsound,
}

/// What the key is made of.
pub(crate) enum Key {
    None,
    Field(Field),
    /// In the order in which `key = (a, b)` names them, with that group.
    Parts(Group, Vec<Field>),
}

impl Struct {
    /// Reads the item under `#[noun]`; `None` where it is neither struct nor enum nor union.
    pub(crate) fn read(
        noun: &str,
        item: &TokenStream,
        options: &mut Options,
        errors: &mut Errors,
    ) -> Option<Self> {
        let key = options.value("key", errors);
        let key_is_said = key.is_some();
        let Ok(DeriveInput { attrs, ident, generics, data, .. }) = syn::parse2(item.clone()) else {
            errors.push(Span::call_site(), format!("`#[{noun}]` stands above a struct"));
            return None;
        };
        let unsound = |errors: &mut Errors, tokens: &dyn ToTokens, message: &str| {
            errors.at(tokens.to_token_stream(), format!("a {noun} {message}"));
            None
        };
        let fields = match &data {
            Data::Struct(_) if !generics.params.is_empty() => unsound(
                errors,
                &generics,
                "cannot be generic: its name in Kafka stands for one type",
            ),
            Data::Struct(data) => Some(fields(&data.fields)),
            Data::Enum(data) => unsound(
                errors,
                &data.enum_token,
                "is declared by a struct; an enum can be a field of it",
            ),
            Data::Union(data) => unsound(errors, &data.union_token, "is declared by a struct"),
        };
        let (key, form) = match fields.as_deref() {
            None => (Key::None, Form::Unsound),
            Some([a, b]) if a.is("key") && b.is("value") => Self::pair(a, b, key, errors),
            Some([b, a]) if a.is("key") && b.is("value") => Self::pair(a, b, key, errors),
            Some(fields) => {
                (key.map_or(Key::None, |key| Key::read(key, fields, errors)), Form::Whole)
            }
        };
        let fields = fields.unwrap_or_default();
        Some(Self { attrs, name: ident, generics, fields, key, key_is_said, form })
    }

    fn pair(
        key: &Field,
        value: &Field,
        said: Option<TokenStream>,
        errors: &mut Errors,
    ) -> (Key, Form) {
        if let Some(said) = said {
            errors.at(said, "the field `key` is the key already: leave `key = ..` out");
        }
        (Key::Field(key.clone()), Form::Pair(value.clone()))
    }

    /// What a generic struct, which is an error, needs to stand for a record all the same.
    pub(crate) fn bounds(&self) -> Option<TokenStream> {
        let generic = !self.generics.params.is_empty();
        generic.then(|| quote!(where Self: ::core::marker::Send + 'static))
    }

    /// What stands above a whole: the derives that the user has not written. `key_bound` names the checked type of a
    /// key's field by its position, where there is a name for it.
    pub(crate) fn derives(
        &self,
        krate: &Krate,
        key_bound: impl Fn(usize) -> Option<String>,
        and_clone: bool,
    ) -> Option<TokenStream> {
        let whole = matches!(self.form, Form::Whole);
        whole.then(|| serde::derives(krate, self, key_bound, and_clone))
    }

    /// `impl FieldOf<0> for Word { type Field = String; }` and so on: each type is checked where it stands.
    pub(crate) fn field_checks(&self, krate: &Krate) -> TokenStream {
        let name = &self.name;
        let checks = serde::checked(self).filter(|(_, field)| !self.key.has(field));
        let checks = checks.map(|(n, Field { ty, .. })| {
            let n = Index::from(n);
            quote! {
                impl #krate::FieldOf<#n> for #name {
                    type Field = #ty;
                }
            }
        });
        checks.collect()
    }

    /// The same for the fields of the key.
    pub(crate) fn key_checks(&self, krate: &Krate) -> TokenStream {
        let name = &self.name;
        let checks = self.fields.iter().enumerate().filter(|(_, field)| self.key.has(field));
        let checks = checks.map(|(n, Field { ty, .. })| {
            let n = Index::from(n);
            quote! {
                impl #krate::KeyOf<#n> for #name {
                    type Part = #ty;
                }
            }
        });
        checks.collect()
    }
}

impl Field {
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name() == name
    }

    fn name(&self) -> String {
        plain(&self.member.to_token_stream())
    }
}

impl Key {
    fn read(said: TokenStream, fields: &[Field], errors: &mut Errors) -> Self {
        let mut trees = said.clone().into_iter();
        match (trees.next(), trees.next()) {
            (Some(TokenTree::Group(group)), None)
                if group.delimiter() == Delimiter::Parenthesis =>
            {
                let parts = pieces(group.stream(), errors).into_iter();
                let parts: Vec<_> = parts.filter_map(|part| find(&part, fields, errors)).collect();
                if parts.is_empty() { Self::None } else { Self::Parts(group, parts) }
            }
            _ => find(&said, fields, errors).map_or(Self::None, Self::Field),
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(crate) fn fields(&self) -> &[Field] {
        match self {
            Self::None => &[],
            Self::Field(field) => std::slice::from_ref(field),
            Self::Parts(_, parts) => parts,
        }
    }

    fn has(&self, field: &Field) -> bool {
        self.fields().iter().any(|part| part.member == field.member)
    }
}

/// The field that an option names.
pub(crate) fn find(said: &TokenStream, fields: &[Field], errors: &mut Errors) -> Option<Field> {
    let name = plain(said);
    let field = fields.iter().find(|field| field.is(&name));
    if field.is_none() {
        let names: Vec<_> = fields.iter().map(Field::name).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        errors.at(said, format!("there is no field `{name}`{}", did_you_mean(&name, &names)));
    }
    field.cloned()
}

fn fields(fields: &Fields) -> Vec<Field> {
    let field = |(member, field): (Member, &syn::Field)| Field {
        attrs: field.attrs.clone(),
        member,
        ty: field.ty.clone(),
    };
    fields.members().zip(fields).map(field).collect()
}

/// The text of a name, raw or not.
fn plain(name: &impl ToTokens) -> String {
    let text = name.to_token_stream().to_string();
    text.strip_prefix("r#").unwrap_or(&text).to_string()
}

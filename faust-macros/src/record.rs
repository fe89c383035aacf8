//! The struct under `#[topic]` and `#[table]`: its form, its key, and the serde that is derived for it.
//!
//! Two forms: a *pair* has the fields `key` and `value` and no others, and they are the key and the value as they
//! stand; any other struct is the value as a *whole*, and may name fields of it as its key.

mod serde;

use crate::cfg::{cfgs, is_cfg};
use crate::closest::did_you_mean;
use crate::errors::Errors;
use crate::krate::Krate;
use crate::options::{Options, pieces};
use crate::types::{Text, has_lifetime, lacks_lifetime, last_name};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Data, DeriveInput, Fields, GenericParam, Generics, Index, Lifetime, Member, Type,
};

pub(crate) struct Struct {
    attrs: Vec<Attribute>,
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    /// For how long a record borrows from its message.
    pub(crate) lifetime: Option<Lifetime>,
    /// None where it is no plain struct; then errors say so.
    pub(crate) fields: Vec<Field>,
    pub(crate) key: Key,
    /// Whether `key = ..` is there, right or wrong.
    pub(crate) key_is_said: bool,
    pub(crate) form: Form,
}

#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) member: Member,
    pub(crate) ty: Type,
}

pub(crate) enum Form {
    /// With the field `value`.
    Pair(Field),
    Whole,
    /// No struct, a generic one, or one whose fields cannot be read.
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
            Data::Struct(_) if generics.params.len() > generics.lifetimes().count() => unsound(
                errors,
                &generics,
                "cannot be generic: its name in Kafka stands for one type",
            ),
            Data::Struct(_) if noun == "table" && !generics.params.is_empty() => unsound(
                errors,
                &generics,
                "keeps its rows, so they own what they hold: `String` instead of `&str`",
            ),
            Data::Struct(_) if generics.params.len() > 1 => unsound(
                errors,
                &generics,
                "has records that borrow from one message: one lifetime is enough",
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
        let lifetime = match generics.params.first() {
            Some(GenericParam::Lifetime(param))
                if noun == "topic" && generics.params.len() == generics.lifetimes().count() =>
            {
                Some(param.lifetime.clone())
            }
            _ => None,
        };
        // rustc says where a lifetime is missing.
        let complete = fields.iter().all(|field| !lacks_lifetime(&field.ty));
        let sound = complete
            && always_there(&fields, &key, &form, errors)
            && comparable(&key, errors)
            && (lifetime.is_none() || may_borrow(&fields, &key, &form, errors));
        let (fields, form) = if sound { (fields, form) } else { (Vec::new(), Form::Unsound) };
        Some(Self { attrs, name: ident, generics, lifetime, fields, key, key_is_said, form })
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

    /// The struct as a type: `Word`, or `Word<'a>`.
    pub(crate) fn this(&self) -> TokenStream {
        let (_, generics, _) = self.generics.split_for_impl();
        let name = &self.name;
        quote!(#name #generics)
    }

    /// The conditions that the struct stands under.
    pub(crate) fn cfgs(&self) -> TokenStream {
        cfgs(&self.attrs)
    }

    /// What a generic struct, which is an error, needs to stand for a record all the same.
    pub(crate) fn bounds(&self) -> Option<TokenStream> {
        let generic = !self.generics.params.is_empty() && self.lifetime.is_none();
        generic.then(|| quote!(where Self: ::core::marker::Send + 'static))
    }

    /// The item, with what serde has to be told of a whole that borrows.
    pub(crate) fn item(&self, item: TokenStream) -> TokenStream {
        match (&self.lifetime, &self.form) {
            (Some(_), Form::Whole) => serde::with_borrows(item),
            _ => item,
        }
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
        let (this, generics) = (self.this(), &self.generics);
        let checks = serde::checked(self).filter(|(_, field)| !self.key.has(field));
        let checks = checks.map(|(n, Field { ty, .. })| {
            let n = Index::from(n);
            let of = match &self.lifetime {
                Some(lifetime) => quote!(FieldIn<#lifetime, #n>),
                None => quote!(FieldOf<#n>),
            };
            quote! {
                impl #generics #krate::#of for #this {
                    type Field = #ty;
                }
            }
        });
        checks.collect()
    }

    /// The same for the fields of the key.
    pub(crate) fn key_checks(&self, krate: &Krate) -> TokenStream {
        let (this, generics) = (self.this(), &self.generics);
        let checks = self.fields.iter().enumerate().filter(|(_, field)| self.key.has(field));
        let checks = checks.map(|(n, field)| {
            let (n, part) = (Index::from(n), self.key_part(krate, field));
            quote! {
                impl #generics #krate::KeyOf<#n> for #this {
                    type Part = #part;
                }
            }
        });
        checks.collect()
    }

    /// The type of a field of the key, for who keeps it.
    pub(crate) fn key_part(&self, krate: &Krate, field: &Field) -> TokenStream {
        match lacks_lifetime(&field.ty)
            || has_lifetime(&field.ty) && !self.generics.params.is_empty()
        {
            true => quote!(#krate::String),
            false => field.ty.to_token_stream(),
        }
    }
}

/// Whether the fields that generated code names are there under every condition; if not, errors say which.
fn always_there(fields: &[Field], key: &Key, form: &Form, errors: &mut Errors) -> bool {
    let mut sound = true;
    for field in fields {
        let Some(cfg) = field.attrs.iter().find(|attr| is_cfg(attr)) else { continue };
        let fault = match (form, &field.member) {
            (Form::Pair(_), _) => {
                "a key and its value are always there: put the condition above the struct"
            }
            _ if key.has(field) => "a key is always there: put the condition above the struct",
            (_, Member::Unnamed(_)) => "a field under a condition has a name",
            _ => continue,
        };
        errors.at(cfg, fault);
        sound = false;
    }
    sound
}

/// Whether the key can be compared, where its type's name tells; if not, an error says so.
fn comparable(key: &Key, errors: &mut Errors) -> bool {
    let fraction =
        |field: &&Field| last_name(&field.ty).is_some_and(|name| name == "f64" || name == "f32");
    let fractions: Vec<_> = key.fields().iter().filter(fraction).collect();
    for field in &fractions {
        errors.at(
            &field.ty,
            "a number with a fraction cannot be a key: keys are compared exactly, as texts and whole numbers are",
        );
    }
    fractions.is_empty()
}

/// Whether all of a struct's fields can be read from a message; if not, errors say which.
fn may_borrow(fields: &[Field], key: &Key, form: &Form, errors: &mut Errors) -> bool {
    let mut sound = true;
    for field in fields {
        let ty = &field.ty;
        if key.has(field) {
            if has_lifetime(ty) && Text::of(ty).is_none() {
                errors.at(ty, "a key that is borrowed is a text: `&str` or `Cow<str>`");
                sound = false;
            }
        } else if matches!(form, Form::Whole) && last_name(ty).is_some_and(|name| name == "Lazy") {
            errors.at(
                ty,
                "what is read lazily is the whole value: declare exactly the fields `key` and `value`",
            );
            sound = false;
        }
    }
    sound
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

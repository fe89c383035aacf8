//! `#[topic]`: a topic by the shape of its records.

use crate::errors::Errors;
use crate::krate::{Krate, hygienic};
use crate::literal::{duration_tokens, name_in_kafka};
use crate::options::Options;
use crate::record::{Field, Form, Key, Struct};
use crate::said::Said;
use crate::types::{Text, pretty, with_lifetime};
use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Lifetime, LitStr};

pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let topic = lower(attr, &item, &mut errors);
    let derives = topic.as_ref().and_then(derives);
    let generated = topic.as_ref().map(generate);
    let item = topic.map_or_else(|| item.clone(), |topic| topic.record.item(item.clone()));
    quote!(#derives #item #errors #generated)
}

struct Topic {
    krate: Krate,
    record: Struct,
    name: String,
    said: Said,
}

fn lower(attr: TokenStream, item: &TokenStream, errors: &mut Errors) -> Option<Topic> {
    let mut options = Options::parse("topic", attr, errors);
    let name = options.name("#[topic(\"name\")]", errors);
    let record = Struct::read("topic", item, &mut options, errors);
    let partitions = options.number("partitions", 1..=u32::MAX, errors);
    let replicas = options.number("replicas", 1..=32_767, errors);
    let retention = options.duration("retention", errors);
    let compacted = options.flag("compacted", errors);
    let external = options.flag("external", errors);
    let config = options.config(errors);
    options.codecs(errors);
    options
        .later("version", errors, |options, key, errors| options.number(key, 1..=u32::MAX, errors));
    options.later("pattern", errors, pattern);
    let krate = options.krate(errors);
    options.finish(errors);

    if let Some(name) = &name {
        errors.keep(name_in_kafka(name));
    }
    let record = record?;
    if let Some(compacted) =
        compacted.as_ref().filter(|_| record.key.is_none() && !record.key_is_said)
    {
        errors.at(
            compacted,
            "a compacted topic keeps the newest record of each key: name the key, `key = field`",
        );
    }
    let said = Said::default()
        .some("partitions", partitions.map(Literal::u32_unsuffixed))
        .some("replicas", replicas.map(Literal::u32_unsuffixed))
        .some("retention", retention.map(duration_tokens))
        .plain("compacted", compacted.map(|_| quote!(true)))
        .plain("external", external.map(|_| quote!(true)))
        .config(&config)
        .plain("keyed", (!record.key.is_none()).then(|| quote!(true)));
    let name = name.map(|name| name.value()).unwrap_or_default();
    Some(Topic { krate, record, name, said })
}

/// `pattern = "^logs-.*"`
fn pattern(options: &mut Options, key: &'static str, errors: &mut Errors) -> Option<LitStr> {
    let pattern = options.text(key, "a pattern of names", errors)?;
    let text = pattern.value();
    let fault = if !text.starts_with('^') {
        Some("a pattern of names starts with `^`, as in `\"^logs-.*\"`".to_string())
    } else {
        regex_lite::Regex::new(&text).err().map(|error| format!("this is no pattern: {error}"))
    };
    match fault {
        Some(fault) => {
            errors.at(pattern, fault);
            None
        }
        None => Some(pattern),
    }
}

fn derives(topic: &Topic) -> Option<TokenStream> {
    let Topic { krate, record, .. } = topic;
    let (path, name) = (krate.text(), pretty(record.this()));
    let key_bound = |n| Some(format!("<{name} as {path}::KeyOf<{n}>>::Part"));
    record.derives(krate, key_bound, false)
}

fn generate(topic: &Topic) -> TokenStream {
    let Topic { krate, record, name, said } = topic;
    let (this, cfgs) = (record.this(), record.cfgs());
    let (impl_generics, ..) = record.generics.split_for_impl();
    let bounds = record.bounds();
    let checks = [record.key_checks(krate), record.field_checks(krate)];
    let def = said.over(krate, "TopicDef", name);
    let key_type = key_type(krate, record);
    let encode_key = encode_key(krate, record);
    let message = message(record);
    let of = match &record.lifetime {
        Some(_) => in_message(record, &this, &message),
        None => quote!(Self),
    };
    let (decode, encode_value) = codec(krate, record, &message);
    quote_spanned! {hygienic()=>
        #cfgs
        #[allow(unused_imports, unused_variables)]
        const _: () = {
            use #krate::{NoBorrowedCodec as _, NoKeyCodec as _, NoValueCodec as _};
            #(#checks)*
            impl #impl_generics #krate::Record for #this #bounds {
                type Of<#message> = #of;
                type Key = #key_type;
                const TOPIC: #krate::TopicDef = #def;
                fn decode<#message>(
                    key: ::core::option::Option<&#message [u8]>,
                    value: ::core::option::Option<&#message [u8]>,
                ) -> ::core::result::Result<Self::Of<#message>, #krate::CodecError> {
                    #decode
                }
                fn encode_key(
                    &self,
                    out: &mut #krate::Vec<u8>,
                ) -> ::core::result::Result<bool, #krate::CodecError> {
                    #encode_key
                }
                fn encode_value(
                    &self,
                    out: &mut #krate::Vec<u8>,
                ) -> ::core::result::Result<bool, #krate::CodecError> {
                    #encode_value
                }
            }
        };
    }
}

/// How long a message lives: a name that the record has not taken.
fn message(record: &Struct) -> Lifetime {
    let taken = record.generics.lifetimes().any(|param| param.lifetime.ident == "m");
    Lifetime::new(if taken { "'message" } else { "'m" }, hygienic())
}

/// A type of the record's, for the record of one message.
fn in_message(record: &Struct, ty: &impl ToTokens, message: &Lifetime) -> TokenStream {
    let own = |name: &Ident| record.generics.lifetimes().any(|own| own.lifetime.ident == *name);
    with_lifetime(ty, own, message)
}

fn key_type(krate: &Krate, record: &Struct) -> TokenStream {
    match &record.key {
        Key::None => quote!(#krate::NoKey),
        Key::Field(field) => record.key_part(krate, field),
        Key::Parts(_, parts) => {
            let types = parts.iter().map(|part| record.key_part(krate, part));
            quote!((#(#types,)*))
        }
    }
}

/// Whether the key is a text that is borrowed.
fn borrows_key(record: &Struct) -> bool {
    match &record.key {
        Key::Field(field) => record.lifetime.is_some() && Text::of(&field.ty).is_some(),
        Key::None | Key::Parts(..) => false,
    }
}

fn encode_key(krate: &Krate, record: &Struct) -> TokenStream {
    let key = &record.key;
    let members = key.fields().iter().map(|field| &field.member);
    match key {
        _ if matches!(record.form, Form::Unsound) => quote!(::core::result::Result::Ok(false)),
        Key::None => quote!(::core::result::Result::Ok(false)),
        Key::Field(_) if borrows_key(record) => quote_spanned! {hygienic()=>
            #krate::Text::encode_key(#(&self.#members)*, out)
        },
        Key::Field(_) => quote_spanned! {hygienic()=>
            #krate::KeyCodec::<Self::Key>::encode(#(&self.#members)*, out)
        },
        Key::Parts(..) => quote_spanned! {hygienic()=>
            #krate::KeyCodec::<Self::Key>::encode_parts((#(&self.#members,)*), out)
        },
    }
}

/// The bodies that read a record and that write its value.
fn codec(krate: &Krate, record: &Struct, message: &Lifetime) -> (TokenStream, TokenStream) {
    let (ident, this) = (&record.name, record.this());
    let borrows = record.lifetime.is_some();
    let codec = |ty: &TokenStream| match borrows {
        true => quote!(#krate::BorrowedCodec::<#ty>),
        false => quote!(#krate::ValueCodec::<#ty>),
    };
    let Form::Pair(Field { ty, .. }) = &record.form else {
        let this = if borrows { this } else { quote!(Self) };
        let (read, write) = (codec(&in_message(record, &this, message)), codec(&this));
        return (
            quote_spanned!(hygienic()=> #read::decode(value)),
            quote_spanned!(hygienic()=> #write::encode(self, out)),
        );
    };
    let (read, write) = (codec(&in_message(record, ty, message)), codec(&quote!(#ty)));
    let key = match borrows_key(record) {
        true => quote!(#krate::Text::decode_key),
        false => quote!(#krate::KeyCodec::<Self::Key>::decode),
    };
    let read = match Text::of(ty) {
        Some(Text::Cow) if borrows => quote!(#krate::Text::decode_value),
        _ => quote!(#read::decode),
    };
    let decode = quote_spanned! {hygienic()=>
        ::core::result::Result::Ok(#ident { key: #key(key)?, value: #read(value)? })
    };
    (decode, quote_spanned!(hygienic()=> #write::encode(&self.value, out)))
}

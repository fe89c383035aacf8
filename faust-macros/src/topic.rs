//! `#[topic]`: a topic by the shape of its records.

use crate::errors::Errors;
use crate::krate::{Krate, hygienic};
use crate::literal::{duration_tokens, name_in_kafka};
use crate::options::Options;
use crate::record::{Field, Form, Key, Struct};
use crate::said::Said;
use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let topic = lower(attr, &item, &mut errors);
    let derives = topic.as_ref().and_then(derives);
    let generated = topic.as_ref().map(generate);
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
    let krate = options.krate(errors);
    options.later(&["codec", "key_codec", "value_codec", "version", "pattern"], errors);
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

fn derives(topic: &Topic) -> Option<TokenStream> {
    let Topic { krate, record, .. } = topic;
    let (path, name) = (krate.text(), &record.name);
    let key_bound = |n| Some(format!("<{name} as {path}::KeyOf<{n}>>::Part"));
    record.derives(krate, key_bound, false)
}

fn generate(topic: &Topic) -> TokenStream {
    let Topic { krate, record, name, said } = topic;
    let Struct { name: ident, generics, key, form, .. } = record;
    let (impl_generics, ty_generics, _) = generics.split_for_impl();
    let bounds = record.bounds();
    let checks = [record.key_checks(krate), record.field_checks(krate)];
    let def = said.over(krate, "TopicDef", name);
    let key_type = key_type(krate, key);
    let encode_key = encode_key(krate, key);
    let (decode, encode_value) = codec(krate, form);
    quote_spanned! {hygienic()=>
        #[allow(unused_imports, unused_variables)]
        const _: () = {
            use #krate::{NoKeyCodec as _, NoValueCodec as _};
            #(#checks)*
            impl #impl_generics #krate::Record for #ident #ty_generics #bounds {
                type Key = #key_type;
                const TOPIC: #krate::TopicDef = #def;
                fn decode(
                    key: ::core::option::Option<&[u8]>,
                    value: ::core::option::Option<&[u8]>,
                ) -> ::core::result::Result<Self, #krate::CodecError> {
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

fn key_type(krate: &Krate, key: &Key) -> TokenStream {
    match key {
        Key::None => quote!(#krate::NoKey),
        Key::Field(Field { ty, .. }) => ty.to_token_stream(),
        Key::Parts(_, parts) => {
            let types = parts.iter().map(|part| &part.ty);
            quote!((#(#types,)*))
        }
    }
}

fn encode_key(krate: &Krate, key: &Key) -> TokenStream {
    let members = key.fields().iter().map(|field| &field.member);
    match key {
        Key::None => quote!(::core::result::Result::Ok(false)),
        Key::Field(_) => quote_spanned! {hygienic()=>
            #krate::KeyCodec::<Self::Key>::encode(#(&self.#members)*, out)
        },
        Key::Parts(..) => quote_spanned! {hygienic()=>
            #krate::KeyCodec::<Self::Key>::encode_parts((#(&self.#members,)*), out)
        },
    }
}

/// The bodies that read a record and that write its value.
fn codec(krate: &Krate, form: &Form) -> (TokenStream, TokenStream) {
    if let Form::Pair(Field { ty, .. }) = form {
        let decode = quote_spanned! {hygienic()=>
            ::core::result::Result::Ok(Self {
                key: #krate::KeyCodec::<Self::Key>::decode(key)?,
                value: #krate::ValueCodec::<#ty>::decode(value)?,
            })
        };
        let encode = quote_spanned! {hygienic()=>
            #krate::ValueCodec::<#ty>::encode(&self.value, out)
        };
        return (decode, encode);
    }
    let decode = quote_spanned!(hygienic()=> #krate::ValueCodec::<Self>::decode(value));
    (decode, quote_spanned!(hygienic()=> #krate::ValueCodec::<Self>::encode(self, out)))
}

//! `#[table]`: a table by the shape of its rows.

mod set;

use crate::cfg::cfgs;
use crate::closest::did_you_mean;
use crate::errors::Errors;
use crate::krate::{Krate, hygienic};
use crate::literal::{delay, duration, duration_tokens, name_in_kafka};
use crate::options::Options;
use crate::record::{Field, Form, Key, Struct, find};
use crate::said::Said;
use crate::types::anchor;
use crate::window::Window;
use proc_macro2::{Delimiter, Group, Ident, Literal, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Index, Path, Type};

pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let table = lower(attr, &item, &mut errors);
    let derives = table.as_ref().and_then(derives);
    let generated = table.as_ref().map(generate);
    quote!(#derives #item #errors #generated)
}

struct Table {
    krate: Krate,
    row: Struct,
    name: String,
    said: Said,
    shape: Shape,
    home: Home,
    /// The function that gives the first rows.
    initial: Option<Path>,
}

/// How its rows are kept.
enum Shape {
    Plain,
    /// With windows, and the marker of their kind.
    Windowed(TokenStream),
    /// Each row goes a while after its last write.
    Aging,
    /// Each row is a version of a value.
    History,
    /// Each row is a member of the set that is its value: `Set<Member>`, as it stands there.
    Members(Type),
}

/// What decides a row's partition.
enum Home {
    Key,
    /// A part of the key, by its position.
    Part(Index, Type),
    /// Nothing: it is where the event was.
    Anywhere,
}

fn lower(attr: TokenStream, item: &TokenStream, errors: &mut Errors) -> Option<Table> {
    let mut options = Options::parse("table", attr, errors);
    let name = options.name("#[table(\"name\")]", errors);
    let mut row = Struct::read("table", item, &mut options, errors);
    let partitions = options.number("partitions", 1..=u32::MAX, errors);
    let window = options.value("window", errors);
    let expires = options.value("expires", errors);
    let ttl = options.value("ttl", errors);
    let history = options.value("history", errors);
    let partition_by = options.value("partition_by", errors);
    let scope = options.ident("scope", "`partition` or `key`", errors);
    let initial = options.path("initial", "the name of an async function", errors);
    let changelog = options.truth("changelog", errors);
    let config = options.config(errors);
    let grace = options.value("grace", errors);
    options.codecs(errors);
    let krate = options.krate(errors);
    options.finish(errors);

    if let Some(name) = &name {
        errors.keep(name_in_kafka(name));
    }
    if let Some(expires) = expires.as_ref().filter(|_| window.is_none()) {
        errors.at(expires, "what expires is a window: say which, `window = tumbling(1min)`");
    }
    if let Some(grace) = grace.as_ref().filter(|_| window.is_none()) {
        errors.at(
            grace,
            "what waits for late events is a window: say which, `window = tumbling(1min)`",
        );
    }
    let windowed = window.is_some();
    let window = window.and_then(|window| Window::read(window, errors));
    let expires = expires.and_then(|expires| errors.keep(duration(expires)));
    let grace_said = grace.clone();
    let grace = grace.and_then(|grace| errors.keep(delay(grace)));
    if let (Some(expires), Some(grace)) = (expires, grace)
        && expires < grace
        && windowed
    {
        errors.at(
            grace_said,
            "a window is kept at least as long as it takes events: `expires` is not shorter than `grace`",
        );
    }
    if let Some(ttl) = ttl.as_ref().filter(|_| windowed) {
        errors.at(
            ttl,
            "windows go by themselves: `expires = 1h` says when, counted from a window's end",
        );
    }
    if let Some(history) = history.as_ref().filter(|_| windowed || ttl.is_some()) {
        errors.at(
            history,
            "a table with `history` has neither windows nor `ttl`: its rows are versions already",
        );
    }
    let ttl = ttl.and_then(|ttl| errors.keep(duration(ttl)));
    let history = history.and_then(|history| errors.keep(duration(history)));
    let set = row.as_mut().and_then(set::spread);
    if let Some(set) = set.as_ref().filter(|_| windowed || ttl.is_some() || history.is_some()) {
        errors.at(
            set,
            "a set has neither windows nor `ttl` nor `history`: its members stay until they are removed",
        );
    }
    let shape = match set {
        Some(set) => Shape::Members(set),
        None if windowed => Shape::Windowed(Window::marker(window.as_ref(), &krate)),
        None if ttl.is_some() => Shape::Aging,
        None if history.is_some() => Shape::History,
        None => Shape::Plain,
    };
    if let Some(initial) = initial.as_ref().filter(|_| !matches!(shape, Shape::Plain)) {
        errors.at(
            initial,
            "initial rows are those of a plain table: it has no windows, no `ttl`, no `history` and no sets",
        );
    }
    let row = row?;
    require_key(&row, errors);
    require_value(&row, errors);
    let said_anywhere = scope.as_ref().is_some_and(|scope| is_partition(scope, errors));
    // What is no row agrees with every agent.
    let anywhere = said_anywhere || matches!(row.form, Form::Unsound);
    let home = match (&shape, &row.key) {
        (Shape::Members(_), Key::Parts(_, parts)) if !anywhere && partition_by.is_none() => {
            parts.first().map_or(Home::Key, |key| Home::Part(Index::from(0), key.ty.clone()))
        }
        _ => home(&row.key, partition_by, anywhere, errors),
    };
    let said = Said::default()
        .some("partitions", partitions.map(Literal::u32_unsuffixed))
        .some("window", window.map(|window| window.tokens(&krate)))
        .some("expires", expires.map(duration_tokens))
        .some("grace", grace.map(duration_tokens))
        .some("ttl", ttl.map(duration_tokens))
        .some("history", history.map(duration_tokens))
        .plain("scope", said_anywhere.then(|| quote!(#krate::Scope::Partition)))
        .plain("changelog", changelog.filter(|logged| !logged))
        .config(&config);
    let name = name.map(|name| name.value()).unwrap_or_default();
    Some(Table { krate, row, name, said, shape, home, initial })
}

fn require_key(row: &Struct, errors: &mut Errors) {
    if matches!(row.form, Form::Whole) && row.key.is_none() && !row.key_is_said {
        errors.at(
            &row.name,
            "the rows of a table have a key: name its field, `key = field`, or declare exactly the fields `key` and `value`",
        );
    }
}

fn require_value(row: &Struct, errors: &mut Errors) {
    if let Form::Pair(Field { ty: Type::Tuple(ty), .. }) = &row.form
        && ty.elems.is_empty()
    {
        errors.at(
            ty,
            "a row cannot have `()` as its value: that is written as no value at all, and a row without one is gone; say `bool`",
        );
    }
}

fn is_partition(scope: &Ident, errors: &mut Errors) -> bool {
    let known = scope == "partition" || scope == "key";
    if !known {
        let meant = did_you_mean(&scope.to_string(), &["partition", "key"]);
        errors.at(scope, format!("unknown scope `{scope}`{meant}: `partition` or `key`"));
    }
    scope == "partition"
}

fn home(key: &Key, said: Option<TokenStream>, anywhere: bool, errors: &mut Errors) -> Home {
    match (said, key) {
        (None, _) if anywhere => Home::Anywhere,
        (None, _) => Home::Key,
        (Some(said), _) if anywhere => {
            errors.at(
                said,
                "with `scope = partition` nothing decides the partition: leave one of them out",
            );
            Home::Anywhere
        }
        (Some(said), Key::Parts(_, parts)) => match find(&said, parts, errors) {
            None => Home::Key,
            Some(field) => {
                let n = parts.iter().take_while(|part| part.member != field.member).count();
                Home::Part(Index::from(n), field.ty)
            }
        },
        (Some(said), _) => {
            errors.at(
                said,
                "`partition_by` names a part of a composite key: `key = (a, b), partition_by = a`",
            );
            Home::Key
        }
    }
}

fn derives(table: &Table) -> Option<TokenStream> {
    let Table { krate, row, .. } = table;
    let (path, name) = (krate.text(), &row.name);
    let key_bound = |_| match row.key {
        Key::Field(_) if !matches!(table.shape, Shape::History) => {
            Some(format!("<{name} as {path}::Row>::Key"))
        }
        Key::None | Key::Field(_) | Key::Parts(..) => None,
    };
    match row.form {
        // Nobody reads the fields of a pair: the key and the value travel apart.
        Form::Pair(_) => Some(quote!(#[allow(dead_code)])),
        Form::Whole | Form::Unsound => row.derives(krate, key_bound, true),
    }
}

fn generate(table: &Table) -> TokenStream {
    let Table { krate, row, name, said, shape, home, initial } = table;
    let ident = &row.name;
    let (impl_generics, ty_generics, _) = row.generics.split_for_impl();
    let bounds = row.bounds();
    let cfgs = row.cfgs();
    let checks = match row.form {
        Form::Whole | Form::Pair(_) => row.field_checks(krate),
        Form::Unsound => TokenStream::new(),
    };
    let def = said.over(krate, "TableDef", name);
    let writes = format!("{name}-writes");
    let key = match row.form {
        Form::Unsound => quote!(()),
        Form::Pair(_) | Form::Whole => key_type(&row.key),
    };
    let (value, fresh) = value(row);
    let window = match shape {
        Shape::Plain => quote!(#krate::Unwindowed),
        Shape::Windowed(marker) => marker.clone(),
        Shape::Aging => quote!(#krate::Unwindowed<#krate::Aging>),
        Shape::History => quote!(#krate::History),
        Shape::Members(_) => quote!(#krate::Members),
    };
    let set_check = match shape {
        Shape::Members(set) => {
            let span = anchor(set).resolved_at(hygienic());
            let check = quote_spanned!(span=> __require_set::<#set>);
            Some(quote!(use #krate::require_set as __require_set; const _: fn() = #check;))
        }
        _ => None,
    };
    let initial = initial.as_ref().map(|path| first_rows(krate, row, path));
    let versions = matches!(shape, Shape::History);
    let (partition_key, encode_partition_key) = match (home, versions) {
        (Home::Key, false) => (quote!(Self::Key), None),
        (Home::Key, true) => (key.clone(), Some(encode_part(krate, &quote!(0)))),
        (Home::Anywhere, _) => (quote!(#krate::AnyKey), None),
        (Home::Part(n, ty), false) => (ty.to_token_stream(), Some(encode_part(krate, &quote!(#n)))),
        (Home::Part(n, ty), true) => {
            (ty.to_token_stream(), Some(encode_part(krate, &quote!(0.#n))))
        }
    };
    let (key, value, fresh) = match versions {
        false => (key, value, fresh),
        true => (
            quote!((#key, #krate::Stamp)),
            quote!(#krate::Version<#value>),
            quote_spanned!(hygienic()=> let key = &key.0; #krate::Version(::core::option::Option::Some(#fresh))),
        ),
    };
    quote_spanned! {hygienic()=>
        #cfgs
        #[allow(unused_imports, unused_variables)]
        const _: () = {
            use #krate::{NoKeyCodec as _, NoValueCodec as _};
            #checks
            #set_check
            impl #impl_generics #krate::Row for #ident #ty_generics #bounds {
                type Key = #key;
                type Value = #value;
                type PartitionKey = #partition_key;
                type Window = #window;
                const TABLE: #krate::TableDef = #def;
                const WRITES: &'static str = #writes;
                fn fresh(key: &Self::Key) -> Self::Value {
                    #fresh
                }
                fn encode_value(
                    value: &Self::Value,
                    out: &mut #krate::Vec<u8>,
                ) -> ::core::result::Result<bool, #krate::CodecError> {
                    #krate::ValueCodec::<Self::Value>::encode(value, out)
                }
                fn decode_value(
                    bytes: &[u8],
                ) -> ::core::result::Result<Self::Value, #krate::CodecError> {
                    #krate::ValueCodec::<Self::Value>::decode(::core::option::Option::Some(bytes))
                }
                #initial
                #encode_partition_key
            }
        };
    }
}

/// Carries errors at what the option names, where the key is of several parts.
fn key_type(key: &Key) -> TokenStream {
    match key {
        Key::None => quote!(()),
        Key::Field(Field { ty, .. }) => ty.to_token_stream(),
        Key::Parts(group, parts) => {
            let types = parts.iter().map(|part| &part.ty);
            let mut tuple = Group::new(Delimiter::Parenthesis, quote!(#(#types,)*));
            tuple.set_span(group.span());
            tuple.into_token_stream()
        }
    }
}

/// The type of a row's value, and the expression that makes a new one.
fn value(row: &Struct) -> (TokenStream, TokenStream) {
    let default = |ty: &Type| {
        let span = anchor(ty).resolved_at(hygienic());
        quote_spanned!(span=> ::core::default::Default::default())
    };
    match &row.form {
        Form::Unsound => (quote!(()), quote!(())),
        Form::Pair(Field { ty, .. }) => (ty.to_token_stream(), default(ty)),
        Form::Whole => {
            let parts = row.key.fields();
            let fields = row.fields.iter().map(|Field { attrs, member, ty }| {
                let part = parts.iter().position(|part| part.member == *member).map(Index::from);
                let value = match (part, &row.key) {
                    (None, _) => default(ty),
                    (Some(n), Key::Parts(..)) => {
                        quote_spanned!(hygienic()=> ::core::clone::Clone::clone(&key.#n))
                    }
                    (Some(_), _) => quote_spanned!(hygienic()=> ::core::clone::Clone::clone(key)),
                };
                let cfgs = cfgs(attrs);
                quote!(#cfgs #member: #value)
            });
            (row.name.to_token_stream(), quote!(Self { #(#fields),* }))
        }
    }
}

/// Calls the function that gives the first rows, and takes these apart.
fn first_rows(krate: &Krate, row: &Struct, path: &Path) -> TokenStream {
    let members: Vec<_> = row.key.fields().iter().map(|field| &field.member).collect();
    let split = match (&row.form, &row.key) {
        (Form::Pair(value), Key::Field(key)) => {
            let (key, value) = (&key.member, &value.member);
            quote_spanned!(hygienic()=> (row.#key, row.#value))
        }
        (_, Key::Parts(..)) => quote_spanned! {hygienic()=>
            ((#(::core::clone::Clone::clone(&row.#members),)*), row)
        },
        _ => quote_spanned!(hygienic()=> (#(::core::clone::Clone::clone(&row.#members))*, row)),
    };
    quote_spanned! {hygienic()=>
        fn initial() -> ::core::option::Option<#krate::Initial<Self>> {
            ::core::option::Option::Some(#krate::Box::pin(async {
                let rows: #krate::Vec<Self> = #path().await?;
                let rows = rows.into_iter().map(|row| #split);
                ::core::result::Result::Ok(rows.collect())
            }))
        }
    }
}

/// What decides the partition is a part of the key.
fn encode_part(krate: &Krate, n: &TokenStream) -> TokenStream {
    quote_spanned! {hygienic()=>
        fn encode_partition_key(
            key: &Self::Key,
            out: &mut #krate::Vec<u8>,
        ) -> ::core::result::Result<(), #krate::CodecError> {
            #krate::KeyCodec::<Self::PartitionKey>::encode(&key.#n, out)?;
            ::core::result::Result::Ok(())
        }
    }
}

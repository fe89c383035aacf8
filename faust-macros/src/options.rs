//! The one grammar of all attributes: `"name", flag, key = value, list(a, b)`.
//!
//! Options are taken out one by one; what was never asked for when [`Options::finish`] is called is unknown.

use crate::closest::did_you_mean;
use crate::errors::Errors;
use crate::krate::Krate;
use crate::literal;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use std::ops::RangeInclusive;
use std::time::Duration;
use syn::{LitBool, LitStr, Path};

pub(crate) struct Options {
    /// The macro's name, for messages.
    noun: &'static str,
    name: Option<LitStr>,
    options: Vec<Given>,
    /// What was asked for, in this order.
    known: Vec<&'static str>,
}

/// An option as given.
struct Given {
    key: Ident,
    value: Value,
}

enum Value {
    Flag,
    Equals(TokenStream),
    List(Group),
}

impl Options {
    pub(crate) fn parse(noun: &'static str, attr: TokenStream, errors: &mut Errors) -> Self {
        let mut this = Self { noun, name: None, options: Vec::new(), known: Vec::new() };
        for piece in pieces(attr, errors) {
            this.read(piece, errors);
        }
        this
    }

    fn read(&mut self, piece: TokenStream, errors: &mut Errors) {
        if let Ok(name) = syn::parse2::<LitStr>(piece.clone()) {
            if self.name.is_some() || !self.options.is_empty() {
                errors.at(name, "the name comes first, and once");
            } else {
                self.name = Some(name);
            }
            return;
        }
        let Some(given) = Given::read(piece.clone()) else {
            let expected = match self.noun {
                "timer" => "expected an option, such as `every = 10s`",
                _ => "expected an option: `flag`, `key = value` or `list(a, b)`",
            };
            errors.at(piece, expected);
            return;
        };
        if given.is_empty() {
            errors.at(
                piece,
                format!("`{}` says nothing: give it a value or leave it out", given.key),
            );
        } else if self.options.iter().any(|other| other.key == given.key) {
            errors.at(&given.key, format!("`{}` is given twice", given.key));
        } else {
            self.options.push(given);
        }
    }

    /// The string in front; an error that shows how to write it where it is missing.
    pub(crate) fn name(&mut self, usage: &str, errors: &mut Errors) -> Option<LitStr> {
        if self.name.is_none() {
            let (at, fault) = match self.misplaced_name() {
                Some(at) => (at, "the name is a text in front"),
                None => (Span::call_site(), "the name is missing"),
            };
            errors.push(at, format!("{fault}: write `{usage}`"));
        }
        self.name.take()
    }

    /// The string in front, where there is to be none.
    pub(crate) fn stray_name(&mut self) -> Option<LitStr> {
        self.name.take()
    }

    /// What was meant as the name, and is no longer an option then: `name = "words"`, or `words` in front.
    fn misplaced_name(&mut self) -> Option<Span> {
        const KEYS: [&str; 5] = ["name", "id", "path", "topic", "table"];
        const FLAGS: [&str; 3] = ["compacted", "external", "on_leader"];
        let index = self.options.iter().position(|given| match &given.value {
            Value::Equals(value) => {
                KEYS.iter().any(|key| given.key == key)
                    && syn::parse2::<LitStr>(value.clone()).is_ok()
            }
            Value::Flag | Value::List(_) => false,
        });
        let front = self.options.first().is_some_and(|given| {
            matches!(given.value, Value::Flag) && FLAGS.iter().all(|flag| given.key != flag)
        });
        let index = index.or(front.then_some(0))?;
        Some(self.options.remove(index).key.span())
    }

    /// Whether an option is given and not yet taken.
    pub(crate) fn is_said(&self, key: &str) -> bool {
        self.options.iter().any(|given| given.key == key)
    }

    pub(crate) fn flag(&mut self, key: &'static str, errors: &mut Errors) -> Option<Ident> {
        let Given { key, value } = self.take(key)?;
        if !matches!(value, Value::Flag) {
            errors.at(&key, format!("`{key}` stands alone, without a value"));
            return None;
        }
        Some(key)
    }

    /// The tokens behind `key =`.
    pub(crate) fn value(&mut self, key: &'static str, errors: &mut Errors) -> Option<TokenStream> {
        let Given { key, value } = self.take(key)?;
        match value {
            Value::Equals(tokens) => Some(tokens),
            Value::Flag | Value::List(_) => {
                errors.at(&key, format!("`{key}` needs a value: `{key} = ..`"));
                None
            }
        }
    }

    /// The pieces in `key(..)`.
    pub(crate) fn list(&mut self, key: &'static str, errors: &mut Errors) -> Vec<TokenStream> {
        let Some(Given { key, value }) = self.take(key) else { return Vec::new() };
        match value {
            Value::List(group) => pieces(group.stream(), errors),
            Value::Flag | Value::Equals(_) => {
                errors.at(&key, format!("`{key}` is a list: `{key}(..)`"));
                Vec::new()
            }
        }
    }

    pub(crate) fn number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u32>,
        errors: &mut Errors,
    ) -> Option<u32> {
        let tokens = self.value(key, errors)?;
        errors.keep(literal::number(tokens, range))
    }

    pub(crate) fn duration(&mut self, key: &'static str, errors: &mut Errors) -> Option<Duration> {
        let tokens = self.value(key, errors)?;
        errors.keep(literal::duration(tokens))
    }

    /// `true` or `false` behind `key =`.
    pub(crate) fn truth(&mut self, key: &'static str, errors: &mut Errors) -> Option<bool> {
        let tokens = self.value(key, errors)?;
        let truth = syn::parse2::<LitBool>(tokens.clone()).ok();
        if truth.is_none() {
            errors.at(tokens, "expected `true` or `false`");
        }
        truth.map(|truth| truth.value)
    }

    /// A single identifier behind `key =`.
    pub(crate) fn ident(
        &mut self,
        key: &'static str,
        expected: &str,
        errors: &mut Errors,
    ) -> Option<Ident> {
        let tokens = self.value(key, errors)?;
        let ident = syn::parse2(tokens.clone()).ok();
        if ident.is_none() {
            errors.at(tokens, format!("expected {expected}"));
        }
        ident
    }

    /// The pairs in `config("key" = "value")`.
    pub(crate) fn config(&mut self, errors: &mut Errors) -> Vec<(LitStr, LitStr)> {
        let pieces = self.list("config", errors);
        pieces.into_iter().filter_map(|piece| pair(piece, errors)).collect()
    }

    /// `crate = path`.
    pub(crate) fn krate(&mut self, errors: &mut Errors) -> Krate {
        Krate::new(self.path("crate", "the path to the crate `faust`", errors))
    }

    /// A text behind `key =`.
    pub(crate) fn text(
        &mut self,
        key: &'static str,
        expected: &str,
        errors: &mut Errors,
    ) -> Option<LitStr> {
        let tokens = self.value(key, errors)?;
        let text = syn::parse2(tokens.clone()).ok();
        if text.is_none() {
            errors.at(tokens, format!("expected {expected} in quotes"));
        }
        text
    }

    /// A path behind `key =`.
    pub(crate) fn path(
        &mut self,
        key: &'static str,
        expected: &str,
        errors: &mut Errors,
    ) -> Option<Path> {
        let tokens = self.value(key, errors)?;
        let path = syn::parse2(tokens.clone()).ok();
        if path.is_none() {
            errors.at(tokens, format!("expected {expected}"));
        }
        path
    }

    /// The paths in `key(..)`.
    pub(crate) fn paths(
        &mut self,
        key: &'static str,
        expected: &str,
        errors: &mut Errors,
    ) -> Vec<Path> {
        let entries = self.list(key, errors).into_iter();
        let path = |entry: TokenStream| {
            let path = syn::parse2(entry.clone()).ok();
            if path.is_none() {
                errors.at(entry, format!("expected {expected}"));
            }
            path
        };
        entries.filter_map(path).collect()
    }

    /// What is planned: read as it will be, and refused until then where it is right.
    pub(crate) fn later<T>(
        &mut self,
        key: &'static str,
        errors: &mut Errors,
        read: impl FnOnce(&mut Self, &'static str, &mut Errors) -> Option<T>,
    ) {
        let given = self.options.iter().find(|given| given.key == key);
        let Some(said) = given.map(|given| given.key.clone()) else {
            self.known.push(key);
            return;
        };
        if read(self, key, errors).is_some() {
            errors.later(&said, format!("`{key}`"));
        }
    }

    /// The three that say how bytes are read and written.
    pub(crate) fn codecs(&mut self, errors: &mut Errors) {
        for key in ["codec", "key_codec", "value_codec"] {
            self.later(key, errors, |options, key, errors| {
                options.path(key, "the path to a codec, such as `formats::Avro`", errors)
            });
        }
    }

    /// Reports what nobody asked for.
    pub(crate) fn finish(self, errors: &mut Errors) {
        if let Some(name) = &self.name {
            errors.at(name, format!("`#[{}]` takes no name", self.noun));
        }
        for Given { key, .. } in &self.options {
            let said = match said_elsewhere(self.noun, &key.to_string()) {
                Some("method") => format!(": write `method = {key}`"),
                Some(place) => format!(": {place}"),
                None => did_you_mean(&key.to_string(), &self.known),
            };
            errors.at(key, format!("unknown {} option `{key}`{said}", self.noun));
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Given> {
        self.known.push(key);
        let index = self.options.iter().position(|given| given.key == key)?;
        Some(self.options.remove(index))
    }
}

/// Where something is said that is no option, though other libraries have it as one.
fn said_elsewhere(noun: &str, key: &str) -> Option<&'static str> {
    Some(match (noun, key) {
        ("agent", "topic" | "topics" | "input" | "channel") => {
            "the first parameter says what an agent reads, as in `word: Event<Word>`"
        }
        ("agent", key) if key.starts_with(char::is_uppercase) => {
            "the first parameter says what an agent reads, as in `word: Event<Word>`"
        }
        ("app", "topics" | "tables") => "the functions that use it say so by their parameters",
        ("app", "broker" | "store" | "web_port") => "what differs per deployment is a setting",
        ("page", "get" | "post" | "put" | "patch" | "delete") => "method",
        ("topic" | "table", "key_type" | "value_type" | "value" | "default") => {
            "the fields of the struct say it"
        }
        _ => return None,
    })
}

impl Given {
    fn read(piece: TokenStream) -> Option<Self> {
        let mut tokens = piece.into_iter();
        let Some(TokenTree::Ident(key)) = tokens.next() else { return None };
        let value = match tokens.next() {
            None => Value::Flag,
            Some(TokenTree::Punct(punct)) if punct.as_char() == '=' => {
                Value::Equals(tokens.by_ref().collect())
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
                Value::List(group)
            }
            Some(_) => return None,
        };
        tokens.next().is_none().then_some(Self { key, value })
    }

    fn is_empty(&self) -> bool {
        match &self.value {
            Value::Flag => false,
            Value::Equals(tokens) => tokens.is_empty(),
            Value::List(group) => group.stream().is_empty(),
        }
    }
}

/// `"key" = "value"`.
fn pair(piece: TokenStream, errors: &mut Errors) -> Option<(LitStr, LitStr)> {
    let read = |input: syn::parse::ParseStream<'_>| {
        let key = input.parse()?;
        input.parse::<syn::Token![=]>()?;
        Ok((key, input.parse()?))
    };
    let pair = syn::parse::Parser::parse2(read, piece.clone()).ok();
    if pair.is_none() {
        errors.at(piece, "expected `\"key\" = \"value\"`");
    }
    pair
}

/// What stands between commas.
pub(crate) fn pieces(tokens: TokenStream, errors: &mut Errors) -> Vec<TokenStream> {
    let mut pieces = Vec::new();
    let mut piece = TokenStream::new();
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => {
                if piece.is_empty() {
                    errors.at(punct, "nothing stands before this comma");
                } else {
                    pieces.push(std::mem::take(&mut piece));
                }
            }
            token => piece.extend([token]),
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::ToTokens;

    fn options(text: &str) -> (Options, Errors) {
        let mut errors = Errors::default();
        let options = Options::parse("topic", text.parse().unwrap(), &mut errors);
        (options, errors)
    }

    /// The messages, one a line.
    fn messages(errors: Errors) -> String {
        let text = errors.into_token_stream();
        let file: syn::File = syn::parse2(text).unwrap();
        let message = |item: &syn::Item| match item {
            syn::Item::Macro(item) => {
                syn::parse2::<LitStr>(item.mac.tokens.clone()).unwrap().value()
            }
            _ => unreachable!(),
        };
        file.items.iter().map(message).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn reads_every_form() {
        let (mut options, mut errors) = options(
            r#""words", compacted, partitions = 4, retention = 7d, config("a" = "b"), crate = ::x::y,"#,
        );
        assert_eq!(options.name("", &mut errors).unwrap().value(), "words");
        assert!(options.flag("compacted", &mut errors).is_some());
        assert!(options.flag("external", &mut errors).is_none());
        assert_eq!(options.number("partitions", 1..=9, &mut errors), Some(4));
        assert_eq!(options.duration("retention", &mut errors), Some(Duration::from_secs(604_800)));
        assert_eq!(options.config(&mut errors).len(), 1);
        assert_eq!(options.krate(&mut errors).text(), "::x::y::__private");
        options.finish(&mut errors);
        assert_eq!(messages(errors), "");
    }

    #[test]
    fn reports_each_fault() {
        let check = |text: &str, expected: &str| {
            let (mut options, mut errors) = options(text);
            options.name("#[topic(\"name\")]", &mut errors);
            options.number("partitions", 1..=9, &mut errors);
            options.flag("compacted", &mut errors);
            options.config(&mut errors);
            options.codecs(&mut errors);
            options.finish(&mut errors);
            assert_eq!(messages(errors), expected, "{text}");
        };
        check(
            "\"a\", partition = 4",
            "unknown topic option `partition`; did you mean `partitions`?",
        );
        check("\"a\", colour = 4", "unknown topic option `colour`");
        check("\"a\", partitions = 4, partitions = 5", "`partitions` is given twice");
        check("\"a\", partitions =", "`partitions` says nothing: give it a value or leave it out");
        check("\"a\", config()", "`config` says nothing: give it a value or leave it out");
        check("\"a\", partitions", "`partitions` needs a value: `partitions = ..`");
        check("\"a\", compacted = true", "`compacted` stands alone, without a value");
        check("\"a\", config = 4", "`config` is a list: `config(..)`");
        check("\"a\", config(a = b)", "expected `\"key\" = \"value\"`");
        check("\"a\", codec = formats::Avro", "`codec` is not available in this version");
        check("\"a\", codec = 4", "expected the path to a codec, such as `formats::Avro`");
        check("\"a\", kodec = 4", "unknown topic option `kodec`; did you mean `codec`?");
        check("\"a\", , compacted", "nothing stands before this comma");
        check("\"a\", 4 = 5", "expected an option: `flag`, `key = value` or `list(a, b)`");
        check("\"a\", \"b\"", "the name comes first, and once");
        check("", "the name is missing: write `#[topic(\"name\")]`");
    }

    #[test]
    fn reports_faults_together() {
        let (options, mut errors) = options("\"a\", x = , y y, z");
        options.finish(&mut errors);
        assert_eq!(messages(errors).lines().count(), 4);
    }
}

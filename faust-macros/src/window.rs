//! `window = tumbling(1min)`: how a table divides time.

use crate::closest::did_you_mean;
use crate::errors::Errors;
use crate::krate::Krate;
use crate::literal::{duration, duration_tokens};
use crate::options::pieces;
use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use std::time::Duration;

pub(crate) enum Window {
    Tumbling(Duration),
    Hopping {
        size: Duration,
        step: Duration,
    },
    /// Until no event has come for so long.
    Session(Duration),
}

/// The kinds, with how each is written.
const KINDS: [(&str, &str); 4] = [
    ("tumbling", "tumbling(1min)"),
    ("hopping", "hopping(10min, step = 1min)"),
    ("sliding", "sliding(10min)"),
    ("session", "session(30min)"),
];

impl Window {
    /// `None` where it is wrong or comes later; then an error says so.
    pub(crate) fn read(said: TokenStream, errors: &mut Errors) -> Option<Self> {
        const EXPECTED: &str = "expected a window such as `tumbling(1min)`";
        let Some((kind, group)) = call(said.clone()) else {
            errors.at(said, EXPECTED);
            return None;
        };
        let Some((name, usage)) = KINDS.iter().find(|(name, _)| kind == name) else {
            let meant = did_you_mean(&kind.to_string(), &KINDS.map(|(name, _)| name));
            errors.at(&kind, format!("unknown window `{kind}`{meant}: {EXPECTED}"));
            return None;
        };
        let (size, step) = lengths(&group, *name == "hopping", usage, errors)?;
        match (*name, step) {
            ("tumbling", _) => Some(Self::Tumbling(size)),
            ("session", _) => Some(Self::Session(size)),
            (_, Some(step)) => Some(Self::Hopping { size, step }),
            _ => {
                errors.later(kind, format!("`{name}`"));
                None
            }
        }
    }

    /// The marker of tables with such windows.
    pub(crate) fn marker(window: Option<&Self>, krate: &Krate) -> TokenStream {
        match window {
            Some(Self::Hopping { .. }) => quote!(#krate::Overlapping),
            Some(Self::Session(_)) => quote!(#krate::Sessions),
            // What is wrong, or comes later, has windows too.
            _ => quote!(#krate::Windowed),
        }
    }

    pub(crate) fn tokens(&self, krate: &Krate) -> TokenStream {
        match self {
            Self::Tumbling(size) => {
                let size = duration_tokens(*size);
                quote!(#krate::WindowDef::Tumbling { size: #size })
            }
            Self::Hopping { size, step } => {
                let (size, step) = (duration_tokens(*size), duration_tokens(*step));
                quote!(#krate::WindowDef::Hopping { size: #size, step: #step })
            }
            Self::Session(gap) => {
                let gap = duration_tokens(*gap);
                quote!(#krate::WindowDef::Session { gap: #gap })
            }
        }
    }
}

/// A window's length. One that hops says also how far.
fn lengths(
    group: &Group,
    hops: bool,
    usage: &str,
    errors: &mut Errors,
) -> Option<(Duration, Option<Duration>)> {
    let mut given = pieces(group.stream(), errors).into_iter();
    let Some(size) = given.next() else {
        errors.at(group, format!("expected a length, as in `{usage}`"));
        return None;
    };
    let size = errors.keep(duration(size));
    let hop = given.next();
    if let Some(more) = given.next().or_else(|| hop.clone().filter(|_| !hops)) {
        errors.at(more, format!("this window has nothing to say here: `{usage}`"));
        return None;
    }
    if !hops {
        return Some((size?, None));
    }
    let Some(step) = hop.clone().and_then(step) else {
        let (at, usage) = (hop.unwrap_or_else(|| group.clone().into_token_stream()), usage);
        errors.at(at, format!("a window that hops says how far: `{usage}`"));
        return None;
    };
    let (step_span, step) = (step.clone(), errors.keep(duration(step)));
    let (size, step) = (size?, step?);
    if step > size {
        errors
            .at(step_span, "a step is not longer than its window: what lies between would be lost");
        return None;
    }
    Some((size, Some(step)))
}

/// What stands behind `step =`.
fn step(tokens: TokenStream) -> Option<TokenStream> {
    let mut tokens = tokens.into_iter();
    match (tokens.next()?, tokens.next()?) {
        (TokenTree::Ident(name), TokenTree::Punct(equals))
            if name == "step" && equals.as_char() == '=' =>
        {
            Some(tokens.collect())
        }
        _ => None,
    }
}

/// `name(..)`
fn call(tokens: TokenStream) -> Option<(Ident, Group)> {
    let mut tokens = tokens.into_iter();
    match (tokens.next()?, tokens.next()?, tokens.next()) {
        (TokenTree::Ident(name), TokenTree::Group(group), None)
            if group.delimiter() == Delimiter::Parenthesis =>
        {
            Some((name, group))
        }
        _ => None,
    }
}

//! `window = tumbling(1min)`: how a table divides time.

use crate::closest::did_you_mean;
use crate::errors::Errors;
use crate::krate::Krate;
use crate::literal::{duration, duration_tokens};
use crate::options::pieces;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use std::time::Duration;

pub(crate) enum Window {
    Tumbling(Duration),
    Hopping {
        size: Duration,
        step: Duration,
    },
    Sliding(Duration),
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
    /// `None` where it is wrong; then an error says so.
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
        let hops = *name == "hopping";
        // What is wrong is told; the table keeps its kind, so that its uses do not fail as well.
        let (size, step) = lengths(&group, hops, usage, errors)
            .unwrap_or((Duration::from_secs(1), hops.then_some(Duration::from_secs(1))));
        Some(match (*name, step) {
            ("sliding", _) => Self::Sliding(size),
            ("session", _) => Self::Session(size),
            (_, Some(step)) => Self::Hopping { size, step },
            (_, None) => Self::Tumbling(size),
        })
    }

    /// The marker of tables with such windows.
    pub(crate) fn marker(window: Option<&Self>, krate: &Krate) -> TokenStream {
        match window {
            Some(Self::Hopping { .. }) => quote!(#krate::Overlapping),
            Some(Self::Session(_)) => quote!(#krate::Sessions),
            Some(Self::Sliding(_)) => quote!(#krate::Sliding),
            // What is wrong has windows too.
            _ => quote!(#krate::Windowed),
        }
    }

    pub(crate) fn tokens(&self, krate: &Krate) -> TokenStream {
        let def = match self {
            Self::Tumbling(size) => with("Tumbling", "size", size),
            Self::Sliding(size) => with("Sliding", "size", size),
            Self::Session(gap) => with("Session", "gap", gap),
            Self::Hopping { size, step } => {
                let (size, step) = (duration_tokens(*size), duration_tokens(*step));
                quote!(Hopping { size: #size, step: #step })
            }
        };
        quote!(#krate::WindowDef::#def)
    }
}

fn with(kind: &str, field: &str, span: &Duration) -> TokenStream {
    let [kind, field] = [kind, field].map(|name| Ident::new(name, Span::call_site()));
    let span = duration_tokens(*span);
    quote!(#kind { #field: #span })
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

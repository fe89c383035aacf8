//! Tokens left out, doubled, swapped, cut off, taken from elsewhere: no macro panics, the user's item is always there,
//! and while it can be read, so is what stands for it.

mod mutate;

use super::{MACROS, VALID};
use mutate::{Random, each_token, several};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Expr, Item, ItemImpl, Stmt, Type};

/// Each valid input with each token left out, doubled, swapped with the next, wrapped, or last.
#[test]
fn one_mistake_keeps_the_item() {
    let mut tried = Tried::default();
    for (name, options, item) in VALID {
        let options: TokenStream = options.parse().unwrap();
        let item: TokenStream = item.parse().unwrap();
        for mangled in each_token(&options) {
            tried.count(&Input { name, options: mangled, item: item.clone(), seed: None });
        }
        for mangled in each_token(&item) {
            tried.count(&Input { name, options: options.clone(), item: mangled, seed: None });
        }
    }
    tried.is_enough(2_000);
}

/// Each valid input with some mistakes at once, in its options, in its item, or in both.
#[test]
fn several_mistakes_keep_the_item() {
    let streams = VALID.map(|(_, options, item)| (options.parse().unwrap(), item.parse().unwrap()));
    let pool: Vec<TokenStream> =
        streams.iter().cloned().flat_map(|(options, item)| [options, item]).collect();
    let mut tried = Tried::default();
    for ((name, ..), (options, item)) in VALID.iter().zip(&streams) {
        for seed in 0..250 {
            let mut random = Random(seed);
            let (mut options, mut item) = (options.clone(), item.clone());
            let which = random.below(3);
            if which != 0 {
                options = several(options, &pool, &mut random);
            }
            if which != 1 {
                item = several(item, &pool, &mut random);
            }
            tried.count(&Input { name, options, item, seed: Some(seed) });
        }
    }
    tried.is_enough(4_000);
}

/// What a macro is given.
struct Input<'a> {
    name: &'a str,
    options: TokenStream,
    item: TokenStream,
    seed: Option<u64>,
}

/// Said when the test fails, be it by a panic of the macro's.
impl Drop for Input<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { name, options, item, seed } = self;
            eprintln!("seed {seed:?}: #[{name}({options})] {item}");
        }
    }
}

/// So that the inputs are neither all sound nor all beyond reading.
#[derive(Default)]
struct Tried {
    readable: usize,
    unreadable: usize,
}

impl Tried {
    fn count(&mut self, input: &Input<'_>) {
        match check(input) {
            true => self.readable += 1,
            false => self.unreadable += 1,
        }
    }

    fn is_enough(&self, all: usize) {
        let Self { readable, unreadable } = self;
        assert!(readable + unreadable >= all, "{readable} + {unreadable}");
        assert!(*readable > all / 4 && *unreadable > all / 10, "{readable}, {unreadable}");
    }
}

/// Expands, and looks for the item; whether it can be read.
fn check(input: &Input<'_>) -> bool {
    let Input { name, options, item, .. } = input;
    let (noun, expand) = MACROS.iter().find(|(noun, _)| noun == name).unwrap();
    let expansion = crate::editor::expand(noun, *expand, options.clone(), item.clone());
    let kept = flat(name, item);
    let found = flat(name, &expansion);
    let at = found.windows(kept.len().max(1)).position(|window| window == kept);
    assert!(kept.is_empty() || at.is_some(), "the item is not in {expansion}");
    let beside = found.len() - kept.len();

    let subject = match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Fn(item)) => item.sig.ident,
        Ok(Item::Struct(item)) => item.ident,
        Ok(Item::Enum(item)) => item.ident,
        Ok(Item::Union(item)) => item.ident,
        // rustc tells what is wrong with it; of the macro it gets an error, or the rest.
        _ => {
            assert!(beside > 0, "nothing is said to {expansion}");
            return false;
        }
    };
    let file: syn::File = syn::parse2(expansion.clone())
        .unwrap_or_else(|error| panic!("{error}: an item that can be read becomes {expansion}"));
    assert!(
        file.items.iter().any(|found| flat(name, &found.to_token_stream()).ends_with(&kept)),
        "the item is no item of its own in {expansion}"
    );
    if is_subject(name, &syn::parse2(item.clone()).unwrap()) {
        let twin = twin(name, options).unwrap_or_else(|| subject.to_string());
        assert!(stands_for(&file, name, &twin), "uses of `{twin}` fail beside {expansion}");
    } else {
        assert!(file.items.iter().any(is_error), "no error in {expansion}");
    }
    true
}

/// Whether the macro is for this kind of item, so that others name it.
fn is_subject(name: &str, item: &Item) -> bool {
    match (name, item) {
        ("topic" | "table", Item::Struct(_) | Item::Enum(_) | Item::Union(_)) => true,
        ("app", Item::Struct(item)) => item.generics.params.is_empty(),
        ("topic" | "table" | "app", _) => false,
        (_, item) => matches!(item, Item::Fn(_)),
    }
}

/// What `type = Name` says: the last of them, if it is a name.
fn twin(name: &str, options: &TokenStream) -> Option<String> {
    let mut errors = crate::errors::Errors::default();
    let mut options = crate::options::Options::parse("agent", options.clone(), &mut errors);
    let said = options.ident("type", "", &mut errors)?;
    (name == "agent").then(|| said.to_string())
}

/// Whether there is an impl of the macro's trait for the type.
fn stands_for(file: &syn::File, name: &str, ty: &str) -> bool {
    let of = match name {
        "topic" => "Record",
        "table" => "Row",
        "agent" => "Agent",
        "window_close" => "WindowClose",
        "timer" => "Timer",
        "task" => "Task",
        "page" => "Page",
        "command" => "Command",
        _ => "App",
    };
    impls(file).any(|found| {
        let is = found
            .trait_
            .as_ref()
            .is_some_and(|(path, ..)| path.segments.last().is_some_and(|last| last.ident == of));
        let self_ty = match &*found.self_ty {
            Type::Path(ty) => ty.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        is && self_ty.as_deref() == Some(ty)
    })
}

/// The impls in `const _: () = { .. };`.
fn impls(file: &syn::File) -> impl Iterator<Item = &ItemImpl> {
    let blocks = file.items.iter().filter_map(|item| match item {
        Item::Const(item) => match &*item.expr {
            Expr::Block(block) => Some(&block.block.stmts),
            _ => None,
        },
        _ => None,
    });
    blocks.flatten().filter_map(|stmt| match stmt {
        Stmt::Item(Item::Impl(item)) => Some(item),
        _ => None,
    })
}

fn is_error(item: &Item) -> bool {
    let Item::Macro(item) = item else { return false };
    item.mac.path.segments.last().is_some_and(|last| last.ident == "compile_error")
}

/// The tokens one after another, without what a macro adds to an item or takes from it: `#[serde(borrow)]` on fields
/// that borrow, an `async` that was missing, and in a command what clap reads of parameters.
fn flat(name: &str, tokens: &TokenStream) -> Vec<String> {
    let mut all = Vec::new();
    flatten(tokens, &mut all);
    let mut kept: Vec<String> = Vec::new();
    let mut open = Vec::new();
    let mut rest = all.as_slice();
    while let [first, after @ ..] = rest {
        if first == "async" {
            rest = after;
            continue;
        }
        if first == "#" && is_changed(name, open.last().copied(), after) {
            rest = &after[group_len(after)..];
            continue;
        }
        match first.as_str() {
            "(" | "{" | "[" => open.push(first.as_str()),
            ")" | "}" | "]" => drop(open.pop()),
            _ => {}
        }
        kept.push(first.clone());
        rest = after;
    }
    kept
}

/// Whether an attribute, from its bracket on, is one that a macro adds or takes.
fn is_changed(name: &str, within: Option<&str>, attribute: &[String]) -> bool {
    let starts_with = |text: &[&str]| attribute.iter().take(text.len()).eq(text.iter());
    match name {
        "topic" => starts_with(&["[", "serde", "(", "borrow", ")", "]"]),
        "command" if within == Some("(") => {
            starts_with(&["[", "arg"]) || starts_with(&["[", "doc"])
        }
        _ => false,
    }
}

/// The tokens of the group in front.
fn group_len(tokens: &[String]) -> usize {
    let mut depth = 0;
    let end = tokens.iter().position(|token| {
        match token.as_str() {
            "(" | "{" | "[" => depth += 1,
            ")" | "}" | "]" => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    end.map_or(tokens.len(), |end| end + 1)
}

fn flatten(tokens: &TokenStream, all: &mut Vec<String>) {
    for token in tokens.clone() {
        let TokenTree::Group(group) = token else {
            all.push(token.to_string());
            continue;
        };
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => {
                flatten(&group.stream(), all);
                continue;
            }
        };
        all.push(open.to_string());
        flatten(&group.stream(), all);
        all.push(close.to_string());
    }
}

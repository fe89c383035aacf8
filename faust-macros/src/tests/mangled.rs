//! Tokens left out, doubled or cut off: no macro panics, and the user's item is always there.

use super::{VALID, expand};
use proc_macro2::{TokenStream, TokenTree};

/// Each valid input with each token left out, doubled, or last.
#[test]
fn mangled_input_keeps_the_item() {
    let mut tried = 0;
    for (name, options, item) in VALID {
        let options: TokenStream = options.parse().unwrap();
        let item: TokenStream = item.parse().unwrap();
        for mangled in mangled(&options) {
            check(name, expand(name, mangled, item.clone()), &item);
            tried += 1;
        }
        for mangled in mangled(&item) {
            check(name, expand(name, options.clone(), mangled.clone()), &mangled);
            tried += 1;
        }
    }
    assert!(tried > 500, "{tried}");
}

/// The item is there as it was, but for what serde is told of fields that borrow, an `async` that was missing, and, in a command, without what clap
/// reads.
fn check(name: &str, expansion: TokenStream, item: &TokenStream) {
    let kept: TokenStream = match name {
        "command" => item.clone().into_iter().last().into_iter().collect(),
        _ => item.clone(),
    };
    let (expansion, kept) = (text(&expansion), text(&kept));
    assert!(expansion.contains(&kept), "{name}: {expansion} lacks {kept}");
}

/// Without spaces, which depend on how tokens came together.
fn text(tokens: &TokenStream) -> String {
    tokens.to_string().replace([' ', '\n'], "").replace("#[serde(borrow)]", "").replace("async", "")
}

fn mangled(tokens: &TokenStream) -> Vec<TokenStream> {
    let trees: Vec<_> = tokens.clone().into_iter().collect();
    let mut all = vec![TokenStream::new()];
    for (n, tree) in trees.iter().enumerate() {
        let (before, after) = (&trees[..n], &trees[n + 1..]);
        let with = |middle: Vec<TokenTree>| {
            before
                .iter()
                .cloned()
                .chain(middle)
                .chain(after.iter().cloned())
                .collect::<TokenStream>()
        };
        all.push(with(vec![]));
        all.push(with(vec![tree.clone(), tree.clone()]));
        all.push(before.iter().cloned().collect());
        if let TokenTree::Group(group) = tree {
            all.extend(mangled(&group.stream()).into_iter().map(|stream| {
                with(vec![proc_macro2::Group::new(group.delimiter(), stream).into()])
            }));
        }
    }
    all
}

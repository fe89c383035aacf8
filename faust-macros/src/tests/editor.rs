//! What editors are told agrees with what the macros take.

use super::{MACROS, VALID, expand};
use crate::errors::Errors;
use crate::options::pieces;
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeMap;
use syn::{Item, ItemMod};

/// The options that the runtime lists for editors, by macro.
fn listed() -> BTreeMap<String, Vec<String>> {
    let file = include_str!("../../../faust-runtime/src/define/options.rs");
    let modules = syn::parse_file(file).unwrap().items.into_iter().filter_map(|item| match item {
        Item::Mod(module) => Some(module),
        _ => None,
    });
    modules.map(|module| (module.ident.to_string(), constants(&module))).collect()
}

fn constants(module: &ItemMod) -> Vec<String> {
    let items = module.content.iter().flat_map(|(_, items)| items);
    let names = items.filter_map(|item| match item {
        Item::Const(item) => Some(item.ident.to_string()),
        _ => None,
    });
    names.collect()
}

#[test]
fn every_listed_option_is_known() {
    let listed = listed();
    assert_eq!(listed.len(), MACROS.len());
    for (noun, keys) in &listed {
        for key in keys {
            let front = if noun == "window_close" { "Trend, " } else { "" };
            let options = format!("{front}{key} = nothing").parse().unwrap();
            let text = expand(noun, options, "struct S;".parse().unwrap()).to_string();
            let fault = format!("unknown {noun} option");
            assert!(!text.contains(&fault) && !text.contains("not available"), "{noun}: {key}");
        }
    }
}

#[test]
fn every_option_is_listed() {
    let listed = listed();
    for (noun, options, _) in VALID {
        let options: TokenStream = options.parse().unwrap();
        let front = usize::from(noun == "window_close");
        for piece in pieces(options, &mut Errors::default()).into_iter().skip(front) {
            if let Some(TokenTree::Ident(key)) = piece.into_iter().next() {
                let known = key == "type" || listed[noun].iter().any(|listed| key == listed);
                assert!(known, "{noun}: {key}");
            }
        }
    }
}

/// The tokens of an attribute stand in the hints with their own spans, however little of them is there.
#[test]
fn hints_name_what_is_typed() {
    let hints = |noun: &'static str, options: &str, item: &str| {
        let nothing = |_: TokenStream, _: TokenStream| TokenStream::new();
        let (options, item) = (options.parse().unwrap(), item.parse().unwrap());
        crate::editor::expand(noun, nothing, options, item).to_string().replace(' ', "")
    };
    let word = "struct Word<'a> { word: &'a str }";
    let text = hints("topic", r#""words", key = word, par"#, word);
    assert!(text.contains("#[cfg(rust_analyzer)]"), "{text}");
    assert!(text.contains("use::faust::__private::options::topic::paras_;"), "{text}");
    assert!(text.contains("this:&Word<'_>") && text.contains("&this.word"), "{text}");
    let text = hints("table", "window = tum, scope = par, crate = ::other", "struct Row;;");
    assert!(text.contains("::other::__private::options::table::window::tumas_"), "{text}");
    assert!(text.contains("::table::scope::paras_") && !text.contains("this:"), "{text}");
    assert_eq!(hints("topic", r#""words""#, word), "");
}

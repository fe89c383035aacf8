//! Programs in the documentation compile: those in pages beside the code as well.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

/// A page with a program is one of those whose programs `cargo test` compiles, in `faust-runtime/src/lib.rs`.
#[test]
fn pages_with_programs_are_compiled() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let compiled = fs::read_to_string(root.join("faust-runtime/src/lib.rs")).unwrap();
    let mut with_programs = 0;
    for folder in [".", "docs", "benches", "ui-tests"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            if has_program(&fs::read_to_string(&path).unwrap()) {
                let page = path.strip_prefix(root).unwrap().to_string_lossy().replace("./", "");
                let include = format!("include_str!(\"../../{page}\")");
                assert!(compiled.contains(&include), "nobody compiles the programs in {page}");
                with_programs += 1;
            }
        }
    }
    assert!(with_programs > 0);
}

/// Whether a block of code is Rust, which is what rustdoc takes a block without a word to be.
fn has_program(page: &str) -> bool {
    let fences = page.lines().filter_map(|line| line.trim_start().strip_prefix("```"));
    let is_rust = |words: &str| {
        words.is_empty()
            || words.starts_with("rust") && !words.split(',').any(|word| word == "ignore")
    };
    fences.step_by(2).any(is_rust)
}

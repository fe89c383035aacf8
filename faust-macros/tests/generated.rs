//! `docs/what-the-macros-generate.md`, made from the snapshots of expansions. Written anew, after the snapshots, by
//! `INSTA_UPDATE=always cargo test -p faust-macros`.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const INTRO: &str = "\
# What the macros generate

Made by `faust-macros/tests/generated.rs` from the snapshots in `faust-macros/tests/expand`; do not edit it.
`INSTA_UPDATE=always cargo test -p faust-macros` writes both anew.

An expansion is the item as it was written, and behind it trait impls that say in types and constants what the item
says in words; the work is done by generic functions of the runtime. What is generated names `::faust::__private::..`,
which is left out below, or what `crate = path` says instead of `::faust`, and it stands in `const _: () = { .. };`, so that
it adds no names but that of the type beside a function. Bodies of functions are never looked at: here they are `body`.

For editors there is one more block, under `#[cfg(rust_analyzer)]`: it imports each option by its name and reads each
field that an option names, so that these names are completed and renamed. rustc does not see it.
";

/// The snapshots in the order of the page, with what there is to say about each.
const SECTIONS: [(&str, &str, &str); 23] = [
    (
        "topic_whole",
        "A topic whose records are values",
        "The macro derives serde, and a record is decoded and encoded by codecs of the runtime. `KeyOf<n>` and \
         `FieldOf<n>` are where the type of the nth field is checked: a type that cannot be encoded is one error, at that \
         type, because the serde impls hold only where it can.",
    ),
    (
        "topic_pair",
        "A topic whose records are key and value",
        "Nothing is derived: key and value travel apart, each by a codec of its own.",
    ),
    (
        "topic_composite",
        "A topic with a composite key",
        "The parts are in the order of `key = (..)`.",
    ),
    (
        "topic_borrowed_whole",
        "A topic whose records borrow",
        "`Of<'m>` is the record as a message of lifetime `'m` gives it. `#[serde(borrow)]` is added where serde does \
         not borrow by itself.",
    ),
    (
        "topic_borrowed_pair",
        "The same as key and value",
        "A borrowed text is the key `String` to whoever keeps it.",
    ),
    (
        "table_pair",
        "A table whose rows are key and value",
        "The fields are never read, only their types: so dead code is allowed. `Windowed` decides which methods \
         `Table<Trend>` has.",
    ),
    (
        "table_whole",
        "A table whose rows are structs",
        "`fresh` makes a row from its key. `PartitionKey` is what has to be the key of the agents' topic.",
    ),
    (
        "table_set",
        "A table whose rows are sets",
        "Each member is a row: the key is that of the set and the member, and `Members` gives handles `of(&key)`. \
         `require_set` is where another type of the name `Set` is one error.",
    ),
    (
        "table_history",
        "A table that keeps its history",
        "Each version is a row: the key is that of the row and the time from which on it holds.",
    ),
    (
        "table_initial",
        "A table with first rows",
        "The function's rows are taken apart as keys and values.",
    ),
    (
        "agent",
        "An agent",
        "The struct is the type that `agents(count)` and `Ask<count>` name; its braces keep it apart from the function. \
         There is one impl a parameter, so that a wrong type is one error, at that type. `Keys::agree` and \
         `require_copartitioned` compare the key and the partitions of the topic with those of the table, at the \
         parameter that names it. The future of `call` borrows from the message alone.",
    ),
    (
        "agent_borrowed",
        "An agent of records that borrow",
        "`Given<'m>` is the input as a message gives it.",
    ),
    (
        "agent_unsound",
        "A function that cannot be an agent",
        "The item stays, the error follows, and the type is there all the same: whoever names it gets no error of his \
         own.",
    ),
    (
        "agent_param",
        "A group of handles",
        "`#[derive(AgentParam)]`: each field is bound for itself, and what the fields use, the group uses.",
    ),
    (
        "records",
        "An enum of records",
        "`#[derive(Records)]`: one way in for each topic, by its place in the list.",
    ),
    (
        "table_condition",
        "Items and fields under a condition",
        "A `#[cfg(..)]` above an item is above everything that comes of it, one above a field wherever the field is read.",
    ),
    (
        "window_close",
        "A function that is called when windows close",
        "It is an agent whose input is `Closed<Trend>`. The table in the attribute is a parameter of its own, in front of \
         the others, so that the rows are where the agent is.",
    ),
    (
        "timer",
        "A timer",
        "As with agents there is one impl a parameter; handles are bound once a call.",
    ),
    ("task", "A task", ""),
    (
        "page",
        "A page",
        "All parameters but the last are read from the head of the request, the last from all of it.",
    ),
    (
        "command",
        "A command",
        "Parameters under `#[arg]` become a struct that derives clap's `Args`; rustc sees the function without those \
         attributes.",
    ),
    (
        "app",
        "An app",
        "The manifest as constant data. `require_entry` checks an entry against those before it, at its place in the list.",
    ),
    ("app_condition", "An app whose entries stand under a condition", ""),
];

#[test]
fn the_page_shows_the_snapshots() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut snapshots: BTreeMap<String, String> = fs::read_dir(root.join("tests/expand"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "snap"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    let mut page = INTRO.to_string();
    for (name, title, words) in SECTIONS {
        page += &section(title, words, &snapshots.remove(name).unwrap());
    }
    assert!(snapshots.is_empty(), "not in SECTIONS: {:?}", snapshots.keys());

    let path = root.join("../docs/what-the-macros-generate.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "the page is not that of the snapshots: `INSTA_UPDATE=always cargo test -p faust-macros` writes it anew"
    );
}

fn section(title: &str, words: &str, snapshot: &str) -> String {
    let (head, expansion) = snapshot.split_once("\n---\n").unwrap();
    let source = head.lines().find_map(|line| line.strip_prefix("description: ")).unwrap();
    let source = syn::parse_str::<syn::LitStr>(source).unwrap().value();
    let expansion: Vec<_> = expansion.lines().map(without_path).collect();
    let expansion = pretty(&expansion.join("\n"));
    // The item, where nothing stands before or in it that was not there, is in the source already.
    let expansion = match expansion.strip_prefix(item(&pretty(&source))) {
        Some(behind) => format!("// The item, and then:\n{behind}"),
        None => expansion,
    };
    let words = if words.is_empty() { String::new() } else { format!("{words}\n\n") };
    format!(
        "\n## {title}\n\n{words}```rust,ignore\n{}```\n\n```rust,ignore\n{expansion}```\n",
        pretty(&source)
    )
}

/// A line without the path to the runtime, which an import keeps.
fn without_path(line: &str) -> String {
    match line.trim_start().starts_with("use ") {
        true => line.to_string(),
        false => line.replace("::faust::__private::", ""),
    }
}

/// Without the attribute in front.
fn item(source: &str) -> &str {
    let end = source.find("]\n").map_or(0, |at| at + 2);
    source.get(end..).unwrap_or_default()
}

fn pretty(source: &str) -> String {
    prettyplease::unparse(&syn::parse_file(source).unwrap())
}

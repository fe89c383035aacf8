//! Expansions as people read them, and inputs that nobody writes on purpose.

mod editor;
mod expand;
mod mangled;

use proc_macro2::TokenStream;

/// The macros by name.
const MACROS: [(&str, fn(TokenStream, TokenStream) -> TokenStream); 9] = [
    ("topic", crate::topic::expand),
    ("table", crate::table::expand),
    ("agent", crate::agent::expand),
    ("window_close", crate::window_close::expand),
    ("timer", crate::timer::expand),
    ("task", crate::task::expand),
    ("page", crate::page::expand),
    ("command", crate::command::expand),
    ("app", crate::app::expand),
];

fn expand(name: &str, options: TokenStream, item: TokenStream) -> TokenStream {
    let (_, expand) = MACROS.iter().find(|(other, _)| *other == name).unwrap();
    expand(options, item)
}

/// A macro, its options and an item, without mistakes.
const VALID: [(&str, &str, &str); 19] = [
    ("topic", r#""lines", partitions = 4"#, "struct Line { text: String }"),
    (
        "topic",
        r#""words", key = word, retention = 7d, config("a" = "b")"#,
        "pub struct Word { pub word: String, #[serde(default)] at: u64 }",
    ),
    (
        "topic",
        r#""orders", compacted, replicas = 3"#,
        "struct Order { key: u64, value: Option<Text> }",
    ),
    (
        "topic",
        r#""items", key = (customer, item), external"#,
        "#[derive(Clone, Debug)] struct Item { item: String, customer: u64, children: Vec<Item> }",
    ),
    ("topic", r#""keyed""#, "struct Keyed<'a> { key: &'a str, value: Lazy<'a, Detail> }"),
    (
        "topic",
        r#""notes", key = (word, at)"#,
        "struct Note<'a> { word: &'a str, #[serde(borrow)] note: Cow<'a, str>, at: u64 }",
    ),
    (
        "table",
        r#""trend", window = tumbling(1min), expires = 1h"#,
        "struct Trend { key: String, value: u64 }",
    ),
    (
        "table",
        r#""recent", window = hopping(10min, step = 1min), grace = 10s"#,
        "struct Recent { key: String, value: u64 }",
    ),
    (
        "table",
        r#""carts", key = (customer, item), partition_by = customer"#,
        "struct Cart { customer: u64, item: String, count: u32 }",
    ),
    (
        "table",
        r#""seen", key = id, scope = partition"#,
        "struct Seen { id: u64, #[serde(skip)] n: u8 }",
    ),
    (
        "agent",
        r#"concurrency = 4, name = "tally", type = Tally"#,
        "pub async fn count(word: Event<Word>, counts: Table<Count>) -> Result<u64> { body }",
    ),
    ("agent", "", "async fn r#loop(mut words: Stream<Word>) -> Result<()> { body }"),
    (
        "agent",
        "",
        "async fn lines<'a>(line: Event<Line<'a>>, notes: Sink<Note<'_>>) -> Result<()> { body }",
    ),
    (
        "window_close",
        r#"Trend, name = "sums""#,
        "async fn sum(row: Closed<Trend>, sums: Sink<Sum>) -> Result<()> { body }",
    ),
    ("timer", "every = 10s", "async fn report(counts: View<Count>) -> Result<()> { body }"),
    ("task", "", "#[cfg(unix)] async fn fill(lines: Sink<Line>) -> Result<()> { body }"),
    (
        "page",
        r#""/vote/{word}", method = post"#,
        "async fn vote(Path(word): Path<String>, count: Ask<count>) -> Result<Json<u64>> { body }",
    ),
    (
        "command",
        "",
        "/// Prints.\nasync fn print_top(counts: View<Count>, #[arg(long)] n: usize) -> Result<()> { body }",
    ),
    (
        "app",
        r#""shop", version = 2, agents(split, orders::bill), pages(vote), parts(audit::Audit)"#,
        "pub struct Shop;",
    ),
];

//! What users get: one expansion a macro, pretty-printed. `INSTA_UPDATE=always cargo test -p faust-macros` writes them
//! anew.

use super::{VALID, expand};
use proc_macro2::TokenStream;

/// The expansion of the item under `#[name(options)]`.
fn check(snapshot: &str, name: &str, options: &str, item: &str) {
    let tokens = expand(name, options.parse().unwrap(), item.parse().unwrap());
    check_tokens(snapshot, &format!("#[{name}({options})] {item}"), tokens);
}

fn check_tokens(snapshot: &str, input: &str, tokens: TokenStream) {
    let text = prettyplease::unparse(&syn::parse2(tokens).unwrap());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../tests/expand");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description(input);
    settings.bind(|| insta::assert_snapshot!(snapshot, text));
}

#[test]
fn topic_whole() {
    check(
        "topic_whole",
        "topic",
        r#""words", key = word, partitions = 4, retention = 7d, config("a" = "b")"#,
        "pub struct Word { pub word: String, #[serde(default)] at: u64 }",
    );
}

#[test]
fn topic_pair() {
    check("topic_pair", "topic", r#""orders""#, "struct Order { key: u64, value: Option<Text> }");
}

#[test]
fn topic_composite() {
    check(
        "topic_composite",
        "topic",
        r#""items", key = (customer, item), compacted"#,
        "struct Item { item: String, customer: u64, count: u32 }",
    );
}

#[test]
fn topic_borrowed_whole() {
    check(
        "topic_borrowed_whole",
        "topic",
        r#""lines", key = (word, at)"#,
        "struct Line<'a> { word: Cow<'a, str>, at: u64, note: Option<&'a str>, #[serde(borrow)] more: More<'a> }",
    );
}

#[test]
fn topic_borrowed_pair() {
    check(
        "topic_borrowed_pair",
        "topic",
        r#""in""#,
        "struct Keyed<'m> { key: &'m str, value: Lazy<'m, Detail<'m>> }",
    );
}

#[test]
fn table_pair() {
    check(
        "table_pair",
        "table",
        r#""trend", window = tumbling(1min), expires = 1h"#,
        "struct Trend { key: String, value: u64 }",
    );
}

#[test]
fn table_whole() {
    check(
        "table_whole",
        "table",
        r#""carts", key = (customer, item), partition_by = customer"#,
        "struct Cart { customer: u64, item: String, count: u32 }",
    );
}

#[test]
fn table_set() {
    check("table_set", "table", r#""members""#, "struct Members { key: String, value: Set<u64> }");
}

#[test]
fn table_history() {
    check(
        "table_history",
        "table",
        r#""prices", key = item, history = 1d"#,
        "struct Price { item: String, cents: u64 }",
    );
}

#[test]
fn table_initial() {
    check(
        "table_initial",
        "table",
        r#""rates", initial = load_rates"#,
        "struct Rate { key: String, value: u64 }",
    );
}

#[test]
fn agent() {
    check(
        "agent",
        "agent",
        "concurrency = 4",
        "pub async fn count(word: Event<Word>, counts: Table<Count>, seen: Sink<Seen>) -> Result<u64> { body }",
    );
}

#[test]
fn agent_borrowed() {
    check(
        "agent_borrowed",
        "agent",
        "",
        "async fn count<'a>(word: Event<Word<'a>>, seen: Sink<Seen<'_, 'a>>) -> Result<u64> { body }",
    );
}

#[test]
fn agent_unsound() {
    check(
        "agent_unsound",
        "agent",
        "",
        "fn count(word: Event<Word>, counts: Table<Count>) -> Result<u64> { body }",
    );
}

#[test]
fn window_close() {
    check(
        "window_close",
        "window_close",
        "Trend",
        "pub async fn sum(row: Closed<Trend>, sums: Sink<Sum>) -> Result<()> { body }",
    );
}

#[test]
fn timer() {
    check(
        "timer",
        "timer",
        "every = 10s",
        "async fn report(counts: View<Count>) -> Result<()> { body }",
    );
}

#[test]
fn task() {
    check("task", "task", "", "async fn fill(lines: Sink<Line>) -> Result<()> { body }");
}

#[test]
fn page() {
    check(
        "page",
        "page",
        r#""/vote/{word}", method = post"#,
        "async fn vote(Path(word): Path<String>, count: Ask<count>) -> Result<Json<u64>> { body }",
    );
}

#[test]
fn command() {
    check(
        "command",
        "command",
        "",
        "/// Prints the most used\n/// words.\n///\n/// More.\nasync fn print_top(counts: View<Count>, /** How many */ #[arg(long, default_value_t = 10)] n: usize) -> Result<()> { body }",
    );
}

#[test]
fn app() {
    check(
        "app",
        "app",
        r#""shop", version = 2, agents(split, orders::bill), pages(vote), parts(audit::Audit)"#,
        "pub struct Shop;",
    );
}

#[test]
fn agent_param() {
    let item = "struct Ledger { accounts: Table<Account>, alerts: Sink<Alert> }";
    check_tokens("agent_param", item, crate::group::expand(item.parse().unwrap()));
}

#[test]
fn records() {
    let item = "enum Movement { In(Deposit), Out(Withdrawal) }";
    check_tokens("records", item, crate::records::expand(item.parse().unwrap()));
}

/// Under conditions: what is generated stands under the same.
#[test]
fn conditions() {
    check(
        "table_condition",
        "table",
        r#""carts", key = id"#,
        "#[cfg(unix)] struct Cart { id: u64, #[cfg(feature = \"notes\")] note: String }",
    );
    check(
        "app_condition",
        "app",
        r#""shop", agents(split, #[cfg(unix)] bill, count), external(orders::tell)"#,
        "struct Shop;",
    );
}

/// `crate = path` reaches every path: nothing names `::faust`.
#[test]
fn crate_is_honoured() {
    for (name, options, item) in VALID {
        let options = match options {
            "" => "crate = ::else_where".to_string(),
            options => format!("{options}, crate = ::else_where"),
        };
        let text = expand(name, options.parse().unwrap(), item.parse().unwrap()).to_string();
        assert!(!text.contains("faust") && !text.contains("compile_error"), "{name}: {text}");
        assert!(text.contains("else_where"), "{name}: {text}");
    }
    let derives = [
        crate::group::expand("#[faust(crate = ::else_where)] struct G { a: A }".parse().unwrap()),
        crate::records::expand("#[faust(crate = ::else_where)] enum R { A(A) }".parse().unwrap()),
    ];
    for text in derives.map(|tokens| tokens.to_string()) {
        assert!(!text.contains("faust") && text.contains("else_where"), "{text}");
    }
}

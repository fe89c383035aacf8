//! What an editor shows of a program: rust-analyzer is asked over LSP about the examples, and about the word count
//! while somebody types in it. Skipped where there is no rust-analyzer (`rustup component add rust-analyzer`).

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

#[path = "editor/client.rs"]
mod client;

use client::{Client, is_installed, uri};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Builds what rust-analyzer runs: the macros and the build scripts of the examples.
const CHECK: [&str; 6] =
    ["cargo", "check", "--quiet", "--message-format=json", "--package", "faust-examples"];

/// One server for all of it: it takes most of the time to load the workspace.
#[test]
fn editors_understand_the_macros() {
    if !is_installed() {
        println!("skipped: there is no rust-analyzer");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut editor = Editor::open(root, "examples/word_count.rs");
    the_examples_have_no_diagnostics(&mut editor, root);
    options_are_completed(&mut editor);
    entries_are_completed(&mut editor);
    half_typed_functions_are_completed(&mut editor);
    names_lead_to_their_functions(&mut editor);
    names_are_changed_together(&mut editor);
    assert!(editor.faults.is_empty(), "{}", editor.faults.join("\n"));
}

fn the_examples_have_no_diagnostics(editor: &mut Editor, root: &Path) {
    for path in ["examples/hello_world.rs", "examples/word_count.rs", "ui-tests/ui/pass/forms.rs"] {
        let path = root.join(path);
        let text = std::fs::read_to_string(&path).unwrap();
        editor.client.notify(
            "textDocument/didOpen",
            json!({ "textDocument": { "uri": uri(&path), "languageId": "rust", "version": 0, "text": text } }),
        );
        let report = editor
            .client
            .request("textDocument/diagnostic", json!({ "textDocument": { "uri": uri(&path) } }));
        editor.expect(report["items"] == json!([]), || format!("{}: {report}", path.display()));
    }
    // Diagnostics do come: this one is seen.
    editor.replace("line.text.split_whitespace()", "line.txt.split_whitespace()");
    let report = editor.ask("textDocument/diagnostic", json!({}));
    editor.expect(report["items"] != json!([]), || "no diagnostics at all".to_string());
}

fn options_are_completed(editor: &mut Editor) {
    editor.completes(r#""words", key = word, partitions = 4"#, r#""words", par|"#, "partitions");
    editor.completes(r#""words", key = word, partitions = 4"#, r#""words", key = wo|"#, "word");
    editor.completes("window = tumbling(1min), expires = 1h", "win|", "window");
    editor.completes("window = tumbling(1min), expires = 1h", "window = tum|", "tumbling");
    editor.completes("every = 10s", "ev|", "every");
    editor.completes("method = post", "me|", "method");
    editor.completes("method = post", "method = po|", "post");
    editor.completes("#[agent]\nasync fn split", "#[agent(con|)]\nasync fn split", "concurrency");
    editor.completes("agents(read, split, count)", "agents(count), tim|", "timers");
}

fn entries_are_completed(editor: &mut Editor) {
    editor.completes("agents(read, split, count)", "agents(read, split, co|)", "count");
    editor.completes("timers(report)", "timers(rep|)", "report");
    editor.completes("count: Ask<count>", "count: Ask<co|>", "count");
}

fn half_typed_functions_are_completed(editor: &mut Editor) {
    let body = "        words.send(Word { word: word.to_lowercase() }).await?;\n";
    editor.completes(body, "words.|\n", "send");
    editor.completes(body, "        words.send(Word { word: word.to_l| })\n", "to_lowercase");
    // The attribute above is not finished either, or is wrong.
    let signature =
        "#[agent]\nasync fn split(line: Event<Line>, words: Sink<Word>) -> Result<()> {\n";
    for attribute in ["#[agent(concurrency = )]", "#[agent(, x y)]", "#[agent(concurrency = 0)]"] {
        let typed = signature.replace("#[agent]", attribute) + "    words.|\n";
        editor.completes(signature, &typed, "send");
    }
}

fn names_lead_to_their_functions(editor: &mut Editor) {
    for place in ["Ask<co|unt>", "agents(read, split, co|unt)"] {
        editor.replace(&place.replace('|', ""), place);
        let found = editor.ask("textDocument/definition", json!({}));
        let found: Vec<_> = found.as_array().unwrap().iter().map(|to| editor.named(to)).collect();
        let leads = found.iter().any(|name| name == "async fn count");
        editor.expect(leads, || format!("{place} leads to {found:?}"));
    }
}

fn names_are_changed_together(editor: &mut Editor) {
    for place in ["async fn co|unt(", "Ask<co|unt>", "agents(read, split, co|unt)"] {
        editor.replace(&place.replace('|', ""), place);
        let edits = editor.ask("textDocument/rename", json!({ "newName": "tally" }));
        let text = editor.with(&edits);
        for now in ["async fn tally(", "Ask<tally>", "agents(read, split, tally)", "count.ask("] {
            editor.expect(text.contains(now), || format!("{place}: no `{now}` after {edits}"));
        }
    }
    editor.replace("    word: String,\n}", "    wo|rd: String,\n}");
    let edits = editor.ask("textDocument/rename", json!({ "newName": "term" }));
    let text = editor.with(&edits);
    editor.expect(text.contains("key = term, partitions"), || {
        format!("no `key = term` after {edits}")
    });
}

/// One file in an editor; nothing is written to the disk.
struct Editor {
    client: Client,
    path: PathBuf,
    /// As it is on the disk.
    saved: String,
    text: String,
    /// Where the cursor is.
    cursor: usize,
    version: u64,
    /// What was not as it should be.
    faults: Vec<String>,
}

impl Editor {
    fn open(root: &Path, path: &str) -> Self {
        let path = root.join(path);
        let saved = std::fs::read_to_string(&path).unwrap();
        let client = Client::start(root, &CHECK);
        Self { client, path, text: saved.clone(), saved, cursor: 0, version: 0, faults: Vec::new() }
    }

    fn expect(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(fault());
        }
    }

    /// Types `new`, with the cursor at its `|`, over the first `old` of the saved file.
    fn replace(&mut self, old: &str, new: &str) {
        let at = self.saved.find(old).unwrap();
        self.cursor = at + new.find('|').unwrap_or_default();
        self.text = self.saved.replacen(old, &new.replace('|', ""), 1);
        self.version += 1;
        self.client.notify(
            "textDocument/didChange",
            json!({
                "textDocument": { "uri": uri(&self.path), "version": self.version },
                "contentChanges": [{ "text": self.text }],
            }),
        );
    }

    /// Asks about the cursor's place.
    fn ask(&mut self, method: &str, mut params: Value) -> Value {
        let before = &self.text[..self.cursor];
        params["textDocument"] = json!({ "uri": uri(&self.path) });
        params["position"] = json!({
            "line": before.matches('\n').count(),
            "character": before.len() - before.rfind('\n').map_or(0, |at| at + 1),
        });
        self.client.request(method, params)
    }

    /// Whether `label` is offered at the cursor.
    fn completes(&mut self, old: &str, new: &str, label: &str) {
        self.replace(old, new);
        let offered = self.ask("textDocument/completion", json!({}));
        let items = offered["items"].as_array().or(offered.as_array()).cloned().unwrap_or_default();
        let labels: Vec<_> = items.iter().filter_map(|item| item["label"].as_str()).collect();
        let offers = labels.iter().any(|other| other.split(['(', ' ']).next() == Some(label));
        self.expect(offers, || format!("{new}: no {label} in {labels:?}"));
    }

    /// The line before and the name at a location: `async fn count`.
    fn named(&self, location: &Value) -> String {
        let range = location.get("targetSelectionRange").unwrap_or(&location["range"]);
        let (from, to) = (self.offset(&range["start"]), self.offset(&range["end"]));
        let line = self.text[..from].rfind('\n').map_or(0, |at| at + 1);
        self.text[line..to].to_string()
    }

    fn offset(&self, position: &Value) -> usize {
        let line = position["line"].as_u64().unwrap() as usize;
        let before: usize = self.text.split_inclusive('\n').take(line).map(str::len).sum();
        before + position["character"].as_u64().unwrap() as usize
    }

    /// The text after edits.
    fn with(&self, edits: &Value) -> String {
        let changes = edits["documentChanges"].as_array().unwrap();
        let all = changes.iter().flat_map(|change| change["edits"].as_array().unwrap());
        let mut all: Vec<_> = all
            .map(|edit| {
                let range = &edit["range"];
                (self.offset(&range["start"]), self.offset(&range["end"]), &edit["newText"])
            })
            .collect();
        all.sort_by_key(|(from, ..)| std::cmp::Reverse(*from));
        let mut text = self.text.clone();
        for (from, to, new) in all {
            text.replace_range(from..to, new.as_str().unwrap());
        }
        text
    }
}

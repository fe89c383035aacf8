//! The arrows between the runtime's modules: `ARCHITECTURE.md` draws them, this holds them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Who may import whom. Everyone may import the leaves.
const ARROWS: &[(&str, &[&str])] = &[
    ("define", &[]),
    ("kafka", &["app"]),
    ("monitor", &["app", "kafka"]),
    ("table", &["commit", "kafka"]),
    ("commit", &["kafka", "partition", "table"]),
    ("rpc", &["kafka", "partition", "worker"]),
    ("agent", &["partition", "rpc", "table", "worker"]),
    ("partition", &["agent", "app", "commit", "kafka", "monitor", "table", "worker"]),
    ("consumer", &["app", "kafka", "partition", "worker"]),
    ("schedule", &["agent", "worker"]),
    ("app", &["agent", "cli", "schedule", "table", "web", "worker"]),
    (
        "worker",
        &["app", "commit", "consumer", "kafka", "monitor", "partition", "rpc", "schedule", "table"],
    ),
    ("handle", &["agent", "kafka", "partition", "rpc", "table", "web", "worker"]),
    ("web", &["agent", "app", "kafka", "monitor", "table", "worker"]),
    ("cli", &["agent", "app", "kafka", "monitor", "table", "worker", "web"]),
    ("testing", &["agent", "app", "handle", "kafka", "table", "web", "worker"]),
];

/// What knows nothing and may be used by all.
const LEAVES: &[&str] = &["codec", "define", "error", "time"];

#[test]
fn modules_import_only_what_the_architecture_allows() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("../faust-runtime/src");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, _) in ARROWS {
        let mut imports = BTreeSet::new();
        collect(&src.join(module), &mut imports);
        imports.remove(*module);
        found.insert(module.to_string(), imports);
    }
    let folders: BTreeSet<String> = fs::read_dir(&src)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|name| !name.ends_with(".rs") && name != "codec")
        .collect();
    assert_eq!(folders, found.keys().cloned().collect(), "every folder has its arrows");
    for (module, allowed) in ARROWS {
        for import in &found[*module] {
            let fine = allowed.contains(&import.as_str()) || LEAVES.contains(&import.as_str());
            assert!(
                fine,
                "`{module}` imports `{import}`: is that arrow meant? Then add it here and to ARCHITECTURE.md"
            );
        }
        for arrow in *allowed {
            assert!(
                found[*module].contains(*arrow),
                "`{module}` does not import `{arrow}` any more: remove the arrow"
            );
        }
    }
}

/// The modules that the files of a folder name as `crate::module`, tests and documentation apart.
fn collect(folder: &Path, imports: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, imports);
            continue;
        }
        let is_test =
            path.to_string_lossy().contains("testing/simulation") || path.ends_with("tests.rs");
        if is_test || path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for (at, _) in line.match_indices("crate::") {
                let rest = &line[at + "crate::".len()..];
                let name: String =
                    rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                if !name.is_empty() && rest[name.len()..].starts_with([':', ';']) {
                    imports.insert(name);
                }
            }
        }
    }
}

#[test]
fn only_one_folder_names_each_foreign_engine() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("../faust-runtime/src");
    for (name, home) in [("faust_kafka", "kafka/client"), ("use ::fjall", "table/store/fjall.rs")] {
        let mut users = Vec::new();
        users_of(&src, name, &mut users);
        for user in users {
            let inside = user.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
            assert!(
                inside.starts_with(home),
                "`{inside}` names `{name}`, which belongs to `{home}`"
            );
        }
    }
}

fn users_of(folder: &Path, name: &str, users: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            users_of(&path, name, users);
        } else if fs::read_to_string(&path).is_ok_and(|text| text.contains(name)) {
            users.push(path);
        }
    }
}

#!/usr/bin/env bash
# macro-cost.sh [--symbols]: what the macros cost an app of 200 agents, 50 topics and 50 tables: seconds of
# `cargo check` and `cargo build` after its dependencies are built, and bytes of machine code an agent in a release
# build. With --symbols, what these bytes are instead. See docs/macro-cost.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
topics=50 runs=5
target=$(realpath -m "${CARGO_TARGET_DIR:-$top/target}")
apps=$target/macro-cost

# app N: a package with N agents, each with a table and a sink.
app() {
  local package=$apps/agents-$1
  mkdir -p "$package/src"
  cat > "$package/Cargo.toml" <<TOML
[package]
name = "agents-$1"
edition = "2024"

[dependencies]
faust = { package = "faust-runtime", path = "$top/faust-runtime" }
TOML
  {
    echo "use faust::prelude::*;"
    for ((n = 0; n < topics; n++)); do
      cat <<RUST

#[topic("topic-$n", key = word)]
struct Topic$n {
    word: String,
    count: u64,
}

#[table("table-$n")]
struct Table$n {
    key: String,
    value: u64,
}
RUST
    done
    local agents=
    for ((n = 0; n < $1; n++)); do
      local topic=$((n % topics)) next=$(((n + 1) % topics))
      agents+=${agents:+, }agent_$n
      cat <<RUST

#[agent]
async fn agent_$n(
    event: Event<Topic$topic>,
    table: Table<Table$topic>,
    sink: Sink<Topic$next>,
) -> Result<u64> {
    let count = table.update(&event.word, |n| { *n += event.count + $n; *n }).await?;
    sink.send(Topic$next { word: event.word.clone(), count }).await?;
    Ok(count)
}
RUST
    done
    cat <<RUST

#[app("cost", agents($agents))]
struct Cost;

fn main() -> std::process::ExitCode {
    faust::main::<Cost>()
}
RUST
  } > "$package/src/main.rs"
}

mkdir -p "$apps"
for n in 100 200; do app $n; done
# The profiles and versions of the workspace.
{ echo 'workspace = { resolver = "3", members = ["agents-*"] }'
  awk '/^\[/ { on = /^\[profile/ } on' "$top/Cargo.toml"
} > "$apps/Cargo.toml"
cp "$top/Cargo.lock" "$apps/Cargo.lock"
cargo() { CARGO_TARGET_DIR=$target command cargo "$@" --quiet --manifest-path "$apps/Cargo.toml"; }

# seconds COMMAND..: the median of some runs from an app that is not built and dependencies that are.
seconds() {
  cargo "$@" -p agents-200
  for ((run = 0; run < runs; run++)); do
    cargo clean -p agents-200
    TIMEFORMAT=%R; { time cargo "$@" -p agents-200; } 2>&1
  done | sort -n | sed -n "$(((runs + 1) / 2))p"
}

code() { size -A "$target/release/agents-$1" | awk '$1 == ".text" { print $2 }'; }

cargo build --release -p agents-100 -p agents-200
if [ "${1:-}" = --symbols ]; then
  # Agents, topics and their hashes apart, symbols have one name; what is left over 100 agents is theirs.
  for n in 100 200; do
    nm -C --print-size --size-sort --radix=d "$target/release/agents-$n" |
      awk 'tolower($3) == "t" { size = $2; $1 = $2 = $3 = ""; print size, $0 }' |
      sed -E 's/agents_[0-9]+:://g; s/(agent_|Topic|Table|topic-|table-)[0-9]+/\1N/g; s/ +/ /g' > "$apps/symbols-$n"
  done
  awk '{ size = $1; $1 = ""; sum[$0] += FILENAME ~ /100$/ ? -size : size }
    END { for (name in sum) if (sum[name] > 400) printf "%7.0f  %.150s\n", sum[name] / 100, name }' \
    "$apps/symbols-100" "$apps/symbols-200" | sort -rn
  exit
fi
small=$(code 100) large=$(code 200)
printf '%-44s%8s\n' \
  "cargo check, 200 agents" "$(seconds check) s" \
  "cargo build, 200 agents" "$(seconds build) s" \
  ".text an agent, release" "$(((large - small) / 100)) B" \
  ".text of 200 agents, release" "$((large / 1024)) KiB"

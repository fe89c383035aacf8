#!/usr/bin/env bash
# start.sh [BROKER]: how long a worker takes from its start to its first output (median of five), then what it costs
# when nothing happens, over a minute with 64 partitions. With BROKER (host:port) on that one; without on the
# development broker, which then runs in the worker's process.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
cargo build --quiet --release -p faust-benches --features start
start=${CARGO_TARGET_DIR:-target}/release/start
broker=()
[ $# -eq 0 ] || broker=(--broker "$1")
export FAUST_LOG=${FAUST_LOG:-warn}
"$start" "${broker[@]}" --runs 5 --partitions 4
"$start" "${broker[@]}" --partitions 64 --idle 60

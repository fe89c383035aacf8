#!/usr/bin/env bash
# wordcount.sh: becomes the word count as a system under test. From the environment:
#   BENCH_BROKERS BENCH_IN BENCH_OUT BENCH_GROUP BENCH_PARTITIONS BENCH_WORKLOAD (direct|shuffle) BENCH_STATE_DIR
#   SUT_OPTS, of: guarantee=alo|eos commit=MS shards=N store=fjall|memory|rocksdb
# Build it first: cargo build --release -p faust-benches, with --features rocksdb for that store
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export FAUST_ID="$BENCH_GROUP" FAUST_BROKER="$BENCH_BROKERS" FAUST_DATA="$BENCH_STATE_DIR" FAUST_WEB=false
export FAUST_TOPICS_IN="$BENCH_IN" FAUST_TOPICS_OUT="$BENCH_OUT" FAUST_TOPIC_PARTITIONS="$BENCH_PARTITIONS"
[ "$BENCH_WORKLOAD" = direct ] || export FAUST_TOPICS_REPARTITION="$BENCH_GROUP-repartition"
for option in ${SUT_OPTS:-}; do
  case $option in
    guarantee=eos) export FAUST_GUARANTEE=exactly_once ;;
    guarantee=alo) export FAUST_GUARANTEE=at_least_once ;;
    commit=*) export FAUST_COMMIT_INTERVAL="${option#*=}ms" ;;
    shards=*) export FAUST_SHARDS="${option#*=}" ;;
    store=*) export FAUST_STORE="${option#*=}" ;;
    *) echo "wordcount.sh: unknown option $option" >&2; exit 2 ;;
  esac
done
exec "${CARGO_TARGET_DIR:-$here/../target}/release/wordcount" worker

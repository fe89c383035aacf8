#!/usr/bin/env bash
# instructions.sh [--record] [--profile APP]: how many instructions a record takes, against benches/instructions.txt.
# See benches/README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
budget=$here/instructions.txt
records=50000 keys=2500   # one commit's worth
tolerance=5               # per cent
mode=check app=
case ${1:-} in
  "") ;;
  --record) mode=record ;;
  --profile) mode=profile app=${2:?an app of path.rs} ;;
  *) sed -n '2,3s/^# //p' "$0" >&2; exit 2 ;;
esac
command -v valgrind > /dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }

cd "$here/.."
cargo build --quiet --release -p faust-benches --bin path
path=${CARGO_TARGET_DIR:-$here/../target}/release/path
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# count APP GUARANTEE: only what happens in `measured`, so start and warm-up are not in it.
count() {
  valgrind --tool=callgrind --vgdb=no --callgrind-out-file="$work/$1.$2" --collect-atstart=no --toggle-collect='*measured*' \
    "$path" "$1" "$2" "$records" "$keys" > "$work/log.$1.$2" 2>&1 || { cat "$work/log.$1.$2" >&2; exit 255; }
}
# each GUARANTEE: prints `APP GUARANTEE ENGINE BROKER`, instructions a record.
per_record() {
  awk -f "$here/instructions.awk" "$work/$1.$2" |
    awk -v n="$records" -v what="$1 $2" '{ printf "%s %.0f %.0f\n", what, ($1 - $2) / n, $2 / n }'
}

if [ $mode = profile ]; then
  for guarantee in exactly_once at_least_once; do
    count "$app" $guarantee
    per_record "$app" $guarantee | (read -r _ _ engine broker
      echo "$app, $guarantee: $((engine + broker)) instructions a record, $broker of them the broker in memory; by source:")
    awk -v profile=1 -f "$here/instructions.awk" "$work/$app.$guarantee" | awk -v n="$records" '
      $1 == "self" {
        cost = $2; $1 = $2 = ""; place = substr($0, 3)
        sub(/.*\/registry\/src\/[^\/]*\//, "", place)
        sub(/.*\/faust-runtime\/src\//, "", place)
        sub(/.*\/benches\/src\//, "benches: ", place)
        if (place ~ /^[a-z0-9_-]+-[0-9]+\.[0-9]/) sub(/\/.*/, "", place)
        of[place] += cost
      }
      END { for (place in of) if (of[place] / n >= 5) printf "%7.0f  %.90s\n", of[place] / n, place }' | sort -rn
  done
  exit
fi

apps="once twice parse own update send latest direct shuffle"
export -f count
export work path records keys
for app in $apps; do echo "$app exactly_once"; echo "$app at_least_once"; done | xargs -P 2 -L 1 bash -c 'count "$0" "$1"'
for app in $apps; do per_record "$app" exactly_once; per_record "$app" at_least_once; done > "$work/now"

echo "instructions a record   engine  broker in memory"
awk '{ printf "%-8s%-14s%8d%8d\n", $1, $2, $3, $4 }' "$work/now"
if [ $mode = record ]; then
  { echo "# Instructions a record: app, guarantee, engine, broker in memory. Written by instructions.sh --record."
    cat "$work/now"; } > "$budget"
  exit
fi
awk -v tolerance=$tolerance '
  /^#/ { next }
  NR == FNR { budget[$1 " " $2] = $3; next }
  {
    what = $1 " " $2; was = budget[what]; delete budget[what]
    if (was == "") { print what ": " $3 " instructions, and no budget: record it with --record"; bad = 1 }
    else if ($3 > was * (1 + tolerance / 100)) {
      print what ": " $3 " instructions, the budget is " was "; if the change is worth it, record it with --record"; bad = 1
    } else if ($3 < was * (1 - tolerance / 100)) {
      print what ": " $3 " instructions, the budget is " was ": a gain; record it with --record, so that it is kept"
    }
  }
  END { for (what in budget) { print what ": in the budget, but not measured"; bad = 1 } exit bad }
' "$budget" "$work/now" >&2

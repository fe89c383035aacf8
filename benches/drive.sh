# Sourced by compare.sh and latency.sh: builds, prepares Kafka Streams, and becomes the driver.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
engines= classes= args=()
while [ $# -gt 0 ]; do
  case $1 in
    --engines) engines=${2:?}; shift 2 ;;
    --kafka-streams) classes=${2:?a class path with the jars of kafka-streams/pom.xml}; shift 2 ;;
    *) args+=("$1"); shift ;;
  esac
done
(cd "$here/.." && cargo build --quiet --release -p faust-benches)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$here/../target}
if [ -n "$classes" ]; then
  compiled=$CARGO_TARGET_DIR/kafka-streams
  javac -cp "$classes" -d "$compiled" "$here/kafka-streams/WordCount.java"
  args+=(--class-path "$compiled:$classes")
fi
engines=${engines:-by-hand,faust${classes:+,kafka-streams}}
drive=("$CARGO_TARGET_DIR/release/drive" "$what" --engines "$engines")
# The driver has a CPU, and the engine has one. Where the broker runs is not ours to say: pin it to CPU 0 for figures
# that can be compared.
if [ "$(nproc)" -ge 2 ] && command -v taskset > /dev/null; then
  drive=(taskset -c 0 "${drive[@]}" --cpu 1)
fi
exec "${drive[@]}" "${args[@]}"

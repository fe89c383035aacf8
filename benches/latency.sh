#!/usr/bin/env bash
# latency.sh --broker HOST:PORT [--rate 50000] [--seconds 20] [--runs 1] and the options of compare.sh but `--records`
# How late outputs are under a load that does not wait. See benches/README.md.
what=latency
set -- --runs 1 "$@"
. "$(dirname "$0")/drive.sh"

#!/usr/bin/env bash
# compare.sh --broker HOST:PORT [--workload direct|shuffle] [--partitions 1] [--records 10000000] [--runs 5]
#   [--words 5000] [--skew 1] [--guarantee exactly_once|at_least_once] [--engines by-hand,faust] [--kafka-streams CLASSPATH]
# How fast faust is and what it costs, next to a loop by hand and Kafka Streams. See benches/README.md.
what=compare
. "$(dirname "$0")/drive.sh"

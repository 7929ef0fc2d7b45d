#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0

# Builds the benchmarks and runs those that match a regular expression, then prints the ratios the project holds itself to, as far as their
# benchmarks were run. Medians of seven repetitions in random order. Without an expression those benchmarks run that the ratios are made of;
# the yardsticks that take O(n^2) for 100 000 items run once each.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage='usage: scripts/bench.sh [--preset release|v3|sse2] [FILTER]'
preset=release
filter=
while [ $# -gt 0 ]; do
  case $1 in
    --preset)
      preset=${2:?$usage}
      shift
      ;;
    -h | --help)
      echo "$usage"
      exit 0
      ;;
    -*) fail "unknown option $1; $usage" ;;
    *) filter=$1 ;;
  esac
  shift
done
case $preset in release | v3 | sse2) ;; *) fail "--preset $preset, expected release, v3 or sse2" ;; esac

install_missing
say "Building"
cmake --preset "$preset"
cmake --build --preset "$preset" --target rankloss_bench

say "Running"
results=build/$preset/bench/results.json
# run(FILE FILTER option...)
run() {
  "build/$preset/bench/rankloss_bench" --benchmark_filter="$2" --benchmark_min_time=0.1 --benchmark_out="$1" --benchmark_out_format=json "${@:3}"
}
seven=(--benchmark_repetitions=7 --benchmark_enable_random_interleaving=true --benchmark_display_aggregates_only=true)
files=("$results")
if [ -n "$filter" ]; then
  run "$results" "$filter" "${seven[@]}"
else
  names=$(awk -v preset="$preset" -v names=1 -f scripts/ratios.awk < /dev/null)
  slow='_plain/[a-z]+/100000/'
  one_of() { printf '^(%s)$' "$(paste -s -d '|')"; }
  run "$results" "$(grep -v -E "$slow" <<< "$names" | one_of)" "${seven[@]}"
  files+=("${results%.json}_slow.json")
  run "${files[1]}" "$(grep -E "$slow" <<< "$names" | one_of)"
fi

say "Ratios, preset $preset, $(uname -m) $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo 2> /dev/null | head -n 1)"
awk -v preset="$preset" -f scripts/ratios.awk "${files[@]}"

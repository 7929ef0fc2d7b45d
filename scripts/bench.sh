#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0

# Builds the benchmarks and runs those that match a regular expression (none: all), then prints the ratios the project holds itself to,
# as far as their benchmarks were run. One thread, medians of seven repetitions in random order.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage='usage: scripts/bench.sh [--preset release|v3|sse2] [FILTER]'
preset=release
filter=.
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
"build/$preset/bench/rankloss_bench" --benchmark_filter="$filter" --benchmark_repetitions=7 --benchmark_min_time=0.1 \
  --benchmark_enable_random_interleaving=true --benchmark_display_aggregates_only=true --benchmark_out="$results" --benchmark_out_format=json

say "Ratios, preset $preset, $(uname -m) $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo 2> /dev/null | head -n 1)"
awk -v preset="$preset" -f scripts/ratios.awk "$results"

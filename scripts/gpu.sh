#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0

# Builds the kernels for the GPU that is here, runs their tests, times them, has compute-sanitizer look at them, and writes results-gpu.json: in at
# most eight minutes, without downloading anything. A step that does not fit is left out, and the file says so.
#
# The machine needs nvcc, a C++ compiler, CMake and ninja. The headers of other libraries lie in build/gpu-pack: `scripts/gpu.sh --pack` puts them there, on a
# machine that has them, and the folder is copied with the tree. Where python3 finds torch, its operations are timed beside, and the adapter of
# examples/torch_trainer is tested with its tensors.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage='usage: scripts/gpu.sh [--pack] [--minutes N] [--filter REGEX]'
pack=build/gpu-pack
minutes=8
filter=.
while [ $# -gt 0 ]; do
  case $1 in
    --pack)
      # Files of these packages, at their places below the folder; their CMake packages find each other relative to it.
      command -v dpkg-query > /dev/null || fail '--pack: copies from packages of Debian, and there is no dpkg-query'
      install_missing
      rm -rf "$pack"
      mkdir -p "$pack"
      dpkg-query -L libxsimd-dev catch2 libeigen3-dev libcli11-dev | grep -E '^/usr/(include|lib|share/(eigen3|cmake))/' |
        while read -r file; do if [ -f "$file" ]; then printf '%s\0' "${file#/}"; fi; done | tar -C / --null -T - -cf - | tar -C "$pack" -xf -
      say "$(du -sh "$pack" | cut -f 1) in $pack"
      exit 0
      ;;
    --minutes)
      minutes=${2:?$usage}
      shift
      ;;
    --filter)
      filter=${2:?$usage}
      shift
      ;;
    -h | --help)
      echo "$usage"
      exit 0
      ;;
    *) fail "unknown argument $1; $usage" ;;
  esac
  shift
done
[[ $minutes =~ ^[1-9][0-9]*$ ]] || fail "--minutes $minutes, expected a whole number from 1"

export PATH=$PATH:/usr/local/cuda/bin # where the toolkit installs nvcc
for tool in nvcc cmake ninja nvidia-smi; do
  command -v "$tool" > /dev/null || fail "$tool: not found"
done
nvidia-smi -L | grep -q '^GPU' || fail 'nvidia-smi finds no GPU'

folder=build/gpu
results='results-gpu.json'
mkdir -p "$folder"
SECONDS=0
steps='' failed=0
left() { printf '%d' $((minutes * 60 - SECONDS)); }
# step NAME SECONDS COMMAND...: runs it if that much time is left, and until none is.
step() {
  local name=$1 needs=$2 begin=$SECONDS state code=0
  shift 2
  if [ "$(left)" -lt "$needs" ]; then
    state="left out: $(left) s left"
  else
    say "$name, $(left) s left"
    timeout "$(left)" "$@" || code=$?
    case $code in
      0) state=passed ;;
      124) state="not finished in $((SECONDS - begin)) s" ;;
      *) state="FAILED: exit code $code" failed=1 ;;
    esac
  fi
  say "$name: $state"
  steps+="${steps:+, }\"$name\": {\"state\": \"$state\", \"seconds\": $((SECONDS - begin))}"
  [ "$state" = passed ]
}
# Writes what there is so far, in one piece.
write_results() {
  local card
  card=$(nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv,noheader | head -n 1)
  {
    printf '{"card": "%s", "date": "%s", "commit": "%s", "nvcc": "%s", "command": "scripts/gpu.sh --filter %s",\n' "$card" "$(date -u +%Y-%m-%d)" \
      "$(git describe --always --dirty 2> /dev/null || echo unknown)" "$(nvcc --version | sed -n 's/.*release //p')" "${filter//\\/\\\\}"
    printf ' "steps": {%s},\n "rankloss": ' "$steps"
    if [ -s "$folder/bench.json" ]; then cat "$folder/bench.json"; else echo null; fi
    printf ', "torch": '
    if [ -s "$folder/torch.json" ]; then cat "$folder/torch.json"; else echo null; fi
    printf '}\n'
  } > "$folder/$results.part"
  mv "$folder/$results.part" "$results"
}
trap write_results EXIT
rm -f "$folder/bench.json" "$folder/torch.json"

prefix=()
[ ! -d "$pack" ] || prefix=(-D "CMAKE_PREFIX_PATH=$PWD/$pack/usr")
architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
step configure 5 cmake --preset gpu -D "CMAKE_CUDA_ARCHITECTURES=$architecture" "${prefix[@]}" || exit 1
step build 60 cmake --build --preset gpu || exit 1
tests=$folder/tests/cuda/rankloss_cuda_tests
step tests 10 "$tests" '~[no_device]' || true
step tests-fast-math 10 "$folder/tests/cuda/rankloss_cuda_fast_math_tests" || true
step benchmarks 30 "$folder/bench/cuda/rankloss_cuda_bench" --filter "$filter" --json "$folder/bench.json" || true
# The losses that Python compiles: by the runtime alone, and where torch is, by its tensors and streams.
export RANKLOSS_CACHE=$PWD/$folder/losses RANKLOSS_FLAGS="-isystem $PWD/$pack/usr/include/eigen3 -isystem $PWD/$pack/usr/include"
[ -d "$pack" ] || export RANKLOSS_FLAGS='-isystem /usr/include/eigen3'
step adapter 60 python3 examples/torch_trainer/tests/test_compiled.py "${architecture%?}.${architecture: -1}" || true
if python3 -c 'import torch' 2> /dev/null; then
  step adapter-torch 60 python3 examples/torch_trainer/tests/test_torch.py || true
  step torch 30 python3 bench/cuda/torch_peers.py "$folder/torch.json" || true
fi
if command -v compute-sanitizer > /dev/null; then
  # Long lists take long under its tools; what they run is run by shorter ones too.
  for tool in memcheck racecheck initcheck synccheck; do
    step "$tool" 30 compute-sanitizer --tool "$tool" --error-exitcode 9 "$tests" '~[lengths]~[no_device]' || true
  done
fi
say "$results: $steps"
exit $failed

#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0

# Installs what is missing, then builds and runs every test twice: under the sanitizers, and optimised for this machine by the default compiler.
#
# The sanitizers' build is Clang 19's where that is installed: it compiles the tests in about half of GCC 12's time, what it makes runs many times
# as fast, and so both compilers see all of the library.
#
# The tests of kernels are built where nvcc is found, and run by a GPU or by the emulator whose folder RANKLOSS_CUDA_EMULATOR names.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -eq 0 ] || fail "unknown argument $1; usage: scripts/test.sh"
# What only the tests use: other compilers and the libraries of hosts. Where one is missing, the tests of it are skipped.
install_missing pkgconf g++-11 clang-14 clang-19 libclang-rt-19-dev libc++-19-dev libc++abi-19-dev libxtensor-dev
# Tests run side by side, unless the caller says how many may.
export CTEST_PARALLEL_LEVEL=${CTEST_PARALLEL_LEVEL:-$(nproc)}
say 'Building and testing the preset debug'
CXX=$(command -v clang++-19 || printf '%s' "${CXX:-}") cmake --workflow --preset debug
say 'Building and testing the preset release'
cmake --workflow --preset release
kernels='the tests of kernels DID NOT RUN'
export PATH=$PATH:/usr/local/cuda/bin # where the toolkit installs nvcc
if ! command -v nvcc > /dev/null; then
  kernels="$kernels: nvcc is not found"
elif [ -n "${RANKLOSS_CUDA_EMULATOR:-}" ] || nvidia-smi -L 2> /dev/null | grep -q '^GPU'; then
  say 'Building and testing the preset cuda'
  cmake --workflow --preset cuda
  kernels="the tests of kernels passed ${RANKLOSS_CUDA_EMULATOR:+under emulation, not on a GPU}"
else
  # What does not run is not optimised: that takes a fifth of the time.
  say 'Building the preset cuda'
  cmake --preset cuda -D CMAKE_BUILD_TYPE=Debug -D CMAKE_CXX_FLAGS_DEBUG=-O0 -D CMAKE_CUDA_FLAGS_DEBUG='-O0 -Xcicc -O0'
  cmake --build --preset cuda
  kernels="$kernels, but were built: there is no GPU, and RANKLOSS_CUDA_EMULATOR names no emulator of one"
fi
say "All tests passed, in build/debug and build/release; $kernels"

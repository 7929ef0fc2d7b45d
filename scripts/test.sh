#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0

# Installs what is missing, then builds and runs every test twice: under the sanitizers, and optimised for this machine by the default compiler.
#
# The sanitizers' build is Clang 19's where that is installed: it compiles the tests in about half of GCC 12's time, what it makes runs many times
# as fast, and so both compilers see all of the library.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -eq 0 ] || fail "unknown argument $1; usage: scripts/test.sh"
# What only the tests use: other compilers and the libraries of hosts. Where one is missing, the tests of it are skipped.
install_missing pkgconf g++-11 clang-14 clang-19 libclang-rt-19-dev libc++-19-dev libc++abi-19-dev libxtensor-dev
say 'Building and testing the preset debug'
CXX=$(command -v clang++-19 || printf '%s' "${CXX:-}") cmake --workflow --preset debug
say 'Building and testing the preset release'
cmake --workflow --preset release
say "All tests passed, in build/debug and build/release"

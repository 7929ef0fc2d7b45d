#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0

# Installs what is missing, then builds and runs every test twice: under the sanitizers, and optimised for this machine.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -eq 0 ] || fail "unknown argument $1; usage: scripts/test.sh"
install_missing
for preset in debug release; do
  say "Building and testing the preset $preset"
  cmake --workflow --preset "$preset"
done
say "All tests passed, in build/debug and build/release"

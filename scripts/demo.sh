#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0

# Installs what is missing, builds the example image_text_retrieval and runs it; arguments go to the example.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_missing
say "Building"
cmake --preset release
cmake --build --preset release --target image_text_retrieval
say "Running build/release/examples/image_text_retrieval/image_text_retrieval $*"
exec build/release/examples/image_text_retrieval/image_text_retrieval "$@"

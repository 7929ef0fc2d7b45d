# SPDX-License-Identifier: BSL-1.0
# shellcheck shell=bash

# What the other scripts share; sourced by them. Leaves the shell in the repository's root.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# As many jobs as there are processors, unless the caller has said otherwise.
processors=$(getconf _NPROCESSORS_ONLN)
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$processors}
export CTEST_PARALLEL_LEVEL=${CTEST_PARALLEL_LEVEL:-$processors}

say() { printf '\n== %s\n' "$*"; }

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

needs='a C++20 compiler (g++ 11 or clang++ 14 or later), cmake 3.25 or later, ninja, and the libraries xsimd 8.1 or later, Catch2 2.13,
Google Benchmark, Eigen 3.4 and CLI11'

# Brings in what is not there, and the packages that are named besides. On Debian with apt; elsewhere says what is needed and goes on if the tools
# are there.
install_missing() {
  local packages=(g++ cmake ninja-build libxsimd-dev catch2 libbenchmark-dev libeigen3-dev libcli11-dev "$@")
  local missing=() package tool version
  if [ -f /etc/debian_version ] && command -v apt-get > /dev/null; then
    for package in "${packages[@]}"; do
      dpkg-query -W -f '${db:Status-Status}\n' "$package" 2> /dev/null | grep -qx installed || missing+=("$package")
    done
    if [ ${#missing[@]} -gt 0 ]; then
      if [ "$(id -u)" -ne 0 ] && ! command -v sudo > /dev/null; then
        fail "missing packages, and neither root nor sudo to install them; as root: apt-get install ${missing[*]}"
      fi
      say "Installing ${missing[*]}"
      as_root apt-get update -q
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
    fi
  else
    printf 'This system has no apt-get; nothing is installed. Needed: %s.\n' "$needs"
  fi

  for tool in cmake ninja; do
    command -v "$tool" > /dev/null || fail "$tool: not found. Needed: $needs."
  done
  version=$(cmake --version | sed -n 's/^cmake version \([0-9.]*\).*/\1/p')
  printf '3.25\n%s\n' "$version" | sort -C -t . -k 1,1n -k 2,2n || fail "cmake: version $version, expected 3.25 or later"
}

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

/// What a battery says: numbers in groups, a group a call of rankloss. Abstract, so that no object brings
/// code of its own for it.
struct numbers {
  virtual void begin(const char* name, bool in_float) = 0;
  virtual void add(double number) = 0;

 protected:
  ~numbers() = default;
};

/// In [0, 1), the same for all.
static inline double uniform(std::size_t i) {
  std::uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return static_cast<double>((x ^ (x >> 31)) >> 11) * 0x1p-53;
}

// SPDX-License-Identifier: BSL-1.0
#include <rankloss/plackett_luce.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace bench::plackett_luce {
namespace {

using rankloss::partial_order;

/// A list and a partial order of it; `parts` lists one after the other.
template <class T>
struct ordered_data {
  const list_data<T>* list;
  partial_order order;
};

std::vector<std::int64_t> offsets_of(std::size_t parts, std::size_t n) {
  std::vector<std::int64_t> offsets;
  for (std::size_t q = 0; q <= parts; ++q) offsets.push_back(static_cast<std::int64_t>(q * n));
  return offsets;
}

/// Every item's position known.
template <class T>
partial_order full_order(const list_data<T>& list, std::size_t parts) {
  std::vector<std::uint32_t> ranks(list.scores.size());
  std::iota(ranks.begin(), ranks.end(), 1u);
  std::mt19937_64 random(1);
  std::shuffle(ranks.begin(), ranks.end(), random);
  return partial_order::from_ranks(offsets_of(parts, ranks.size() / parts), ranks);
}
/// Five grades.
template <class T>
partial_order grades(const list_data<T>& list, std::size_t parts) {
  return partial_order::from_grades(offsets_of(parts, list.scores.size() / parts), list.relevance);
}
/// Half as many pairs as items in each list, drawn, the item of the smaller number preferred: no cycles, and
/// few down-sets.
template <class T>
partial_order some_pairs(const list_data<T>& list, std::size_t parts) {
  const std::size_t n = list.scores.size() / parts;
  std::vector<std::size_t> preferred, other;
  std::mt19937_64 random(1);
  for (std::size_t q = 0; q < parts; ++q)
    for (std::size_t k = 0; k < n / 2; ++k) {
      const std::size_t a = random() % n, b = random() % n;
      if (a == b) continue;
      preferred.push_back(q * n + std::min(a, b));
      other.push_back(q * n + std::max(a, b));
    }
  return partial_order::from_pairs(offsets_of(parts, n), preferred, other);
}

template <class T>
void orders(benchmark::State& state, std::size_t parts, std::size_t n,
            partial_order (*make)(const list_data<T>&, std::size_t)) {
  rankloss::context context;
  std::vector<ordered_data<T>> all;
  for (const list_data<T>& list : lists<T>(parts * n)) all.push_back({&list, make(list, parts)});
  std::vector<T> gradient(parts * n);
  measure(state, all, parts * n, [&](const ordered_data<T>& data) {
    return rankloss::evaluate(
        rankloss::plackett_luce{},
        rankloss::partial_order_batch<T>{.scores = data.list->scores, .order = data.order},
        {.gradient = gradient}, context);
  });
}

template <class T>
void add_type() {
  add<T>("plackett_luce", "100000", "gradient",
         [](benchmark::State& state) { orders<T>(state, 1, 100000, full_order<T>); });
  add<T>("plackett_luce_grades", "100000", "gradient",
         [](benchmark::State& state) { orders<T>(state, 1, 100000, grades<T>); });
  add<T>("plackett_luce_pairs", "1000x12", "gradient",
         [](benchmark::State& state) { orders<T>(state, 1000, 12, some_pairs<T>); });
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::plackett_luce

// SPDX-License-Identifier: BSL-1.0

// What does not count never changes a bit: padding, masked items and steps, what lies between lists and rows,
// weights of 0. Nor does the form in which matches are given.

#include <rankloss/context.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>

#include "promises/catalogue/lists.hpp"
#include "promises/catalogue/matrices.hpp"
#include "promises/catalogue/subjects.hpp"
#include "promises/compare.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <vector>

namespace promises_padding_test {

namespace {

using namespace promises;
using promises::nan;
using rankloss::context;
using rankloss::list_batch;
using rankloss::reduction;

TEMPLATE_TEST_CASE("lists: padding, stride and mask never change a bit", "", float, double) {
  using T = TestType;
  const auto whole = all_lists<T>();
  std::mt19937_64 random(5);
  for (const std::size_t length : {20u, 140u, 310u, 3100u}) {
    // The lists that fit, each in a row of its own with holes in it, in which anything may stand.
    lists<T> ragged(0);
    std::vector<std::vector<std::size_t>> indices;
    for (std::size_t l = 0; l < whole.count(); ++l) {
      if (whole.size(l) > length || (length > 3000 && whole.size(l) < 257)) continue;
      const auto s = whole.of(l, whole.scores);
      const auto y = whole.of(l, whole.relevance);
      const auto w = whole.of(l, whole.item_weights);
      ragged.scores.insert(ragged.scores.end(), s.begin(), s.end());
      ragged.relevance.insert(ragged.relevance.end(), y.begin(), y.end());
      ragged.item_weights.insert(ragged.item_weights.end(), w.begin(), w.end());
      ragged.offsets.push_back(ragged.scores.size());
      ragged.list_weights.push_back(whole.list_weights[l]);
      std::vector<std::size_t> all(length);
      std::iota(all.begin(), all.end(), std::size_t{0});
      shuffle(random, all);
      all.resize(s.size());
      std::sort(all.begin(), all.end());
      indices.push_back(all);
    }
    for (const std::size_t stride : {length, length + 7}) {
      const std::size_t size = (ragged.count() - 1) * stride + length;
      std::vector<T> s(size, static_cast<T>(nan)), y(size, static_cast<T>(nan));
      std::vector<double> w(size, 1.0);
      std::vector<std::uint8_t> mask(size, 0);
      std::vector<std::size_t> at;
      for (std::size_t l = 0; l < ragged.count(); ++l) {
        for (std::size_t i = length; i < stride && l + 1 < ragged.count(); ++i)
          mask[l * stride + i] = 1;  // between lists even the mask is not read
        for (std::size_t i = 0; i < indices[l].size(); ++i) {
          const std::size_t to = l * stride + indices[l][i];
          at.push_back(to);
          s[to] = ragged.scores[ragged.offsets[l] + i];
          y[to] = ragged.relevance[ragged.offsets[l] + i];
          w[to] = ragged.item_weights[ragged.offsets[l] + i];
          mask[to] = 1;
        }
      }
      for (const list_loss& loss : list_losses()) {
        INFO(loss.name << ", length " << length << ", stride " << stride);
        const reduction how = reduction::mean_of_relevant;
        const list_batch<T> dense{.scores = s,
                                  .relevance = y,
                                  .list_weights = ragged.list_weights,
                                  .item_weights = w,
                                  .length = length,
                                  .stride = stride,
                                  .mask = mask,
                                  .reduction = how};
        const auto expected = run(loss, ragged.weighted(how), offered(loss).back());
        context ctx;
        auto got = run(loss, dense, offered(loss).back(), ctx, 5.0);
        for (auto* written : {&got.gradient, &got.hessian}) {
          if (written->empty()) continue;
          std::vector<T> kept;
          for (const std::size_t i : at) {
            kept.push_back((*written)[i]);
            (*written)[i] = T{0};
          }
          // What the mask leaves out gets 0; what lies between lists is left as it was.
          std::vector<T> rest(size, T{0});
          for (std::size_t i = 0; i < size; ++i)
            if (i % stride >= length) rest[i] = T{5};
          CHECK(*written == rest);
          *written = kept;
        }
        CHECK(first_difference(got, expected) == "");
      }
    }
  }

  // No mask: lists of one length.
  for (const std::size_t length : {1u, 17u, 128u, 300u}) {
    lists<T> ragged(6);
    for (int l = 0; l < 5; ++l) ragged.add(length);
    const std::size_t stride = length + 3;
    std::vector<T> s(5 * stride, static_cast<T>(nan)), y(s);
    for (std::size_t l = 0; l < 5; ++l)
      for (std::size_t i = 0; i < length; ++i) {
        s[l * stride + i] = ragged.scores[l * length + i];
        y[l * stride + i] = ragged.relevance[l * length + i];
      }
    for (const list_loss& loss : list_losses()) {
      INFO(loss.name << ", length " << length);
      const auto expected = run(loss, ragged.batch());
      CHECK(first_difference(
                run(loss,
                    list_batch<T>{.scores = ragged.scores, .relevance = ragged.relevance, .length = length}),
                expected) == "");
      for (const std::size_t size :
           {5 * stride, 4 * stride + length}) {  // with or without what follows the last list
        context ctx;
        const list_batch<T> dense{.scores = std::span(s).first(size),
                                  .relevance = std::span(y).first(size),
                                  .length = length,
                                  .stride = stride};
        auto got = run(loss, dense, wanted::gradient, ctx, 5.0);
        std::vector<T> kept;
        bool untouched = true;
        for (std::size_t i = 0; i < size; ++i) {
          if (i % stride < length) kept.push_back(got.gradient[i]);
          untouched = untouched && (i % stride < length || got.gradient[i] == T{5});
        }
        CHECK(untouched);
        got.gradient = kept;
        CHECK(first_difference(got, expected) == "");
      }
    }
  }
}

TEMPLATE_TEST_CASE("matrices: stride and the form of the matches never change a bit", "", float, double) {
  using T = TestType;
  const auto strided = all_matrices<T>(5);
  for (const auto& m : strided) {
    auto dense = m;
    dense.stride = m.columns;
    dense.s.clear();
    for (std::size_t at = 0; at < m.s.size(); ++at)
      if (at % m.stride < m.columns) dense.s.push_back(m.s[at]);
    auto flagged = dense;  // the same matches, spelled out
    flagged.row_classes.clear(), flagged.column_classes.clear(), flagged.matches.clear();
    for (std::size_t i = 0; i < m.rows; ++i)
      for (std::size_t j = 0; j < m.columns; ++j)
        flagged.matches.push_back(rankloss::detail::matching(m.batch(), i, j) ? 0x80 : 0);
    for (const matrix_loss& loss : similarity_losses()) {
      if (!m.taken_by(loss)) continue;
      INFO(loss.name << ", " << m.rows << " x " << m.columns);
      for (const wanted want : offered(loss)) {
        const auto expected = run(loss, dense.batch(), want);
        if (m.rows > 0) CHECK(first_difference(run(loss, flagged.batch(), want), expected) == "");
        context ctx;
        auto got = run(loss, m.batch(), want, ctx, 5.0);
        for (auto* written : {&got.gradient, &got.hessian}) {
          std::vector<T> kept;
          bool untouched = true;
          for (std::size_t at = 0; at < written->size(); ++at) {
            if (at % m.stride < m.columns)
              kept.push_back((*written)[at]);
            else
              untouched = untouched && (*written)[at] == T{5};
          }
          CHECK(untouched);
          *written = kept;
        }
        CHECK(first_difference(got, expected) == "");
      }
    }
  }
}

TEMPLATE_TEST_CASE("preferences: pairs of weight 0 and items of no pair never change a bit", "", float,
                   double) {
  using T = TestType;
  const pairs<T> data(6);
  auto more = data;
  std::mt19937_64 random(7);
  const T big = std::numeric_limits<T>::max();
  more.rewards.insert(more.rewards.end(), {big, -big, T(1e-30)});
  const std::size_t items = data.rewards.size(), count = data.preferred.size();
  // One after each of the pairs, with anything in it.
  std::vector<std::size_t> kept;
  for (auto* indices : {&more.preferred, &more.other}) indices->clear();
  more.weights.clear();
  more.margins.clear();
  more.ties.clear();
  for (std::size_t k = 0; k < count; ++k) {
    kept.push_back(more.preferred.size());
    for (const bool own : {true, false}) {
      const std::size_t p = random() % (items + 3);
      more.preferred.push_back(own ? data.preferred[k] : static_cast<int>(p));
      more.other.push_back(own ? data.other[k]
                               : static_cast<int>((p + 1 + random() % (items + 2)) % (items + 3)));
      more.weights.push_back(own ? data.weights[k] : 0.0);
      more.margins.push_back(own ? data.margins[k] : random() % 2 == 0 ? 1e308 : -1e308);
      more.ties.push_back(own ? data.ties[k] : static_cast<std::uint8_t>(random() % 2));
    }
  }
  for (const auto& loss : pair_losses<T>())
    for (const reduction how : reductions) {
      INFO(loss.name << ", reduction " << static_cast<int>(how));
      const auto expected = run(loss, data.batch(loss, how));
      auto got = run(loss, more.batch(loss, how));
      for (std::size_t i = items; i < items + 3; ++i) CHECK(got.gradient[i] == T{0});
      std::vector<double> parts;
      for (const std::size_t k : kept) parts.push_back(got.per_list[k]);
      got.per_list = parts;
      got.gradient.resize(items);
      got.hessian.resize(expected.hessian.size());
      CHECK(same_bits(got, expected));
    }
}

TEMPLATE_TEST_CASE("policies: masked steps, whatever they hold, and steps of weight 0 never change a bit", "",
                   float, double) {
  using T = TestType;
  const auto data = some_steps<T>(12);
  const T big = std::numeric_limits<T>::max();
  const std::vector<T> anything{static_cast<T>(nan), std::numeric_limits<T>::infinity(), -big, T{0}};
  const std::vector<T> finite{big, -big, T(1e-30), T{0}};
  auto odd = data;
  std::mt19937_64 random(13);
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < odd.x.size(); ++i) {
    const bool counts = odd.mask[i] != 0 && odd.weights[i] > 0.0;
    if (counts) kept.push_back(i);
    const auto& from = odd.mask[i] == 0 ? anything : finite;
    if (!counts)
      for (auto* values : {&odd.x, &odd.before, &odd.target}) (*values)[i] = from[random() % 4];
  }
  REQUIRE(kept.size() < data.x.size() / 5 * 4);
  REQUIRE(kept.size() > 50);
  for (const auto& loss : step_losses<T>()) {
    INFO(loss.name);
    const auto expected = run(loss, data);
    CHECK(same_bits(run(loss, odd), expected));
    // Nor does it matter that they are there.
    const auto alone = run(loss, taken(data, kept));
    CHECK(alone.value == expected.value);
    std::vector<T> gradient(data.x.size(), T{0});
    for (std::size_t k = 0; k < kept.size(); ++k) gradient[kept[k]] = alone.gradient[k];
    CHECK(gradient == expected.gradient);
    auto unmasked = taken(data, kept);
    unmasked.mask.clear();
    CHECK(same_bits(run(loss, unmasked), alone));
    unmasked.weights.assign(kept.size(), 1.0);
    const auto ones = run(loss, unmasked);
    unmasked.weights.clear();
    CHECK(same_bits(run(loss, unmasked), ones));
  }
}

}  // namespace

}  // namespace promises_padding_test

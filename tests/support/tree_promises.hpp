// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "tree_reference.hpp"

#include <rankloss/evaluate.hpp>
#include <rankloss/threads.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

/// What objectives for trees have in common with every loss, and with each other.
namespace support {

struct tree_data {
  std::vector<double> scores;
  std::vector<float> relevance;
  std::vector<double> item_weights;
  std::vector<std::int32_t> offsets{0};
};

/// Lists with ties of scores and grades 0 to grades - 1.
inline tree_data make_tree_data(const std::vector<std::size_t>& sizes, int grades, unsigned seed,
                                double spread = 2.0) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  tree_data data;
  for (const std::size_t n : sizes) {
    for (std::size_t i = 0; i < n; ++i) {
      // Floats, so that both types of scores see the same numbers.
      data.scores.push_back(i % 5 == 3 ? data.scores.back()
                                       : static_cast<double>(static_cast<float>(spread * normal(random))));
      data.relevance.push_back(static_cast<float>(random() % static_cast<unsigned>(grades)));
      data.item_weights.push_back(static_cast<double>(random() % 5) * 0.5);
    }
    data.offsets.push_back(static_cast<std::int32_t>(data.scores.size()));
  }
  return data;
}

template <class T>
struct tree_result {
  double value = 0.0;
  std::vector<T> gradient, hessian;
  bool operator==(const tree_result&) const = default;
};

/// All outputs, in the type T, of buffers that hold something else.
template <class T, class Loss, class Batch>
tree_result<T> run(const Loss& loss, const Batch& batch, rankloss::context& ctx) {
  tree_result<T> r{0.0, std::vector<T>(batch.scores.size(), T(9)), std::vector<T>(batch.scores.size(), T(9))};
  r.value = rankloss::evaluate(loss, batch, {.gradient = r.gradient, .hessian = r.hessian}, ctx);
  return r;
}
template <class T, class Loss, class Batch>
tree_result<T> run(const Loss& loss, const Batch& batch) {
  rankloss::context ctx;
  return run<T>(loss, batch, ctx);
}

/// One list against the reference, in both types, with item weights or not.
template <class Loss>
void check_list(const Loss& loss, const tree_data& data, const reference::derivatives& expected) {
  const auto in = [&]<class T>(T, double tolerance) {
    const std::vector<T> s(data.scores.begin(), data.scores.end());
    for (const bool weighted : {false, true}) {
      const rankloss::list_batch<T, float> batch{
          .scores = s,
          .relevance = data.relevance,
          .item_weights = weighted ? rankloss::reals(data.item_weights) : rankloss::reals{}};
      const tree_result<T> r = run<T>(loss, batch);
      CHECK(r.value == Approx(static_cast<double>(expected.value)).epsilon(1e-12).margin(1e-300));
      // What is less than a float can be is 0.
      const reference::real least = std::numeric_limits<T>::min() / tolerance;
      reference::real scale = least, bend = least, g_error = 0, h_error = 0;
      for (std::size_t i = 0; i < s.size(); ++i) {
        const reference::real w = weighted ? data.item_weights[i] : 1.0;
        scale = std::max(scale, std::abs(expected.gradient[i]));
        bend = std::max(bend, std::abs(expected.hessian[i]));
        g_error = std::max(g_error, std::abs(r.gradient[i] - w * expected.gradient[i]));
        h_error = std::max(h_error, std::abs(r.hessian[i] - w * expected.hessian[i]));
      }
      CHECK(g_error <= tolerance * scale);
      CHECK(h_error <= tolerance * bend);
    }
  };
  in(0.0, 1e-12);
  in(0.0f, 3e-7);
}

/// Same bits for any number of threads, any way to lay the lists out, any type of offsets; floats from
/// doubles; no list, one item, equal labels.
template <class Loss>
void check_promises(const Loss& loss, int grades) {
  using rankloss::list_batch;
  using rankloss::reduction;
  const tree_data data = make_tree_data({0, 1, 2, 17, 3, 200, 64, 5, 0, 900, 31}, grades, 5);
  const std::size_t lists = data.offsets.size() - 1;
  const list_batch<double, float> batch{.scores = data.scores,
                                        .relevance = data.relevance,
                                        .offsets = data.offsets,
                                        .reduction = reduction::sum};
  const tree_result<double> once = run<double>(loss, batch);
  CHECK(std::isfinite(once.value));
  for (const std::size_t workers : {1u, 2u, 7u}) {
    rankloss::context ctx{rankloss::threads(workers)};
    CHECK((run<double>(loss, batch, ctx) == once));
  }
  {
    const std::vector<std::uint32_t> unsigned_offsets(data.offsets.begin(), data.offsets.end());
    const std::vector<std::int64_t> wide_offsets(data.offsets.begin(), data.offsets.end());
    list_batch<double, float> other = batch;
    other.offsets = unsigned_offsets;
    CHECK((run<double>(loss, other) == once));
    other.offsets = wide_offsets;
    CHECK((run<double>(loss, other) == once));
  }
  {
    // As LightGBM holds them: scores in double, gradients in float.
    const tree_result<float> narrow = run<float>(loss, batch);
    CHECK(narrow.value == once.value);
    for (std::size_t i = 0; i < data.scores.size(); ++i) {
      CHECK(narrow.gradient[i] == static_cast<float>(once.gradient[i]));
      CHECK(narrow.hessian[i] == static_cast<float>(once.hessian[i]));
    }
  }
  {
    // The same lists in rows of a padded tensor, each second item of a row masked.
    const std::size_t length = 2000;
    std::vector<double> scores(lists * length, std::numeric_limits<double>::quiet_NaN());
    std::vector<float> relevance(lists * length, -3.5f);
    std::vector<std::uint8_t> mask(lists * length, 0);
    const auto index_of = [&](std::size_t l, std::size_t i) { return l * length + 2 * i; };
    for (std::size_t l = 0; l < lists; ++l)
      for (std::size_t i = 0;
           i + static_cast<std::size_t>(data.offsets[l]) < static_cast<std::size_t>(data.offsets[l + 1]);
           ++i) {
        const std::size_t from = static_cast<std::size_t>(data.offsets[l]) + i;
        scores[index_of(l, i)] = data.scores[from];
        relevance[index_of(l, i)] = data.relevance[from];
        mask[index_of(l, i)] = 1;
      }
    const tree_result<double> padded =
        run<double>(loss, list_batch<double, float>{.scores = scores,
                                                    .relevance = relevance,
                                                    .length = length,
                                                    .mask = mask,
                                                    .reduction = reduction::sum});
    CHECK(padded.value == once.value);
    bool same = true;
    bool zero = true;
    for (std::size_t l = 0; l < lists; ++l)
      for (std::size_t i = 0; i < length; ++i) {
        const std::size_t at = l * length + i;
        if (mask[at] == 0) {
          zero = zero && padded.gradient[at] == 0.0 && padded.hessian[at] == 0.0;
        } else {
          const std::size_t from = static_cast<std::size_t>(data.offsets[l]) + i / 2;
          same =
              same && padded.gradient[at] == once.gradient[from] && padded.hessian[at] == once.hessian[from];
        }
      }
    CHECK(same);
    CHECK(zero);
  }
  for (std::size_t l = 0; l < lists; ++l) {
    double sum = 0.0;
    double size = 0.0;
    for (auto i = static_cast<std::size_t>(data.offsets[l]);
         i < static_cast<std::size_t>(data.offsets[l + 1]); ++i) {
      CHECK(once.hessian[i] >= 0.0);
      sum += once.gradient[i];
      size += std::abs(once.gradient[i]);
      if (data.offsets[l + 1] - data.offsets[l] == 1)
        CHECK((once.gradient[i] == 0.0 && once.hessian[i] == 0.0));
    }
    if constexpr (
        !requires { loss.sigmoid; } && !requires { loss.weight; })
      continue;  // of pairs
    CHECK(std::abs(sum) <= 1e-13 * size);
  }
  // Scores of any size.
  for (const double big : {1e-300, 40.0, 800.0, 1e5, 1e300, std::numeric_limits<double>::max(),
                           std::numeric_limits<double>::infinity()}) {
    CAPTURE(big);
    std::vector<double> scores;
    for (std::size_t i = 0; i < data.scores.size(); ++i)
      scores.push_back(i % 3 == 0 ? big : i % 3 == 1 ? -big : data.scores[i]);
    list_batch<double, float> far = batch;
    far.scores = scores;
    const tree_result<double> r = run<double>(loss, far);
    std::vector<double> per_list(lists);
    rankloss::evaluate(loss, far, {.per_list = per_list});
    const auto finite = [](double x) { return std::isfinite(x); };
    CHECK(!std::isnan(r.value));
    CHECK(std::all_of(per_list.begin(), per_list.end(), finite));
    CHECK(std::all_of(r.gradient.begin(), r.gradient.end(), finite));
    CHECK(std::all_of(r.hessian.begin(), r.hessian.end(), finite));
  }
  // Lists of floats, of which short ones share lanes, against the same numbers as doubles; with lists that are
  // all equal, far apart, infinite, or of the smallest score.
  {
    constexpr float infinite = std::numeric_limits<float>::infinity();
    std::vector<float> scores(data.scores.begin(), data.scores.end());
    const auto fill = [&](std::size_t l, auto score) {
      for (auto i = static_cast<std::size_t>(data.offsets[l]);
           i < static_cast<std::size_t>(data.offsets[l + 1]); ++i)
        scores[i] = static_cast<float>(score(i));
    };
    for (int turn = 0; turn < 6; ++turn) {
      CAPTURE(turn);
      if (turn == 1) fill(3, [](std::size_t) { return 2.5; });
      if (turn == 2) fill(3, [](std::size_t) { return -infinite; });
      if (turn == 3) fill(6, [](std::size_t i) { return i % 2 == 0 ? 3e38 : -3e38; });
      if (turn == 4)
        fill(10, [](std::size_t i) { return i % 4 == 0 ? -infinite : static_cast<float>(i % 7); });
      if (turn == 5) fill(7, [](std::size_t i) { return i % 2 == 0 ? 1e-45 : -1e-45; });
      const std::vector<double> wide(scores.begin(), scores.end());
      list_batch<double, float> in_double = batch;
      in_double.scores = wide;
      const list_batch<float, float> in_float{.scores = scores,
                                              .relevance = data.relevance,
                                              .offsets = data.offsets,
                                              .reduction = reduction::sum};
      const tree_result<double> expected = run<double>(loss, in_double);
      const tree_result<float> found = run<float>(loss, in_float);
      // An infinite score counts as the largest number of its type.
      if (turn < 4) CHECK(found.value == Approx(expected.value).epsilon(1e-12));
      for (const std::size_t workers : {1u, 7u}) {
        rankloss::context ctx{rankloss::threads(workers)};
        CHECK((run<float>(loss, in_float, ctx) == found));
      }
      for (std::size_t l = 0; l < lists; ++l) {
        double slope = 1e-30, bend = 1e-30, slope_gap = 0.0, bend_gap = 0.0;
        for (auto i = static_cast<std::size_t>(data.offsets[l]);
             i < static_cast<std::size_t>(data.offsets[l + 1]); ++i) {
          slope = std::max(slope, std::abs(expected.gradient[i]));
          bend = std::max(bend, std::abs(expected.hessian[i]));
          slope_gap =
              std::max(slope_gap, std::abs(expected.gradient[i] - static_cast<double>(found.gradient[i])));
          bend_gap =
              std::max(bend_gap, std::abs(expected.hessian[i] - static_cast<double>(found.hessian[i])));
        }
        INFO("list " << l);
        CHECK(slope_gap <= 3e-7 * slope);
        CHECK(bend_gap <= 3e-7 * bend);
      }
    }
  }
  // No lists at all.
  CHECK(rankloss::evaluate(loss, list_batch<double, float>{}) == 0.0);
}

/// The items in another order, and lists by themselves: for objectives that draw nothing.
template <class Loss>
void check_permutation(const Loss& loss, int grades) {
  std::mt19937 random(3);
  tree_data data = make_tree_data({60}, grades, 8);
  for (std::size_t i = 0; i < 60; ++i) data.scores[i] += 1e-3 * static_cast<double>(i);
  std::vector<std::size_t> order(60);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), random);
  tree_data other = data;
  for (std::size_t i = 0; i < 60; ++i) {
    other.scores[i] = data.scores[order[i]];
    other.relevance[i] = data.relevance[order[i]];
  }
  const auto a = run<double>(
      loss, rankloss::list_batch<double, float>{.scores = data.scores, .relevance = data.relevance});
  const auto b = run<double>(
      loss, rankloss::list_batch<double, float>{.scores = other.scores, .relevance = other.relevance});
  CHECK(a.value == b.value);
  for (std::size_t i = 0; i < 60; ++i) {
    CHECK(b.gradient[i] == a.gradient[order[i]]);
    CHECK(b.hessian[i] == a.hessian[order[i]]);
  }
  // A list of floats has the same bits alone, and beside others.
  tree_data many = make_tree_data({9, 30, 2, 17, 9, 9, 12, 40, 3, 130, 16, 1}, grades, 4);
  const std::vector<float> scores(many.scores.begin(), many.scores.end());
  const std::vector<float>& relevance = many.relevance;
  const auto all = run<float>(loss, rankloss::list_batch<float>{.scores = scores,
                                                                .relevance = relevance,
                                                                .offsets = many.offsets,
                                                                .reduction = rankloss::reduction::sum});
  for (std::size_t l = 0; l + 1 < many.offsets.size(); ++l) {
    const auto begin = many.offsets[l], end = many.offsets[l + 1];
    const auto of = [&](const std::vector<float>& x) {
      return std::vector<float>(x.begin() + begin, x.begin() + end);
    };
    const std::vector<float> s = of(scores), y = of(relevance);
    const auto alone = run<float>(
        loss,
        rankloss::list_batch<float>{.scores = s, .relevance = y, .reduction = rankloss::reduction::sum});
    CHECK(of(all.gradient) == alone.gradient);
    CHECK(of(all.hessian) == alone.hessian);
  }
}

/// What the error of a call says; nothing when there is none.
template <class Loss, class Batch>
std::string message(const Loss& loss, const Batch& batch, std::vector<float> gradient = {}) {
  try {
    rankloss::evaluate(loss, batch, {.gradient = gradient});
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

}  // namespace support

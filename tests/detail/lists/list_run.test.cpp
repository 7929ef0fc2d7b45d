// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/lists/list_run.hpp>

#include <rankloss/evaluate.hpp>
#include <rankloss/threads.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <type_traits>
#include <vector>

namespace detail_lists_list_run_test {

namespace {

using rankloss::list;
using rankloss::list_batch;
using rankloss::list_outputs;
using rankloss::outputs;
using rankloss::reduction;
using rankloss::update;
using rankloss::workspace;

/// sum of s y w, whose gradient is y w and whose Hessian is said to be the list's number + 1.
struct plain_sum {
  static constexpr bool has_hessian = true;
  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace&) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const double factor =
          static_cast<double>(items.relevance[i]) * (items.weights.empty() ? 1.0 : items.weights[i]);
      sum += static_cast<double>(items.scores[i]) * factor;
      if (!out.gradient.empty()) out.gradient[i] = static_cast<T>(factor);
      if (!out.hessian.empty()) out.hessian[i] = static_cast<T>(items.number + 1);
    }
    return sum;
  }
};

/// The same for groups of three lists of up to six items, with those of up to two by themselves; notes the
/// sizes of each call.
struct grouped_sum : plain_sum {
  std::vector<std::vector<std::size_t>>* calls;

  static constexpr std::size_t group_size() { return 3; }
  template <class T>
  static constexpr std::size_t group_longest() {
    return 6;
  }
  template <class T>
  static constexpr std::size_t group_shortest() {
    return 2;
  }
  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    calls->push_back({items.size()});
    return plain_sum::operator()(items, out, scratch);
  }
  template <class T, class R>
  void operator()(std::span<const list<T, R>> lists, std::span<const list_outputs<T>> out,
                  std::span<double> values, workspace& scratch) const {
    calls->emplace_back();
    for (std::size_t l = 0; l < lists.size(); ++l) {
      calls->back().push_back(lists[l].size());
      values[l] = plain_sum::operator()(lists[l], out[l], scratch);
    }
  }
};

/// Lists of given sizes one after the other; whole numbers, so that all sums are exact.
struct batch_of {
  std::vector<std::int64_t> offsets{0};
  std::vector<float> s;
  std::vector<int> y;
  std::vector<double> list_weights, item_weights;
  std::vector<std::uint8_t> mask;

  explicit batch_of(const std::vector<std::size_t>& sizes) {
    std::mt19937_64 random(5);
    for (const std::size_t n : sizes) {
      offsets.push_back(offsets.back() + static_cast<std::int64_t>(n));
      list_weights.push_back(static_cast<double>(random() % 3));
    }
    const auto items = static_cast<std::size_t>(offsets.back());
    s = support::whole_numbers<float>(random, items, 9);
    y = support::whole_numbers<int>(random, items, 3);
    item_weights = support::whole_numbers<double>(random, items, 3);
    mask = support::whole_numbers<std::uint8_t>(random, items, 2);
  }
  [[nodiscard]] list_batch<float, int> view(bool masked, bool weighted, reduction by) const {
    list_batch<float, int> batch{.scores = s, .relevance = y, .offsets = offsets, .reduction = by};
    if (masked) batch.mask = mask;
    if (weighted) {
      batch.list_weights = list_weights;
      batch.item_weights = item_weights;
    }
    return batch;
  }
};

template <class Loss>
double run(const Loss& loss, const list_batch<float, int>& batch, const outputs& out, double share = 1.0) {
  rankloss::context ctx;
  const rankloss::detail::batch_source<float, int> source(batch);
  return rankloss::detail::list_run<Loss, std::remove_cvref_t<decltype(source)>>(
      loss, source, batch.reduction, out, ctx)(share);
}

const std::vector<std::size_t> some_sizes{3, 0, 7, 1, 6, 2, 2, 0, 5, 9, 4, 1, 6, 2, 3};

template <class G>
void check_commits(bool masked, bool weighted, reduction by, update mode) {
  const batch_of in(some_sizes);
  const auto batch = in.view(masked, weighted, by);
  const std::size_t items = in.s.size(), lists = some_sizes.size();
  // The plain form.
  std::vector<double> values(lists, 0.0), counts(lists, 1.0);
  double total = 0.0, value = 0.0;
  const auto factor = [&](std::size_t i) {
    return masked && in.mask[i] == 0 ? 0.0 : in.y[i] * (weighted ? in.item_weights[i] : 1.0);
  };
  const auto items_of = [&](std::size_t l, auto body) {
    for (auto i = static_cast<std::size_t>(in.offsets[l]); i < static_cast<std::size_t>(in.offsets[l + 1]);
         ++i)
      body(i);
  };
  for (std::size_t l = 0; l < lists; ++l) {
    bool relevant = false;
    items_of(l, [&](std::size_t i) {
      values[l] += static_cast<double>(in.s[i]) * factor(i);
      relevant = relevant || factor(i) > 0.0;
    });
    if (by == reduction::mean_of_relevant) counts[l] = relevant ? 1.0 : 0.0;
    if (weighted) counts[l] *= in.list_weights[l];
    total += counts[l];
    value += counts[l] * values[l];
  }
  const double share = 0.5 / (by == reduction::sum ? 1.0 : total);

  std::vector<G> g(items, G(10)), h(items, G(20));
  std::vector<double> per_list(lists, 99.0);
  const double found =
      run(plain_sum{}, batch,
          {.gradient = g, .per_list = per_list, .hessian = h, .scale = 3.0, .update = mode}, 0.5);
  CHECK(found == Approx(value * share).epsilon(1e-14));
  CHECK(per_list == values);
  for (std::size_t l = 0; l < lists; ++l)
    items_of(l, [&](std::size_t i) {
      const bool kept = !masked || in.mask[i] != 0;
      const double scale = 3.0 * share * counts[l];
      const double before = mode == update::add ? 1.0 : 0.0;
      CHECK(static_cast<double>(g[i]) == Approx(10.0 * before + scale * factor(i)).epsilon(1e-6));
      CHECK(static_cast<double>(h[i]) ==
            Approx(20.0 * before + (kept ? scale * static_cast<double>(l + 1) : 0.0)).epsilon(1e-6));
    });
}

}  // namespace

TEMPLATE_TEST_CASE("evaluate_lists: what is written, for every mask, weight, reduction and mode", "", float,
                   double) {
  for (const bool masked : {false, true})
    for (const bool weighted : {false, true})
      for (const reduction by : {reduction::mean, reduction::mean_of_relevant, reduction::sum})
        for (const update mode : {update::overwrite, update::add}) {
          INFO("masked " << masked << ", weighted " << weighted << ", reduction " << static_cast<int>(by)
                         << ", mode " << static_cast<int>(mode));
          check_commits<TestType>(masked, weighted, by, mode);
        }
}

TEMPLATE_TEST_CASE("evaluate_lists: rows cut by their lengths are as rows with that mask, in every mode", "",
                   float, double) {
  using G = TestType;
  constexpr std::size_t length = 7, stride = 9;
  std::mt19937_64 random(8);
  const std::size_t lists = 40, items = (lists - 1) * stride + length;
  const auto s = support::whole_numbers<float>(random, items, 9);
  const auto y = support::whole_numbers<int>(random, items, 3);
  const auto list_weights = support::whole_numbers<double>(random, lists, 3);
  const auto lengths = support::whole_numbers<int>(random, lists, length + 1);
  const auto mask = support::whole_numbers<std::uint8_t>(random, items, 2);
  std::vector<std::uint8_t> within(items, 0), both(items, 0);
  for (std::size_t l = 0; l < lists; ++l)
    for (std::size_t i = l * stride; i < l * stride + static_cast<std::size_t>(lengths[l]); ++i) {
      within[i] = 1;
      both[i] = mask[i];
    }
  std::vector<std::vector<std::size_t>> calls;
  grouped_sum loss;
  loss.calls = &calls;
  for (const bool masked : {false, true})
    for (const reduction by : {reduction::mean, reduction::mean_of_relevant, reduction::sum})
      for (const update mode : {update::overwrite, update::add})
        for (const double scale : {1.0, 3.0}) {
          INFO("masked " << masked << ", reduction " << static_cast<int>(by) << ", mode "
                         << static_cast<int>(mode) << ", scale " << scale);
          list_batch<float, int> batch{.scores = s,
                                       .relevance = y,
                                       .list_weights = list_weights,
                                       .length = length,
                                       .stride = stride,
                                       .reduction = by};
          std::vector<G> g(items, G(10)), h(items, G(20)), expected_g(items, G(10)), expected_h(items, G(20));
          batch.mask = masked ? both : within;
          const double expected = run(
              loss, batch, {.gradient = expected_g, .hessian = expected_h, .scale = scale, .update = mode});
          batch.lengths = lengths;
          batch.mask = {};
          if (masked) batch.mask = mask;
          CHECK(run(loss, batch, {.gradient = g, .hessian = h, .scale = scale, .update = mode}) == expected);
          CHECK(g == expected_g);
          CHECK(h == expected_h);
        }
}

/// Notes what it is given.
struct noting {
  struct seen {
    std::vector<float> scores;
    std::vector<int> relevance;
    std::vector<double> weights;
  };
  std::vector<seen>* lists;
  static constexpr bool counts_missed = true;
  static constexpr bool has_gradient = false;
  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace&) const {
    seen& here = (*lists)[items.number];
    for (std::size_t i = 0; i < items.size(); ++i) here.scores.push_back(items.scores[i]);
    for (std::size_t i = 0; i < items.size_with_missed(); ++i) here.relevance.push_back(items.relevance[i]);
    for (std::size_t i = 0; i < items.weights.size(); ++i) here.weights.push_back(items.weights[i]);
    return 1.0;
  }
};

TEST_CASE("evaluate_lists: missed items come last, without a score") {
  std::vector<noting::seen> lists(3);
  const std::vector<float> s{9, 8, 7, 6, 5, 4, 3, 2};
  const std::vector<int> y{1, 2, 3, 4, 5, 6, 7, 8};
  const std::vector<double> w{.1, .2, .3, .4, .5, .6, .7, .8};
  const std::vector<int> offsets{0, 5, 6, 8};
  const std::vector<std::uint8_t> missed{1, 0, 0, 1, 0, 1, 0, 0};
  const std::vector<std::uint8_t> mask{1, 0, 1, 1, 1, 1, 1, 0};
  list_batch<float, int> batch{
      .scores = s, .relevance = y, .offsets = offsets, .item_weights = w, .mask = mask, .missed = missed};
  std::vector<double> values(3);
  run(noting{&lists}, batch, {.per_list = values});
  CHECK(lists[0].scores == std::vector<float>{7, 5});
  CHECK(lists[0].relevance == std::vector<int>{3, 5, 1, 4});
  CHECK(lists[0].weights == std::vector<double>{.3, .5, .1, .4});
  CHECK(lists[2].scores == std::vector<float>{3});
  CHECK(lists[2].relevance == std::vector<int>{7});
  CHECK(values == std::vector<double>{1.0, 0.0, 1.0});  // a list of nothing with a rank is 0
}

TEST_CASE("evaluate_lists: groups hold lists of like size, each list once, and change no number") {
  for (const bool masked : {false, true}) {
    std::vector<std::vector<std::size_t>> calls;
    grouped_sum loss;
    loss.calls = &calls;
    const batch_of in(some_sizes);
    std::vector<double> alone(some_sizes.size()), grouped(some_sizes.size());
    std::vector<float> g(in.s.size()), expected(in.s.size());
    const double value =
        run(loss, in.view(masked, true, reduction::mean), {.gradient = g, .per_list = grouped});
    CHECK(value == run(plain_sum{}, in.view(masked, true, reduction::mean),
                       {.gradient = expected, .per_list = alone}));
    CHECK(grouped == alone);
    CHECK(g == expected);
    std::vector<std::size_t> seen, all;
    for (std::size_t l = 0; l < some_sizes.size(); ++l) {
      std::size_t kept = 0;
      for (auto i = static_cast<std::size_t>(in.offsets[l]); i < static_cast<std::size_t>(in.offsets[l + 1]);
           ++i)
        kept += !masked || in.mask[i] != 0 ? 1 : 0;
      if (kept > 0) all.push_back(kept);
    }
    std::size_t begun = 0;
    for (const auto& sizes : calls) {
      CHECK(sizes.size() <= 3);
      const auto [least, most] = std::minmax_element(sizes.begin(), sizes.end());
      CHECK((*most <= 2 || *least > 2));                // the shortest by themselves
      CHECK((*most <= 6 || sizes.size() == 1));         // the long ones alone
      begun += *most <= 6 && sizes.size() < 3 ? 1 : 0;  // not full
      seen.insert(seen.end(), sizes.begin(), sizes.end());
    }
    CHECK(begun <= 2);
    std::sort(seen.begin(), seen.end());
    std::sort(all.begin(), all.end());
    CHECK(seen == all);
  }
}

TEST_CASE("evaluate_lists: many lists, in tasks on any number of threads") {
  std::vector<std::size_t> sizes;
  for (std::size_t l = 0; l < 4000; ++l) sizes.push_back(l % 11);
  sizes.push_back(9000);
  const batch_of in(sizes);
  const auto batch = in.view(false, true, reduction::mean_of_relevant);
  std::vector<float> expected(in.s.size()), g(in.s.size());
  const double value = run(plain_sum{}, batch, {.gradient = expected});
  rankloss::context ctx{rankloss::threads(3)};
  CHECK(rankloss::evaluate(plain_sum{}, batch, {.gradient = g}, ctx) == value);
  CHECK(g == expected);
}

TEST_CASE("evaluate_lists: nothing to run is 0, and so is a total weight of 0") {
  const std::vector<std::int64_t> none{0};
  CHECK(run(plain_sum{}, {.scores = {}, .relevance = {}, .offsets = none}, {}) == 0.0);
  const std::vector<float> s{1, 2};
  const std::vector<int> y{1, 1};
  const std::vector<double> zero{0.0};
  std::vector<float> g(2, 7.0F);
  CHECK(run(plain_sum{}, {.scores = s, .relevance = y, .list_weights = zero}, {.gradient = g}) == 0.0);
  CHECK(g == std::vector<float>(2, 0.0F));
}

TEST_CASE("evaluate_lists: weights and scales at the ends of a double") {
  const std::vector<std::int64_t> offsets{0, 2, 4};
  const std::vector<float> s{1, 2, 3, 0};
  const std::vector<int> y{1, 2, 0, 7};
  const std::vector<std::uint8_t> all(4, 1);
  const std::vector<double> values{5, 0};
  constexpr double largest = std::numeric_limits<double>::max();
  for (const bool masked : {false, true})  // written straight to the caller's memory, and by way of scratch
    for (const double w : {1.0, 1e308, largest, std::numeric_limits<double>::min(), 1e-320,
                           std::numeric_limits<double>::denorm_min()})
      for (const reduction by : {reduction::mean, reduction::mean_of_relevant}) {
        INFO("weights of " << w << ", masked " << masked << ", reduction " << static_cast<int>(by));
        const std::vector<double> weights{w, w};
        list_batch<float, int> batch{
            .scores = s, .relevance = y, .offsets = offsets, .list_weights = weights, .reduction = by};
        if (masked) batch.mask = all;
        std::vector<float> g(4, 9.0F);
        std::vector<double> per_list(2);
        CHECK(run(plain_sum{}, batch, {.gradient = g, .per_list = per_list}) == Approx(2.5).epsilon(1e-15));
        CHECK(per_list == values);
        CHECK(g == std::vector<float>{0.5F, 1.0F, 0.0F, 3.5F});
        // Shares of a third and two thirds.
        const std::vector<double> uneven{w / 2, w};
        batch.list_weights = uneven;
        if (w / 2 > 0.0) {
          CHECK(run(plain_sum{}, batch, {.gradient = g}) == Approx(5.0 / 3.0).epsilon(1e-15));
          CHECK(static_cast<double>(g[3]) == Approx(14.0 / 3.0).epsilon(1e-6));
        }
      }

  // Beyond what the gradient's type holds it is the largest number, and 0 stays 0.
  constexpr float most = std::numeric_limits<float>::max();
  const std::vector<double> weights{1e308, 1e-320};
  for (const bool masked : {false, true}) {
    INFO("masked " << masked);
    list_batch<float, int> batch{
        .scores = s, .relevance = y, .offsets = offsets, .reduction = reduction::sum};
    if (masked) batch.mask = all;
    std::vector<float> g(4, 9.0F);
    CHECK(run(plain_sum{}, batch, {.gradient = g, .scale = -1e300}) == 5.0);
    CHECK(g == std::vector<float>{-most, -most, 0.0F, -most});
    run(plain_sum{}, batch, {.gradient = g, .scale = -1e300, .update = update::add});
    CHECK(g == std::vector<float>{-most, -most, 0.0F, -most});
    std::vector<double> wide(4, 9.0);
    run(plain_sum{}, batch, {.gradient = wide, .scale = 1e308});
    CHECK(wide == std::vector<double>{1e308, largest, 0.0, largest});
    // A factor that is subnormal in float, on a number that brings it back.
    const std::vector<int> large{1 << 30, 0, 0, 0};
    batch.relevance = large;
    run(plain_sum{}, batch, {.gradient = g, .scale = 1e-41});
    CHECK(static_cast<double>(g[0]) == Approx(1e-41 * (1 << 30)).epsilon(1e-6));
    batch.relevance = y;
    batch.list_weights = weights;
    CHECK(run(plain_sum{}, batch, {.gradient = g}) == largest);
    CHECK(g == std::vector<float>{most, most, 0.0F, 0.0F});
  }
}

}  // namespace detail_lists_list_run_test

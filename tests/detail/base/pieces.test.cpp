// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/base/pieces.hpp>

#include <rankloss/plackett_luce_policy.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/ranks/sigmoid_ranks.hpp>

#include <catch2/catch.hpp>

#include "support/shared_losses.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

namespace detail_base_pieces_test {

namespace {

using rankloss::context;
using rankloss::workspace;
using rankloss::detail::even_pieces;
using rankloss::detail::run_pieces;

std::vector<context> one_two_and_seven() {
  std::vector<context> contexts;
  for (const std::size_t workers : {1u, 2u, 7u}) contexts.emplace_back(rankloss::threads(workers));
  return contexts;
}

/// Longer than a piece, so that workers share it: some of its items lie far from the others, some are equal.
template <class T>
struct long_list {
  static constexpr std::size_t n = 140001;
  std::vector<T> scores = std::vector<T>(n), relevance = std::vector<T>(n);

  explicit long_list(bool graded) {
    std::mt19937_64 random(5);
    std::normal_distribution<double> normal;
    for (T& s : scores)
      s = static_cast<T>(random() % 8 == 0 ? 0.25 * static_cast<double>(random() % 9) : normal(random));
    for (T& y : relevance)
      y = static_cast<T>(graded ? static_cast<double>(random() % 5)
                                : static_cast<double>(random() >> 11) * 0x1p-53);
    scores[n / 2] = T{1000};
  }
};

template <class Loss, class T>
void has_the_same_bits(const Loss& loss, const long_list<T>& list, std::vector<context>& contexts) {
  std::vector<T> expected;
  double value = 0.0;
  for (context& ctx : contexts) {
    std::vector<T> gradient(list.n, T{77});
    const double found =
        rankloss::evaluate(loss, rankloss::list_batch<T>{.scores = list.scores, .relevance = list.relevance},
                           {.gradient = gradient}, ctx);
    if (expected.empty()) {
      expected = gradient;
      value = found;
    }
    INFO("on " << ctx.workers() << " workers");
    CHECK(found == value);
    CHECK(gradient == expected);
  }
}

}  // namespace

TEST_CASE("pieces: even pieces cover the items once, in order") {
  for (const std::size_t most : {1u, 3u, 8u})
    for (std::size_t n = 0; n < 30; ++n) {
      const even_pieces pieces(n, most);
      std::size_t at = 0;
      for (std::size_t p = 0; p < pieces.count(); ++p) {
        CHECK(pieces[p].begin == at);
        CHECK(pieces[p].size() <= most);
        CHECK((pieces[p].size() > 0 || n == 0));
        at = pieces[p].end;
      }
      CHECK(at == n);
      CHECK(pieces.count() == std::max<std::size_t>((n + most - 1) / most, 1));
    }
}

TEST_CASE("pieces: each is run once, in a scope of its own, by whom the scratch is of") {
  workspace own;
  auto contexts = one_two_and_seven();
  std::vector<workspace*> all{&own};
  for (context& ctx : contexts) all.push_back(&ctx.scratch());
  for (workspace* scratch : all)
    for (const std::size_t count : {0u, 1u, 2u, 40u}) {
      std::vector<int> runs(count, 0);
      const std::span<int> kept = scratch->take<int>(100);
      std::ranges::fill(kept, 5);
      run_pieces(*scratch, count, [&](workspace& of_worker, std::size_t piece) {
        const std::span<int> taken = of_worker.take<int>(1000);
        std::ranges::fill(taken, 9);
        ++runs[piece];
      });
      CHECK(std::ranges::count(runs, 1) == static_cast<std::ptrdiff_t>(count));
      CHECK(std::ranges::count(kept, 5) == 100);
    }
}

TEST_CASE("pieces: run at the same time where there are workers") {
  context ctx{rankloss::threads(2)};
  std::atomic<int> here{0};
  run_pieces(ctx.scratch(), 2, [&](workspace&, std::size_t) {
    ++here;
    while (here < 2) std::this_thread::yield();  // returns only if the other piece has a thread, too
  });
  CHECK(here == 2);
}

TEST_CASE("pieces: within a task, or a piece, those of the same worker are run one after the other") {
  context ctx{rankloss::threads(3)};
  std::vector<int> runs(5 * 7, 0);
  ctx.run(5, [&](std::size_t worker, std::size_t task) {
    run_pieces(ctx.scratch(worker), 7, [&](workspace& scratch, std::size_t piece) {
      CHECK(&scratch == &ctx.scratch(worker));
      ++runs[task * 7 + piece];
    });
  });
  CHECK(std::ranges::count(runs, 1) == 35);
  std::ranges::fill(runs, 0);
  run_pieces(ctx.scratch(), 5, [&](workspace& outer, std::size_t task) {
    run_pieces(outer, 7, [&](workspace&, std::size_t piece) { ++runs[task * 7 + piece]; });
  });
  CHECK(std::ranges::count(runs, 1) == 35);
}

TEST_CASE("pieces: what a piece throws reaches the caller, and the context can be used again") {
  context ctx{rankloss::threads(3)};
  CHECK_THROWS_AS(run_pieces(ctx.scratch(), 20,
                             [](workspace&, std::size_t piece) {
                               if (piece == 3) throw std::runtime_error("piece 3");
                             }),
                  std::runtime_error);
  std::atomic<int> runs{0};
  run_pieces(ctx.scratch(), 20, [&](workspace&, std::size_t) { ++runs; });
  CHECK(runs == 20);
}

TEMPLATE_TEST_CASE("pieces: a long list has the same bits on any number of workers", "", float, double) {
  using T = TestType;
  auto contexts = one_two_and_seven();
  for (const bool graded : {true, false}) {
    const long_list<T> list(graded);
    INFO("graded " << graded);
    has_the_same_bits(rankloss::sndcg{.temperature = 0.1}, list, contexts);
    has_the_same_bits(rankloss::sndcg{.temperature = 10.0, .cutoff = 100}, list, contexts);  // few cells
    has_the_same_bits(rankloss::sndcg{.temperature = 1e-5}, list, contexts);                 // none
    has_the_same_bits(rankloss::listmle{}, list, contexts);
    has_the_same_bits(rankloss::listmle{.ties = rankloss::tie_order::random, .seed = 3}, list, contexts);
    has_the_same_bits(rankloss::listnet(), list, contexts);
    has_the_same_bits(rankloss::softmax_cross_entropy{}, list, contexts);
    has_the_same_bits(rankloss::ranknet{}, list, contexts);
    has_the_same_bits(rankloss::lambdarank{}, list, contexts);
    has_the_same_bits(
        rankloss::ranknet{.function = {.temperature = 1e-4}, .average = rankloss::pairs::average::pairs},
        list, contexts);  // windows of one item
    has_the_same_bits(rankloss::lambdarank{.cutoff = 20000, .average = rankloss::pairs::average::pairs}, list,
                      contexts);
    has_the_same_bits(rankloss::arp_loss2{}, list, contexts);
    has_the_same_bits(rankloss::lambdarank_map{}, list, contexts);
  }
}

TEMPLATE_TEST_CASE("pieces: S-NDCG by cells in pieces is that of the scans, which the Hessian asks for", "",
                   float, double) {
  using T = TestType;
  context ctx{rankloss::threads(2)};
  for (const bool graded : {true, false})
    for (const double temperature : {0.02, 0.3, 40.0}) {
      const long_list<T> list(graded);
      const rankloss::list_batch<T> batch{.scores = list.scores, .relevance = list.relevance};
      const rankloss::sndcg loss{.temperature = temperature};
      std::vector<T> gradient(list.n), by_scans(list.n), hessian(list.n);
      const double value = rankloss::evaluate(loss, batch, {.gradient = gradient}, ctx);
      const double expected =
          rankloss::evaluate(loss, batch, {.gradient = by_scans, .hessian = hessian}, ctx);
      CHECK(value == Approx(expected).epsilon(sizeof(T) == 4 ? 1e-6 : 1e-11));
      double most = 0.0, gap = 0.0;
      for (std::size_t i = 0; i < list.n; ++i) {
        most = std::max(most, std::abs(static_cast<double>(by_scans[i])));
        gap = std::max(gap, std::abs(static_cast<double>(gradient[i]) - static_cast<double>(by_scans[i])));
      }
      INFO("graded " << graded << ", temperature " << temperature);
      CHECK(gap <= (sizeof(T) == 4 ? 2e-6 : 1e-9) * most);
    }
}

TEMPLATE_TEST_CASE("pieces: ListMLE in pieces is the sum over the positions", "", float, double) {
  using T = TestType;
  using real = long double;
  context ctx{rankloss::threads(2)};
  for (const bool graded : {true, false}) {
    const long_list<T> list(graded);
    std::vector<T> scores = list.scores;
    scores[list.n / 2] = T{9};  // near enough to the others for plain sums
    std::vector<std::size_t> order(list.n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t i, std::size_t j) { return list.relevance[i] > list.relevance[j]; });
    std::vector<real> rest(list.n + 1, 0.0L);
    for (std::size_t k = list.n; k-- > 0;) rest[k] = rest[k + 1] + std::exp(real{scores[order[k]]});
    real value = 0.0L, inverses = 0.0L;
    std::vector<real> expected(list.n);
    for (std::size_t k = 0; k < list.n; ++k) {
      value += std::log(rest[k]) - real{scores[order[k]]};
      inverses += 1.0L / rest[k];
      expected[order[k]] = std::exp(real{scores[order[k]]}) * inverses - 1.0L;
    }
    std::vector<T> gradient(list.n);
    const double found = rankloss::evaluate(
        rankloss::listmle{}, rankloss::list_batch<T>{.scores = scores, .relevance = list.relevance},
        {.gradient = gradient}, ctx);
    CHECK(found == Approx(static_cast<double>(value)).epsilon(sizeof(T) == 4 ? 1e-6 : 1e-12));
    real most = 0.0L, gap = 0.0L;
    for (std::size_t i = 0; i < list.n; ++i) {
      most = std::max(most, std::abs(expected[i]));
      gap = std::max(gap, std::abs(real{gradient[i]} - expected[i]));
    }
    CHECK(static_cast<double>(gap / most) <= (sizeof(T) == 4 ? 2e-6 : 1e-13));
  }
}

TEMPLATE_TEST_CASE("pieces: so do ranks, sorts and orders of it", "", float, double) {
  using T = TestType;
  auto contexts = one_two_and_seven();
  const long_list<T> list(true);
  const auto same = [&](const auto& how) {
    std::vector<T> expected, expected_slopes;
    for (context& ctx : contexts) {
      std::vector<T> ranks(list.n), slopes(list.n);
      rankloss::rank(how, list.scores, ranks, ctx);
      rankloss::rank_pullback(how, list.scores, list.relevance, slopes, ctx);
      if (expected.empty()) {
        expected = ranks;
        expected_slopes = slopes;
      }
      CHECK(ranks == expected);
      CHECK(slopes == expected_slopes);
    }
  };
  same(rankloss::sigmoid_ranks{.temperature = 0.1});
  same(rankloss::sigmoid_ranks{.temperature = 10.0});
  same(rankloss::laplace_ranks{});
  same(rankloss::projected_ranks{});
  std::vector<T> scores = list.scores;
  scores[list.n / 2] = T{9};  // near enough to the others for plain sums
  std::vector<std::uint32_t> expected;
  std::vector<double> results;
  for (context& ctx : contexts) {
    std::vector<std::uint32_t> orders(list.n);
    const std::vector<std::int64_t> offsets{0, static_cast<std::int64_t>(list.n)};
    const rankloss::plackett_luce_policy policy{.seed = 1};
    rankloss::sample_orders<T>(policy, scores, offsets, 0, orders, ctx);
    if (expected.empty()) expected = orders;
    CHECK(orders == expected);
    std::vector<double> found(2 + 2 * list.n);
    const std::span<double> out(found);
    rankloss::evaluate_orders<T>(policy, {.scores = scores, .orders = orders, .offsets = offsets},
                                 {.log_probabilities = out.subspan(0, 1), .gradient = out.subspan(2, list.n)},
                                 ctx);
    rankloss::evaluate_orders<T>(policy, {.scores = scores, .orders = orders, .offsets = offsets},
                                 {.entropies = out.subspan(1, 1), .gradient = out.subspan(2 + list.n)}, ctx);
    if (results.empty()) results = found;
    CHECK(found == results);
    // Sum of exponentials, from the last position on, against what was found.
    long double rest = 0.0L, log_probability = 0.0L;
    for (std::size_t k = list.n; k-- > 0;) {
      const auto s = static_cast<long double>(scores[orders[k]]);
      rest += std::exp(s);
      log_probability += s - std::log(rest);
    }
    CHECK(found[0] == Approx(static_cast<double>(log_probability)).epsilon(1e-12));
    // The slopes of a list sum to 0.
    CHECK(std::accumulate(found.begin() + 2, found.begin() + 2 + static_cast<std::ptrdiff_t>(list.n), 0.0) ==
          Approx(0.0).margin(1e-7));
  }
}

TEST_CASE("pieces: what comes after pieces comes in their order, each after its own, one at a time") {
  for (context& ctx : one_two_and_seven())
    for (const std::size_t count : {0u, 1u, 2u, 500u}) {
      INFO(ctx.workers() << " workers, " << count << " pieces");
      std::vector<std::atomic<bool>> done(count);
      std::vector<std::size_t> order;
      std::atomic<bool> alone{true}, right{true};
      const auto ended = std::make_unique<bool[]>(count);
      rankloss::detail::run_pieces_in_order(
          ctx.scratch(), std::span(ended.get(), count),
          [&](workspace&, std::size_t piece) {
            if (piece % 7 == 0) std::this_thread::yield();  // the next ones overtake it
            done[piece] = true;
          },
          [&](std::size_t piece) {
            if (!alone.exchange(false) || !done[piece]) right = false;
            order.push_back(piece);
            alone = true;
          });
      std::vector<std::size_t> expected(count);
      std::iota(expected.begin(), expected.end(), std::size_t{0});
      CHECK(order == expected);
      CHECK(right);
    }
}

TEST_CASE("pieces: counted pieces have as many elements that count, wherever these are") {
  constexpr std::size_t size = rankloss::detail::tuning::piece_items;
  for (const std::size_t n : {std::size_t{0}, size, 3 * size + 7})
    for (const int pattern : {0, 1, 2, 3}) {
      INFO(n << " elements, pattern " << pattern);
      std::vector<std::uint8_t> mask(n);
      for (std::size_t i = 0; i < n; ++i)
        mask[i] = pattern == 1 || (pattern == 2 && i % 3 == 0) || (pattern == 3 && i > n / 2 && i + 5 < n);
      rankloss::context ctx{rankloss::threads(3)};
      const rankloss::detail::counted_pieces pieces(
          n, pattern == 1, [&](std::size_t i) { return mask[i] != 0; }, ctx.scratch());
      std::size_t at = 0;
      for (std::size_t p = 0; p < pieces.count(); ++p) {
        REQUIRE(pieces[p].begin == at);
        at = pieces[p].end;
        std::size_t counted = 0;
        for (std::size_t i = pieces[p].begin; i < at; ++i) counted += mask[i];
        if (n > size && p + 1 < pieces.count()) CHECK(counted == size);
        CHECK(counted <= size);
      }
      CHECK(at == n);
    }
}

}  // namespace detail_base_pieces_test

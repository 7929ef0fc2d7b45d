// SPDX-License-Identifier: BSL-1.0
#include <rankloss/conventions/rax.hpp>

#include "support/convention_checks.hpp"
#include "support/one_list.hpp"
#include "support/shared_losses.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace conventions_rax_test {

// Values are closed forms, 1e-14, and the five or six digits of doc strings.

using namespace rankloss;
using support::discount;
using support::doubles;
using support::grades;
using support::integers;
using support::of;
using support::sigmoid;
using support::softplus;

TEST_CASE("conventions: Rax's losses") {
  namespace peer = conventions::rax;
  const doubles s{0, 3, 1, 2};
  const grades y{0, 0, 1, 1};
  const double z = 1 + std::exp(1) + std::exp(2) + std::exp(3);
  const double softmax = 2 * std::log(z) - 3;
  CHECK(of(peer::softmax(), s, y) == Approx(softmax).epsilon(1e-14));
  CHECK(of(peer::softmax(), doubles{1, 3, 2}, grades{0, 0, 1}) == Approx(1.40761).margin(1e-5));
  const double kept = (std::exp(1) + std::exp(2)) / (2 * z);
  CHECK(of(peer::poly1_softmax(), s, y) == Approx(softmax + 1 - kept).epsilon(1e-14));
  CHECK(of(peer::poly1_softmax(0.1), s, y) == Approx(softmax + 0.1 * (1 - kept)).epsilon(1e-14));
  const double below = 1 + std::exp(3);
  CHECK(of(peer::unique_softmax(), s, y) ==
        Approx(std::log(below + std::exp(1)) - 1 + std::log(below + std::exp(2)) - 2).epsilon(1e-14));
  // Items 2, 3, 0, 1: equal relevance as it lies.
  CHECK(of(peer::listmle(), s, y) ==
        Approx(std::log(z) - 1 + std::log(1 + std::exp(2) + std::exp(3)) - 2 + std::log(1 + std::exp(3)))
            .epsilon(1e-14));
  CHECK(4 * of(peer::pairwise_hinge(), s, y) == Approx(5.0));
  CHECK(4 * of(peer::pairwise_logistic(), s, y) ==
        Approx(softplus(-1) + softplus(2) + softplus(1) + softplus(-2)).epsilon(1e-14));
  CHECK(4 * of(peer::pairwise_soft_zero_one(), s, y) ==
        Approx(sigmoid(-1) + sigmoid(2) + sigmoid(1) + sigmoid(-2)).epsilon(1e-14));
  CHECK(4 * of(peer::pointwise_mse(), s, y) == Approx(10.0));
  CHECK(4 * of(peer::pointwise_sigmoid(), s, y) ==
        Approx(softplus(0) + softplus(3) + softplus(-1) + softplus(-2)).epsilon(1e-13));

  const doubles t{0, 1, 3, 2};
  const grades u{0, 0, 1, 2};
  CHECK(of(peer::approx(peer::mrr()), t, u) - 1 == Approx(-0.69659).margin(1e-5));
  CHECK(of(peer::approx_ndcg(), t, u) - 1 == Approx(-0.71789).margin(1e-5));
  CHECK(of(peer::approx(peer::ndcg()), t, u) - 1 == Approx(-0.71789).margin(1e-5));
}

TEST_CASE("conventions: Rax's means over all pairs and items of lists of different length") {
  namespace peer = conventions::rax;
  const doubles s{0, 3, 1, 2, 1, 3, 5};
  const grades y{0, 0, 1, 1, 0, 2, 0};
  const std::vector<std::uint8_t> mask{1, 1, 1, 1, 1, 1, 0};
  const integers offsets{0, 4, 7};
  list_batch<double> batch{
      .scores = s, .relevance = y, .offsets = offsets, .mask = mask, .reduction = peer::reduction};
  const doubles pairs = conventions::pair_counts(peer::pairwise_logistic(), batch);
  CHECK(pairs == doubles{4, 1});
  batch.list_weights = pairs;
  CHECK(evaluate(peer::pairwise_logistic(), batch) ==
        Approx((softplus(-1) + softplus(2) + softplus(1) + softplus(-2) + softplus(-2)) / 5).epsilon(1e-13));
  const doubles items = conventions::item_weights(batch);
  CHECK(items == doubles{4, 2});
  batch.list_weights = items;
  CHECK(evaluate(peer::pointwise_mse(), batch) == Approx((10.0 + 1 + 1) / 6).epsilon(1e-14));
}

TEST_CASE("conventions: Rax's lambda weights") {
  namespace peer = conventions::rax;
  // The weight of one pair: hinges that all count, and an item weight for the pair's more relevant item
  // alone. Ranks are 3, 2, 1.
  const doubles s{0, 1, 2}, y{0, 1, 0.3};
  const auto weight = [&](const auto& lambda, std::size_t more, std::size_t less) {
    using W = std::remove_cvref_t<decltype(lambda.weight)>;
    doubles g(3), only(3);
    only[more] = 1;
    evaluate(pairwise<pairs::hinge, W>{.function = {.margin = 100}, .weight = lambda.weight},
             list_batch<double>{.scores = s, .relevance = y, .item_weights = only}, {.gradient = g});
    return g[less];
  };
  const auto gain = [&](std::size_t i) { return std::exp2(y[i]) - 1; };
  const auto step = [](double distance) { return discount(distance) - discount(distance + 1); };
  const double best = gain(1) + gain(2) * discount(2);
  CHECK(weight(peer::labeldiff_lambda(), 1, 0) == Approx(1.0));
  CHECK(weight(peer::labeldiff_lambda(), 1, 2) == Approx(0.7));
  CHECK(weight(peer::labeldiff_lambda(), 2, 0) == Approx(0.3));
  // Theirs are three times these: the length of the list.
  CHECK(weight(peer::dcg_lambda(), 1, 0) == Approx((discount(2) - discount(3)) * gain(1)).epsilon(1e-14));
  CHECK(weight(peer::dcg_lambda(), 1, 2) ==
        Approx((discount(1) - discount(2)) * (gain(1) - gain(2))).epsilon(1e-14));
  CHECK(weight(peer::dcg_lambda(true), 2, 0) ==
        Approx((discount(1) - discount(3)) * gain(2) / best).epsilon(1e-14));
  CHECK(weight(peer::dcg2_lambda(), 1, 0) == Approx(step(1) * gain(1)).epsilon(1e-14));
  CHECK(weight(peer::dcg2_lambda(), 2, 0) == Approx(step(2) * gain(2)).epsilon(1e-14));
  CHECK(weight(peer::dcg2_lambda(true), 1, 2) == Approx(step(1) * (gain(1) - gain(2)) / best).epsilon(1e-14));
}

TEST_CASE("conventions: Rax's metrics") {
  namespace peer = conventions::rax;
  const doubles s{0, 3, 1, 2};
  const grades y{0, 0, 1, 1};
  CHECK(of(peer::mrr(), s, y) == 0.5);
  CHECK(of(peer::recall(3), s, y) == 1.0);
  CHECK(of(peer::precision(3), s, y) == Approx(2.0 / 3));
  CHECK(of(peer::precision(6), s, y) == 0.5);
  CHECK(of(peer::ap(), s, y) == Approx((0.5 + 2.0 / 3) / 2));
  CHECK(of(peer::dcg(), s, y) == Approx(discount(2) + discount(3)));
  CHECK(of(peer::ndcg(), s, y) == Approx((discount(2) + discount(3)) / (1 + discount(2))));
  CHECK(of(peer::ap(3), s, grades{1, 0, 1, 1}) == Approx((0.5 + 2.0 / 3) / 3));

  const doubles docs{2, 1, 3, 1, 0.5, 1.5};
  const grades labels{2, 0, 1, 0, 0, 1};
  doubles per_list(2);
  const list_batch<double> batch{
      .scores = docs, .relevance = labels, .length = 3, .reduction = peer::reduction};
  CHECK(evaluate(peer::ndcg(), batch, {.per_list = per_list}) == Approx(0.89835).margin(1e-5));
  CHECK(per_list[0] == Approx(0.79671).margin(1e-5));
}

}  // namespace conventions_rax_test

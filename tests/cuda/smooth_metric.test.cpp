// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/metrics/average_relevance_position.hpp>
#include <rankloss/metrics/expected_reciprocal_rank.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/precision.hpp>
#include <rankloss/metrics/rank_biased_precision.hpp>
#include <rankloss/metrics/recall.hpp>
#include <rankloss/metrics/reciprocal_rank.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/smooth_ap.hpp>
#include <rankloss/smooth_metric.hpp>
#include <rankloss/smooth_mrr.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace cuda_smooth_metric_test {

using rankloss::gain;
using rankloss::smooth_ap;
using rankloss::smooth_metric;
using rankloss::smooth_mrr;
namespace metrics = rankloss::metrics;

namespace {

template <class Metric>
using by_laplace = smooth_metric<Metric, rankloss::laplace_ranks>;
using smooth_ndcg = smooth_metric<metrics::ndcg>;
using projected_ndcg = smooth_metric<metrics::ndcg, rankloss::projected_ranks>;
using projected_ap = smooth_metric<metrics::average_precision, rankloss::projected_ranks>;

/// Lists with ties, and items alike, whose weights are of any size.
template <class Loss>
void agrees_with_weights(const Loss& loss, std::initializer_list<double> sizes = {1e-200, 1.0, 1e200}) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<double, double>({1, 7, 20, 70, 300}, 3);
  for (double& score : in.scores) score = std::round(2.0 * score) / 2.0;
  cuda_support::agrees(loss, in, ctx);
  for (const double size : sizes) {
    in.item_weights.clear();
    for (std::size_t i = 0; i < in.scores.size(); ++i)
      in.item_weights.push_back(size * static_cast<double>(i % 3));
    INFO("size " << size);
    cuda_support::agrees(loss, in, ctx);
  }
}

}  // namespace

TEST_CASE("cuda: smooth_metric at every length", "[lengths]") {
  SECTION("ndcg by sigmoid_ranks") {
    cuda_support::agrees_at_every_length<smooth_ndcg, float, int>(
        {.metric = {.cutoff = 5}, .ranks = {.temperature = 0.1}});
  }
  SECTION("average precision by sigmoid_ranks") {
    cuda_support::agrees_at_every_length<smooth_ap, float, int>({.ranks = {.temperature = 0.1}}, 1025);
  }
  SECTION("reciprocal rank by laplace_ranks") {
    cuda_support::agrees_at_every_length<by_laplace<metrics::reciprocal_rank>, double, double>(
        {.ranks = {.temperature = 0.1}}, 1025);
  }
  SECTION("ndcg by projected_ranks") {
    cuda_support::agrees_at_every_length<projected_ndcg, double, double>({.ranks = {.temperature = 0.01}});
  }
}
TEST_CASE("cuda: smooth_ap") {
  cuda_support::keeps_the_promises_of_lists<smooth_ap, float, int>({.ranks = {.temperature = 0.1}});
}
TEST_CASE("cuda: smooth_mrr") {
  cuda_support::keeps_the_promises_of_lists<smooth_mrr, float, int>({.ranks = {.temperature = 0.1}});
}
TEST_CASE("cuda: smooth_metric of ndcg, with every option") {
  cuda_support::keeps_the_promises_of_lists<smooth_ndcg, float, int>({.ranks = {.temperature = 0.1}});
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::lists_of_lengths<float, int>({7, 60, 300}, 3);
  const std::vector<double> table{0.0, 0.5, 0.0, 2.0};
  cuda_support::agrees(smooth_ndcg{.metric = {.gain = gain::linear, .cutoff = 5}}, in, ctx);
  cuda_support::agrees(smooth_ndcg{.metric = {.ideal = rankloss::ideal::competition_ranks}}, in, ctx);
  auto counted = in;
  counted.reduction = rankloss::reduction::mean_of_relevant;
  for (std::size_t i = 0; i < 7; ++i) counted.relevance[i] = 2;  // worth nothing by the table
  cuda_support::agrees(smooth_ndcg{.metric = {.gain = gain::table, .gain_table = table}}, counted, ctx);
  CHECK_THROWS_WITH(
      cuda_support::on_device(smooth_ndcg{.ranks = {.direction = rankloss::sort_direction::ascending}}, in,
                              ctx),
      "rankloss: ranks: ascending, expected descending: a metric counts from the best score down");
}
TEST_CASE("cuda: smooth_metric of projected ndcg, with weights of any size") {
  agrees_with_weights(projected_ndcg{.metric = {.cutoff = 5}, .ranks = {.temperature = 0.3}});
}
TEST_CASE("cuda: smooth_metric of average precision and reciprocal rank, with weights of any size") {
  using ap = by_laplace<metrics::average_precision>;
  using over = metrics::average_precision_over;
  agrees_with_weights(ap{.ranks = {.temperature = 0.3}});
  agrees_with_weights(ap{.metric = {.cutoff = 3}, .ranks = {.temperature = 0.3}}, {1.0});
  agrees_with_weights(ap{.metric = {.cutoff = 3, .over = over::attainable}, .ranks = {.temperature = 0.3}},
                      {1.0});
  using mrr = by_laplace<metrics::reciprocal_rank>;
  agrees_with_weights(mrr{.ranks = {.temperature = 0.3}});
  agrees_with_weights(mrr{.metric = {.cutoff = 3}, .ranks = {.temperature = 0.3}}, {1.0});
}
TEST_CASE("cuda: smooth_metric of precision and recall, with weights of any size") {
  using precision = by_laplace<metrics::precision>;
  using recall = by_laplace<metrics::recall>;
  using over = metrics::precision_over;
  for (const std::size_t cutoff : {0, 3, 60}) {
    INFO("cutoff " << cutoff);
    agrees_with_weights(recall{.metric = {.cutoff = cutoff}, .ranks = {.temperature = 0.3}});
    agrees_with_weights(precision{.metric = {.cutoff = cutoff}, .ranks = {.temperature = 0.3}}, {1.0, 1e200});
    agrees_with_weights(
        precision{.metric = {.cutoff = cutoff, .over = over::retrieved}, .ranks = {.temperature = 0.3}},
        {1.0});
  }
}
TEST_CASE("cuda: smooth_metric of dcg and rank-biased precision, with weights of any size") {
  using dcg = by_laplace<metrics::dcg>;
  using rbp = by_laplace<metrics::rank_biased_precision>;
  const std::vector<double> table{0.0, 0.5, 0.0, 2.0};
  agrees_with_weights(dcg{.metric = {.cutoff = 4}});
  agrees_with_weights(dcg{.metric = {.gain = gain::table, .gain_table = table}}, {1.0});
  agrees_with_weights(rbp{.metric = {.persistence = 0.5, .cutoff = 9}, .ranks = {.temperature = 0.3}});
  agrees_with_weights(rbp{.metric = {.gain = gain::exponential}}, {1.0});
}
TEST_CASE(
    "cuda: smooth_metric of relevance position and expected reciprocal rank, with weights of any size") {
  using arp = by_laplace<metrics::average_relevance_position>;
  using err = by_laplace<metrics::expected_reciprocal_rank>;
  agrees_with_weights(arp{.ranks = {.temperature = 0.3}});
  agrees_with_weights(err{.ranks = {.temperature = 0.3}});
  agrees_with_weights(err{.metric = {.cutoff = 4, .max_grade = 2.0}, .ranks = {.temperature = 0.3}}, {1.0});
}

TEST_CASE("cuda: smooth_metric of reciprocal rank, of long lists") {
  cuda_support::keeps_the_promises_of_long_lists<by_laplace<metrics::reciprocal_rank>, double, double>(
      {.ranks = {.temperature = 0.1}}, 4200);
}
TEST_CASE("cuda: smooth_metric of ndcg, of long lists") {
  cuda_support::keeps_the_promises_of_long_lists<smooth_ndcg, float, int>({.ranks = {.temperature = 0.1}},
                                                                          4200);
}
TEST_CASE("cuda: smooth_metric of average precision, of long lists") {
  cuda_support::keeps_the_promises_of_long_lists<smooth_ap, float, int>({.ranks = {.temperature = 0.1}},
                                                                        4200);
}
TEST_CASE("cuda: smooth_metric of expected reciprocal rank, of long lists") {
  cuda_support::keeps_the_promises_of_long_lists<by_laplace<metrics::expected_reciprocal_rank>, double,
                                                 double>({.ranks = {.temperature = 0.1}}, 4200);
}

/// Lists of floats whose ranks bend at a cutoff: what a rank is off is multiplied by up to 6.
void agrees_at_cutoffs(const std::vector<std::size_t>& lengths, const std::vector<std::size_t>& cutoffs) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<float, int>(lengths, 17);
  const std::size_t last = in.scores.size() - lengths.back();
  for (std::size_t i = last; i < in.scores.size(); ++i) in.scores[i] *= 1e3f;
  for (const std::size_t cutoff : cutoffs)
    for (const double temperature : {0.01, 0.3, 20.0}) {
      INFO("cutoff " << cutoff << ", temperature " << temperature);
      const rankloss::sigmoid_ranks ranks{.temperature = temperature};
      cuda_support::agrees(smooth_ndcg{.metric = {.cutoff = cutoff}, .ranks = ranks}, in, ctx);
    }
  const std::size_t cutoff = cutoffs.back();
  const rankloss::sigmoid_ranks ranks{.temperature = 0.3};
  cuda_support::agrees(smooth_ap{.metric = {.cutoff = cutoff}, .ranks = ranks}, in, ctx);
}
TEST_CASE("cuda: smooth_metric of floats with any cutoff") {
  agrees_at_cutoffs({2, 9, 33, 60, 64}, {1, 5, 22});
  agrees_at_cutoffs({65, 150, 257, 700}, {22, 100});
  agrees_at_cutoffs({1300, 2500}, {100, 1000});
}
TEST_CASE("cuda: smooth_metric of floats with any cutoff, of long lists") {
  agrees_at_cutoffs({4200, 5000}, {100, 1000});
}

/// Long lists with ties and weights, the second of which has no relevant item.
[[nodiscard]] cuda_support::host_lists<double, double> long_lists_with_weights(double size) {
  auto in = cuda_support::lists_of_lengths<double, double>({4700, 4200}, 3);
  for (double& score : in.scores) score = std::round(50.0 * score) * 0.02;
  std::fill(in.relevance.begin() + 4700, in.relevance.end(), 0.0);
  for (std::size_t i = 0; i < in.scores.size(); ++i)
    in.item_weights.push_back(size * static_cast<double>(i % 3));
  return in;
}
/// A loss of these is that of the CPU, and its gradient is not 0, as with a cutoff that no rank is near.
template <class Loss>
void agrees_and_moves(const Loss& loss, const cuda_support::host_lists<double, double>& in,
                      rankloss::cuda::context& ctx) {
  const auto device = cuda_support::on_device(loss, in, ctx);
  const auto host = cuda_support::on_host(loss, in);
  CHECK_NOTHROW(ctx.check());
  cuda_support::agree(in, device, host);
  CHECK(host.per_list[1] == 0.0);
  CHECK(std::any_of(host.gradient.begin(), host.gradient.end(), [](double g) { return g != 0.0; }));
}
TEST_CASE("cuda: smooth_metric of ndcg and relevance position, of long lists with weights") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = long_lists_with_weights(1e200);
  const rankloss::projected_ranks ranks{.temperature = 0.001};
  const std::vector<double> table{0.0, 0.5, 0.0, 2.0};
  auto rich = in;  // whose ideal DCG has gains, and counts them, in the second half of the list, too
  std::for_each_n(rich.relevance.begin(), 4700, [](double& y) { y += 1.0; });
  std::fill_n(rich.item_weights.begin(), 4700, 1e200);
  agrees_and_moves(projected_ndcg{.metric = {.gain = gain::linear, .cutoff = 4000}, .ranks = ranks}, rich,
                   ctx);
  agrees_and_moves(projected_ndcg{.metric = {.gain = gain::linear, .cutoff = 50}, .ranks = ranks}, in, ctx);
  agrees_and_moves(
      projected_ndcg{.metric = {.cutoff = 900, .ideal = rankloss::ideal::competition_ranks}, .ranks = ranks},
      in, ctx);
  agrees_and_moves(by_laplace<metrics::average_relevance_position>{}, in, ctx);
  std::fill(in.relevance.begin() + 4700, in.relevance.end(), 2.0);  // worth nothing by the table
  agrees_and_moves(projected_ndcg{.metric = {.gain = gain::table, .gain_table = table}, .ranks = ranks}, in,
                   ctx);
}
TEST_CASE("cuda: smooth_metric of average precision, of long lists with weights") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = long_lists_with_weights(1e306);
  using ap = by_laplace<metrics::average_precision>;
  using over = metrics::average_precision_over;
  const rankloss::laplace_ranks ranks{.temperature = 0.01};
  agrees_and_moves(ap{.metric = {.cutoff = 300}, .ranks = ranks}, in, ctx);
  agrees_and_moves(ap{.metric = {.cutoff = 300, .over = over::attainable}, .ranks = ranks}, in, ctx);
  agrees_and_moves(ap{.metric = {.cutoff = 9000, .over = over::attainable}}, in, ctx);
  agrees_and_moves(projected_ap{.ranks = {.temperature = 0.001}}, in, ctx);
}
TEST_CASE("cuda: smooth_metric of expected reciprocal rank, of long lists with weights") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = long_lists_with_weights(1e3);
  using err = by_laplace<metrics::expected_reciprocal_rank>;
  const rankloss::laplace_ranks ranks{.temperature = 0.01};
  agrees_and_moves(err{.metric = {.max_grade = 20.0}, .ranks = ranks}, in, ctx);
  agrees_and_moves(err{.metric = {.cutoff = 40}, .ranks = ranks}, in, ctx);
  // Runs of equal ranks that reach over several tiles.
  for (double& score : in.scores) score = std::round(score / 3.0);
  agrees_and_moves(err{.metric = {.max_grade = 14.0}, .ranks = ranks}, in, ctx);
}
TEST_CASE("cuda: smooth_metric of long lists, with weights, and without relevant items") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = long_lists_with_weights(1e3);
  const rankloss::laplace_ranks ranks{.temperature = 0.01};
  agrees_and_moves(by_laplace<metrics::recall>{.metric = {.cutoff = 59}, .ranks = ranks}, in, ctx);
  agrees_and_moves(by_laplace<metrics::precision>{.metric = {.cutoff = 59}, .ranks = ranks}, in, ctx);
  cuda_support::agrees(
      by_laplace<metrics::precision>{.metric = {.cutoff = 5000, .over = metrics::precision_over::retrieved}},
      in, ctx);
  agrees_and_moves(by_laplace<metrics::reciprocal_rank>{.metric = {.cutoff = 40}, .ranks = ranks}, in, ctx);
  agrees_and_moves(by_laplace<metrics::dcg>{.metric = {.gain = gain::linear, .cutoff = 100}, .ranks = ranks},
                   in, ctx);
  agrees_and_moves(
      by_laplace<metrics::rank_biased_precision>{.metric = {.persistence = 0.99}, .ranks = ranks}, in, ctx);
}

TEST_CASE("cuda: smooth_metric whose derivatives are near the largest double") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::host_lists<double, double> in;
  in.scores.assign(100, 0.5);
  in.relevance.assign(100, 0.0);
  in.relevance[0] = 1.7e308;
  const by_laplace<metrics::dcg> loss{.metric = {.gain = gain::linear, .cutoff = 50},
                                      .ranks = {.temperature = 1e3}};
  const auto device = cuda_support::on_device(loss, in, ctx);
  const auto host = cuda_support::on_host(loss, in);
  CHECK_NOTHROW(ctx.check());
  CHECK(std::abs(host.gradient[0]) > 1e305);
  CHECK(std::abs(device.gradient[0] / host.gradient[0] - 1.0) < 1e-12);
}

}  // namespace cuda_smooth_metric_test

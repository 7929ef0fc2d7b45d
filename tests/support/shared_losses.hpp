// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/bidirectional.hpp>
#include <rankloss/circle.hpp>
#include <rankloss/cmpm.hpp>
#include <rankloss/contrastive.hpp>
#include <rankloss/fast_ap.hpp>
#include <rankloss/info_nce.hpp>
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/metrics/average_relevance_position.hpp>
#include <rankloss/metrics/expected_reciprocal_rank.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/rank_biased_precision.hpp>
#include <rankloss/multi_similarity.hpp>
#include <rankloss/nca.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/neural_sort_cross_entropy.hpp>
#include <rankloss/pairwise.hpp>
#include <rankloss/pointwise.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/siglip.hpp>
#include <rankloss/smooth_ap.hpp>
#include <rankloss/smooth_metric.hpp>
#include <rankloss/smooth_mrr.hpp>
#include <rankloss/smooth_precision_at_k.hpp>
#include <rankloss/smooth_recall_at_k.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/soft_spearman.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/unique_softmax.hpp>
#include <rankloss/weighted_sum.hpp>
#include <rankloss/xe_ndcg.hpp>

/// Losses that more than one test evaluates, in float and double, and those of the catalogue of the promises
/// that are made of them: compiled once, in shared_losses_*.cpp, next to what they have in common, and not in
/// each test. Who changes a header for one test alone (scripts/seed_faults.py) defines
/// RANKLOSS_TESTS_SHARE_NOTHING.
namespace support::shared {

using soft_zero_one = rankloss::pairwise<rankloss::pairs::soft_zero_one>;
using soft_difference =
    rankloss::pairwise<rankloss::pairs::soft_zero_one, rankloss::pairs::relevance_difference>;
using hinge = rankloss::pairwise<rankloss::pairs::hinge>;
using squared_difference = rankloss::pairwise<rankloss::pairs::squared_difference>;
using quantile = rankloss::pairwise<rankloss::pairs::quantile>;
using squared_by_difference =
    rankloss::pairwise<rankloss::pairs::squared_difference, rankloss::pairs::relevance_difference>;
using squared_hinge = rankloss::pairwise<rankloss::pairs::squared_hinge>;
using exponential = rankloss::pairwise<rankloss::pairs::exponential>;
using smooth_rbp = rankloss::smooth_metric<rankloss::metrics::rank_biased_precision, rankloss::laplace_ranks>;
using smooth_ndcg = rankloss::smooth_metric<rankloss::metrics::ndcg, rankloss::projected_ranks>;
using smooth_position =
    rankloss::smooth_metric<rankloss::metrics::average_relevance_position, rankloss::laplace_ranks>;
using projected_position =
    rankloss::smooth_metric<rankloss::metrics::average_relevance_position, rankloss::projected_ranks>;
using projected_spearman = rankloss::soft_spearman<rankloss::projected_ranks>;
using smooth_err = rankloss::smooth_metric<rankloss::metrics::expected_reciprocal_rank>;

using two_sndcg = rankloss::weighted_sum<rankloss::sndcg, rankloss::sndcg>;
using sndcg_and_softmax = rankloss::weighted_sum<rankloss::sndcg, rankloss::softmax_cross_entropy>;
using triplet_and_sndcg = rankloss::weighted_sum<rankloss::triplet, rankloss::bidirectional<rankloss::sndcg>>;

}  // namespace support::shared

#define RANKLOSS_TESTS_PAIR_LOSSES(X)    \
  X(rankloss::ranknet)                   \
  X(rankloss::lambdarank)                \
  X(rankloss::lambdarank_map)            \
  X(rankloss::ndcg_loss1)                \
  X(rankloss::ndcg_loss2)                \
  X(rankloss::ndcg_loss2_plus)           \
  X(support::shared::soft_difference)    \
  X(support::shared::hinge)              \
  X(support::shared::squared_difference) \
  X(support::shared::quantile)           \
  X(rankloss::arp_loss1)                 \
  X(rankloss::arp_loss2)                 \
  X(support::shared::soft_zero_one)      \
  X(support::shared::squared_hinge)      \
  X(support::shared::exponential)        \
  X(support::shared::squared_by_difference)
#define RANKLOSS_TESTS_RANK_LOSSES(X)    \
  X(rankloss::sndcg)                     \
  X(rankloss::smooth_ap)                 \
  X(rankloss::smooth_recall_at_k)        \
  X(rankloss::smooth_mrr)                \
  X(rankloss::soft_spearman<>)           \
  X(support::shared::smooth_rbp)         \
  X(support::shared::smooth_ndcg)        \
  X(support::shared::smooth_err)         \
  X(rankloss::neural_ndcg)               \
  X(rankloss::neural_sort_cross_entropy) \
  X(rankloss::smooth_precision_at_k)     \
  X(support::shared::smooth_position)    \
  X(support::shared::projected_position) \
  X(support::shared::projected_spearman) \
  X(support::shared::two_sndcg)          \
  X(support::shared::sndcg_and_softmax)
#define RANKLOSS_TESTS_ITEM_LOSSES(X) \
  X(rankloss::softmax_cross_entropy)  \
  X(rankloss::listnet)                \
  X(rankloss::xe_ndcg)                \
  X(rankloss::listmle)                \
  X(rankloss::unique_softmax)         \
  X(rankloss::triplet)                \
  X(rankloss::fast_ap)                \
  X(rankloss::pointwise_squared)      \
  X(rankloss::pointwise_logistic)     \
  X(rankloss::pointwise_ordinal)      \
  X(rankloss::pointwise_smooth_l1)    \
  X(rankloss::info_nce)               \
  X(rankloss::siglip)                 \
  X(rankloss::multi_similarity)       \
  X(rankloss::circle)                 \
  X(rankloss::contrastive)            \
  X(rankloss::nca)                    \
  X(rankloss::cmpm)
#define RANKLOSS_TESTS_MATRIX_LOSSES(X)                       \
  X(rankloss::bidirectional<rankloss::sndcg>)                 \
  X(rankloss::bidirectional<rankloss::softmax_cross_entropy>) \
  X(rankloss::triplet)                                        \
  X(rankloss::fast_ap)                                        \
  X(rankloss::info_nce)                                       \
  X(rankloss::siglip)                                         \
  X(rankloss::multi_similarity)                               \
  X(rankloss::circle)                                         \
  X(rankloss::contrastive)                                    \
  X(rankloss::nca)                                            \
  X(rankloss::cmpm)                                           \
  X(rankloss::bidirectional<rankloss::listmle>)               \
  X(rankloss::bidirectional<rankloss::unique_softmax>)        \
  X(rankloss::bidirectional<rankloss::ranknet>)               \
  X(support::shared::triplet_and_sndcg)

/// `instantiate` is extern template, or template.
#define RANKLOSS_TESTS_OF(instantiate, loss, batch)                                                    \
  instantiate double rankloss::evaluate(const loss&, const rankloss::batch&, const rankloss::outputs&, \
                                        rankloss::context&);
#define RANKLOSS_TESTS_DECLARE_LISTS(loss)                    \
  RANKLOSS_TESTS_OF(extern template, loss, list_batch<float>) \
  RANKLOSS_TESTS_OF(extern template, loss, list_batch<double>)
#define RANKLOSS_TESTS_DEFINE_LISTS(loss)              \
  RANKLOSS_TESTS_OF(template, loss, list_batch<float>) \
  RANKLOSS_TESTS_OF(template, loss, list_batch<double>)
#define RANKLOSS_TESTS_DECLARE_MATRICES(loss)                       \
  RANKLOSS_TESTS_OF(extern template, loss, similarity_batch<float>) \
  RANKLOSS_TESTS_OF(extern template, loss, similarity_batch<double>)
#define RANKLOSS_TESTS_DEFINE_MATRICES(loss)                 \
  RANKLOSS_TESTS_OF(template, loss, similarity_batch<float>) \
  RANKLOSS_TESTS_OF(template, loss, similarity_batch<double>)

#if !defined(RANKLOSS_TESTS_SHARE_NOTHING)
RANKLOSS_TESTS_PAIR_LOSSES(RANKLOSS_TESTS_DECLARE_LISTS)
RANKLOSS_TESTS_RANK_LOSSES(RANKLOSS_TESTS_DECLARE_LISTS)
RANKLOSS_TESTS_ITEM_LOSSES(RANKLOSS_TESTS_DECLARE_LISTS)
RANKLOSS_TESTS_MATRIX_LOSSES(RANKLOSS_TESTS_DECLARE_MATRICES)
#endif

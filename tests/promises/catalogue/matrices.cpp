// SPDX-License-Identifier: BSL-1.0

// The losses of similarity matrices: a new one joins by a line here.

#include "matrices.hpp"

#include <rankloss/bidirectional.hpp>
#include <rankloss/circle.hpp>
#include <rankloss/cmpm.hpp>
#include <rankloss/contrastive.hpp>
#include <rankloss/fast_ap.hpp>
#include <rankloss/info_nce.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/multi_similarity.hpp>
#include <rankloss/nca.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/siglip.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/unique_softmax.hpp>
#include <rankloss/weighted_sum.hpp>

#include "support/shared_losses.hpp"

#include <cstddef>
#include <vector>

namespace promises {

const std::vector<matrix_loss>& similarity_losses() {
  using rankloss::bidirectional;
  using rankloss::mined_positives;
  using rankloss::mining;
  using rankloss::sndcg;
  using rankloss::triplet;
  using rankloss::triplet_average;
  using rankloss::triplet_form;
  using rankloss::weighted;
  const claims kinked{.smooth = false, .takes_below_0 = true};
  static const std::vector<matrix_loss> all{
      {"bidirectional sndcg",
       {.length = 0.1, .step = 0.001},
       bidirectional<sndcg>{sndcg{.temperature = 0.1}}},
      {"bidirectional sndcg, columns by relevance of rows",
       {.length = 0.1, .step = 0.001, .rectangular = false, .transposable = false},
       bidirectional<sndcg>{sndcg{.temperature = 0.1, .ideal = rankloss::ideal::competition_ranks},
                            rankloss::column_relevance::of_rows}},
      {"bidirectional softmax_cross_entropy",
       {.length = 1.0, .step = 0.003},
       bidirectional<rankloss::softmax_cross_entropy>{}},
      {"bidirectional listmle, exact ties",
       {.length = 1.0, .step = 0.003, .takes_below_0 = true},
       bidirectional<rankloss::listmle>{{.ties = rankloss::tie_order::exact}}},
      {"bidirectional unique_softmax",
       {.length = 1.0, .step = 0.003},
       bidirectional<rankloss::unique_softmax>{}},
      {"bidirectional ranknet",
       {.length = 1.0, .step = 0.003, .takes_below_0 = true},
       bidirectional<rankloss::ranknet>{}},
      {"triplet, hardest", kinked, triplet{}},
      {"triplet, all", kinked, triplet{.mine = mining::all}},
      {"triplet, all, soft, mean of triplets",
       {.length = 1.0, .step = 0.003, .takes_below_0 = true},
       triplet{.mine = mining::all, .form = triplet_form::soft, .average = triplet_average::triplets}},
      {"triplet, all, mean of active ones", kinked,
       triplet{.mine = mining::all, .average = triplet_average::active}},
      {"triplet, batch-hard, soft, squared distances", kinked,
       triplet{.positives = mined_positives::hardest,
               .form = triplet_form::soft,
               .distance = rankloss::distance::squared_euclidean}},
      {"triplet, semi-hard negatives of the easiest positive", kinked,
       triplet{.mine = mining::semi_hard, .positives = mined_positives::easiest}},
      {"triplet, all semi-hard", kinked, triplet{.mine = mining::all_semi_hard}},
      // The weights are held constant, and similarities beyond 1 have no Euclidean distance: a kink on the
      // grid of the scores.
      {"triplet, distance weighted",
       {.smooth = false, .shift_invariant = false, .sloped = false, .takes_below_0 = true},
       triplet{.mine = mining::distance_weighted, .dimension = 5}},
      {"triplet, semi-hard or easiest, Euclidean",
       {.smooth = false, .shift_invariant = false, .zero_sum = false, .sloped = false, .takes_below_0 = true},
       triplet{.mine = mining::semi_hard_or_easiest, .distance = rankloss::distance::euclidean}},
      // Its bins have edges at scores of 0 and 1.
      {"fast_ap",
       {.length = 0.1,
        .smooth = false,
        .shift_invariant = false,
        .zero_sum = false,
        .sloped = false,
        .takes_below_0 = true},
       rankloss::fast_ap{}},
      {"info_nce",
       {.length = 0.5, .step = 0.003, .takes_below_0 = true},
       rankloss::info_nce{.temperature = 0.5}},
      {"info_nce, positives inside",
       {.length = 0.5, .step = 0.003, .takes_below_0 = true},
       rankloss::info_nce{.temperature = 0.5, .positives = rankloss::positive_share::inside}},
      {"info_nce, separate positives",
       {.length = 0.5, .step = 0.003, .takes_below_0 = true},
       rankloss::info_nce{.temperature = 0.5, .positives = rankloss::positive_share::separate}},
      {"siglip",
       {.length = 0.5, .step = 0.003, .shift_invariant = false, .zero_sum = false, .takes_below_0 = true},
       rankloss::siglip{.temperature = 0.5, .bias = -1.0, .over = rankloss::directions::both}},
      {"multi_similarity",
       {.length = 0.2, .step = 0.002, .shift_invariant = false, .zero_sum = false, .takes_below_0 = true},
       rankloss::multi_similarity{.alpha = 2.0, .beta = 5.0}},
      {"circle, differentiated weights",
       {.length = 0.2,
        .step = 0.0005,
        .smooth = false,
        .shift_invariant = false,
        .zero_sum = false,
        .takes_below_0 = true},
       rankloss::circle{.gamma = 2.0, .weights = rankloss::circle_weights::differentiated}},
      {"contrastive",
       {.length = 0.5,
        .step = 0.0005,
        .smooth = false,
        .shift_invariant = false,
        .zero_sum = false,
        .takes_below_0 = true},
       rankloss::contrastive{.positive_margin = 0.3,
                             .negative_margin = 1.7,
                             .distance = rankloss::distance::cosine,
                             .form = rankloss::contrastive_form::half_square}},
      {"nca", {.length = 0.5, .step = 0.003, .takes_below_0 = true}, rankloss::nca{}},
      {"cmpm",
       {.length = 0.5, .step = 0.003, .takes_below_0 = true},
       rankloss::cmpm{.temperature = 0.5, .epsilon = 1e-3}},
      {"weighted_sum of triplet and bidirectional sndcg",
       {.length = 0.1, .step = 0.0005, .smooth = false},
       rankloss::weighted_sum{weighted{0.4, triplet{.mine = mining::all}},
                              weighted{0.6, bidirectional<sndcg>{sndcg{.temperature = 0.1}}}}},
  };
  return all;
}

template struct matrix<float>;
template struct matrix<double>;
template std::vector<matrix<float>> small_matrices<float>(std::size_t);
template std::vector<matrix<double>> small_matrices<double>(std::size_t);
template std::vector<matrix<float>> large_matrices<float>(std::size_t);
template std::vector<matrix<double>> large_matrices<double>(std::size_t);
template std::vector<matrix<float>> all_matrices<float>(std::size_t);
template std::vector<matrix<double>> all_matrices<double>(std::size_t);
template result<float> run<matrix_loss, rankloss::similarity_batch<float>>(
    const matrix_loss&, const rankloss::similarity_batch<float>&, wanted, rankloss::context&, double);
template result<double> run<matrix_loss, rankloss::similarity_batch<double>>(
    const matrix_loss&, const rankloss::similarity_batch<double>&, wanted, rankloss::context&, double);

}  // namespace promises

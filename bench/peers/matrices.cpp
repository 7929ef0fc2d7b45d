// SPDX-License-Identifier: BSL-1.0
#include "ours.hpp"

#include <rankloss/bidirectional.hpp>
#include <rankloss/conventions/pytorch_metric_learning.hpp>
#include <rankloss/embedding_batch.hpp>
#include <rankloss/info_nce.hpp>
#include <rankloss/multi_similarity.hpp>
#include <rankloss/siglip.hpp>
#include <rankloss/smooth_ap.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/triplet.hpp>

#include <vector>

extern "C" {

/// A square matrix whose row i matches column i, both ways.
double peers_matrix(void* context, const char* loss, bool wide, const void* similarity, const void* relevance,
                    std::size_t rows, double temperature, void* gradient) noexcept {
  return peers::by_type(wide, [&](auto type) {
    using T = decltype(type);
    const rankloss::similarity_batch<T> batch{.similarity = peers::input<T>(similarity, rows * rows),
                                              .rows = rows,
                                              .columns = rows,
                                              .relevance = peers::input<T>(relevance, rows * rows)};
    const rankloss::outputs out{.gradient = peers::output<T>(gradient, rows * rows)};
    const auto evaluate = [&](const auto& of) {
      return rankloss::evaluate(of, batch, out, peers::of(context));
    };
    const std::string_view name = loss;
    if (name == "info_nce") return evaluate(rankloss::info_nce{.temperature = temperature});
    if (name == "triplet") return evaluate(rankloss::triplet{});
    if (name == "bidirectional_sndcg")
      return evaluate(rankloss::bidirectional<rankloss::sndcg>{.loss = {.temperature = temperature}});
    peers::unknown(name);
  });
}

/// Pairs of embeddings x and y, of which row i matches column i; or, without y, embeddings x of classes, each
/// compared with the others.
double peers_embeddings(void* context, const char* loss, bool wide, const void* x, const void* y,
                        const std::int64_t* classes, std::size_t rows, std::size_t dimension,
                        double temperature, void* x_gradient, void* y_gradient) noexcept {
  return peers::by_type(wide, [&](auto type) {
    using T = decltype(type);
    rankloss::embedding_batch<T> batch{.row_embeddings = peers::input<T>(x, rows * dimension),
                                       .column_embeddings = peers::input<T>(y, rows * dimension),
                                       .rows = rows,
                                       .columns = y ? rows : 0,
                                       .dimension = dimension};
    if (classes) batch.row_classes = std::span(classes, rows);
    const rankloss::embedding_outputs out{.row_gradient = peers::output<T>(x_gradient, rows * dimension),
                                          .column_gradient = peers::output<T>(y_gradient, rows * dimension)};
    const auto evaluate = [&](const auto& of) {
      return rankloss::evaluate(of, batch, out, peers::of(context));
    };
    const std::string_view name = loss;
    if (name == "info_nce") return evaluate(rankloss::info_nce{.temperature = temperature});
    if (name == "siglip") return evaluate(rankloss::siglip{.temperature = temperature});
    if (name == "triplet") return evaluate(rankloss::triplet{});
    // An item is in its own list.
    if (name == "smooth_ap")
      return evaluate(rankloss::bidirectional<rankloss::smooth_ap>{
          .loss = {.ranks = {.temperature = temperature}}, .over = rankloss::directions::rows});
    batch.without_diagonal = true;
    if (name == "multi_similarity") return evaluate(rankloss::multi_similarity{});
    peers::unknown(name);
  });
}

}  // extern "C"

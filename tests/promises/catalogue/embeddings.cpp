// SPDX-License-Identifier: BSL-1.0

// Losses of similarity matrices from embeddings. The losses are those of matrices.cpp, which computes them;
// here they stand for what embeddings add: similarities, panels and gradients by vectors.

#include "embeddings.hpp"

#if __has_include(<Eigen/Core>)
#include <rankloss/bidirectional.hpp>
#include <rankloss/cmpm.hpp>
#include <rankloss/embedding_batch.hpp>
#include <rankloss/nca.hpp>
#include <rankloss/siglip.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/weighted_sum.hpp>

#include <cstddef>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace promises {

namespace {

using rankloss::context;
using rankloss::embedding_batch;
using rankloss::embedding_outputs;
using rankloss::outputs;
using rankloss::reduction;
using rankloss::similarity;

constexpr std::size_t dimension = 5;

/// What is known of pairs of rows and columns, whose vectors are the numbers of a subject.
struct pairs_of_vectors {
  std::size_t rows, columns;  // no columns: the rows against themselves
  rankloss::similarity similarity;
  rankloss::reduction reduction;
  std::vector<int> row_classes, column_classes, prefixes;
  std::vector<double> row_weights, column_weights, prefix_weights;

  pairs_of_vectors(std::mt19937_64& random, std::size_t m, std::size_t n, rankloss::similarity by,
                   rankloss::reduction how)
      : rows(m),
        columns(n),
        similarity(by),
        reduction(how),
        row_classes(support::whole_numbers<int>(random, m, 3)),
        column_classes(support::whole_numbers<int>(random, n, 3)),
        row_weights(support::whole_numbers<double>(random, m, 4)) {}

  [[nodiscard]] std::size_t numbers() const { return (rows + columns) * dimension; }

  template <class T>
  [[nodiscard]] embedding_batch<T> batch(std::span<const T> x) const {
    return {.row_embeddings = x.first(rows * dimension),
            .column_embeddings = x.subspan(rows * dimension),
            .rows = rows,
            .columns = columns,
            .dimension = dimension,
            .similarity = similarity,
            .prefixes = prefixes,
            .prefix_weights = prefix_weights,
            .row_classes = row_classes,
            .column_classes = column_classes,
            .without_diagonal = columns == 0,
            .row_weights = row_weights,
            .reduction = reduction};
  }
  /// The outputs of a subject: its gradient is that of the rows, followed by that of the columns.
  [[nodiscard]] embedding_outputs parted(const outputs& out) const {
    embedding_outputs own{.per_list = out.per_list, .scale = out.scale, .update = out.update};
    if (out.gradient.empty()) return own;
    out.gradient.visit([&](auto* memory) {
      own.row_gradient = rankloss::real_output(memory, rows * dimension);
      own.column_gradient = rankloss::real_output(memory + rows * dimension, columns * dimension);
    });
    return own;
  }
};

/// Components on the grid, so that they are the same in float and double.
template <class T>
std::vector<T> components(std::mt19937_64& random, std::size_t count) {
  std::vector<T> x(count);
  for (T& c : x) c = static_cast<T>(grid * (static_cast<double>(random() % 257) - 128.0));
  return x;
}

template <class T, class Loss>
subject<T> of_embeddings(std::string name, const Loss& loss, const pairs_of_vectors& pairs) {
  std::mt19937_64 random(9);
  return {std::move(name),
          components<T>(random, pairs.numbers()),
          pairs.rows + (pairs.columns == 0 ? pairs.rows : pairs.columns),
          false,
          pairs.similarity == similarity::cosine,
          [=](std::span<const T> x, const outputs& out, context& ctx) {
            return evaluate(loss, pairs.batch(x), pairs.parted(out), ctx);
          },
          false};
}

}  // namespace

template <class T>
std::vector<subject<T>> embedding_subjects() {
  using rankloss::bidirectional;
  using rankloss::triplet;
  using rankloss::weighted;
  std::mt19937_64 random(8);
  const auto pairs = [&](std::size_t columns, similarity by, reduction how = reduction::mean) {
    return pairs_of_vectors(random, columns == 0 ? 8 : 6, columns, by, how);
  };
  const rankloss::siglip sigmoid{.temperature = 2.0, .bias = -1.0, .over = rankloss::directions::both};
  const bidirectional<rankloss::softmax_cross_entropy> softmax{};
  const rankloss::weighted_sum sum{weighted{0.4, triplet{.mine = rankloss::mining::all}},
                                   weighted{0.6, bidirectional<rankloss::sndcg>{{.temperature = 1.0}}}};
  std::vector<subject<T>> all;
  for (const reduction how : reductions) {
    const std::string by = ", reduction " + std::to_string(static_cast<int>(how));
    all.push_back(of_embeddings<T>("siglip of cosines" + by, sigmoid, pairs(9, similarity::cosine, how)));
    all.push_back(of_embeddings<T>("softmax of cosines, against themselves" + by, softmax,
                                   pairs(0, similarity::cosine, how)));
  }
  all.push_back(of_embeddings<T>("siglip of dot products", sigmoid, pairs(9, similarity::dot)));
  all.push_back(of_embeddings<T>("nca of dot products, against themselves", rankloss::nca{.scale = 0.1},
                                 pairs(0, similarity::dot)));
  all.push_back(of_embeddings<T>("cmpm of projections", rankloss::cmpm{.epsilon = 1e-3},
                                 pairs(9, similarity::projection)));
  all.push_back(of_embeddings<T>("triplet and sndcg of cosines", sum, pairs(9, similarity::cosine)));
  auto nested = pairs(9, similarity::cosine);
  nested.prefixes = {2, 5, 3};
  nested.prefix_weights = {0.5, 1.0, 2.0};
  all.push_back(of_embeddings<T>("siglip of cosines of prefixes", sigmoid, nested));
  return all;
}

template std::vector<subject<float>> embedding_subjects<float>();
template std::vector<subject<double>> embedding_subjects<double>();

}  // namespace promises

#else

namespace promises {

template <>
std::vector<subject<float>> embedding_subjects<float>() {
  return {};
}
template <>
std::vector<subject<double>> embedding_subjects<double>() {
  return {};
}

}  // namespace promises

#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../support/bootstrap.hpp"
#include "../support/output_file.hpp"
#include "data.hpp"

#include <rankloss/context.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace cross_modal {

constexpr std::size_t recall_points = 11;  ///< 0, 0.1, ... 1

/// One direction: queries of one modality, items of the other. Shares of 1.
struct direction {
  double map = 0.0;                ///< mean of the average precision over all ranks
  double ndcg10 = 0.0;             ///< mean of NDCG@10 by the grades
  std::array<double, 3> recall{};  ///< queries with something relevant among the first 1, 5, 10
  std::array<double, recall_points> precision{};  ///< mean of the precision at each recall, interpolated
};

/// What a model finds. An image and its texts are one document; a document's numbers are the mean of both
/// directions.
struct quality {
  direction images;                  ///< images find texts
  direction texts;                   ///< texts find images
  std::vector<double> precision_of;  ///< [documents] average precision
  std::vector<double> ndcg_of;       ///< [documents] NDCG@10

  [[nodiscard]] double map() const { return 0.5 * (images.map + texts.map); }
  [[nodiscard]] double ndcg10() const { return 0.5 * (images.ndcg10 + texts.ndcg10); }
};

/// evaluator: measures embeddings of a set by the library's metrics. A tie counts what a random order of the
/// tied would on average, but for the curves of precision.
class evaluator {
 public:
  explicit evaluator(const documents& set);

  /// Rows of unit length.
  [[nodiscard]] quality operator()(const matrix<float>& images, const matrix<float>& texts,
                                   rankloss::context& context) const;

  /// A model that knows nothing: all similarities equal.
  [[nodiscard]] quality chance(rankloss::context& context) const;

 private:
  [[nodiscard]] quality measure(const matrix<float>& similarity, bool curves,
                                rankloss::context& context) const;

  std::size_t per_image_;
  std::vector<std::size_t> image_classes_;
  std::vector<std::size_t> text_classes_;
  matrix<float> grades_;      ///< [images, texts]
  matrix<float> transposed_;  ///< [texts, images]
};

/// One row of the table: a model, measured once a seed.
struct result {
  std::string name;
  bool baseline = false;
  std::vector<quality> runs{};
  std::vector<double>
      curve{};  ///< of the first seed: mAP of the test set after each epoch, from 0; empty: not trained
  double validation = 0.0;  ///< mAP of what was held out, by which the options were chosen
  std::string chosen{};
  double seconds = 0.0;  ///< of training, one run

  [[nodiscard]] double mean(double (*of)(const quality&)) const;
  [[nodiscard]] double deviation(double (*of)(const quality&)) const;  ///< of a sample: divided by runs - 1
  [[nodiscard]] std::vector<double> per_document(
      std::vector<double> quality::*of) const;  ///< mean over the runs
};

struct report {
  std::string set;
  std::vector<result> rows{};
  std::size_t against = 0;                ///< the baseline with the best validation
  std::vector<examples::interval> map{};  ///< [rows] less that baseline
  std::vector<examples::interval> ndcg10{};

  void compare(std::size_t resamples, std::uint64_t seed);
};

void print_table(std::ostream& out, const report& r);

/// @throws std::runtime_error when the file cannot be written.
void write_csv(examples::output_file& to, const report& r);

/// A gnuplot script with its data in it that draws the learning curves and the precision-recall curves to an
/// SVG file.
/// @throws std::runtime_error when the file cannot be written.
void write_picture(examples::output_file& to, const report& r);

}  // namespace cross_modal

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../support/bootstrap.hpp"
#include "../support/output_file.hpp"
#include "data.hpp"
#include "losses.hpp"

#include <rankloss/context.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace retrieval {

/// How well images find captions and captions find images, everything in percent.
struct quality {
  enum column {
    image_r1,
    image_r5,
    image_r10,
    image_ndcg,
    text_r1,
    text_r5,
    text_r10,
    text_ndcg,
    rsum,
    columns
  };
  std::array<double, columns> values{};
  std::vector<double> rsum_by_image{};  ///< [images] of an image and its captions; the mean is rsum
};

struct query_ndcg {
  bool by_image;      ///< the query is an image, else a caption
  std::size_t query;  ///< its row
  std::size_t image;  ///< the image that it is or belongs to
  double ndcg;
};

/// evaluator: measures embeddings of a set by the library's metrics. A tie counts what a random order of the
/// tied would on average.
class evaluator {
 public:
  evaluator(const pairs& set, rankloss::context& context);

  /// Rows of unit length.
  [[nodiscard]] quality operator()(const matrix<float>& images, const matrix<float>& captions) const;

  /// NDCG of each query in percent, the images' before the captions'; queries for which nothing is relevant
  /// are left out.
  [[nodiscard]] std::vector<query_ndcg> of_queries(const matrix<float>& images,
                                                   const matrix<float>& captions) const;

  /// A model that knows nothing: all similarities equal.
  [[nodiscard]] quality chance() const;

 private:
  [[nodiscard]] quality measure(const matrix<float>& similarity) const;

  [[nodiscard]] std::vector<double> rsum_by_image(const matrix<float>& similarity) const;

  rankloss::context& context_;
  std::vector<std::size_t> image_classes_;
  std::vector<std::size_t> caption_classes_;
  graded_relevance graded_;
};

/// One row of the table: a model, measured once a seed.
struct result {
  std::string name;
  std::vector<quality> runs;
  std::vector<double> seconds;             ///< of training, one a run; none: not trained
  std::vector<learned_numbers> learned{};  ///< one a run, of a loss that learns some
  std::size_t scratch = 0;                 ///< bytes that the loss needed besides the embeddings

  [[nodiscard]] double mean(quality::column c) const;
  [[nodiscard]] double deviation(quality::column c) const;  ///< of a sample: divided by runs - 1
  [[nodiscard]] std::vector<double> rsum_by_image() const;  ///< mean over the runs
};

/// The difference of rsum between two rows, by so many draws of the test images with their captions. Among
/// what an image is searched does not change with the draw.
[[nodiscard]] examples::interval compare(const result& row, const result& other, std::size_t resamples,
                                         std::uint64_t seed);

/// Rows after the first that is trained have the difference of their rsum from that row's. Below stand the
/// numbers that losses learned.
void print_table(std::ostream& out, const std::vector<result>& results, std::size_t resamples,
                 std::uint64_t seed);

/// curve: one line an epoch, run and loss in a CSV file; and a gnuplot script with its data in it that draws
/// the mean rsum of each loss over the epochs, to an SVG file in the folder where gnuplot runs.
class curve {
 public:
  /// Of empty paths nothing is written. @throws std::runtime_error when a file cannot be written.
  curve(const std::string& csv, const std::string& picture);
  [[nodiscard]] bool wanted() const { return csv_.wanted() || picture_.wanted(); }
  void add(const std::string& loss, std::uint64_t seed, std::size_t epoch, double seconds, double value,
           const quality& test);
  /// What is not kept is not there. `cca` is the rsum that the losses are to pass.
  void keep(const std::string& set, double cca);

 private:
  struct line {
    std::string loss;
    std::vector<double> sums{};  ///< [epochs] of rsum, over the runs
    std::vector<double> runs{};  ///< [epochs]
  };
  examples::output_file csv_;
  examples::output_file picture_;
  std::vector<line> lines_;
};

/// query_table: one line a query, run and loss, for paired comparisons.
class query_table {
 public:
  /// Of an empty path nothing is written. @throws std::runtime_error when the file cannot be written.
  explicit query_table(const std::string& path);
  [[nodiscard]] bool wanted() const { return file_.wanted(); }
  void add(const std::string& loss, std::uint64_t seed, const std::vector<query_ndcg>& queries);
  /// What is not kept is not there.
  void keep() { file_.keep(); }

 private:
  examples::output_file file_;
};

}  // namespace retrieval

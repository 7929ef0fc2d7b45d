// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "data.hpp"

#include <rankloss/context.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
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
};

struct query_ndcg {
  bool by_image;      ///< the query is an image, else a caption
  std::size_t query;  ///< its row
  std::size_t image;  ///< the image that it is or belongs to
  double ndcg;
};

/// evaluator: measures embeddings of a set by the library's metrics. A tie counts what a random order of the tied would on average.
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

  rankloss::context& context_;
  std::vector<std::size_t> image_classes_;
  std::vector<std::size_t> caption_classes_;
  graded_relevance graded_;
};

/// One row of the table: a model, measured once a seed.
struct result {
  std::string name;
  std::vector<quality> runs;
  std::vector<double> seconds;  ///< of training, one a run; none: not trained

  [[nodiscard]] double mean(quality::column c) const;
  [[nodiscard]] double deviation(quality::column c) const;  ///< of a sample: divided by runs - 1
};

void print_table(std::ostream& out, const std::vector<result>& results);

/// curve: one line an epoch, run and loss, for plotting.
class curve {
 public:
  /// @throws std::runtime_error when the file cannot be written.
  explicit curve(const std::string& path);
  void add(const std::string& loss, std::uint64_t seed, std::size_t epoch, double seconds, double value,
           const quality& test);

 private:
  std::string path_;
  std::ofstream file_;
};

/// query_table: one line a query, run and loss, for paired comparisons.
class query_table {
 public:
  /// @throws std::runtime_error when the file cannot be written.
  explicit query_table(const std::string& path);
  void add(const std::string& loss, std::uint64_t seed, const std::vector<query_ndcg>& queries);

 private:
  std::string path_;
  std::ofstream file_;
};

}  // namespace retrieval

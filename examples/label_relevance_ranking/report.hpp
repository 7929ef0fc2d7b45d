// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../support/bootstrap.hpp"
#include "../support/output_file.hpp"
#include "stages.hpp"

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace label_ranker {

/// One row of the table: a model, measured once a seed on the test lists.
struct result {
  std::string name;
  std::vector<std::vector<quality>> runs{};  ///< [seed][list]
  std::string chosen{};                      ///< options, by the validation lists of the first seed
  double seconds = 0.0;                      ///< of training, all runs together

  [[nodiscard]] std::vector<double> per_list(quality::column c) const;  ///< mean over the seeds
  [[nodiscard]] double mean(quality::column c) const;
  [[nodiscard]] double deviation(quality::column c) const;  ///< of the seeds' means, divided by seeds - 1
};

struct report {
  std::string set;
  std::vector<result> rows{};                     ///< the first is what the others are compared with
  std::vector<examples::interval> differences{};  ///< [rows] of NDCG@10, from the first row

  void compare(std::size_t resamples, std::uint64_t seed);
};

void print_table(std::ostream& out, const report& r);

/// @throws std::runtime_error when the file cannot be written.
void write_csv(examples::output_file& to, const report& r);

/// A gnuplot script with its data in it that draws the differences with their intervals to an SVG file in the
/// folder where gnuplot runs. @throws std::runtime_error when the file cannot be written.
void write_picture(examples::output_file& to, const report& r);

}  // namespace label_ranker

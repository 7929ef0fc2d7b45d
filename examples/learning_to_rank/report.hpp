// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../support/bootstrap.hpp"
#include "../support/output_file.hpp"
#include "train.hpp"

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace ranker {

/// What the validation lists choose.
struct setting {
  double scale = 0.0;  ///< of the loss
  double rate = 0.0;   ///< of Adam

  bool operator<(const setting& other) const {
    return std::tie(scale, rate) < std::tie(other.scale, other.rate);
  }
};

/// One row of the table: a loss, measured once a seed on the lists of all folds.
struct result {
  std::string name;
  std::vector<std::vector<quality>> runs{};  ///< [seed][list], the lists of one fold after the other
  std::map<setting, std::size_t> chosen{};   ///< in how many folds; none: not trained
  double seconds = 0.0;                      ///< of training, all runs together

  [[nodiscard]] double mean(quality::column c) const;
  [[nodiscard]] double deviation(quality::column c) const;  ///< of the seeds' means, divided by seeds - 1
  [[nodiscard]] std::vector<double> per_list(quality::column c) const;  ///< mean over the seeds
};

using examples::bootstrap;
using examples::interval;

/// What is printed about a table and written in each line of a CSV file.
struct report {
  std::string set;
  std::string model;
  std::string measured_on;
  std::string against;
  std::vector<result> rows{};
  std::vector<interval>
      differences{};  ///< [rows] of NDCG@10, from the row named `against`; empty where there is none

  /// Fills in the differences.
  void compare(std::size_t resamples, std::uint64_t seed);
};

void print_table(std::ostream& out, const report& r);

/// @throws std::runtime_error when the file cannot be written.
void write_csv(examples::output_file& to, const report& r);

/// A gnuplot script with its data in it that draws NDCG@10 with intervals to an SVG file in the folder
/// where gnuplot runs.
/// @throws std::runtime_error when the file cannot be written.
void write_picture(examples::output_file& to, const report& r);

}  // namespace ranker

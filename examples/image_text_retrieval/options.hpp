// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "losses.hpp"
#include "train.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace retrieval {

enum class start { cca, random };
enum class relevance { rsc, matches };

struct options {
  std::string data;  ///< folder that must hold a set; empty: see shared_data
  std::string
      shared_data;  ///< folder of RANKLOSS_DATA, used if it holds a set; else the emoji set that comes with the example is
  std::vector<std::string> losses{"all"};
  std::string csv;
  std::string picture;
  std::string queries;
  std::size_t seeds = 1;
  std::size_t resamples = 10000;  ///< of the test images, for the intervals
  std::size_t threads = 0;        ///< 0: as many as the machine has
  double hold_out = 0.0;  ///< share of the training images to measure on in place of the test images; 0: none

  retrieval::start start = retrieval::start::cca;
  std::size_t dimensions = 128;
  double ridge = 0.5;
  std::size_t image_hidden = 512;
  std::size_t text_hidden = 512;

  train_options train;

  retrieval::relevance relevance = retrieval::relevance::rsc;
  std::string rsc;  ///< .npy file of a sentence encoder's vectors; empty: RSC of the captions' features
  loss_options loss;
};

/// Reads the command line and RANKLOSS_DATA. Without a value (after --help) the program has nothing more to do.
/// @throws std::runtime_error saying what was expected.
[[nodiscard]] std::optional<options> parse(int argc, char** argv);

}  // namespace retrieval

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../support/train_towers.hpp"
#include "losses.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace cross_modal {

enum class start { cca, random };

struct options {
  std::string data;  ///< folder that must hold the set; empty: see shared_data
  std::string
      shared_data;  ///< folder of RANKLOSS_DATA, used if it holds a set; else the emoji that come along are
  std::string set;  ///< one of known_sets(); empty: the first that is there
  bool topics = false;              ///< grade Wikipedia by the topics of the texts
  std::vector<std::string> losses;  ///< by name
  std::string csv;
  std::string picture;
  std::size_t seeds = 1;
  std::size_t threads = 0;  ///< 0: as many as the machine has
  std::size_t resamples = 10000;

  cross_modal::start start = cross_modal::start::cca;
  std::size_t dimensions = 128;
  std::size_t hidden = 256;
  double hold_out = 0.2;
  std::vector<double> temperatures{0.02, 0.1, 0.5, 2.0};
  std::vector<double> rates{5e-4, 2e-3, 8e-3};

  examples::train_options train{.epochs = 10, .batch = 64};  ///< but for the rate
  loss_options loss;
};

/// Reads the command line and RANKLOSS_DATA. Without a value (after --help) the program has nothing more to
/// do.
/// @throws std::runtime_error saying what was expected.
[[nodiscard]] std::optional<options> parse(int argc, char** argv);

}  // namespace cross_modal

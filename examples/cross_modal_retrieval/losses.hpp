// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../support/train_towers.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace cross_modal {

/// What the losses share besides the temperature.
struct loss_options {
  double noise = 0.1;       ///< of the stochastic form, in units of the cosines
  std::size_t samples = 4;  ///< and how many of them
  std::size_t seed = 1;     ///< of the noise
};

/// A row of the table: a loss of the library by its name. The temperature of the triplet losses is their
/// margin.
struct named_loss {
  std::string name;
  std::string about;
  bool baseline = false;   ///< what ranking losses have to pass
  bool own_pairs = false;  ///< knows of the pairs of image and text alone, not of the categories
  std::function<examples::batch_loss(double temperature, const loss_options&)> make;
};

[[nodiscard]] const std::vector<named_loss>& all_losses();

}  // namespace cross_modal

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ranker {

/// Any list loss, called as `rankloss::evaluate` is.
using list_loss =
    std::function<double(const rankloss::list_batch<float>&, const rankloss::outputs&, rankloss::context&)>;

/// A loss by name. Its scale is its temperature, or the margin of a hinge: what differences of scores are measured by.
struct loss_entry {
  std::string name;
  std::vector<double> scales;  ///< of which the validation lists choose one
  std::function<list_loss(double scale)> make;
};

/// All of them; the table in losses.cpp has a line for each.
[[nodiscard]] const std::vector<loss_entry>& all_losses();

/// The losses of a list such as "sndcg,ranknet", or of "all", in the order of the table.
/// @throws std::runtime_error naming those that there are.
[[nodiscard]] std::vector<loss_entry> find_losses(std::string_view names);

}  // namespace ranker

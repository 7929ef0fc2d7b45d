// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include <span>
#include <vector>

namespace support {

/// One list in each lane, as the losses lay them.
template <class Arch>
rankloss::detail::plain_rows<Arch> lay_lists(const std::vector<std::vector<double>>& lists,
                                             rankloss::workspace& scratch) {
  std::vector<rankloss::list<double, double>> items;
  for (const std::vector<double>& x : lists)
    items.push_back({.scores = {x.data(), x.size()}, .relevance = {}});
  return rankloss::detail::lay_group<Arch>(std::span<const rankloss::list<double, double>>(items), scratch);
}

}  // namespace support

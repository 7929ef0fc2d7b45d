// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/context.hpp>
#include <rankloss/detail/base/abi.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// While it lasts engines that are called take the scratch behind the first bytes that the caller has taken.
struct scratch_behind {
  scratch_behind(context& ctx, std::size_t bytes) : of(ctx), before(ctx.held()) { of.hold(before + bytes); }
  ~scratch_behind() { of.hold(before); }
  scratch_behind(const scratch_behind&) = delete;
  scratch_behind& operator=(const scratch_behind&) = delete;

  context& of;
  std::size_t before;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/softmax_cross_entropy.cuh>
#include <rankloss/listnet.hpp>

namespace rankloss::inline RANKLOSS_ABI {

template <>
struct engine<listnet, cuda::context> {
  template <class T, class R>
  [[nodiscard]] static std::size_t scratch_bytes(const listnet& loss, const cuda::list_batch<T, R>& batch) {
    return of_softmax::scratch_bytes(loss.cross_entropy(), batch);
  }
  template <class T, class R>
  static void run(const listnet& loss, const cuda::list_batch<T, R>& batch, const cuda::outputs<T>& out,
                  cuda::context& ctx) {
    of_softmax::run(loss.cross_entropy(), batch, out, ctx);
  }

 private:
  using of_softmax = engine<softmax_cross_entropy, cuda::context>;
};

}  // namespace rankloss::inline RANKLOSS_ABI

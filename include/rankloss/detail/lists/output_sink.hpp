// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/lists/list_source.hpp>
#include <rankloss/workspace.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// A gradient or Hessian of the host, as list_run writes it. A loss writes directly to the host's memory if
/// the type, the mask and the update mode allow it; otherwise it writes to scratch, from which `commit`
/// copies.
template <list_source Source>
class output_sink {
  using T = typename Source::score_type;

 public:
  output_sink(const Source& source, const shaped<real_output>& out, const outputs& how)
      : source_(source),
        out_(out),
        scale_(how.scale),
        update_(how.update),
        direct_(how.update == update::overwrite && !source.masked() &&
                out.visit([](auto* memory) { return std::is_same_v<decltype(memory), T*>; })) {}

  /// The memory to which the loss writes: the host's or scratch.
  [[nodiscard]] strided<T> target(std::size_t l, std::size_t n, workspace& scratch) const {
    if (out_.empty()) return {};
    if (!direct_) return {scratch.take<T>(n)};
    const std::pair<std::size_t, std::ptrdiff_t> at = source_.layout(l, out_);
    return out_.visit([&](auto* memory) -> strided<T> {
      if constexpr (std::is_same_v<decltype(memory), T*>)
        return {memory + at.first, n, at.second};
      else
        return {};
    });
  }

  /// Scales the values that the loss has written and copies them to their final place where necessary.
  void commit(std::size_t l, const strided<T>& written, double factor) const {
    if (out_.empty()) return;
    bring(l, written, held_as<double>(scale_ * factor));
    clear_padding(l);
  }

 private:
  /// Whether a factor may be applied in the type S: it is not subnormal in S, so that it keeps its digits,
  /// and its product with a number of S never overflows.
  template <class S>
  [[nodiscard]] static bool narrow(double factor) noexcept {
    return std::abs(factor) <= 1.0 && std::abs(factor) >= static_cast<double>(std::numeric_limits<S>::min());
  }

  void bring(std::size_t l, const strided<T>& written, double factor) const {
    if (direct_) {
      if (factor == 1.0) return;
      if (!narrow<T>(factor)) {
        for (std::size_t i = 0; i < written.size(); ++i)
          written[i] = held_as<T>(static_cast<double>(written[i]) * factor);
      } else if (written.stride() == 1) {
        T* memory = written.data();
        for (std::size_t i = 0; i < written.size(); ++i) memory[i] *= static_cast<T>(factor);
      } else {
        for (std::size_t i = 0; i < written.size(); ++i) written[i] *= static_cast<T>(factor);
      }
      return;
    }
    out_.visit([&](auto* memory) {
      using G = std::remove_pointer_t<decltype(memory)>;
      using wide = std::common_type_t<G, T>;
      const double rounded = narrow<wide>(factor) ? static_cast<double>(static_cast<wide>(factor)) : factor;
      const auto [first, stride] = source_.layout(l, out_);
      std::size_t from = 0;
      for (std::size_t i = 0; i < source_.size(l); ++i) {
        G& to = *(memory + first + static_cast<std::ptrdiff_t>(i) * stride);
        const bool kept = !source_.masked() || source_.kept(l, i);
        const wide g = kept ? held_as<wide>(static_cast<double>(written[from++]) * rounded) : wide{0};
        put(to, static_cast<double>(g), update_);
      }
    });
  }

  void clear_padding(std::size_t l) const {
    const std::size_t padding = source_.padding(l);
    if (padding == 0 || update_ == update::add) return;
    const std::pair<std::size_t, std::ptrdiff_t> at = source_.layout(l, out_);
    out_.visit([&](auto* memory) {
      for (std::size_t i = 0; i < padding; ++i)
        memory[static_cast<std::ptrdiff_t>(at.first) +
               static_cast<std::ptrdiff_t>(source_.size(l) + i) * at.second] = 0;
    });
  }

  const Source& source_;
  const shaped<real_output>& out_;
  double scale_;
  rankloss::update update_;
  bool direct_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail

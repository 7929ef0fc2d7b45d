// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/sigmoid/decay_scan.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/simd/stretched_list.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// Sums over the items above and below are two scans of the sorted scores, which meet at each item.
template <class T>
class laplace_ranks::result {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
  using scan_type = detail::decay_scan<Arch>;
  using list_type = detail::stretched_list<Arch>;
  using piece = typename list_type::piece;

 public:
  result(const laplace_ranks& how, const strided<const T>& scores, workspace& scratch)
      : scratch_(scratch),
        values_(scratch.take<double>(scores.size())),
        slope_((how.direction == sort_direction::descending ? 0.5 : -0.5) / how.temperature),
        sorted_(detail::sort_list<T>(scores, scratch)),
        scan_(sorted_.x, 1.0 / how.temperature, 1.0, scratch, list_type(scores.size())) {
    const double sign = how.direction == sort_direction::descending ? 1.0 : -1.0;
    const double first = how.direction == sort_direction::descending
                             ? how.base
                             : how.base + static_cast<double>(scores.size()) - 1.0;
    scan_(
        others{}, [](const piece&) {}, [](const auto& above) { return above.sum; },
        [=, values = values_, order = sorted_.order](const piece& of, std::size_t r, const auto& above,
                                                     const auto& below) {
          list_type::for_items(of, r, below.sum - above, [&](std::size_t i, double apart) {
            values[order[i]] = first + sign * (static_cast<double>(i) + 0.5 * apart);
          });
        });
  }

  [[nodiscard]] std::span<const double> values() const noexcept { return values_; }

  void pullback(std::span<const double> cotangent, std::span<double> gradient) const {
    const workspace::scope scope(scratch_);
    const std::span<const std::uint32_t> order = sorted_.order;
    const std::span<double> c = scan_.list().take(scratch_);
    scan_(
        differences{c.data()},
        [=, list = scan_.list()](const piece& of) {
          list.fill(of, c.data(), [=](std::size_t i) { return cotangent[order[i]]; });
        },
        [](const auto& above) { return above.sum; },
        [=, slope = slope_](const piece& of, std::size_t r, const auto& above, const auto& below) {
          using U = std::decay_t<decltype(above)>;
          list_type::for_items(of, r, U(slope) * (above + below.sum),
                               [&](std::size_t i, double product) { gradient[order[i]] = product; });
        });
  }
  void push(std::span<const double> tangent, std::span<double> change) const {
    pullback(tangent, change);
  }  // the Jacobian is symmetric

 private:
  /// sum_j e^-|x_j - x_i| over the items that a scan has passed.
  struct others {
    template <class U>
    struct state {
      U sum = U(0.0);

      template <class Visit>
      [[gnu::always_inline]] void for_each(const Visit& visit) {
        visit(sum);
      }
    };
    template <class U>
    [[nodiscard]] [[gnu::always_inline]] static state<U> advance(const state<U>& before, const U& decay,
                                                                 std::size_t) noexcept {
      return {decay * before.sum + decay};
    }
    static void join(state<double>& to, const state<double>& more) noexcept { to.sum += more.sum; }
  };
  /// sum_j (c_j - c_i) e^-|x_j - x_i|, in the same way.
  struct differences {
    const double* c;

    template <class U>
    struct state {
      U count = U(0.0), sum = U(0.0);
      U c = U(0.0);  ///< of the item itself

      template <class Visit>
      [[gnu::always_inline]] void for_each(const Visit& visit) {
        visit(count), visit(sum), visit(c);
      }
    };
    template <class U>
    [[nodiscard]] [[gnu::always_inline]] state<U> advance(const state<U>& before, const U& decay,
                                                          std::size_t at) const noexcept {
      const U own = detail::row_at<U>(c + at);
      const U count = decay * before.count + decay;
      return {count, decay * before.sum + (before.c - own) * count, own};
    }
    static void join(state<double>& to, const state<double>& more) noexcept {
      to.count += more.count;
      to.sum += more.sum;
    }
  };

  workspace& scratch_;
  std::span<double> values_;
  double slope_;
  detail::sorted_list<T> sorted_;
  scan_type scan_;
};

}  // namespace rankloss::inline RANKLOSS_ABI

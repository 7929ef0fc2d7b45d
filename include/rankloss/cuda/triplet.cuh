// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/line_kernel.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/triplet.hpp>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// triplet of one line against its hardest negatives, by the formulas of detail/pairs/triplet_hinges.hpp.
template <class T>
struct triplet_lines {
  struct first {
    double top;    ///< greatest score of a negative
    double ties;   ///< negatives that have it
    double match;  ///< greatest score of a positive
    double positives;

    [[nodiscard]] static __device__ first none() {
      return {lowest_number<double>, 0.0, lowest_number<double>, 0.0};
    }
    [[nodiscard]] __device__ bool has_positives() const { return positives > 0.0; }
  };
  struct second {
    double hinges;
    double active;

    [[nodiscard]] static __device__ second none() { return {0.0, 0.0}; }
  };
  struct slope {
    T top;
    T of_positive, of_negative;  ///< of an active positive, and of a hardest negative
    T unused;
  };

  triplet loss;
  bool looks_twice;

  [[nodiscard]] static triplet_lines of(const triplet& loss, bool by_class, bool) {
    return {.loss = loss, .looks_twice = by_class};
  }

  template <class Segment>
  [[nodiscard]] __device__ first sum_up(const Segment& segment) const {
    T top = lowest_number<T>, match = lowest_number<T>;
    unsigned ties = 0, positives = 0;
    for (unsigned k = 0; k < segment.size(); ++k) {
      const T s = segment.score(k);
      const pair_kind kind = segment.kind(k);
      if (kind == pair_kind::positive) {
        ++positives;
        match = match < s ? s : match;
      } else if (kind == pair_kind::negative && s >= top) {
        ties = s == top ? ties + 1 : 1;
        top = s;
      }
    }
    return {ties > 0 ? static_cast<double>(top) : lowest_number<double>, static_cast<double>(ties),
            positives > 0 ? static_cast<double>(match) : lowest_number<double>,
            static_cast<double>(positives)};
  }
  [[nodiscard]] __device__ first merge(const first& a, const first& b) const {
    return {fmax(a.top, b.top),
            a.top == b.top  ? a.ties + b.ties
            : a.top < b.top ? b.ties
                            : a.ties,
            fmax(a.match, b.match), a.positives + b.positives};
  }
  template <class Segment>
  [[nodiscard]] __device__ second sum_up(const Segment& segment, const first& known) const {
    second sums = second::none();
    for (unsigned k = 0; k < segment.size() && known.ties > 0.0; ++k) {
      if (segment.kind(k) != pair_kind::positive) continue;
      const double h = hinge(known.top, static_cast<double>(segment.score(k)));
      if (!(h > 0.0)) continue;
      sums.hinges += h;
      sums.active += 1.0;
    }
    return sums;
  }
  [[nodiscard]] __device__ second merge(const second& a, const second& b) const {
    return {a.hinges + b.hinges, a.active + b.active};
  }

  /// @param seen  null where there is at most one positive
  [[nodiscard]] __device__ line_outcome finish(const first& sums, const second* seen, double share,
                                               slope& to) const {
    to = {held_as<T>(sums.top), T{0}, T{0}, T{0}};
    if (!(sums.positives > 0.0 && sums.ties > 0.0)) return {};
    second own = second::none();
    if (seen != nullptr) {
      own = *seen;
    } else {
      own.hinges = fmax(hinge(sums.top, sums.match), 0.0);
      own.active = own.hinges > 0.0 ? 1.0 : 0.0;
    }
    const double each = share / sums.positives;
    to.of_positive = held_as<T>(-each);
    to.of_negative = held_as<T>(each * own.active / sums.ties);
    return {.value = own.hinges / sums.positives};
  }
  [[nodiscard]] __device__ T slope_of(const slope& of, T s, bool positive) const {
    if (!positive) return s == of.top ? of.of_negative : T{0};
    return hinge(static_cast<double>(of.top), static_cast<double>(s)) > 0.0 ? of.of_positive : T{0};
  }
  [[nodiscard]] __device__ double largest_slope(const slope& of) const {
    return fmax(fabs(static_cast<double>(of.of_positive)), fabs(static_cast<double>(of.of_negative)));
  }

 private:
  /// Scores are subtracted first, because the difference of close scores is exact.
  [[nodiscard]] __device__ double hinge(double negative, double positive) const {
    return fmin(loss.margin + (negative - positive), 1e290);
  }
};

}  // namespace cuda::detail

template <>
struct engine<triplet, cuda::context> : cuda::detail::embedding_engine<triplet, cuda::detail::triplet_lines> {
  /// @throws std::invalid_argument for options that have no kernel
  /// @param products  none, or what forms products of matrices
  template <class T, class... Products>
  static void run(const triplet& loss, const cuda::embedding_batch<T>& batch,
                  const cuda::embedding_outputs<T>& out, cuda::context& ctx, Products&&... products) {
    detail::require(
        loss.mine == mining::hardest && loss.positives == mined_positives::all &&
            loss.form == triplet_form::hinge && loss.average == triplet_average::positives &&
            loss.distance == distance::cosine,
        "triplet: options that have no kernel, expected hinges of cosines of all positives against "
        "the hardest negatives");
    cuda::detail::embedding_engine<triplet, cuda::detail::triplet_lines>::run(loss, batch, out, ctx,
                                                                              products...);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

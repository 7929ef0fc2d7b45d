// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/line_engine.cuh>
#include <rankloss/cuda/detail/line_sums.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/matrix_list_engine.cuh>
#include <rankloss/cuda/detail/triplet_list.cuh>
#include <rankloss/cuda/detail/triplet_terms.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/distance.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/triplet.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// triplet of one line against its hardest negatives, by the formulas of detail/pairs/triplet_terms.hpp. Equal
/// scores are equal distances, so the hardest are found by scores.
template <class T>
struct triplet_lines {
  /// Negatives of -infinity are absent, and positives of infinity never fall short.
  static constexpr bool takes_infinite = true;

  struct first {
    double top;      ///< greatest score of a negative
    double ties;     ///< negatives that have it
    double match;    ///< score of the positives that are mined; the greatest where all are used
    double matched;  ///< positives that have it
    double positives;

    [[nodiscard]] static __device__ first none() { return {0.0, 0.0, 0.0, 0.0, 0.0}; }
    [[nodiscard]] __device__ bool has_positives() const { return positives > 0.0; }
  };
  struct second {
    double value;   ///< of all positives that are used
    double slope;   ///< sum of their derivatives
    double active;  ///< those that cost more than 0

    [[nodiscard]] static __device__ second none() { return {0.0, 0.0, 0.0}; }
  };
  struct slope {
    double of_positive;  ///< on the slope of a positive
    T top, match;
    T of_negative;  ///< of a hardest negative
    T unused;
  };

  triplet loss;
  bool looks_twice;

  [[nodiscard]] static triplet_lines of(const triplet& loss, bool several, bool) {
    return {.loss = loss, .looks_twice = several && loss.positives == mined_positives::all};
  }

  template <class Segment>
  [[nodiscard]] __device__ first sum_up(const Segment& segment) const {
    T top{0}, match{0};
    unsigned ties = 0, matched = 0, positives = 0;
    for (unsigned k = 0; k < segment.size(); ++k) {
      const T s = score_of(segment.score(k));
      const pair_kind kind = segment.kind(k);
      if (kind == pair_kind::positive) {
        ++positives;
        if (matched == 0 || comes_first(s, match)) match = s, matched = 0;
        matched += s == match ? 1 : 0;
      } else if (kind == pair_kind::negative && !rankloss::detail::is_minus_infinity(s) &&
                 (ties == 0 || s >= top)) {
        ties = ties > 0 && s == top ? ties + 1 : 1;
        top = s;
      }
    }
    return {static_cast<double>(top), static_cast<double>(ties), static_cast<double>(match),
            static_cast<double>(matched), static_cast<double>(positives)};
  }
  [[nodiscard]] __device__ first merge(const first& a, const first& b) const {
    first merged = a;
    if (b.ties > 0.0 && (!(a.ties > 0.0) || a.top < b.top)) {
      merged.top = b.top;
      merged.ties = b.ties;
    } else if (b.ties > 0.0 && a.top == b.top) {
      merged.ties = a.ties + b.ties;
    }
    if (b.matched > 0.0 && (!(a.matched > 0.0) || comes_first(b.match, a.match))) {
      merged.match = b.match;
      merged.matched = b.matched;
    } else if (b.matched > 0.0 && a.match == b.match) {
      merged.matched = a.matched + b.matched;
    }
    merged.positives = a.positives + b.positives;
    return merged;
  }

  template <class Segment>
  [[nodiscard]] __device__ second sum_up(const Segment& segment, const first& known) const {
    second sums = second::none();
    if (!(known.ties > 0.0)) return sums;
    for (unsigned k = 0; k < segment.size(); ++k) {
      if (segment.kind(k) != pair_kind::positive) continue;
      const triplet_cost_of own = cost(known.top, static_cast<double>(segment.score(k)));
      sums = merge(sums, {own.value, own.slope, own.active});
    }
    return sums;
  }
  [[nodiscard]] __device__ second merge(const second& a, const second& b) const {
    return {a.value + b.value, a.slope + b.slope, a.active + b.active};
  }

  /// @param seen  null where there is at most one positive, or one score of positives
  [[nodiscard]] __device__ line_outcome finish(const first& sums, const second* seen, double share,
                                               slope& to) const {
    to = {0.0, static_cast<T>(sums.top), static_cast<T>(sums.match), T{0}, T{0}};
    if (!(sums.positives > 0.0 && sums.ties > 0.0)) return {};
    const double used = loss.positives == mined_positives::all ? sums.positives : sums.matched;
    second own{};
    if (seen != nullptr) {
      own = *seen;
    } else {
      const triplet_cost_of each = cost(sums.top, sums.match);
      own = {used * each.value, used * each.slope, used * each.active};
    }
    const double count = loss.average == triplet_average::active ? own.active : used;
    if (!(count > 0.0)) return {};
    const double each = share / count;
    to.of_positive = held_as<double>(-each);
    to.of_negative =
        held_as<T>(each * own.slope / sums.ties * -distance_slope(bounded(sums.top), loss.distance));
    return {.value = own.value / count};
  }
  [[nodiscard]] __device__ T slope_of(const slope& of, T given, bool positive) const {
    const T s = score_of(given);
    if (!positive) return s == of.top ? of.of_negative : T{0};
    if (loss.positives != mined_positives::all && s != of.match) return T{0};
    const auto own = static_cast<double>(given);
    return held_as<T>(of.of_positive * cost(static_cast<double>(of.top), own).slope *
                      -distance_slope(bounded(own), loss.distance));
  }

  [[nodiscard]] __device__ double largest_slope(const slope& of) const {
    return fmax(fabs(of.of_positive) * steepest_of(loss.distance), fabs(static_cast<double>(of.of_negative)));
  }

 private:
  /// All cosines from 1 on have a Euclidean distance of 0.
  [[nodiscard]] __device__ T score_of(T s) const {
    return loss.distance == distance::euclidean && s > T{1} ? T{1} : s;
  }
  /// Whether a positive of score a is mined before one of score b.
  template <class X>
  [[nodiscard]] __device__ bool comes_first(X a, X b) const {
    return loss.positives == mined_positives::hardest ? a < b : b < a;
  }
  /// Of one triplet.
  [[nodiscard]] __device__ triplet_cost_of cost(double negative, double positive) const {
    const triplet_terms terms{loss};
    return terms.cost(terms.shortfall(terms.minus_distance(negative), terms.minus_distance(positive)));
  }
};

}  // namespace cuda::detail

/// Against the hardest negatives by lines; with other mining, over a matrix, by lists.
template <>
struct engine<triplet, cuda::context> : cuda::detail::line_engine<triplet, cuda::detail::triplet_lines> {
  using lines_type = cuda::detail::line_engine<triplet, cuda::detail::triplet_lines>;
  using lists_type =
      cuda::detail::matrix_list_engine<triplet,
                                       cuda::detail::list_engine<triplet, cuda::detail::triplet_list>>;

  using lines_type::scratch_bytes;
  template <class T, class R>
  [[nodiscard]] static std::size_t scratch_bytes(const triplet& loss,
                                                 const cuda::similarity_batch<T, R>& batch) {
    return loss.mine == mining::hardest ? lines_type::scratch_bytes(loss, batch)
                                        : lists_type::scratch_bytes(loss, lists_of(loss), batch);
  }

  /// @throws std::invalid_argument for options that have no kernel
  /// @param products  none, or what forms products of matrices
  template <class T, class... Products>
  static void run(const triplet& loss, const cuda::embedding_batch<T>& batch,
                  const cuda::embedding_outputs<T>& out, cuda::context& ctx, Products&&... products) {
    detail::require(loss.mine == mining::hardest,
                    "mine: ", enumerators(mining{})[static_cast<std::size_t>(loss.mine)],
                    ", expected hardest: other mining has no kernel over embeddings");
    lines_type::run(loss, batch, out, ctx, products...);
  }
  template <class T, class R>
  static void run(const triplet& loss, const cuda::similarity_batch<T, R>& batch, const cuda::outputs<T>& out,
                  cuda::context& ctx) {
    if (loss.mine == mining::hardest) return lines_type::run(loss, batch, out, ctx);
    cuda::detail::check_matches(batch);
    lists_type::run(loss, lists_of(loss), batch, out, ctx);
  }

 private:
  [[nodiscard]] static cuda::detail::line_lists lists_of(const triplet& loss) noexcept {
    return {loss.over, false, true};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

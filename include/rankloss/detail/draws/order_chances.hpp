// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/draws/stage_draws.hpp>
#include <rankloss/detail/orders/rest_sums.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The log probability of a list's order under a Plackett-Luce policy, and the sum of the entropies of the
/// draws of its positions.
struct order_chances {
  double log_probability = 0.0;
  double entropy = 0.0;
};

/// Which results are wanted of one list.
struct order_wants {
  double temperature;
  std::size_t cutoff;  // positions that count; 0: all
  bool slopes, entropy;
  double upstream, entropy_upstream;
};

/// Computes one list, with scores at any distance from each other. If slopes are wanted, calls write(item,
/// slope) once for each item, with the slope of upstream log P + entropy_upstream H.
template <class Arch, class T, class Write>
order_chances along_order_apart(const strided<const T>& scores, std::span<const std::uint32_t> order,
                                const order_wants& want, Write write, workspace& scratch) {
  const workspace::scope scope(scratch);
  const std::size_t n = order.size();
  const std::size_t counted_positions = counted_by(want.cutoff, n);
  const rest_sums rests = sum_rests<Arch>(scores, order, want.temperature, scratch);
  // The mean distance, in temperatures, of the remaining items from the largest of them. The entropy of
  // position k is H_k = log sum + mean.
  const std::span<double> mean = scratch.take<double>(n);
  double distance = 0.0;
  for (std::size_t k = n; k-- > 0;) {
    if (k + 1 < n && rests.most[k] > rests.most[k + 1]) {
      const double rise = rests.between(rests.most[k], rests.most[k + 1]);
      const double fall = std::exp(-rise);
      distance = fall * distance + (fall * rise) * rests.sum[k + 1];
    } else {
      const double own = rests.between(rests.most[k], rests.s[k]);
      distance += own * std::exp(-own);
    }
    mean[k] = distance / rests.sum[k];
  }
  order_chances found;
  for (std::size_t k = 0; k < counted_positions; ++k) {
    const double log_sum = std::log(rests.sum[k]);
    found.log_probability -= log_sum + rests.between(rests.most[k], rests.s[k]);
    found.entropy += log_sum + mean[k];
  }
  found.log_probability = std::max(found.log_probability, -1e290);
  if (!want.slopes) return found;

  // Sums over the positions so far of p and of p (log p + H), where p is the probability that the position
  // takes an item whose score is that of the largest remaining one.
  double p = 0.0;
  double bent = 0.0;
  double greatest = 0.0;
  for (std::size_t k = 0; k < n; ++k) {
    if (k < counted_positions) {
      if (k > 0) {
        const double drop = rests.between(greatest, rests.most[k]);
        const double fall = std::exp(-drop);
        bent = fall * bent - (fall * drop) * p;
        p *= fall;
      }
      greatest = rests.most[k];
      p += 1.0 / rests.sum[k];
      bent += mean[k] / rests.sum[k];
    }
    const double below = rests.between(greatest, rests.s[k]);
    const double exponential = std::exp(-below);
    const double of_log = (k < counted_positions ? 1.0 : 0.0) - exponential * p;
    const double of_entropy = (exponential * below) * p - exponential * bent;
    write(order[k],
          (held_as<double>(want.upstream * of_log) + held_as<double>(want.entropy_upstream * of_entropy)) /
              want.temperature);
  }
  return found;
}

/// The same by sums of exponentials relative to the largest score of the list, in rows of lanes. It is used
/// where no score is so far below the largest that digits are lost (`near_enough`). It goes chunk by chunk of
/// each piece, so that for each item only its exponential and the sum over the rest go to memory and back.
/// Entropy: whether entropies, or slopes of them, are wanted.
template <class Arch, bool Entropy, class T, class Write>
order_chances along_order_near(std::span<const T> scores, std::span<const std::uint32_t> order, T greatest,
                               const order_wants& want, Write write, workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  constexpr std::size_t chunk = tuning::chance_chunk;
  static_assert(chunk % w == 0 && tuning::piece_items % chunk == 0);
  const workspace::scope scope(scratch);
  const std::size_t n = order.size();
  const std::size_t counted_positions = counted_by(want.cutoff, n);
  const std::size_t padded = padded_rows(n, w);
  const score_distance<Arch, T> below(greatest, want.temperature);
  const bool bends = Entropy && want.slopes;
  double* e = scratch.take<double>(padded).data();  // exp(-d)
  double* r = scratch.take<double>(padded).data();  // sums over the rest, their inverses, sums of these
  double* m =
      scratch.take<double>(Entropy ? padded : 0).data();  // the same of d exp(-d), over the sum over the rest
  double* far = scratch.take<double>(bends ? padded : 0).data();  // d = (greatest - s) / temperature
  const T* s = scores.data();
  std::fill(r + n, r + padded, 1.0);  // computed along with the last row, and discarded

  // For a row at position k: the values that count, else 0.
  const V lane = lane_numbers<V>();
  const auto counted = [&](std::size_t k, const V& values) {
    return xsimd::select(lane < V(static_cast<double>(counted_positions) - static_cast<double>(k)), values,
                         V(0.0));
  };
  const auto held = [](const V& values) {
    constexpr double largest = std::numeric_limits<double>::max();
    return xsimd::min(xsimd::max(values, V(-largest)), V(largest));
  };

  // The sums of a piece are those over its own items, to which those of the other pieces are added.
  struct piece_sums {
    V losses, entropies;
    V inverses, means;    // what the slopes add up
    double rest, moment;  // over the items of the piece, and then over those behind it
    double before, bent;  // over the pieces before it
  };
  const even_pieces pieces(n, tuning::piece_items);
  const std::span<piece_sums> of_piece = scratch.take<piece_sums>(pieces.count());
  const auto chunks_of = [&](std::size_t p, const auto& body) {
    for (std::size_t at = pieces[p].begin; at < pieces[p].end; at += chunk)
      body(at, std::min(chunk, pieces[p].end - at));
  };
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    alignas(64) T x[chunk];
    alignas(64) double d[chunk];
    const score_distance<Arch, T> below_here = below;  // a local, which no store changes
    V distances(0.0);
    double rest = 0.0, moment = 0.0;
    const auto [first, end] = pieces[p];
    for (std::size_t begin = first + padded_rows(end - first, chunk); begin > first;) {
      begin -= chunk;
      const std::size_t count = std::min(chunk, end - begin);
      double* const own_far = bends ? far + begin : d;
      for (std::size_t k = 0; k < count; ++k) x[k] = s[order[begin + k]];
      for_rows<Arch>(count, [&, begin](std::size_t k, auto items) {
        const V own = below_here(load_items<Arch>(x + k, items, below_here.greatest()));
        const V exponential = exp_minus(own);
        own.store_aligned(own_far + k);
        distances += counted(begin + k, own);
        exponential.store_aligned(e + begin + k);
        if constexpr (Entropy) (own * exponential).store_aligned(m + begin + k);
      });
      rest = sums_from_the_end(e + begin, count, rest, r + begin);
      if constexpr (Entropy) moment = sums_from_the_end(m + begin, count, moment, m + begin);
    }
    of_piece[p] = {.losses = distances,
                   .entropies = V(0.0),
                   .inverses = V(0.0),
                   .means = V(0.0),
                   .rest = rest,
                   .moment = moment,
                   .before = 0.0,
                   .bent = 0.0};
  });
  double rest = 0.0, moment = 0.0;
  for (std::size_t p = pieces.count(); p-- > 0;) {
    rest += std::exchange(of_piece[p].rest, rest);
    moment += std::exchange(of_piece[p].moment, moment);
  }
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    piece_sums own = of_piece[p];
    const V rest_behind(own.rest), moment_behind(own.moment);
    chunks_of(p, [&](std::size_t begin, std::size_t count) {
      for (std::size_t at = begin; at < begin + count; at += w) {
        const V sum = V::load_aligned(r + at) + rest_behind;
        const V inverse = V(1.0) / sum;
        const V log_sum = log_positive(sum, log_tail_7);
        own.losses += counted(at, log_sum);
        const V inverse_counted = counted(at, inverse);
        own.inverses += inverse_counted;
        inverse_counted.store_aligned(r + at);
        if constexpr (Entropy) {
          const V mean = (V::load_aligned(m + at) + moment_behind) * inverse;
          own.entropies += counted(at, log_sum + mean);
          const V mean_counted = counted(at, mean * inverse);
          own.means += mean_counted;
          mean_counted.store_aligned(m + at);
        }
      }
    });
    of_piece[p] = own;
  });
  V losses(0.0), entropies(0.0);
  double before = 0.0, bent = 0.0;
  for (piece_sums& own : of_piece) {
    losses += own.losses;
    entropies += own.entropies;
    own.before = before;
    own.bent = bent;
    before += sum_of(own.inverses);
    bent += sum_of(own.means);
  }
  const order_chances found{0.0 - std::max(sum_of(losses), 0.0), std::max(sum_of(entropies), 0.0)};
  if (!want.slopes) return found;

  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    alignas(64) double slopes[chunk];
    double pull = of_piece[p].before, bend = of_piece[p].bent;
    const V upstream(want.upstream), entropy_upstream(want.entropy_upstream), temperature(want.temperature);
    chunks_of(p, [&](std::size_t begin, std::size_t count) {
      pull = running_sums(r + begin, count, pull);
      if constexpr (Entropy) bend = running_sums(m + begin, count, bend);
      for (std::size_t k = 0; k < count; k += w) {
        const std::size_t at = begin + k;
        const V exponential = V::load_aligned(e + at);
        const V of_draws = V::load_aligned(r + at);
        V slope = held(upstream * (counted(at, V(1.0)) - exponential * of_draws));
        if constexpr (Entropy)
          slope += held(entropy_upstream *
                        (exponential * (V::load_aligned(far + at) * of_draws - V::load_aligned(m + at))));
        (slope / temperature).store_aligned(slopes + k);
      }
      for (std::size_t k = 0; k < count; ++k) write(order[begin + k], slopes[k]);
    });
  });
  return found;
}

template <class Arch, class T, class Write>
order_chances along_order_near(std::span<const T> scores, std::span<const std::uint32_t> order, T greatest,
                               const order_wants& want, Write write, workspace& scratch) {
  return want.entropy ? along_order_near<Arch, true>(scores, order, greatest, want, write, scratch)
                      : along_order_near<Arch, false>(scores, order, greatest, want, write, scratch);
}

/// Whether sums of exponentials relative to the largest score keep their digits.
template <class T>
[[nodiscard]] bool near_enough(T least, T most, double temperature) noexcept {
  return is_finite(least) && is_finite(most) &&
         (0.5 * static_cast<double>(most) - 0.5 * static_cast<double>(least)) * 2.0 <= 64.0 * temperature;
}

/// One list, by the method that fits it.
template <class Arch, class T, class Write>
order_chances along_order(std::span<const T> scores, std::span<const std::uint32_t> order,
                          const order_wants& want, Write write, workspace& scratch) {
  if (scores.empty()) return {};
  const auto [least, most] = extremes_of(scores, scratch);
  if (near_enough(least, most, want.temperature))
    return along_order_near<Arch>(scores, order, most, want, write, scratch);
  return along_order_apart<Arch>(strided<const T>(scores), order, want, write, scratch);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/argsort.hpp>
#include <rankloss/detail/require.hpp>
#include <rankloss/detail/simd.hpp>
#include <rankloss/detail/sorted_sums.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>

namespace rankloss {
namespace detail {

/// Smooth form of [rank <= cutoff]: 1 up to cutoff, 0 from cutoff + 1, a cubic between, so that whole ranks count exactly as in NDCG@k.
template <class V>
struct smooth_cut {
  V value, slope, curvature;
};
template <class V>
[[gnu::always_inline]] inline smooth_cut<V> cut_at(const V& rank, double cutoff) noexcept {
  const V t = xsimd::min(xsimd::max(rank - V(cutoff), V(0.0)), V(1.0));
  return {V(1.0) - t * t * (V(3.0) - V(2.0) * t), V(-6.0) * t * (V(1.0) - t), xsimd::select(t > V(0.0) && t < V(1.0), V(12.0) * t - V(6.0), V(0.0))};
}

/// Sorted items in rows of lanes: lists of their own, or stretches of one list.
template <class Arch, class S>
struct sndcg_rows {
  std::size_t rows = 0;
  const double* decay = nullptr;   // [rows + 1][lanes]
  S* gain = nullptr;               // [rows][lanes], 0 where a lane has ended
  lanes<Arch> rank_of_first{1.0};  // [lanes] hard rank of the lane's first item
  double cutoff = 0.0;             // 0: none
  const stretches* one_list = nullptr;
};

enum class wanted { value, gradient, hessian };

/// Smooth DCG of rows of lanes and what its derivatives need. `emit(i, g, h)` gets, for row i, the derivatives of the DCG by x = s / t.
template <class T, wanted Wanted, class Arch, class S, class Emit>
lanes<Arch> smooth_dcg(const sndcg_rows<Arch, S>& in, workspace& scratch, Emit emit) {
  using V = lanes<Arch>;
  using terms = kernel_terms<T>;
  constexpr std::size_t w = lane_count<Arch>;
  constexpr std::size_t K = terms::count;
  constexpr bool gradient = Wanted != wanted::value;
  constexpr bool hessian = Wanted == wanted::hessian;
  const std::size_t rows = in.rows;
  const workspace::scope scope(scratch);
  const auto buffer = [&](bool needed) { return scratch.take<S>(needed ? rows * w : 0).data(); };
  S* above = buffer(true);          // sum of sigmoids over the items above; later the gradient's own sums
  S* slopes = buffer(gradient);     // sum_j sigmoid'
  S* by_rank = in.gain;             // d(DCG) / d(rank), in place of the gains
  S* curvatures = buffer(hessian);  // sum_{above} - sum_{below} of -sigmoid''
  S* by_rank2 = buffer(hessian);    // d2(DCG) / d(rank)^2
  S* squares = buffer(hessian);     // sum_j by_rank2_j sigmoid'^2
  S* bends = buffer(hessian);       // sum_{above} - sum_{below} of by_rank_j -sigmoid''

  const auto unit = [](std::size_t) { return unit_weights{}; };
  const auto nothing = [](std::size_t, const auto&) {};

  {
    scan_states<Arch, K> states[1];
    if (in.one_list) {
      scan_down(in.decay, in.one_list->warm_down, rows, states, unit, nothing);
      chain_down(states, in.one_list->decay_down);
    }
    scan_down(in.decay, 0, rows, states, unit, [&](std::size_t i, const auto& state) {
      store_row<Arch>(above + i * w, state[0].dot(terms::sigmoid));
      if constexpr (gradient) store_row<Arch>(slopes + i * w, state[0].dot(terms::slope));
      if constexpr (hessian) store_row<Arch>(curvatures + i * w, state[0].dot(terms::curvature));
    });
  }

  V dcg(0.0);
  V total(0.0);
  {
    scan_states<Arch, K> states[1];
    if (in.one_list) {
      scan_up(in.decay, in.one_list->warm_up, states, unit, nothing);
      chain_up(states, in.one_list->decay_up);
    }
    scan_up(in.decay, rows, states, unit, [&](std::size_t i, const auto& state) {
      const V rank = in.rank_of_first + V(static_cast<double>(i)) - load_row<Arch>(above + i * w) + state[0].dot(terms::sigmoid);
      const V g = load_row<Arch>(in.gain + i * w);
      // discount D(r) = ln 2 / ln(1 + r) and its derivatives
      const V argument = V(1.0) + rank;
      const V inverse_log = V(1.0) / xsimd::log(argument);
      const V inverse = V(1.0) / argument;
      const V discount = V(std::numbers::ln2) * inverse_log;
      const V discount1 = -discount * inverse_log * inverse;
      if (in.cutoff == 0.0) {
        dcg = xsimd::fma(g, discount, dcg);
        if constexpr (gradient) store_row<Arch>(by_rank + i * w, g * discount1);
        if constexpr (gradient) total = xsimd::fma(g, discount1, total);
        if constexpr (hessian) store_row<Arch>(by_rank2 + i * w, -g * discount1 * inverse * (V(1.0) + V(2.0) * inverse_log));
      } else {
        const smooth_cut<V> cut = cut_at(rank, in.cutoff);
        dcg = xsimd::fma(g, discount * cut.value, dcg);
        if constexpr (gradient) {
          const V slope = g * (discount1 * cut.value + discount * cut.slope);
          store_row<Arch>(by_rank + i * w, slope);
          total += slope;
        }
        if constexpr (hessian) {
          const V discount2 = -discount1 * inverse * (V(1.0) + V(2.0) * inverse_log);
          store_row<Arch>(by_rank2 + i * w, g * (discount2 * cut.value + V(2.0) * discount1 * cut.slope + discount * cut.curvature));
        }
      }
      if constexpr (gradient) store_row<Arch>(slopes + i * w, load_row<Arch>(slopes + i * w) + state[0].dot(terms::slope));
      if constexpr (hessian) store_row<Arch>(curvatures + i * w, load_row<Arch>(curvatures + i * w) - state[0].dot(terms::curvature));
    });
  }

  if constexpr (gradient) {
    // sum_j (a_j - a_m) sigmoid' does not change when a constant is taken from all a, and loses fewer digits when they are small.
    const V middle = in.one_list ? V(sum_of(total) / (static_cast<double>(rows) * w)) : total / V(static_cast<double>(rows));
    const auto weights = [&](std::size_t i) {
      if constexpr (hessian)
        return std::array<V, 2>{load_row<Arch>(by_rank + i * w) - middle, load_row<Arch>(by_rank2 + i * w)};
      else
        return std::array<V, 1>{load_row<Arch>(by_rank + i * w) - middle};
    };
    constexpr std::size_t channels = hessian ? 2 : 1;
    {
      scan_states<Arch, K> states[channels];
      if (in.one_list) {
        scan_down(in.decay, in.one_list->warm_down, rows, states, weights, nothing);
        chain_down(states, in.one_list->decay_down);
      }
      scan_down(in.decay, 0, rows, states, weights, [&](std::size_t i, const auto& state) {
        store_row<Arch>(above + i * w, state[0].dot(terms::slope));
        if constexpr (hessian) {
          store_row<Arch>(bends + i * w, state[0].dot(terms::curvature));
          store_row<Arch>(squares + i * w, state[1].dot(terms::slope_squared));
        }
      });
    }
    scan_states<Arch, K> states[channels];
    if (in.one_list) {
      scan_up(in.decay, in.one_list->warm_up, states, weights, nothing);
      chain_up(states, in.one_list->decay_up);
    }
    scan_up(in.decay, rows, states, weights, [&](std::size_t i, const auto& state) {
      const V a = load_row<Arch>(by_rank + i * w) - middle;
      const V slope = load_row<Arch>(slopes + i * w);
      const V g = load_row<Arch>(above + i * w) + state[0].dot(terms::slope) - a * slope;
      V h(0.0);
      if constexpr (hessian) {
        const V bend = load_row<Arch>(bends + i * w) - state[0].dot(terms::curvature);
        const V square = load_row<Arch>(squares + i * w) + state[1].dot(terms::slope_squared);
        h = square + load_row<Arch>(by_rank2 + i * w) * slope * slope + bend - a * load_row<Arch>(curvatures + i * w);
      }
      emit(i, g, h);
    });
  }
  return dcg;
}

}  // namespace detail

/// sndcg: smooth NDCG, one minus the NDCG of sigmoid ranks.
///
///     rank_i       = 1 + sum_{j != i} sigmoid((s_j - s_i) / temperature)
///     DCG          = sum_i w_i G(y_i) / log2(1 + rank_i)
///     loss         = 1 - DCG / ideal DCG
///     a_i          = w_i G(y_i) ln2 / ((1 + rank_i) ln^2(1 + rank_i)) / ideal DCG
///     d(loss)/ds_m = 1 / temperature * sum_j (a_j - a_m) sigmoid'((s_j - s_m) / temperature)
///
/// Qin, Liu, Li: A general approximation framework for direct optimization of information retrieval measures, Information Retrieval 13
/// (2010), as ApproxNDCG; Zhang et al.: Integrating Listwise Ranking into Pairwise-based Image-Text Retrieval, 2023, arXiv 2305.16566,
/// as S-NDCG with temperature 0.01. From the latter it differs in the ideal DCG (`ideal::competition_ranks` gives theirs) and in that
/// exponents are not clamped.
///
/// - Time O(n K) after the sort, K = 10 (float) or 20 (double) exponentials; scratch O(n). Float gradients are within 2e-6, double within
///   1e-13 of the O(n^2) sum, relative to the largest entry.
/// - Invariant under shifts of all scores; the gradient of a list sums to 0 up to rounding. Not convex.
/// - With a cutoff k, an item counts by a factor of 1 up to smooth rank k, 0 from k + 1, a cubic between; the ideal DCG is that of the
///   first k. As temperature -> 0 this is NDCG@k.
/// - Edge cases: a list without positive ideal DCG (empty, or nothing relevant) has loss 0 and gradient 0. Equal scores share the
///   rank in the middle. Infinite scores rank first or last and get no gradient. Gains of any size: they are scaled, never overflow.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range.
struct sndcg {
  double temperature = 0.01;                          ///< > 0, in units of the scores
  rankloss::gain gain = rankloss::gain::exponential;  ///< what a grade is worth
  std::span<const double> gain_table{};               ///< [grades] >= 0, for gain::table; a grade beyond it is worth 0
  std::size_t cutoff = 0;                             ///< k of NDCG@k; 0: the whole list
  rankloss::ideal ideal = rankloss::ideal::sorted;    ///< how the ideal DCG is counted

  static constexpr bool has_hessian = true;
  static constexpr std::size_t group_longest = 256;  ///< longer lists fill the lanes by themselves (docs/algorithms.md)

  template <class Arch>
  static constexpr std::size_t group_size() noexcept {
    return detail::lane_count<Arch>;
  }

  void validate() const {
    detail::require(temperature > 0.0 && temperature <= std::numeric_limits<double>::max(), "temperature: ", temperature,
                    ", expected a finite number > 0");
    detail::require((gain == rankloss::gain::table) == !gain_table.empty(), "gain_table: size ", gain_table.size(), ", expected ",
                    gain == rankloss::gain::table ? "one gain a grade" : "none unless gain is gain::table");
    for (std::size_t i = 0; i < gain_table.size(); ++i)
      detail::require(gain_table[i] >= 0.0 && gain_table[i] <= 1e30, "gain_table: ", gain_table[i], " at grade ", i, ", expected 0 to 1e30");
  }

  /// One list.
  template <class T, class R, class Arch = xsimd::default_arch>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    using V = detail::lanes<Arch>;
    constexpr std::size_t w = detail::lane_count<Arch>;
    const std::size_t n = items.size();
    detail::require(n < std::numeric_limits<std::uint32_t>::max(), "scores: a list of ", n, " items, expected fewer than 2^32 - 1");
    const workspace::scope scope(scratch);

    const std::span<T> gains = scratch.take<T>(n);
    detail::fill_gains<Arch>(gain, gain_table, items.relevance, items.weights, gains);
    const double best = ideal_dcg<Arch, T>(gains, scratch);
    if (!(best > 0.0)) return no_relevance(out);

    using record = detail::keyed<detail::key_of<T>, std::uint32_t>;
    const std::span<T> x = scratch.take<T>(n);
    const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(n);
    {
      const workspace::scope sorting(scratch);
      std::span<record> records = scratch.take<record>(n);
      for (std::size_t i = 0; i < n; ++i) records[i] = {detail::descending_key(items.scores[i]), static_cast<std::uint32_t>(i)};
      records = detail::sort_by_key(records, scratch.take<record>(n), scratch);
      for (std::size_t i = 0; i < n; ++i) {
        x[i] = detail::value_of<T>(records[i].key);
        order[i] = records[i].payload;
      }
    }

    // Lane l holds the items from l * rows on.
    const std::size_t rows = (n + w - 1) / w;
    const double scale = 1.0 / temperature;
    const std::span<double> decay = scratch.take<double>((rows + 1) * w);
    const std::span<T> gain_rows = scratch.take<T>(rows * w);
    for (std::size_t i = 0; i <= rows; ++i) {
      alignas(64) double gap[w];
      for (std::size_t l = 0; l < w; ++l) {
        const std::size_t at = l * rows + i;
        gap[l] = at > 0 && at < n ? difference(x[at - 1], x[at]) : std::numeric_limits<double>::infinity();
        if (i < rows) gain_rows[i * w + l] = at < n ? gains[order[at]] : T{0};
      }
      xsimd::exp(V::load_aligned(gap) * V(-scale)).store_aligned(decay.data() + i * w);
    }

    detail::stretches whole{};
    const double reach = (detail::kernel_terms<T>::reach + std::log(static_cast<double>(n))) * temperature;
    whole.rows = rows;
    whole.warm_down = rows;
    whole.warm_up = 0;
    for (std::size_t l = 0; l < w; ++l) {
      const std::size_t first = std::min(l * rows, n);
      const std::size_t last = std::min(first + rows, n);
      const bool more = last < n;
      whole.decay_down[l] = more ? std::exp(-scale * difference(x[first], x[last])) : 0.0;
      whole.decay_up[l] = first > 0 && last > first ? std::exp(-scale * difference(x[first - 1], x[last - 1])) : 0.0;
      if (last == first) continue;
      const auto begin = x.begin() + static_cast<std::ptrdiff_t>(first);
      const auto end = x.begin() + static_cast<std::ptrdiff_t>(last);
      if (more) {
        const auto near = std::partition_point(begin, end, [&](T s) { return difference(s, x[last]) > reach; });
        whole.warm_down = std::min(whole.warm_down, static_cast<std::size_t>(near - begin));
      }
      if (first > 0) {
        const auto far = std::partition_point(begin, end, [&](T s) { return difference(x[first - 1], s) <= reach; });
        whole.warm_up = std::max(whole.warm_up, static_cast<std::size_t>(far - begin));
      }
    }

    detail::sndcg_rows<Arch, T> in{rows, decay.data(), gain_rows.data(), {}, cutoff_rank(), &whole};
    alignas(64) double first_rank[w];
    for (std::size_t l = 0; l < w; ++l) first_rank[l] = static_cast<double>(l * rows + 1);
    in.rank_of_first = V::load_aligned(first_rank);

    const V by_x(-scale / best);
    const V by_x2(-scale * scale / best);
    const auto write = [&](std::size_t i, const V& g, const V& h) {
      alignas(64) double row[w];
      if (!out.gradient.empty()) {
        (g * by_x).store_aligned(row);
        for (std::size_t l = 0; l < w; ++l)
          if (l * rows + i < n) out.gradient[order[l * rows + i]] = static_cast<T>(row[l]);
      }
      if (!out.hessian.empty()) {
        (h * by_x2).store_aligned(row);
        for (std::size_t l = 0; l < w; ++l)
          if (l * rows + i < n) out.hessian[order[l * rows + i]] = static_cast<T>(row[l]);
      }
    };
    const V dcg = dispatch<T>(in, !out.gradient.empty(), !out.hessian.empty(), scratch, write);
    return 1.0 - detail::sum_of(dcg) / best;
  }

  /// Short lists, one a lane.
  template <class T, class R, class Arch = xsimd::default_arch>
  void operator()(std::span<const list<T, R>> lists, std::span<const list_outputs<T>> out, std::span<double> values, workspace& scratch) const {
    using V = detail::lanes<Arch>;
    constexpr std::size_t w = detail::lane_count<Arch>;
    const workspace::scope scope(scratch);
    std::size_t rows = 0;
    for (const auto& items : lists) rows = std::max(rows, items.size());
    const double scale = 1.0 / temperature;

    const std::span<double> gains = scratch.take<double>(rows * w);                // [lane][row], as the lists lie
    const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(rows * w);  // [row][lane], after sorting
    const std::span<double> best = scratch.take<double>(w);
    std::fill(best.begin(), best.end(), 0.0);
    for (std::size_t l = 0; l < lists.size(); ++l)
      detail::fill_gains<Arch>(gain, gain_table, lists[l].relevance, lists[l].weights, gains.subspan(l * rows, lists[l].size()));
    ideal_dcg<Arch, T, R>(lists, gains, rows, best, scratch);
    sort_lanes<Arch, T, R>(lists, rows, order, scratch);

    const std::span<double> decay = scratch.take<double>((rows + 1) * w);
    const std::span<double> gain_rows = scratch.take<double>(rows * w);
    alignas(64) double previous[w];
    for (std::size_t i = 0; i <= rows; ++i) {
      alignas(64) double gap[w];
      for (std::size_t l = 0; l < w; ++l) {
        const bool inside = l < lists.size() && i < lists[l].size();
        gap[l] = std::numeric_limits<double>::infinity();
        if (i < rows) gain_rows[i * w + l] = 0.0;
        if (!inside) continue;
        const std::uint32_t at = order[i * w + l];
        const auto s = static_cast<double>(lists[l].scores[at]);
        if (i > 0) gap[l] = difference(previous[l], s);
        previous[l] = s;
        gain_rows[i * w + l] = gains[l * rows + at];
      }
      xsimd::exp(V::load_aligned(gap) * V(-scale)).store_aligned(decay.data() + i * w);
    }

    bool gradient = false;
    bool hessian = false;
    alignas(64) double by_x[w]{};
    for (std::size_t l = 0; l < lists.size(); ++l) {
      gradient = gradient || !out[l].gradient.empty();
      hessian = hessian || !out[l].hessian.empty();
      by_x[l] = best[l] > 0.0 ? -scale / best[l] : 0.0;
    }
    const V factor = V::load_aligned(by_x);
    const auto write = [&](std::size_t i, const V& g, const V& h) {
      alignas(64) double row[w];
      if (gradient) {
        (g * factor).store_aligned(row);
        for (std::size_t l = 0; l < lists.size(); ++l)
          if (i < lists[l].size()) out[l].gradient[order[i * w + l]] = static_cast<T>(row[l]);
      }
      if (hessian) {
        (h * factor * V(scale)).store_aligned(row);
        for (std::size_t l = 0; l < lists.size(); ++l)
          if (i < lists[l].size()) out[l].hessian[order[i * w + l]] = static_cast<T>(row[l]);
      }
    };
    const detail::sndcg_rows<Arch, double> in{rows, decay.data(), gain_rows.data(), V(1.0), cutoff_rank(), nullptr};
    alignas(64) double dcg[w];
    dispatch<T>(in, gradient, hessian, scratch, write).store_aligned(dcg);
    for (std::size_t l = 0; l < lists.size(); ++l) values[l] = best[l] > 0.0 ? 1.0 - dcg[l] / best[l] : 0.0;
  }

  /// Whether the list counts in reduction::mean_of_relevant: something in it is worth more than 0.
  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!items.weights.empty() && !(items.weights[i] > 0.0)) continue;
      const auto y = static_cast<double>(items.relevance[i]);
      if (gain != rankloss::gain::table ? y > 0.0
                                        : y >= 0.0 && y < static_cast<double>(gain_table.size()) && gain_table[static_cast<std::size_t>(y)] > 0.0)
        return true;
    }
    return false;
  }

 private:
  [[nodiscard]] double cutoff_rank() const noexcept { return static_cast<double>(cutoff); }

  /// upper - lower >= 0, also where both are the same infinity.
  template <class T>
  [[nodiscard]] static double difference(T upper, T lower) noexcept {
    return upper == lower ? 0.0 : static_cast<double>(upper) - static_cast<double>(lower);
  }

  template <class T>
  static double no_relevance(const list_outputs<T>& out) {
    for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
    for (std::size_t i = 0; i < out.hessian.size(); ++i) out.hessian[i] = T{0};
    return 0.0;
  }

  template <class T, class Arch, class S, class Write>
  static detail::lanes<Arch> dispatch(const detail::sndcg_rows<Arch, S>& in, bool gradient, bool hessian, workspace& scratch, Write write) {
    if (hessian) return detail::smooth_dcg<T, detail::wanted::hessian>(in, scratch, write);
    if (gradient) return detail::smooth_dcg<T, detail::wanted::gradient>(in, scratch, write);
    return detail::smooth_dcg<T, detail::wanted::value>(in, scratch, write);
  }

  /// Ideal DCG of one list.
  template <class Arch, class T>
  [[nodiscard]] double ideal_dcg(std::span<const T> gains, workspace& scratch) const {
    using V = detail::lanes<Arch>;
    constexpr std::size_t w = detail::lane_count<Arch>;
    using record = detail::keyed<detail::key_of<T>, detail::nothing>;
    const workspace::scope scope(scratch);
    std::span<record> records = scratch.take<record>(gains.size());
    for (std::size_t i = 0; i < gains.size(); ++i) records[i].key = detail::descending_key(gains[i]);
    records = detail::sort_by_key(records, scratch.take<record>(gains.size()), scratch);

    const std::size_t n = cutoff > 0 && cutoff < gains.size() ? cutoff : gains.size();
    const auto sorted = [&](std::size_t i) { return static_cast<double>(detail::value_of<T>(records[i].key)); };
    if (ideal == rankloss::ideal::competition_ranks) {
      double sum = 0.0;
      std::size_t rank = 0;
      for (std::size_t i = 0; i < gains.size(); ++i) {
        if (i == 0 || records[i].key != records[i - 1].key) rank = i + 1;
        if (rank > n) break;
        sum += sorted(i) / std::log2(1.0 + static_cast<double>(rank));
      }
      return sum;
    }
    V sum(0.0);
    for (std::size_t i = 0; i < n; i += w) {
      if (sorted(i) == 0.0 && sorted(n - 1) == 0.0) break;  // only zeros are left
      alignas(64) double g[w]{};
      alignas(64) double position[w];
      for (std::size_t l = 0; l < w; ++l) {
        position[l] = static_cast<double>(i + l + 2);
        if (i + l < n) g[l] = sorted(i + l);
      }
      sum += V::load_aligned(g) / xsimd::log(V::load_aligned(position));
    }
    return std::numbers::ln2 * detail::sum_of(sum);
  }

  /// Ideal DCGs of lists in lanes.
  template <class Arch, class T, class R>
  void ideal_dcg(std::span<const list<T, R>> lists, std::span<const double> gains, std::size_t rows, std::span<double> best,
                 workspace& scratch) const {
    using V = detail::lanes<Arch>;
    constexpr std::size_t w = detail::lane_count<Arch>;
    const workspace::scope scope(scratch);
    const std::span<double> sorted = scratch.take<double>(rows * w);
    const std::span<double> discount = scratch.take<double>((rows + w) / w * w);
    for (std::size_t i = 0; i < rows; i += w) {
      alignas(64) double position[w];
      for (std::size_t l = 0; l < w; ++l) position[l] = static_cast<double>(i + l + 2);
      (V(std::numbers::ln2) / xsimd::log(V::load_aligned(position))).store_aligned(discount.data() + i);
    }
    constexpr double last = std::numeric_limits<double>::lowest();
    for (std::size_t l = 0; l < w; ++l)
      for (std::size_t i = 0; i < rows; ++i) sorted[i * w + l] = l < lists.size() && i < lists[l].size() ? gains[l * rows + i] : last;
    detail::merge_exchange(rows, [&](std::size_t i, std::size_t j) {
      const V a = V::load_aligned(sorted.data() + i * w);
      const V b = V::load_aligned(sorted.data() + j * w);
      xsimd::max(a, b).store_aligned(sorted.data() + i * w);
      xsimd::min(a, b).store_aligned(sorted.data() + j * w);
    });

    const std::size_t k = cutoff > 0 ? std::min(cutoff, rows) : rows;
    V sum(0.0);
    if (ideal == rankloss::ideal::sorted) {
      for (std::size_t i = 0; i < k; ++i) {
        const V g = V::load_aligned(sorted.data() + i * w);
        sum = xsimd::fma(xsimd::select(g == V(last), V(0.0), g), V(discount[i]), sum);
      }
    } else {
      V previous(std::numeric_limits<double>::infinity());
      V shared(0.0);  // discount of the best position among equals; 0 beyond the cutoff
      for (std::size_t i = 0; i < rows; ++i) {
        const V g = V::load_aligned(sorted.data() + i * w);
        shared = xsimd::select(g == previous, shared, V(i < k ? discount[i] : 0.0));
        previous = g;
        sum = xsimd::fma(xsimd::select(g == V(last), V(0.0), g), shared, sum);
      }
    }
    sum.store_aligned(best.data());
  }

  /// Positions by descending score, stable, of lists in lanes.
  template <class Arch, class T, class R>
  static void sort_lanes(std::span<const list<T, R>> lists, std::size_t rows, std::span<std::uint32_t> order, workspace& scratch) {
    constexpr std::size_t w = detail::lane_count<Arch>;
    const workspace::scope scope(scratch);
    const auto size = [&](std::size_t l) { return l < lists.size() ? lists[l].size() : 0; };
    if constexpr (sizeof(T) == 4) {
      // Key and position share one integer: a comparison decides both, and an exchange is one minimum and one maximum.
      using I = xsimd::batch<std::int64_t, Arch>;
      static_assert(I::size == w);
      const std::span<std::int64_t> keys = scratch.take<std::int64_t>(rows * w);
      for (std::size_t l = 0; l < w; ++l) {
        for (std::size_t i = 0; i < size(l); ++i) {
          const std::uint64_t key = detail::descending_key(lists[l].scores[i]) ^ 0x80000000u;  // signed order
          keys[i * w + l] = static_cast<std::int64_t>(key << 32 | i);
        }
        for (std::size_t i = size(l); i < rows; ++i) keys[i * w + l] = std::numeric_limits<std::int64_t>::max();
      }
      detail::merge_exchange(rows, [&](std::size_t i, std::size_t j) {
        const I a = I::load_aligned(keys.data() + i * w);
        const I b = I::load_aligned(keys.data() + j * w);
        xsimd::min(a, b).store_aligned(keys.data() + i * w);
        xsimd::max(a, b).store_aligned(keys.data() + j * w);
      });
      for (std::size_t i = 0; i < rows * w; ++i) order[i] = static_cast<std::uint32_t>(keys[i]);
    } else {
      using V = detail::lanes<Arch>;
      const std::span<double> keys = scratch.take<double>(rows * w);
      const std::span<double> positions = scratch.take<double>(rows * w);
      for (std::size_t l = 0; l < w; ++l)
        for (std::size_t i = 0; i < rows; ++i) {
          keys[i * w + l] = i < size(l) ? lists[l].scores[i] : -std::numeric_limits<double>::infinity();
          positions[i * w + l] = static_cast<double>(i);
        }
      detail::merge_exchange(rows, [&](std::size_t i, std::size_t j) {
        const V a = V::load_aligned(keys.data() + i * w);
        const V b = V::load_aligned(keys.data() + j * w);
        const V pa = V::load_aligned(positions.data() + i * w);
        const V pb = V::load_aligned(positions.data() + j * w);
        const auto swap = b > a || (b == a && pb < pa);
        xsimd::select(swap, b, a).store_aligned(keys.data() + i * w);
        xsimd::select(swap, a, b).store_aligned(keys.data() + j * w);
        xsimd::select(swap, pb, pa).store_aligned(positions.data() + i * w);
        xsimd::select(swap, pa, pb).store_aligned(positions.data() + j * w);
      });
      for (std::size_t i = 0; i < rows * w; ++i) order[i] = static_cast<std::uint32_t>(positions[i]);
    }
  }
};

}  // namespace rankloss

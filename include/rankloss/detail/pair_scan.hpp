// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/cell_sums.hpp>
#include <rankloss/detail/pair_kernel.hpp>
#include <rankloss/detail/pair_loop.hpp>
#include <rankloss/detail/simd.hpp>
#include <rankloss/detail/sorted_sums.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>

/// Sums over the pairs of different relevance of a long list in near-linear time: the exponential states of sorted_sums.hpp, one set a level of
/// relevance, carried from block to block of the sorted scores.
///
///     a block    up to 64 neighbouring items within a quarter temperature; its own pairs are summed one by one
///     its past   what lies above it (below it, on the way back) acts through the states, a sum of K exponentials per level and channel of the
///                weight, which in the block are a polynomial of P terms in the place z of an item: the levels below an item's own and those
///                above it are added up once a block, so that an item costs P operations a channel and not K a level
///     its items  enter the states by their moments, sum of z^p a level and channel
///
/// Both ways take O(n (P C + 64) + blocks L C K P) for L levels and C channels. With more than 16 levels, as real-valued relevance has, neighbouring
/// levels share a bucket; the pairs of each bucket are a smaller list of the same kind, its items in the same order.
namespace rankloss::detail {

/// exp(x) at compile time, by halving: the series converges at once for small arguments.
constexpr double exp_of(double x) {
  double half = x / 64.0;
  double sum = 1.0;
  double term = 1.0;
  for (int p = 1; p < 16; ++p) {
    term *= half / p;
    sum += term;
  }
  for (int i = 0; i < 6; ++i) sum *= sum;
  return sum;
}

template <class T>
struct scan_terms {
  static constexpr std::size_t K = kernel_terms<T>::count;
  static constexpr std::size_t exponents = sizeof(T) == 4 ? 16 : 24;  // K, padded to whole vectors
  static constexpr std::size_t places = sizeof(T) == 4 ? 8 : 16;      // P
  static constexpr double half_width = 0.125;                         // of a block, in temperatures
  static constexpr std::size_t block_items = 64;
  static constexpr std::size_t most_levels = 16;

  /// [k][p]: c_k exp(-k (h + h z)) = sum_p .. z^p
  using from_states = std::array<std::array<double, places>, K>;
  template <std::size_t N>
  static constexpr from_states expand(const std::array<double, N>& kernel) {
    from_states rows{};
    for (std::size_t k = 0; k < K; ++k) {
      const double rate = static_cast<double>(k + 1) * half_width;
      double term = kernel[k] * exp_of(-rate);
      for (std::size_t p = 0; p < places; ++p) {
        rows[k][p] = term;
        term *= -rate / static_cast<double>(p + 1);
      }
    }
    return rows;
  }
  static constexpr auto slope_of_logistic = expand(kernel_terms<T>::sigmoid);
  static constexpr auto slope_of_sigmoid = expand(kernel_terms<T>::slope);
  static constexpr auto value_of_logistic = expand(kernel_terms<T>::softplus);

  /// [p][k]: what moment p adds to state k, exp(k (h + h z)) = sum_p .. z^p
  static constexpr std::array<std::array<double, exponents>, places> from_moments() {
    std::array<std::array<double, exponents>, places> rows{};
    for (std::size_t k = 0; k < K; ++k) {
      const double rate = static_cast<double>(k + 1) * half_width;
      double term = exp_of(rate);
      for (std::size_t p = 0; p < places; ++p) {
        rows[p][k] = term;
        term *= rate / static_cast<double>(p + 1);
      }
    }
    return rows;
  }
  static constexpr auto to_states = from_moments();
};

/// A list of items in the order of their scores, and where its sums go.
template <class T, std::size_t C>
struct scan_list {
  std::size_t n = 0;
  std::size_t counted = 0;            ///< pairs count of which the upper item is among the first so many
  std::span<double> scores;           ///< [n] descending
  std::span<std::uint32_t> levels;    ///< [n] numbers of the levels of relevance, rising with it
  std::span<std::uint32_t> items;     ///< [n] where the item's sums go
  std::array<std::span<T>, C> upper;  ///< [n] factors of the weight, see pairs::detail::channels
  std::array<std::span<T>, C> lower;  ///< [n]
  std::span<T> weights;               ///< [n] of a pair's more relevant item, or empty
};

/// weight(i, j) of places i < j from channels, for the pair loop.
template <class Arch, class T, std::size_t C>
struct channel_weights {
  using V = xsimd::batch<T, Arch>;
  const std::array<std::span<T>, C>& upper;
  const std::array<std::span<T>, C>& lower;

  struct row {
    const channel_weights& all;
    V own[C];
    [[gnu::always_inline]] V operator()(std::size_t j) const noexcept {
      V sum = own[0] * V::load_unaligned(all.lower[0].data() + j);
      for (std::size_t c = 1; c < C; ++c) sum = xsimd::fma(own[c], V::load_unaligned(all.lower[c].data() + j), sum);
      return sum;
    }
  };
  [[nodiscard]] row at(std::size_t i) const noexcept {
    row r{*this, {}};
    for (std::size_t c = 0; c < C; ++c) r.own[c] = V(upper[c][i]);
    return r;
  }
};

/// The sums of one list. `Function` is a function of pairs, of temperature `length()`, with `of_shares` and `kernel`; by default of temperature 1.
template <class Arch, class T, std::size_t C, bool Weighted, class Function>
class pair_scan {
  using terms = scan_terms<T>;
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr std::size_t K = terms::K;
  static constexpr std::size_t E = terms::exponents;
  static constexpr std::size_t P = terms::places;
  static constexpr std::size_t sets = Weighted ? 2 : 1;  // of the levels below an item and above it
  static constexpr std::size_t smallest = 256;           // lists that go pair by pair
  using list_type = scan_list<T, C>;
  using exponents = wide_row<Arch, E>;
  using polynomial = wide_row<Arch, P>;

 public:
  /// @param wrong_sign  factor on the weight of pairs whose upper item is the less relevant one
  /// @param gradient    [items] added to: derivatives by s / temperature, before `function.factor`
  pair_scan(const Function& function, double wrong_sign, std::span<double> gradient, workspace& scratch)
      : function_(function), scale_(1.0 / function.length()), wrong_sign_(wrong_sign), gradient_(gradient), scratch_(scratch) {}

  void run(const list_type& list, std::uint32_t level_count) { descend(list, 0, level_count); }

  [[nodiscard]] const pair_totals& totals() const noexcept { return totals_; }

 private:
  /// The pairs of a list whose levels are numbered from `first_level` to `end_level`.
  void descend(const list_type& list, std::uint32_t first_level, std::uint32_t end_level) {
    if (list.n < 2 || end_level - first_level < 2) return;
    const workspace::scope scope(scratch_);
    const std::size_t level_count = end_level - first_level;
    const std::span<std::uint32_t> bucket_of = scratch_.take<std::uint32_t>(level_count);
    std::size_t buckets = level_count;
    if (list.n <= smallest) {
      // The numbers of the levels themselves, pair by pair.
      std::iota(bucket_of.begin(), bucket_of.end(), 0u);
      levels_of(list, first_level, bucket_of);
      near_pairs(list, 0, list.n);
      return;
    }
    if (level_count <= terms::most_levels) {
      std::iota(bucket_of.begin(), bucket_of.end(), 0u);
    } else {
      buckets = terms::most_levels;
      std::fill(bucket_of.begin(), bucket_of.end(), 0u);
      for (std::size_t i = 0; i < list.n; ++i) ++bucket_of[list.levels[i] - first_level];
      // Buckets of about as many items each; one level is never cut.
      std::size_t before = 0;
      for (std::uint32_t& count : bucket_of) {
        const std::size_t items = count;
        count = static_cast<std::uint32_t>((before + items / 2) * buckets / list.n);
        before += items;
      }
    }
    levels_of(list, first_level, bucket_of);
    sum(list, buckets);
    if (level_count > terms::most_levels) split(list, first_level, bucket_of, buckets);
  }

  /// The buckets by place, as the pair loop compares them.
  void levels_of(const list_type& list, std::uint32_t first_level, std::span<const std::uint32_t> bucket_of) {
    constexpr std::size_t padding = xsimd::batch<T, Arch>::size;
    buckets_ = scratch_.take<std::uint32_t>(list.n);
    near_levels_ = scratch_.take<T>(list.n + padding);
    near_scores_ = scratch_.take<T>(list.n + padding);
    near_exponentials_ = scratch_.take<T>(list.n + padding);
    near_gradient_ = scratch_.take<T>(list.n + padding);
    std::fill(near_gradient_.begin(), near_gradient_.end(), T{0});
    for (std::size_t i = 0; i < list.n; ++i) {
      buckets_[i] = bucket_of[list.levels[i] - first_level];
      near_levels_[i] = static_cast<T>(buckets_[i]);
    }
    std::fill_n(near_levels_.data() + list.n, padding, T{0});
    std::fill_n(near_scores_.data() + list.n, padding, T{0});
    std::fill_n(near_exponentials_.data() + list.n, padding, T{1});
  }

  /// The pairs of each bucket, as lists of their own.
  void split(const list_type& list, std::uint32_t first_level, std::span<const std::uint32_t> bucket_of, std::size_t buckets) {
    std::array<std::size_t, terms::most_levels + 1> start{};
    std::array<std::size_t, terms::most_levels> counted{};
    std::array<std::uint32_t, terms::most_levels + 1> first{};
    for (std::size_t l = 0, b = 0; b <= buckets; ++b) {
      while (l < bucket_of.size() && bucket_of[l] < b) ++l;
      first[b] = first_level + static_cast<std::uint32_t>(l);
    }
    for (std::size_t i = 0; i < list.n; ++i) {
      ++start[buckets_[i] + 1];
      if (i < list.counted) ++counted[buckets_[i]];
    }
    std::partial_sum(start.begin(), start.end(), start.begin());
    list_type all = list;
    constexpr std::size_t padding = xsimd::batch<T, Arch>::size;
    const auto take = [&] { return scratch_.take<T>(list.n + padding); };
    all.scores = scratch_.take<double>(list.n);
    all.levels = scratch_.take<std::uint32_t>(list.n);
    all.items = scratch_.take<std::uint32_t>(list.n);
    for (std::size_t c = 0; c < C; ++c) {
      all.upper[c] = take();
      all.lower[c] = take();
    }
    if (Weighted) all.weights = take();
    std::array<std::size_t, terms::most_levels + 1> next = start;
    for (std::size_t i = 0; i < list.n; ++i) {
      const std::size_t to = next[buckets_[i]]++;
      all.scores[to] = list.scores[i];
      all.levels[to] = list.levels[i];
      all.items[to] = list.items[i];
      for (std::size_t c = 0; c < C; ++c) {
        all.upper[c][to] = list.upper[c][i];
        all.lower[c][to] = list.lower[c][i];
      }
      if (Weighted) all.weights[to] = list.weights[i];
    }
    for (std::size_t b = 0; b < buckets; ++b) {
      list_type part;
      part.n = start[b + 1] - start[b];
      part.counted = counted[b];
      part.scores = all.scores.subspan(start[b], part.n);
      part.levels = all.levels.subspan(start[b], part.n);
      part.items = all.items.subspan(start[b], part.n);
      for (std::size_t c = 0; c < C; ++c) {
        part.upper[c] = all.upper[c].subspan(start[b]);
        part.lower[c] = all.lower[c].subspan(start[b]);
      }
      if (Weighted) part.weights = all.weights.subspan(start[b]);
      descend(part, first[b], first[b + 1]);
    }
  }

  /// States of one channel of one level: exponentials, the sum of the weights, and that of the distances.
  struct state {
    exponents s;
    double hard = 0.0;
    double distance = 0.0;
  };
  /// What a block's past does to an item of one level, by channel and set: polynomials in the item's place.
  struct action {
    polynomial slope;
    polynomial value;
    double weight;
  };

  /// The pairs of different buckets.
  void sum(const list_type& list, std::size_t levels) {
    const workspace::scope scope(scratch_);
    const std::span<std::uint32_t> starts = scratch_.take<std::uint32_t>(list.n + 1);
    std::size_t blocks = 0;
    for (std::size_t begin = 0; begin < list.n; ++blocks) {
      starts[blocks] = static_cast<std::uint32_t>(begin);
      std::size_t end = begin + 1;
      while (end < list.n && end - begin < terms::block_items && (list.scores[begin] - list.scores[end]) * scale_ <= 2.0 * terms::half_width) ++end;
      near_pairs(list, begin, end);
      begin = end;
    }
    starts[blocks] = static_cast<std::uint32_t>(list.n);
    walk<true>(list, levels, starts.first(blocks + 1));
    walk<false>(list, levels, starts.first(blocks + 1));
  }

  /// One way: what lies above acts on what lies below, or the other way round. The value is summed on the way down.
  template <bool Down>
  void walk(const list_type& list, std::size_t levels, std::span<const std::uint32_t> starts) {
    const workspace::scope scope(scratch_);
    const std::span<state> states = scratch_.take<state>(sets * levels * C);  // [set][level][channel]
    const std::span<action> actions = scratch_.take<action>(sets * levels * C);
    const std::span<polynomial> moments = scratch_.take<polynomial>(sets * levels * C);
    std::fill(states.begin(), states.end(), state{});
    const auto index = [&](std::size_t set, std::size_t level, std::size_t c) { return (set * levels + level) * C + c; };
    const std::size_t blocks = starts.size() - 1;
    double anchor = list.scores[Down ? 0 : list.n - 1];
    polynomial value_sum;
    for (std::size_t step = 0; step < blocks; ++step) {
      const std::size_t b = Down ? step : blocks - 1 - step;
      const std::size_t begin = starts[b];
      const std::size_t end = starts[b + 1];
      const double next_anchor = list.scores[Down ? begin : end - 1];
      if (step > 0) {
        carry(states, std::min(std::abs(anchor - next_anchor) * scale_, 1e290));
        act<Down>(states, levels, actions);
      }
      anchor = next_anchor;

      std::fill(moments.begin(), moments.end(), polynomial{});
      for (std::size_t i = begin; i < end; ++i) {
        const double place = std::abs(list.scores[i] - anchor) * scale_ / terms::half_width - 1.0;
        const polynomial powers = powers_of(place);
        const std::size_t level = buckets_[i];
        // On the way up only items that count as upper ones are acted on; on the way down only they act.
        const bool counts = i < list.counted;
        if (step > 0 && (Down || counts)) {
          polynomial slope, value;
          for (std::size_t set = 0; set < sets; ++set) {
            // As a winner over the levels below the item's weight counts, as a loser that of the others.
            const double role = Weighted && set == 0 ? static_cast<double>(list.weights[i]) : 1.0;
            for (std::size_t c = 0; c < C; ++c) {
              const action& a = actions[index(set, level, c)];
              const double factor = role * static_cast<double>((Down ? list.lower : list.upper)[c][i]);
              for (std::size_t v = 0; v < slope.vectors; ++v) slope.v[v] = xsimd::fma(V(factor), a.slope.v[v], slope.v[v]);
              if constexpr (Down) {
                for (std::size_t v = 0; v < slope.vectors; ++v) value.v[v] = xsimd::fma(V(factor), a.value.v[v], value.v[v]);
                totals_.weight += factor * a.weight;
              }
            }
          }
          V sum(0.0);
          for (std::size_t v = 0; v < slope.vectors; ++v) {
            sum = xsimd::fma(slope.v[v], powers.v[v], sum);
            if constexpr (Down) value_sum.v[v] = xsimd::fma(value.v[v], powers.v[v], value_sum.v[v]);
          }
          gradient_[list.items[i]] += sum_of(sum);
        }
        if (!Down || counts) {
          for (std::size_t set = 0; set < sets; ++set)
            for (std::size_t c = 0; c < C; ++c) {
              double factor = static_cast<double>((Down ? list.upper : list.lower)[c][i]);
              if (Weighted && set == 1) factor *= static_cast<double>(list.weights[i]);  // where it is the winner
              polynomial& m = moments[index(set, level, c)];
              for (std::size_t v = 0; v < m.vectors; ++v) m.v[v] = xsimd::fma(V(factor), powers.v[v], m.v[v]);
            }
        }
      }
      for (std::size_t k = 0; k < states.size(); ++k) enter(moments[k], states[k]);
    }
    if constexpr (Down)
      for (std::size_t v = 0; v < value_sum.vectors; ++v) totals_.value += sum_of(value_sum.v[v]);
    if constexpr (Down) count_far(list, starts);
  }

  /// Pairs of different buckets and blocks.
  void count_far(const list_type& list, std::span<const std::uint32_t> starts) {
    std::array<double, terms::most_levels> above{};
    double all = 0.0;
    for (std::size_t b = 0; b + 1 < starts.size(); ++b) {
      for (std::size_t i = starts[b]; i < starts[b + 1]; ++i) totals_.count += all - above[buckets_[i]];
      for (std::size_t i = starts[b]; i < starts[b + 1] && i < list.counted; ++i) {
        above[buckets_[i]] += 1.0;
        all += 1.0;
      }
    }
  }

  /// 1, z, z^2, ...
  [[gnu::always_inline]] static polynomial powers_of(double z) noexcept {
    alignas(64) double p[P];
    p[0] = 1.0;
    p[1] = z;
    for (std::size_t k = 2; k < P; ++k) p[k] = p[k / 2] * p[k - k / 2];
    polynomial powers;
    powers.load(p);
    return powers;
  }

  /// The states, seen from `gap` further on.
  static void carry(std::span<state> states, double gap) noexcept {
    alignas(64) double power[E]{};
    const double q = std::exp(-gap);
    const double factor = q < 0x1p-51 ? 0.0 : q;  // no subnormal numbers, as in `advance`
    double product = q < 1e-300 ? 0.0 : q;
    for (std::size_t k = 0; k < K; ++k) {
      power[k] = product;
      product *= factor;
    }
    exponents powers;
    powers.load(power);
    for (state& s : states) {
      for (std::size_t v = 0; v < powers.vectors; ++v) s.s.v[v] = s.s.v[v] * powers.v[v];
      s.distance += s.hard * gap;
    }
  }

  /// The items of a block, by their moments, enter a state.
  static void enter(const polynomial& moments, state& to) noexcept {
    alignas(64) double m[P];
    moments.store(m);
    for (std::size_t p = 0; p < P; ++p) to.s.add_scaled(m[p], terms::to_states[p].data());
    to.hard += m[0];
    to.distance -= terms::half_width * (m[0] + m[1]);  // they are further on by h + h z
  }

  /// From the states to what they do, by level: the levels below an item's own and those above it.
  template <bool Down>
  void act(std::span<const state> states, std::size_t levels, std::span<action> actions) const {
    constexpr bool logistic = Function::kernel == pair_kernel::logistic;
    constexpr const auto& slope_rows = logistic ? terms::slope_of_logistic : terms::slope_of_sigmoid;
    const auto expand = [](const exponents& s, const typename terms::from_states& rows) {
      alignas(64) double e[E];
      s.store(e);
      polynomial low, high;  // two sums, as in scan_states::dot
      for (std::size_t k = 0; k < K / 2; ++k) {
        low.add_scaled(e[k], rows[k].data());
        high.add_scaled(e[k + K / 2], rows[k + K / 2].data());
      }
      for (std::size_t v = 0; v < low.vectors; ++v) low.v[v] = low.v[v] + high.v[v];
      return low;
    };
    // On the way down the states are of items above: a level below an item's own is wrongly above it. On the way up it is the other way round.
    const double below_sign = Down ? wrong_sign_ : 1.0;
    const double above_sign = Down ? 1.0 : wrong_sign_;
    for (std::size_t c = 0; c < C; ++c) {
      const auto of = [&](std::size_t set, std::size_t level) -> const state& { return states[(set * levels + level) * C + c]; };
      state above;  // the levels above, of the set of winners
      for (std::size_t level = 1; level < levels; ++level) add(above, of(sets - 1, level), 1.0);
      state below;  // the levels below, of the set of losers
      for (std::size_t level = 0; level < levels; ++level) {
        if (level > 0) {
          // Summed anew, since a difference would leave rest of what is gone.
          above = state{};
          for (std::size_t other = level + 1; other < levels; ++other) add(above, of(sets - 1, other), 1.0);
        }
        const auto make = [&](double of_below, double of_above) {
          state both;
          add(both, below, of_below);
          add(both, above, of_above);
          action a;
          a.slope = expand(both.s, slope_rows);
          const double wrong = Down ? of_below * below.hard : of_above * above.hard;
          alignas(64) double p[P];
          a.slope.store(p);
          if constexpr (logistic) {
            // Down: a winner is pulled by -(1 - p) of what is wrongly above, a loser by +p; up: a winner by -p, a loser by 1 - p.
            for (double& x : p) x = Down ? x : -x;
            p[0] += Down ? -wrong : wrong;
          } else {
            // A winner is pulled by -slope, a loser by +slope.
            const polynomial winner = expand(below.s, slope_rows);
            alignas(64) double own[P];
            winner.store(own);
            for (std::size_t k = 0; k < P; ++k) p[k] -= 2.0 * of_below * own[k];
          }
          a.slope.load(p);
          if constexpr (Down) {
            if constexpr (logistic) {
              a.value = expand(both.s, terms::value_of_logistic);
              a.value.store(p);
              p[0] += of_below * (below.distance + terms::half_width * below.hard);
              p[1] += of_below * terms::half_width * below.hard;
            } else {
              // Right: p; wrong: 1 - p.
              state signed_sum;
              add(signed_sum, below, -of_below);
              add(signed_sum, above, of_above);
              a.value = expand(signed_sum.s, terms::slope_of_logistic);
              a.value.store(p);
              p[0] += wrong;
            }
            a.value.load(p);
          }
          a.weight = of_below * below.hard + of_above * above.hard;
          return a;
        };
        if constexpr (Weighted) {
          actions[level * C + c] = make(below_sign, 0.0);
          actions[(levels + level) * C + c] = make(0.0, above_sign);
        } else {
          actions[level * C + c] = make(below_sign, above_sign);
        }
        add(below, of(0, level), 1.0);
      }
    }
  }
  static void add(state& to, const state& from, double factor) noexcept {
    for (std::size_t v = 0; v < to.s.vectors; ++v) to.s.v[v] = xsimd::fma(V(factor), from.s.v[v], to.s.v[v]);
    to.hard += factor * from.hard;
    to.distance += factor * from.distance;
  }

  /// Pairs of places [begin, end), one by one.
  void near_pairs(const list_type& list, std::size_t begin, std::size_t end) {
    using N = xsimd::batch<T, Arch>;
    const std::size_t first_end = std::min(end, list.counted);
    if (begin >= first_end) return;
    const double middle = list.scores[begin + (end - begin) / 2];
    const double widest = sizeof(T) == 4 ? 160.0 : 1300.0;
    const bool shares = (list.scores[begin] - list.scores[end - 1]) * scale_ <= widest;
    for (std::size_t i = begin; i < end; ++i) near_scores_[i] = static_cast<T>(std::clamp((list.scores[i] - middle) * scale_, -1e30, 1e30));
    const pair_items<T> items{begin, end, near_scores_, near_levels_, list.weights, near_gradient_, {}};
    const channel_weights<Arch, T, C> weights{list.upper, list.lower};
    const Function unit{};  // temperature 1, natural logarithms
    pair_totals near;
    if (shares) {
      for (std::size_t i = begin; i < end; i += N::size)
        xsimd::exp(N::load_unaligned(near_scores_.data() + i)).store_unaligned(near_exponentials_.data() + i);
      near = loop_over_places<Arch, false>(items, first_end, by_shares<Arch, T, Function>{unit, near_exponentials_}, weights,
                                           static_cast<T>(wrong_sign_));
    } else {
      near = loop_over_places<Arch, false>(items, first_end, by_difference<Function>{unit}, weights, static_cast<T>(wrong_sign_));
    }
    totals_.value += near.value;
    totals_.weight += near.weight;
    totals_.count += near.count;
    for (std::size_t i = begin; i < end; ++i) {
      gradient_[list.items[i]] += static_cast<double>(near_gradient_[i]);
      near_gradient_[i] = T{0};
    }
  }
  const Function& function_;
  double scale_;
  double wrong_sign_;
  std::span<double> gradient_;
  workspace& scratch_;
  pair_totals totals_;
  // Of the list at hand, by place.
  std::span<std::uint32_t> buckets_;
  std::span<T> near_levels_, near_scores_, near_exponentials_, near_gradient_;
};

}  // namespace rankloss::detail

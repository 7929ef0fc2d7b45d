// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/lists/list_block.hpp>
#include <rankloss/detail/lists/output_sink.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The target of softmax_loss for lists side by side: the relevance, or its exponential relative to the greatest one
/// of the list.
template <class Arch>
struct target_across_relevance {
  using V = lanes<Arch>;
  static constexpr bool relative = false;
  [[nodiscard]] V operator()(const V& y, const V&) const noexcept { return xsimd::max(y, V(0.0)); }
};
template <class Arch, class T>
struct target_across_softmax {
  using V = lanes<Arch>;
  static constexpr bool relative = true;
  double unit;
  [[nodiscard]] V operator()(const V& y, const V& most) const noexcept {
    return power_below<T>(score_distance<Arch, double>::between(y, most, most * V(0.5), V(unit)));
  }
};

/// softmax_loss, without its polynomial term, of lists that lie side by side: columns of a matrix that is stored by
/// rows. Nothing is copied or turned: a lane holds a list, and the matrix is read from its first row to its last, for
/// the greatest scores, for the sums, and for what is written.
///
/// To the bit what softmax_loss makes of each list: there, a lane sums each w-th item of a chunk, and chunks and pieces
/// are added up. Here a list has w sums of a chunk, to which its items go in turns.
template <class Arch, class Source, class Target>
class interleaved_softmax {
  using V = lanes<Arch>;
  using T = typename Source::score_type;
  using R = typename Source::relevance_type;
  using distance = score_distance<Arch, T>;
  using target_type = typename output_sink<Source>::across_target;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr std::size_t wide = tuning::interleaved_lists;  // lists of a task
  static constexpr std::size_t tile = 16, written = 4;  // items that are summed and written at a time
  static_assert(wide % w == 0 && tile % w == 0 && tuning::softmax_chunk % tile == 0);
  static_assert(tuning::piece_items % tuning::softmax_chunk == 0);

 public:
  /// @param sums  whether the value of a list is multiplied by the sum of its target
  interleaved_softmax(const Source& source, std::size_t first, std::size_t lists, const Target& target,
                      double temperature, bool sums, context& ctx)
      : source_(source),
        scores_(source.scores_from(first).data),
        next_item_(source.scores_from(first).next_item),
        first_(first),
        lists_(lists),
        size_(source.size(first)),
        target_(target),
        temperature_(temperature),
        unit_(2.0 / (temperature * log_of_base<T>)),
        sums_(sums),
        context_(ctx) {}

  /// Writes the values of all lists but those that are left, whose target is so large or small that it takes units,
  /// and their slopes to `sink`, unless it is null.
  void operator()(std::span<double> values, std::span<std::uint8_t> left, const output_sink<Source>* sink,
                  std::span<const double> shares) {
    const target_type to =
        sink != nullptr ? sink->target_across(first_, shares, context_.scratch()) : target_type{};
    context_.run((lists_ + wide - 1) / wide, [&](std::size_t worker, std::size_t task) {
      workspace& scratch = context_.scratch(worker);
      const workspace::scope scope(scratch);
      const std::size_t l = task * wide;
      stripe own(l, std::min(wide, lists_ - l), scratch);
      find_greatest(own);
      sum(own);
      for (std::size_t k = 0; k < own.count; ++k) finish(own, k, values[l + k], left[l + k]);
      if (sink != nullptr) write(own, *sink, to);
    });
  }

 private:
  template <std::size_t items>
  using whole_tile = std::integral_constant<std::size_t, items>;

  /// The sums of exponentials, of the target, and of the target times the distance from the greatest score.
  enum { of_exponentials, of_target, of_distances, kinds };

  /// Lists of a task.
  struct stripe {
    stripe(std::size_t first, std::size_t lists, workspace& scratch)
        : l(first),
          count(lists),
          greatest(scratch.take<T>(wide)),
          top(scratch.take<double>(wide)),
          most(scratch.take<double>(wide)),
          by_exponential(scratch.take<double>(wide)),
          by_target(scratch.take<double>(wide)),
          relevance(scratch.take<R>(tile * wide)),
          slopes(scratch.take<T>(written * wide)) {
      for (auto* level : {&chunk, &piece, &all}) {
        *level = scratch.take<double>(kinds * w * wide);
        std::fill(level->begin(), level->end(), 0.0);
      }
    }

    std::size_t l, count;
    std::span<T> greatest;
    std::span<double> top, most;                  // greatest score and relevance, which are finite
    std::span<double> chunk, piece, all;          // [wide / w, kinds, w, w]: w sums of each of w lists
    std::span<double> by_exponential, by_target;  // factors of a slope
    std::span<R> relevance;                       // [tile, wide], of lists that have none in memory
    std::span<T> slopes;                          // [written, wide]
  };

  [[nodiscard]] const T* scores(const stripe& own, std::size_t i) const {
    return scores_ + i * next_item_ + own.l;
  }
  /// The relevance of item i, in place or in row r of the stripe's.
  [[nodiscard]] const R* relevance(const stripe& own, std::size_t i, std::size_t r) const {
    return source_.relevance_across(first_ + own.l, i, own.relevance.subspan(r * wide, own.count));
  }

  void find_greatest(stripe& own) const {
    std::fill(own.greatest.begin(), own.greatest.end(), std::numeric_limits<T>::lowest());
    for (std::size_t i = 0; i < size_; ++i) take_greatest(scores(own, i), own.count, own.greatest.data());
    for (std::size_t k = 0; k < own.count; ++k) own.top[k] = static_cast<double>(bounded(own.greatest[k]));
    if constexpr (Target::relative) {
      std::fill(own.most.begin(), own.most.end(), std::numeric_limits<double>::lowest());
      for (std::size_t i = 0; i < size_; ++i) {
        const R* const y = relevance(own, i, 0);
        for_rows<Arch>(own.count, [y, most = own.most.data()](std::size_t k, auto count) {
          xsimd::max(V::load_unaligned(most + k), load_items<Arch>(y + k, count)).store_unaligned(most + k);
        });
      }
      for (double& most : own.most) most = bounded(most);
    }
  }
  static void take_greatest(const T* items, std::size_t count, T* greatest) noexcept {
    using U = xsimd::batch<T, Arch>;
    std::size_t k = 0;
    for (; k + U::size <= count; k += U::size)
      xsimd::max(U::load_unaligned(greatest + k), U::load_unaligned(items + k)).store_unaligned(greatest + k);
    for (; k < count; ++k) greatest[k] = std::max(greatest[k], items[k]);
  }

  void sum(stripe& own) const {
    for (std::size_t i = 0; i < size_; i += tile) {
      std::array<const R*, tile> y{};
      const std::size_t items = std::min(tile, size_ - i);
      for (std::size_t r = 0; r < items; ++r) y[r] = relevance(own, i + r, r);
      if (items == tile)
        add_tile(own, scores(own, i), y.data(), whole_tile<tile>{});
      else
        add_tile(own, scores(own, i), y.data(), items);
      const std::size_t end = i + items;
      if (end % tuning::softmax_chunk == 0 || end == size_) bring(own.chunk, own.piece);
      if (end % tuning::piece_items == 0 || end == size_) bring(own.piece, own.all);
    }
  }
  static void bring(std::span<double> from, std::span<double> to) noexcept {
    for (std::size_t k = 0; k < from.size(); k += w) {
      (V::load_unaligned(&to[k]) + V::load_unaligned(&from[k])).store_unaligned(&to[k]);
      V(0.0).store_unaligned(&from[k]);
    }
  }

  /// Adds items to the sums of a chunk.
  template <class Items>
  void add_tile(const stripe& own, const T* items_of, const R* const* relevance, Items items) const {
    const double* const tops = own.top.data();
    const double* const mosts = own.most.data();
    double* const sums = own.chunk.data();
    for_rows<Arch>(
        own.count, [=, target = target_, next = next_item_, unit = V(unit_)](std::size_t k, auto count) {
          const V top = V::load_unaligned(tops + k), half = top * V(0.5);
          V most(0.0);
          if constexpr (Target::relative) most = V::load_unaligned(mosts + k);
          for (std::size_t lane = 0; lane < w; ++lane) {
            double* const e = sums + (k * kinds + of_exponentials * w + lane) * w;
            double* const v = sums + (k * kinds + of_target * w + lane) * w;
            double* const d = sums + (k * kinds + of_distances * w + lane) * w;
            V sum = V::load_unaligned(e), whole = V::load_unaligned(v), far = V::load_unaligned(d);
            for (std::size_t r = lane; r < items; r += w) {
              const V from_top =
                  distance::between(load_items<Arch>(items_of + r * next + k, count), top, half, unit);
              const V held = target(load_items<Arch>(relevance[r] + k, count), most);
              whole += held;
              sum += power_below<T>(from_top);
              far = xsimd::fma(held, from_top, far);
            }
            sum.store_unaligned(e);
            whole.store_unaligned(v);
            far.store_unaligned(d);
          }
        });
  }

  /// The value of a list, and what its exponentials and its target are multiplied by in its slopes.
  void finish(stripe& own, std::size_t k, double& value, std::uint8_t& left) const {
    const auto total_of = [&](std::size_t kind) {
      alignas(64) double lanes[w];
      for (std::size_t lane = 0; lane < w; ++lane)
        lanes[lane] = own.all[(k / w * w * kinds + kind * w + lane) * w + k % w];
      return sum_of(V::load_aligned(lanes));
    };
    const double total = total_of(of_target), z = total_of(of_exponentials);
    left = total != 0.0 && !(total >= 1e-200 && total <= 1e200) ? 1 : 0;
    value = own.by_exponential[k] = own.by_target[k] = 0.0;
    if (left != 0 || total == 0.0) return;
    const double mass = sums_ ? total : 1.0, q = 1.0 / total;
    const double cross = std::min(total_of(of_distances) * q * log_of_base<T>, largest_term) + std::log(z);
    value = std::clamp(mass * cross, -largest_term, largest_term);
    const double factor = bounded_factor<T>(mass / temperature_);
    own.by_exponential[k] = factor * (1.0 / z);
    own.by_target[k] = factor * q;
  }

  void write(const stripe& own, const output_sink<Source>& sink, const target_type& to) const {
    for (std::size_t i = 0; i < size_; i += written) {
      std::array<const R*, written> y{};
      const std::size_t items = std::min(written, size_ - i);
      for (std::size_t r = 0; r < items; ++r) y[r] = relevance(own, i + r, r);
      if (items == written)
        slopes_of(own, scores(own, i), y.data(), whole_tile<written>{});
      else
        slopes_of(own, scores(own, i), y.data(), items);
      for (std::size_t r = 0; r < items; ++r)
        sink.commit_across(first_ + own.l, i + r, own.slopes.subspan(r * wide, own.count), to, own.l);
    }
  }
  template <class Items>
  void slopes_of(const stripe& own, const T* items_of, const R* const* relevance, Items items) const {
    const double *const tops = own.top.data(), *const mosts = own.most.data();
    const double *const e = own.by_exponential.data(), *const v = own.by_target.data();
    T* const slopes = own.slopes.data();
    for_rows<Arch>(own.count, [=, target = target_, next = next_item_, unit = V(unit_)](std::size_t k,
                                                                                        auto count) {
      const V top = V::load_unaligned(tops + k), half = top * V(0.5);
      const V by_e = V::load_unaligned(e + k), by_v = V::load_unaligned(v + k);
      V most(0.0);
      if constexpr (Target::relative) most = V::load_unaligned(mosts + k);
      for (std::size_t r = 0; r < items; ++r) {
        const V d = distance::between(load_items<Arch>(items_of + r * next + k, count), top, half, unit);
        const V held = target(load_items<Arch>(relevance[r] + k, count), most);
        store_items<Arch>(slopes + r * wide + k, count, xsimd::fma(power_below<T>(d), by_e, -(held * by_v)));
      }
    });
  }

  const Source& source_;
  const T* scores_;
  std::size_t next_item_, first_, lists_, size_;
  Target target_;
  double temperature_, unit_;
  bool sums_;
  context& context_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail

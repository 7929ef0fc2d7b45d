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
/// of the list. Terms that were formed with a lesser one are multiplied by `shrunk`.
template <class Arch>
struct target_across_relevance {
  using V = lanes<Arch>;
  static constexpr bool relative = false;
  [[nodiscard]] V operator()(const V& y, const V&) const noexcept { return xsimd::max(y, V(0.0)); }
  [[nodiscard]] V shrunk(const V&, const V&) const noexcept { return V(1.0); }
};
template <class Arch, class T>
struct target_across_softmax {
  using V = lanes<Arch>;
  static constexpr bool relative = true;
  double unit;
  [[nodiscard]] V operator()(const V& y, const V& most) const noexcept {
    return power_below<T>(score_distance<Arch, double>::between(y, most, most * V(0.5), V(unit)));
  }
  [[nodiscard]] V shrunk(const V& before, const V& most) const noexcept { return (*this)(before, most); }
};

/// softmax_loss, without its polynomial term, of lists that lie side by side: columns of a matrix that is stored by
/// rows. Nothing is copied or turned: a lane holds a list, and the matrix is read twice from its first row to its
/// last.
///
/// The first pass forms, for each list, the greatest score so far and the sums of exponentials relative to it: tile
/// by tile of a few items, of which the greatest is taken first, so that what was summed before is rescaled once
/// a tile. Blocks of items have sums of their own, which are tasks and are merged in the order of the blocks; where
/// a block ends depends on the length alone. The second pass writes.
template <class Arch, class Source, class Target>
class interleaved_softmax {
  using V = lanes<Arch>;
  using T = typename Source::score_type;
  using R = typename Source::relevance_type;
  using distance = score_distance<Arch, T>;
  using target_type = typename output_sink<Source>::across_target;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr std::size_t chunk = tuning::softmax_chunk;  // lists of a tile
  static constexpr std::size_t tile = 16, written = 4;  // items of one, in the first pass and in the second
  static constexpr std::size_t most_blocks = 32;        // a bound on scratch

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
        pitch_(padded_rows(lists, w)),
        block_items_(
            padded_rows(std::max(tuning::interleaved_items, (size_ + most_blocks - 1) / most_blocks), tile)),
        blocks_((size_ + block_items_ - 1) / block_items_),
        target_(target),
        temperature_(temperature),
        unit_(2.0 / (temperature * log_of_base<T>)),
        sums_(sums),
        context_(ctx) {
    for (auto* numbers : {&top_, &sum_, &whole_, &distance_})
      *numbers = ctx.scratch().template take<double>(blocks_ * pitch_).data();
    if (Target::relative) most_ = ctx.scratch().template take<double>(blocks_ * pitch_).data();
  }

  /// Writes the values of all lists but those that are left, whose target is so large or small that it takes units,
  /// and their slopes to `sink`, unless it is null.
  void operator()(std::span<double> values, std::span<std::uint8_t> left, const output_sink<Source>* sink,
                  std::span<const double> shares) {
    const target_type to =
        sink != nullptr ? sink->target_across(first_, shares, context_.scratch()) : target_type{};
    constexpr std::size_t stripe = tuning::interleaved_lists;
    const std::size_t stripes = (lists_ + stripe - 1) / stripe;
    context_.run(blocks_ * stripes, [&](std::size_t worker, std::size_t task) {
      const std::size_t begin = task % stripes * stripe;
      sum_block(task / stripes, begin, std::min(begin + stripe, lists_), context_.scratch(worker));
    });
    context_.run((lists_ + chunk - 1) / chunk, [&](std::size_t, std::size_t task) {
      const std::size_t begin = task * chunk, end = std::min(begin + chunk, lists_);
      merge(begin, end);
      for (std::size_t l = begin; l < end; ++l) finish(l, to.plain ? to.factors[l] : 1.0, values, left);
    });
    if (sink == nullptr) return;
    constexpr std::size_t rows = tuning::interleaved_items / 2;
    context_.run((size_ + rows - 1) / rows, [&](std::size_t worker, std::size_t task) {
      write(task * rows, std::min((task + 1) * rows, size_), *sink, to, context_.scratch(worker));
    });
  }

 private:
  template <std::size_t items>
  using whole_tile = std::integral_constant<std::size_t, items>;

  /// The relevance of the lists from `l` on, of item i: in place, or in `own`.
  [[nodiscard]] const R* relevance(std::size_t l, std::size_t i, std::span<R> own) const {
    return source_.relevance_across(first_ + l, i, own);
  }

  void sum_block(std::size_t block, std::size_t begin, std::size_t end, workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<R> own = scratch.take<R>(tile * chunk);
    const std::size_t at = block * pitch_, rows = std::min((block + 1) * block_items_, size_);
    const std::size_t padded = padded_rows(end, w) - begin;
    std::fill_n(top_ + at + begin, padded, -distance::largest_score);
    for (double* numbers : {sum_, whole_, distance_}) std::fill_n(numbers + at + begin, padded, 0.0);
    if (Target::relative) std::fill_n(most_ + at + begin, padded, std::numeric_limits<double>::lowest());
    for (std::size_t i = block * block_items_; i < rows; i += tile)
      for (std::size_t l = begin; l < end; l += chunk) {
        const std::size_t count = std::min(chunk, end - l), items = std::min(tile, rows - i);
        std::array<const R*, tile> y{};
        for (std::size_t r = 0; r < items; ++r) y[r] = relevance(l, i + r, own.subspan(r * chunk, count));
        if (items == tile)
          add_tile(scores_ + i * next_item_ + l, y.data(), whole_tile<tile>{}, count, at + l);
        else
          add_tile(scores_ + i * next_item_ + l, y.data(), items, count, at + l);
      }
  }

  /// Adds the first `items` items of `count` lists to the sums from `at` on.
  template <class Items>
  void add_tile(const T* scores, const R* const* relevance, Items items, std::size_t count,
                std::size_t at) const {
    for_rows<Arch>(count, [=, this, target = target_, next = next_item_, unit = V(unit_)](std::size_t k,
                                                                                          auto own) {
      const V before = V::load_unaligned(top_ + at + k);
      V top = before, most_before(0.0), most(0.0);
      for (std::size_t r = 0; r < items; ++r)
        top = xsimd::max(top, load_items<Arch>(scores + r * next + k, own));
      top = xsimd::min(top, V(distance::largest_score));
      if constexpr (Target::relative) {
        most = most_before = V::load_unaligned(most_ + at + k);
        for (std::size_t r = 0; r < items; ++r)
          most = xsimd::max(most, load_items<Arch>(relevance[r] + k, own));
      }
      const V half = top * V(0.5);
      V sum(0.0), whole(0.0), far(0.0);
      for (std::size_t r = 0; r < items; ++r) {
        const V d = distance::between(load_items<Arch>(scores + r * next + k, own), top, half, unit);
        const V v = target(load_items<Arch>(relevance[r] + k, own), most);
        sum += power_below<T>(d);
        whole += v;
        far = xsimd::fma(v, d, far);
      }
      const V shrunk = target.shrunk(most_before, most), grown = distance::between(before, top, half, unit);
      const V whole_before = V::load_unaligned(whole_ + at + k);
      const V far_before = xsimd::fma(whole_before, grown, V::load_unaligned(distance_ + at + k));
      top.store_unaligned(top_ + at + k);
      if constexpr (Target::relative) most.store_unaligned(most_ + at + k);
      xsimd::fma(V::load_unaligned(sum_ + at + k), power_below<T>(grown), sum).store_unaligned(sum_ + at + k);
      xsimd::fma(whole_before, shrunk, whole).store_unaligned(whole_ + at + k);
      xsimd::fma(far_before, shrunk, far).store_unaligned(distance_ + at + k);
    });
  }

  /// Brings the sums of all blocks to the first one.
  void merge(std::size_t begin, std::size_t end) const {
    for (std::size_t k = begin; k < end; k += w)
      for (std::size_t block = 1; block < blocks_; ++block) {
        const std::size_t from = block * pitch_ + k;
        const V a = V::load_unaligned(top_ + k), b = V::load_unaligned(top_ + from), top = xsimd::max(a, b);
        const V half = top * V(0.5), unit(unit_);
        const V to_a = distance::between(a, top, half, unit), to_b = distance::between(b, top, half, unit);
        V shrunk_a(1.0), shrunk_b(1.0);
        if constexpr (Target::relative) {
          const V p = V::load_unaligned(most_ + k), q = V::load_unaligned(most_ + from),
                  most = xsimd::max(p, q);
          shrunk_a = target_.shrunk(p, most);
          shrunk_b = target_.shrunk(q, most);
          most.store_unaligned(most_ + k);
        }
        const V whole_a = V::load_unaligned(whole_ + k), whole_b = V::load_unaligned(whole_ + from);
        const V far_a = xsimd::fma(whole_a, to_a, V::load_unaligned(distance_ + k));
        const V far_b = xsimd::fma(whole_b, to_b, V::load_unaligned(distance_ + from));
        top.store_unaligned(top_ + k);
        xsimd::fma(V::load_unaligned(sum_ + k), power_below<T>(to_a),
                   V::load_unaligned(sum_ + from) * power_below<T>(to_b))
            .store_unaligned(sum_ + k);
        xsimd::fma(whole_a, shrunk_a, whole_b * shrunk_b).store_unaligned(whole_ + k);
        xsimd::fma(far_a, shrunk_a, far_b * shrunk_b).store_unaligned(distance_ + k);
      }
  }

  /// The value of a list; its sums become the factors of exponentials and of the target in its slopes.
  void finish(std::size_t l, double scale, std::span<double> values, std::span<std::uint8_t> left) const {
    const double total = whole_[l], z = sum_[l];
    left[l] = total != 0.0 && !(total >= 1e-200 && total <= 1e200) ? 1 : 0;
    values[l] = 0.0;
    sum_[l] = whole_[l] = 0.0;
    if (left[l] != 0 || total == 0.0) return;
    const double mass = sums_ ? total : 1.0, q = 1.0 / total;
    const double cross = std::min(distance_[l] * q * log_of_base<T>, largest_term) + std::log(z);
    values[l] = std::clamp(mass * cross, -largest_term, largest_term);
    const double factor = bounded_factor<T>(mass / temperature_) * scale;
    sum_[l] = factor * (1.0 / z);
    whole_[l] = factor * q;
  }

  void write(std::size_t begin, std::size_t end, const output_sink<Source>& sink, const target_type& to,
             workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<R> own = scratch.take<R>(written * chunk);
    const std::span<T> slopes = scratch.take<T>(to.memory == nullptr ? written * chunk : 0);
    for (std::size_t i = begin; i < end; i += written)
      for (std::size_t l = 0; l < lists_; l += chunk) {
        const std::size_t count = std::min(chunk, lists_ - l), items = std::min(written, end - i);
        std::array<const R*, written> y{};
        for (std::size_t r = 0; r < items; ++r) y[r] = relevance(l, i + r, own.subspan(r * chunk, count));
        const auto take = [&](auto own_items) {
          if (to.memory != nullptr)
            slopes_of(scores_ + i * next_item_ + l, y.data(), own_items, count, l,
                      to.memory + i * to.next_item + l, to.next_item);
          else
            slopes_of(scores_ + i * next_item_ + l, y.data(), own_items, count, l, slopes.data(), chunk);
        };
        if (items == written)
          take(whole_tile<written>{});
        else
          take(items);
        if (to.memory != nullptr) continue;
        for (std::size_t r = 0; r < items; ++r)
          sink.commit_across(first_ + l, i + r, slopes.subspan(r * chunk, count), to, l);
      }
  }

  /// @param pitch  the distance of what is written of an item and of the next
  template <class Items>
  void slopes_of(const T* scores, const R* const* relevance, Items items, std::size_t count, std::size_t l,
                 T* slopes, std::size_t pitch) const {
    for_rows<Arch>(
        count, [=, this, target = target_, next = next_item_, unit = V(unit_)](std::size_t k, auto own) {
          const V top = V::load_unaligned(top_ + l + k), half = top * V(0.5);
          const V by_e = V::load_unaligned(sum_ + l + k), by_v = V::load_unaligned(whole_ + l + k);
          V most(0.0);
          if constexpr (Target::relative) most = V::load_unaligned(most_ + l + k);
          for (std::size_t r = 0; r < items; ++r) {
            const V d = distance::between(load_items<Arch>(scores + r * next + k, own), top, half, unit);
            const V v = target(load_items<Arch>(relevance[r] + k, own), most);
            store_items<Arch>(slopes + r * pitch + k, own, power_below<T>(d) * by_e - v * by_v);
          }
        });
  }

  const Source& source_;
  const T* scores_;
  std::size_t next_item_, first_, lists_, size_;
  std::size_t pitch_, block_items_, blocks_;
  Target target_;
  double temperature_, unit_;
  bool sums_;
  context& context_;
  // [blocks, pitch]: greatest score and relevance, and the sums of exponentials, of the target and of the target
  // times the distance from the greatest score. Of the first block they become what a list takes for its slopes.
  double *top_, *most_ = nullptr, *sum_, *whole_, *distance_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail

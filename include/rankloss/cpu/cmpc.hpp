// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cmpc.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/vector_rows.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/product_tile.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

namespace detail {

/// The softmax over the classes of the projections of all pairs, in tiles of classes. A row is a pair in one
/// direction: the unit vector that its embedding is projected onto, and the factor of the cosines of this
/// vector with the class weights.
template <class T, class Arch>
class projection_classes {
  using tile = product_tile<T, Arch>;
  using V = lanes<Arch>;
  static constexpr std::size_t row_block = 8 * tile::most_rows;  // rows of a task
  /// Added to the strides of matrices: elements of one column, a power of two apart, would share a few
  /// lines of the cache.
  static constexpr std::size_t skew = 64 / sizeof(T);

 public:
  projection_classes(const cmpc& loss, const cmpc_batch<T>& batch, const cmpc_shape<T>& shape,
                     const cmpc_outputs& out, context& ctx)
      : loss_(loss),
        batch_(batch),
        shape_(shape),
        out_(out),
        ctx_(ctx),
        pairs_(shape.x.count),
        classes_(shape.class_weights.count),
        projects_x_(loss.over != directions::columns),
        projects_y_(loss.over != directions::rows),
        rows_(pairs_ * (projects_x_ && projects_y_ ? 2 : 1)),
        padded_((shape.dimension + tile::width - 1) / tile::width * tile::width),
        stride_(padded_ + skew) {}

  double run() {
    workspace& scratch = ctx_.scratch();
    const workspace::scope scope(scratch);
    const auto weight = [this](std::size_t i) { return weight_of(batch_.pair_weights, i); };
    const weighted_mean mean(pairs_, weight, batch_.reduction);
    const weighted_mean slopes(pairs_, weight, batch_.reduction, out_.scale);
    take(scratch);
    ctx_.run((pairs_ + tuning::token_chunk - 1) / tuning::token_chunk, [&](std::size_t, std::size_t task) {
      for (std::size_t i = task * tuning::token_chunk; i < std::min(pairs_, (task + 1) * tuning::token_chunk);
           ++i)
        prepare(i, slopes.share(weight(i)));
    });
    double most = 0.0;
    for (const double q : slopes_) most = std::max(most, std::abs(q));
    slope_unit_ = unit_of(most);

    for (std::size_t c = 0; c < classes_; c += classes_of_tile_) {
      load_classes(c);
      for_row_blocks([&](std::size_t r, std::size_t count) { add_exponentials(r, count); });
    }
    const double share = rows_ > pairs_ ? 0.5 : 1.0;
    for (std::size_t i = 0; i < pairs_; ++i) {
      double value = row_value(i);
      if (rows_ > pairs_) value += row_value(pairs_ + i);
      values_[i] = std::min(share * value, largest_term);
    }
    if (by_embeddings() || by_classes()) pull_back();
    std::copy_n(values_.begin(), out_.per_pair.size(), out_.per_pair.begin());
    return mean(pairs_, weight, [this](std::size_t i) { return values_[i]; });
  }

 private:
  [[nodiscard]] bool by_embeddings() const noexcept { return !out_.x.empty() || !out_.y.empty(); }
  [[nodiscard]] bool by_classes() const noexcept { return !out_.class_weights.empty(); }
  [[nodiscard]] const T* x(std::size_t i) const noexcept { return batch_.x.data() + i * shape_.x.stride; }
  [[nodiscard]] const T* y(std::size_t i) const noexcept { return batch_.y.data() + i * shape_.y.stride; }
  [[nodiscard]] const T* class_weight(std::size_t c) const noexcept {
    return batch_.class_weights.data() + c * shape_.class_weights.stride;
  }
  [[nodiscard]] std::size_t label(std::size_t row) const noexcept {
    return static_cast<std::size_t>(batch_.labels[row < pairs_ ? row : row - pairs_]);
  }

  void take(workspace& scratch) {
    // The tile depends on the sizes of the batch alone, so that the order of the sums does, too.
    constexpr std::size_t least = 64, most = 512;
    const std::size_t fits = tuning::logits_of_tile / std::max<std::size_t>(rows_, 1);
    const std::size_t wanted = std::min(std::clamp(fits, least, most), std::max<std::size_t>(classes_, 1));
    classes_of_tile_ = (wanted + tile::width - 1) / tile::width * tile::width;
    slope_stride_ = classes_of_tile_ + skew;
    units_ = scratch.take<T>(rows_ * stride_);
    factors_ = scratch.take<double>(rows_);
    slopes_ = scratch.take<double>(rows_);
    largest_ = scratch.take<double>(rows_);
    sums_ = scratch.take<double>(rows_);
    label_logits_ = scratch.take<double>(rows_);
    values_ = scratch.take<double>(pairs_);
    shares_ = scratch.take<double>(pairs_);
    class_units_ = scratch.take<T>(classes_of_tile_ * stride_);
    panels_ = scratch.take<T>(classes_of_tile_ * shape_.dimension);
    class_lengths_ = scratch.take<unit_length>(classes_of_tile_);
    cosines_ = scratch.take<T>(rows_ * slope_stride_);
    pulled_ = scratch.take<T>(by_embeddings() ? rows_ * stride_ : 0);
    class_slopes_ = scratch.take<T>(by_classes() ? classes_of_tile_ * stride_ : 0);
    std::fill(pulled_.begin(), pulled_.end(), T{0});
    std::fill(sums_.begin(), sums_.end(), 0.0);
  }

  /// The numbers of a pair: how long its vectors are, and the cosine between them.
  struct pair_numbers {
    unit_length x, y;
    double x_size, y_size;
    double cosine;
  };
  [[nodiscard]] pair_numbers numbers_of(std::size_t i) const noexcept {
    const std::size_t d = shape_.dimension;
    pair_numbers of{.x = unit_length_of(x(i), d),
                    .y = unit_length_of(y(i), d),
                    .x_size = 0.0,
                    .y_size = 0.0,
                    .cosine = 0.0};
    V sum(0.0);
    for_rows<Arch>(d, [&](std::size_t k, auto count) {
      sum = xsimd::fma(unit_row(x(i) + k, of.x, count), unit_row(y(i) + k, of.y, count), sum);
    });
    of.cosine = std::clamp(sum_of(sum), -1.0, 1.0);
    of.x_size = size_of(of.x);
    of.y_size = size_of(of.y);
    return of;
  }
  template <class Count>
  [[gnu::always_inline]] static V unit_row(const T* v, const unit_length& by, Count count) noexcept {
    return opaque(load_items<Arch>(v, count) * V(by.scale)) * V(by.inverse);
  }
  [[nodiscard]] static double size_of(const unit_length& by) noexcept {
    return by.inverse > 0.0 ? std::min(held_as<double>(opaque(1.0 / by.inverse) / by.scale), largest_term)
                            : 0.0;
  }

  void prepare(std::size_t i, double share) noexcept {
    const pair_numbers of = numbers_of(i);
    shares_[i] = limited((rows_ > pairs_ ? 0.5 : 1.0) * share);
    const auto set = [&](std::size_t row, const T* onto, const unit_length& by, double size) {
      T* unit = units_.data() + row * stride_;
      for (std::size_t k = 0; k < shape_.dimension; ++k)
        unit[k] = static_cast<T>(by(static_cast<double>(onto[k])));
      std::fill(unit + shape_.dimension, unit + padded_, T{0});
      factors_[row] = limited(size * of.cosine / loss_.temperature);
      slopes_[row] = limited(shares_[i] * factors_[row]);
      largest_[row] = -4.0 * largest_term;
    };
    if (projects_x_) set(i, y(i), of.y, of.x_size);
    if (projects_y_) set(rows_ - pairs_ + i, x(i), of.x, of.y_size);
  }
  [[nodiscard]] static double limited(double x) noexcept {
    return std::clamp(held_as<double>(x), -largest_term, largest_term);
  }

  template <class Body>
  void for_row_blocks(Body body) {
    ctx_.run((rows_ + row_block - 1) / row_block, [&](std::size_t, std::size_t task) {
      body(task * row_block, std::min(row_block, rows_ - task * row_block));
    });
  }

  /// The unit vectors of the classes of a tile, as rows and as panels. Behind the last class they are 0.
  void load_classes(std::size_t first) {
    first_class_ = first;
    in_tile_ = std::min(classes_of_tile_, classes_ - first);
    const std::size_t d = shape_.dimension;
    ctx_.run((in_tile_ + tile::width - 1) / tile::width, [&](std::size_t, std::size_t p) {
      T* panel = panels_.data() + p * tile::width * d;
      for (std::size_t l = 0; l < tile::width; ++l) {
        const std::size_t c = p * tile::width + l;
        T* row = class_units_.data() + c * stride_;
        std::fill(row, row + padded_, T{0});
        if (c < in_tile_) {
          const T* w = class_weight(first + c);
          const unit_length by = class_lengths_[c] = unit_length_of(w, d);
          for (std::size_t k = 0; k < d; ++k) row[k] = static_cast<T>(by(static_cast<double>(w[k])));
        }
        for (std::size_t k = 0; k < d; ++k) panel[k * tile::width + l] = row[k];
      }
    });
  }
  [[nodiscard]] std::size_t padded_classes() const noexcept {
    return (in_tile_ + tile::width - 1) / tile::width * tile::width;
  }

  void fill_cosines(std::size_t row, std::size_t count) noexcept {
    const std::size_t d = shape_.dimension;
    for (std::size_t c = 0; c < padded_classes(); c += tile::width)
      for (std::size_t r = row; r < row + count; r += tile::most_rows)
        tile::run(std::min(tile::most_rows, row + count - r), {units_.data() + r * stride_, stride_}, d,
                  panels_.data() + c * d, tile::width, cosines_.data() + r * slope_stride_ + c,
                  slope_stride_);
  }

  /// The sums of exponentials relative to the largest logit so far, continued by a tile.
  void add_exponentials(std::size_t first, std::size_t count) noexcept {
    fill_cosines(first, count);
    for (std::size_t r = first; r < first + count; ++r) {
      const T* cosines = cosines_.data() + r * slope_stride_;
      const double factor = factors_[r];
      double largest = largest_[r];
      V most(largest);
      for_rows<Arch>(in_tile_, [&](std::size_t c, auto n) {
        most =
            xsimd::max(most, load_items<Arch>(cosines + c, n, static_cast<double>(cosines[0])) * V(factor));
      });
      alignas(64) std::array<double, lane_count<Arch>> lane;
      most.store_aligned(lane.data());
      for (const double x : lane) largest = std::max(largest, x);
      V sum(0.0);
      for_rows<Arch>(in_tile_, [&](std::size_t c, auto n) {
        sum += only_items<Arch>(n, exponential(cosines + c, n, factor, largest));
      });
      const double before = sums_[r] > 0.0 ? std::exp(largest_[r] - largest) : 0.0;
      sums_[r] = sums_[r] * before + sum_of(sum);
      largest_[r] = largest;
      if (label(r) >= first_class_ && label(r) - first_class_ < in_tile_)
        label_logits_[r] = factor * static_cast<double>(cosines[label(r) - first_class_]);
    }
  }
  template <class Count>
  [[gnu::always_inline]] static V exponential(const T* cosines, Count count, double factor,
                                              double largest) noexcept {
    const V below = V(largest) - load_items<Arch>(cosines, count) * V(factor);
    return exp_below<T, Arch>(xsimd::max(below, V(0.0)));
  }

  [[nodiscard]] double row_value(std::size_t r) const noexcept {
    return std::min(std::max(largest_[r] - label_logits_[r] + std::log(sums_[r]), 0.0), largest_term);
  }

  void pull_back() {
    for (std::size_t c = 0; c < classes_; c += classes_of_tile_) {
      if (classes_ > classes_of_tile_) load_classes(c);
      for_row_blocks([&](std::size_t r, std::size_t count) {
        if (classes_ > classes_of_tile_) fill_cosines(r, count);
        add_pulled(r, count);
      });
      if (by_classes()) write_classes();
    }
    if (by_embeddings())
      ctx_.run((pairs_ + tuning::token_chunk - 1) / tuning::token_chunk,
               [&](std::size_t worker, std::size_t task) {
                 workspace& scratch = ctx_.scratch(worker);
                 const workspace::scope scope(scratch);
                 const std::span<double> gx = scratch.take<double>(shape_.dimension);
                 const std::span<double> gy = scratch.take<double>(shape_.dimension);
                 const std::span<double> by_direction = scratch.take<double>(shape_.dimension);
                 for (std::size_t i = task * tuning::token_chunk;
                      i < std::min(pairs_, (task + 1) * tuning::token_chunk); ++i)
                   write_pair(i, gx, gy, by_direction);
               });
  }

  /// Turns cosines into slopes by the logits, adds what they pull the rows by, and then scales them for the
  /// class weights.
  void add_pulled(std::size_t first, std::size_t count) noexcept {
    for (std::size_t r = first; r < first + count; ++r) {
      T* slopes = cosines_.data() + r * slope_stride_;
      const double factor = factors_[r], largest = largest_[r], inverse = 1.0 / sums_[r];
      for_rows<Arch>(in_tile_, [&](std::size_t c, auto n) {
        store_items<Arch>(slopes + c, n, exponential(slopes + c, n, factor, largest) * V(inverse));
      });
      if (label(r) >= first_class_ && label(r) - first_class_ < in_tile_)
        slopes[label(r) - first_class_] -= T{1};
    }
    if (by_embeddings())
      add_product<Arch, true, T>(count, {cosines_.data() + first * slope_stride_, slope_stride_}, in_tile_,
                                 class_units_.data(), stride_, padded_, pulled_.data() + first * stride_,
                                 stride_);
    if (!by_classes()) return;
    for (std::size_t r = first; r < first + count; ++r) {
      T* slopes = cosines_.data() + r * slope_stride_;
      const T factor = static_cast<T>(slopes_[r] * slope_unit_);
      for (std::size_t c = 0; c < in_tile_; ++c) slopes[c] *= factor;
    }
  }

  void write_classes() {
    const std::size_t d = shape_.dimension;
    ctx_.run((in_tile_ + row_block - 1) / row_block, [&](std::size_t worker, std::size_t task) {
      workspace& scratch = ctx_.scratch(worker);
      const workspace::scope scope(scratch);
      const std::span<double> wide = scratch.take<double>(d);
      const std::size_t first = task * row_block;
      const std::size_t count = std::min(row_block, in_tile_ - first);
      add_product<Arch, false, T>(count, {cosines_.data() + first, 1, slope_stride_}, rows_, units_.data(),
                                  stride_, padded_, class_slopes_.data() + first * stride_, stride_);
      for (std::size_t c = first; c < first + count; ++c) {
        const T* slope = class_slopes_.data() + c * stride_;
        for (std::size_t k = 0; k < d; ++k) wide[k] = static_cast<double>(slope[k]) / slope_unit_;
        through_direction(wide, class_weight(first_class_ + c), class_lengths_[c]);
        write(wide, out_.class_weights, (first_class_ + c) * shape_.dw.stride);
      }
    });
  }

  /// The derivative by a vector, from the one by its direction.
  static void through_direction(std::span<double> by_direction, const T* v, const unit_length& by) noexcept {
    double* slope = by_direction.data();
    V sum(0.0);
    for_rows<Arch>(by_direction.size(), [&](std::size_t k, auto count) {
      sum = xsimd::fma(unit_row(v + k, by, count), load_items<Arch>(slope + k, count), sum);
    });
    const V along(sum_of(sum));
    for_rows<Arch>(by_direction.size(), [&](std::size_t k, auto count) {
      const V across = load_items<Arch>(slope + k, count) - along * unit_row(v + k, by, count);
      store_items<Arch>(slope + k, count, opaque(across * V(by.inverse)) * V(by.scale));
    });
  }

  /// One of the two vectors of a pair, as a direction projects it or projects onto it.
  struct vector {
    const T* data;
    unit_length by;
    double size;
    std::span<double> gradient;
  };

  /// Adds the derivatives of a row to those of the vector that is projected and of the one it is projected
  /// onto.
  void add_direction(std::size_t row, double share, double cosine, const vector& projected,
                     const vector& onto, std::span<double> by_direction) const noexcept {
    const T* pulled = pulled_.data() + row * stride_;
    V sum(0.0);
    for_rows<Arch>(shape_.dimension, [&](std::size_t k, auto count) {
      sum = xsimd::fma(unit_row(onto.data + k, onto.by, count), load_items<Arch>(pulled + k, count), sum);
    });
    const V along(sum_of(sum));
    const double slope = limited(share / loss_.temperature);
    const V factor(slope);
    const V size_factor(limited(slope * projected.size));
    double* by_projected = projected.gradient.data();
    for_rows<Arch>(shape_.dimension, [&](std::size_t k, auto count) {
      const V unit = unit_row(onto.data + k, onto.by, count);
      const V of_projected = unit_row(projected.data + k, projected.by, count);
      store_items<Arch>(by_projected + k, count,
                        load_items<Arch>(by_projected + k, count) + along * factor * unit);
      store_items<Arch>(
          by_direction.data() + k, count,
          (along * of_projected + V(cosine) * load_items<Arch>(pulled + k, count)) * size_factor);
    });
    through_direction(by_direction, onto.data, onto.by);
    for (std::size_t k = 0; k < shape_.dimension; ++k) onto.gradient[k] += by_direction[k];
  }

  void write(std::span<const double> gradient, const shaped<real_output>& out,
             std::size_t at) const noexcept {
    out.visit([&](auto* to) {
      for (std::size_t k = 0; k < gradient.size(); ++k)
        put(to[at + k], held_as<double>(gradient[k]), out_.update, 0.0);
    });
  }

  void write_pair(std::size_t i, std::span<double> gx, std::span<double> gy,
                  std::span<double> by_direction) const noexcept {
    const pair_numbers of = numbers_of(i);
    const vector of_x{x(i), of.x, of.x_size, gx};
    const vector of_y{y(i), of.y, of.y_size, gy};
    std::fill(gx.begin(), gx.end(), 0.0);
    std::fill(gy.begin(), gy.end(), 0.0);
    if (projects_x_) add_direction(i, shares_[i], of.cosine, of_x, of_y, by_direction);
    if (projects_y_) add_direction(rows_ - pairs_ + i, shares_[i], of.cosine, of_y, of_x, by_direction);
    if (!out_.x.empty()) write(gx, out_.x, i * shape_.dx.stride);
    if (!out_.y.empty()) write(gy, out_.y, i * shape_.dy.stride);
  }

  const cmpc& loss_;
  const cmpc_batch<T>& batch_;
  const cmpc_shape<T>& shape_;
  const cmpc_outputs& out_;
  context& ctx_;
  std::size_t pairs_, classes_;
  bool projects_x_, projects_y_;
  std::size_t rows_;    // of x projected onto y, and then of y onto x
  std::size_t padded_;  // components of a vector in scratch, whole panels; behind the last they are 0
  std::size_t stride_;  // of the vectors in scratch
  std::size_t classes_of_tile_ = 0;
  std::size_t slope_stride_ = 0;  // of the cosines of a row
  std::size_t first_class_ = 0;
  std::size_t in_tile_ = 0;
  std::span<T> units_;                    // [rows, padded]
  std::span<double> factors_;             // [rows] of the cosines, in the logits
  std::span<double> slopes_;              // [rows] of the value, by the cosines
  std::span<double> largest_, sums_;      // [rows] the largest logit, and the sum of exponentials below it
  std::span<double> label_logits_;        // [rows]
  std::span<double> values_, shares_;     // [pairs] what a row of the pair adds to the value
  std::span<T> class_units_, panels_;     // of a tile
  std::span<unit_length> class_lengths_;  // of a tile
  std::span<T> cosines_;                  // [rows, classes of a tile]
  std::span<T> pulled_;                   // [rows, padded] the sum over the classes of slope * unit vector
  std::span<T> class_slopes_;             // [classes of a tile, padded]
  double slope_unit_ = 1.0;
};

}  // namespace detail

template <>
struct engine<cmpc, context> {
  template <class T>
  static double run(const cmpc& loss, const cmpc_batch<T>& batch, const detail::cmpc_shape<T>& shape,
                    const cmpc_outputs& out, context& ctx) {
    return detail::projection_classes<T, xsimd::default_arch>(loss, batch, shape, out, ctx).run();
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

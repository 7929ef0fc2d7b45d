// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// Which score has the first rank.
enum class sort_direction {
  descending,  ///< the largest
  ascending,   ///< the smallest
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(sort_direction) noexcept {
  return {"descending", "ascending"};
}

/// soft_ranks: ranks of a list as a function of its scores, with derivatives. `how(scores, scratch)`
/// computes the ranks of n scores and returns an object, in scratch of the caller's scope, with
///
///     values()                       [n] the ranks
///     pullback(cotangent, gradient)  gradient_i = sum_j cotangent_j d(rank_j) / d(s_i)
///     push(tangent, change)          change_j   = sum_i d(rank_j) / d(s_i) tangent_i
///
/// The last two are the products with the Jacobian from the left and from the right. Arrays are doubles in
/// the order of the scores, whatever the type of the scores; outputs must not overlap inputs. Ranks of the
/// best score begin at `base`. Ranks without derivatives declare `has_gradient = false` and have values()
/// only.
template <class Ranks, class T>
concept soft_ranks = requires(const Ranks& how, const strided<const T>& scores, workspace& scratch) {
  { how(scores, scratch).values() } -> std::convertible_to<std::span<const double>>;
};

// A struct of options, of ranks and of sorts alike, only declares its class template `result<T>`, and its
// call operator makes one of itself, the scores and the scratch. How that is computed is its definition
// `template <class T> class NAME::result` in cpu/ranks/NAME.hpp or cpu/sorts/NAME.hpp, which the last lines
// of the face bring in: since the type depends on T, it need not be complete before a call.

namespace detail {

/// Checks that all functions over one list of scores make before anything is written: ranges of options,
/// sizes and NaN.
/// @param scratch  of the context whose workers look through a long list together, here and below
template <class How, class T>
void check_scores(const How& how, std::span<const T> scores, data_checks checks, workspace& scratch) {
  validate(how);
  if (checks == data_checks::off) return;
  const std::size_t bad = find_first(
      strided<const T>(scores.data(), scores.size()), [](const T& s) { return is_nan(s); }, scratch);
  require(bad == scores.size(), "scores: ", bad < scores.size() ? static_cast<double>(scores[bad]) : 0.0,
          " at item ", bad, ", expected a number");
}

template <class T>
void check_array(std::string_view field, std::span<const T> values, std::size_t expected, data_checks checks,
                 workspace& scratch) {
  require(values.size() == expected, field, ": size ", values.size(), ", expected ", expected,
          " (one per score)");
  if (checks == data_checks::off) return;
  const std::size_t bad = find_first(
      strided<const T>(values.data(), values.size()), [](const T& v) { return !is_finite(v); }, scratch);
  require(bad == values.size(), field, ": ", bad < values.size() ? static_cast<double>(values[bad]) : 0.0,
          " at item ", bad, ", expected a finite number");
}

/// What a product with a Jacobian or a matrix is formed with: numbers of the host as doubles. Where the
/// largest is near the largest double they are in units of it, so that no sum of them overflows.
class product_input {
 public:
  product_input() = default;
  template <class T>
  product_input(std::span<const T> numbers, workspace& scratch) {
    if constexpr (std::same_as<T, double>) {
      const double largest = largest_magnitude(numbers, scratch);
      if (!(largest > 1e200)) {
        numbers_ = numbers;
        return;
      }
      unit_ = unit_of(largest);
    }
    const std::span<double> wide = scratch.take<double>(numbers.size());
    for_each_item(scratch, numbers.size(), [=, unit = unit_](std::size_t i) {
      wide[i] = static_cast<double>(numbers[i]) * unit;
    });
    numbers_ = wide;
  }

  [[nodiscard]] std::span<const double> numbers() const noexcept { return numbers_; }
  /// Brings the product back from these units. What is beyond all doubles is held at the largest.
  void out_of_units(std::span<double> product) const {
    if (unit_ == 1.0) return;
    for (double& x : product) x = held_as<double>(x / unit_);
  }

 private:
  [[nodiscard]] static double largest_magnitude(std::span<const double> numbers, workspace& scratch) {
    const workspace::scope scope(scratch);
    const even_pieces pieces(numbers.size(), tuning::piece_items);
    const std::span<double> largest = scratch.take<double>(pieces.count());
    run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
      double most = 0.0;
      for (const double x : numbers.subspan(pieces[p].begin, pieces[p].size()))
        most = std::max(most, std::abs(x));
      largest[p] = most;
    });
    return *std::max_element(largest.begin(), largest.end());
  }

  std::span<const double> numbers_;
  double unit_ = 1.0;
};

/// Numbers as the type of the memory of the host; those beyond it as the largest one that it holds. On the
/// calling thread: an executor that fails would leave it half written.
template <class T>
void narrow(std::span<const double> from, std::span<T> to) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = held_as<T>(from[i]);
}

/// An array that goes into a product.
template <class T>
struct named_input {
  std::string_view field;
  std::span<const T> values;  // [n]
};

/// Checks what goes into a product over n scores, and the size of the output.
template <class T>
void check_inputs(std::initializer_list<named_input<T>> inputs, std::size_t n, std::string_view field,
                  std::size_t size, std::size_t expected, std::string_view unit, data_checks checks,
                  workspace& scratch) {
  for (const named_input<T>& input : inputs) check_array(input.field, input.values, n, checks, scratch);
  require(size == expected, field, ": size ", size, ", expected ", expected, " (", unit, ")");
}

/// Calls `body(object, wide, scratch)` with an output of doubles, which is copied to the host's memory at the
/// end.
template <class Object, class T, class Body>
void write_product(Object& object, std::span<T> out, workspace& scratch, const Body& body) {
  const workspace::scope scope(scratch);
  const std::span<double> wide = scratch.take<double>(out.size());
  body(object, wide, scratch);
  narrow(std::span<const double>(wide), out);
}

/// Shared part of the functions over one list of scores: makes all checks, then calls `body` with the object
/// of `how` and scratch. It is not called if a check fails, or for an empty list.
template <class T, class How, class Body>
void with_object(const How& how, array_view<const T> scores, std::initializer_list<named_input<T>> inputs,
                 std::string_view field, std::span<T> out, std::size_t expected, std::string_view unit,
                 context& ctx, Body body) {
  const sole_use alone(ctx);
  workspace& scratch = ctx.scratch();
  check_scores(how, std::span<const T>(scores), ctx.checks, scratch);
  check_inputs<T>(inputs, scores.size(), field, out.size(), expected, unit, ctx.checks, scratch);
  if (scores.empty()) return;
  const workspace::scope scope(scratch);
  auto object = how(strided<const T>(scores.data(), scores.size()), scratch);
  body(object, scratch);
}
/// Writes the values of the object of `how`, one per score.
template <class T, class How>
void write_values(const How& how, array_view<const T> scores, std::string_view field, std::span<T> out,
                  context& ctx) {
  with_object<T>(how, scores, {}, field, out, scores.size(), "one per score", ctx,
                 [&](auto& object, workspace&) { narrow(std::span<const double>(object.values()), out); });
}
/// Writes a product, which `body` computes.
template <class T, class How, class Body>
void with_product(const How& how, array_view<const T> scores, std::initializer_list<named_input<T>> inputs,
                  std::string_view field, std::span<T> out, std::size_t expected, std::string_view unit,
                  context& ctx, Body body) {
  with_object<T>(how, scores, inputs, field, out, expected, unit, ctx,
                 [&](auto& object, workspace& scratch) { write_product(object, out, scratch, body); });
}

}  // namespace detail

/// rank: the ranks of one list of scores; `how` is sigmoid_ranks, laplace_ranks, projected_ranks or
/// hard_ranks.
///
/// - Scratch O(n) of the context's first worker. A call without a context has a context of its own, which
///   allocates each time.
/// - Arrays are anything from which an array_view can be made: vectors, spans, C arrays, vectors of Eigen.
///   Cost and accuracy are those of `how`.
/// - Each call sorts. Values and derivatives from one sort: relaxed_list.hpp.
/// - Edge cases: an empty list has no ranks.
/// @throws std::invalid_argument naming the field when a size or an option is invalid, or (data_checks::on) a
/// score is NaN; then nothing has been written.
template <class Ranks, detail::array Scores, score T = detail::element_of<Scores>>
requires soft_ranks<Ranks, T>
void rank(const Ranks& how, const Scores& scores, detail::view_of<T> ranks, detail::call_context ctx = {}) {
  detail::write_values<T>(how, scores, "ranks", ranks, ctx);
}

/// rank_pullback: overwrites gradient_i with sum_j cotangent_j d(rank_j) / d(s_i); otherwise as rank.
template <class Ranks, detail::array Scores, score T = detail::element_of<Scores>>
requires soft_ranks<Ranks, T>
void rank_pullback(const Ranks& how, const Scores& scores, detail::view_of<const T> cotangent,
                   detail::view_of<T> gradient, detail::call_context ctx = {}) {
  detail::with_product<T>(how, scores, {{"cotangent", cotangent}}, "gradient", gradient,
                         detail::size_of(scores), "one per score", ctx,
                         [&](auto& object, std::span<double> out, workspace& scratch) {
                           const detail::product_input in(cotangent, scratch);
                           object.pullback(in.numbers(), out);
                           in.out_of_units(out);
                         });
}

/// rank_push: overwrites change_j with sum_i d(rank_j) / d(s_i) tangent_i; otherwise as rank.
template <class Ranks, detail::array Scores, score T = detail::element_of<Scores>>
requires soft_ranks<Ranks, T>
void rank_push(const Ranks& how, const Scores& scores, detail::view_of<const T> tangent,
               detail::view_of<T> change, detail::call_context ctx = {}) {
  detail::with_product<T>(how, scores, {{"tangent", tangent}}, "change", change, detail::size_of(scores),
                         "one per score", ctx, [&](auto& object, std::span<double> out, workspace& scratch) {
                           const detail::product_input in(tangent, scratch);
                           object.push(in.numbers(), out);
                           in.out_of_units(out);
                         });
}

}  // namespace rankloss::inline RANKLOSS_ABI

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/sorts/sort.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI {

/// relaxed_list: a relaxation of one list of scores, with values, products and derivatives from one sort.
/// `How` is what the functions of rank.hpp, sort.hpp, projected_sort.hpp and soft_top_k.hpp take.
///
///     rankloss::relaxed_list<rankloss::laplace_ranks, float> list({.temperature = 0.1});
///     list.assign(scores);                  // checks and sorts
///     list.values(ranks);                   // forwards
///     list.pullback(cotangent, gradient);   // backwards, without a second sort
///
/// With a context of several workers they share a long list, and no bit depends on their number:
///
///     rankloss::relaxed_list<rankloss::laplace_ranks, float> list({}, rankloss::context{rankloss::threads(8)});
///
/// Each function writes the bits that the function of the same meaning writes, `rank`, `rank_pullback` and so
/// on, and makes its checks.
///
/// - The object has a context and a copy of the scores of its own. Therefore anything may happen between
///   forwards and backwards: other calls with any other context, and changes of the host's scores.
/// - Nothing is allocated by lists that are no longer than earlier ones, once each worker has had a part of
///   one. Not for use by two threads at a time. It is not copied or moved, since what is computed points into
///   its scratch.
/// @throws std::invalid_argument naming the field when a size or an option is invalid, or (data_checks::on) a
/// number is NaN; then nothing has been written, and the object is as it was. After std::bad_alloc, or what
/// an executor throws, from assign it holds no list, or the one before.
template <class How, score T = float>
class relaxed_list {
  using object_type = decltype(std::declval<const How&>()(std::declval<const strided<const T>&>(),
                                                          std::declval<workspace&>()));

 public:
  explicit relaxed_list(const How& how = {}, data_checks data = data_checks::on)
      : relaxed_list(how, context{data}) {}
  /// @param own  its workers share long lists; whether data are checked is its `checks`
  /// @throws std::logic_error where it has been moved from
  relaxed_list(const How& how, context own) : how_(how), context_(std::move(own)) {}
  relaxed_list(const relaxed_list&) = delete;
  relaxed_list& operator=(const relaxed_list&) = delete;

  /// Takes a list of scores instead of the one before.
  void assign(detail::view_of<const T> scores) {
    detail::check_scores(how_, std::span<const T>(scores), context_.checks, scratch_);
    size_ = 0;
    held_.reset();
    scope_.reset();
    scope_.emplace(scratch_);
    const std::span<T> own = scratch_.take<T>(scores.size());
    const std::span<const T> from(scores);
    detail::for_each_item(scratch_, own.size(), [=](std::size_t i) { own[i] = from[i]; });
    if (own.empty()) return;
    held_.emplace(how_, strided<const T>(own.data(), own.size()), scratch_);
    size_ = own.size();
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }  ///< of the list

  /// As rank, sort_values or top_k.
  void values(detail::view_of<T> out) requires requires(object_type& object) { object.values(); }
  {
    check({}, "values", out, size_, "one per score");
    if (size_ > 0) detail::narrow(std::span<const double>(held_->object.values()), std::span<T>(out));
  }

  /// As rank_pullback, sort_values_pullback or top_k_pullback.
  void pullback(detail::view_of<const T> cotangent, detail::view_of<T> gradient) requires
      requires(object_type& object, std::span<double> x) {
    object.pullback(x, x);
  }
  {
    product("cotangent", cotangent, "gradient", gradient,
            [](object_type& object, std::span<const double> in, std::span<double> out) {
              object.pullback(in, out);
            });
  }

  /// As rank_push or sort_values_push.
  void push(detail::view_of<const T> tangent, detail::view_of<T> change) requires
      requires(object_type& object, std::span<double> x) {
    object.push(x, x);
  }
  {
    product(
        "tangent", tangent, "change", change,
        [](object_type& object, std::span<const double> in, std::span<double> out) { object.push(in, out); });
  }

  /// As sort_apply.
  void apply(detail::view_of<const T> values, detail::view_of<T> out) requires soft_sort_operator<How, T> {
    product(
        "values", values, "out", out,
        [](object_type& object, std::span<const double> in, std::span<double> to) { object.apply(in, to); });
  }

  /// As sort_apply_transposed.
  void apply_transposed(detail::view_of<const T> values,
                        detail::view_of<T> out) requires soft_sort_operator<How, T> {
    product("values", values, "out", out,
            [](object_type& object, std::span<const double> in, std::span<double> to) {
              object.apply_transposed(in, to);
            });
  }

  /// As sort_pullback.
  void pullback(detail::view_of<const T> values, detail::view_of<const T> cotangent,
                detail::view_of<T> gradient) requires soft_sort_operator<How, T> {
    write({{"values", values}, {"cotangent", cotangent}}, "gradient", gradient, size_, "one per score",
          [&](object_type& object, std::span<double> wide, workspace& scratch) {
            const detail::product_input in(std::span<const T>(values), scratch);
            const detail::product_input by(std::span<const T>(cotangent), scratch);
            object.pullback(in.numbers(), by.numbers(), wide);
            in.out_of_units(wide);
            by.out_of_units(wide);
          });
  }

  /// As sort_matrix.
  void matrix(detail::view_of<T> out) requires soft_sort_operator<How, T> {
    write({}, "matrix", out, size_ * size_, "scores times scores",
          [](object_type& object, std::span<double> wide, workspace&) { object.to_matrix(wide); });
  }

 private:
  struct holder {
    holder(const How& how, const strided<const T>& scores, workspace& scratch)
        : object(how(scores, scratch)) {}
    object_type object;  // some cannot be moved
  };

  template <class Product>
  void product(std::string_view field, std::span<const T> given, std::string_view result, std::span<T> out,
               Product form) {
    write({{field, given}}, result, out, size_, "one per score",
          [&](object_type& object, std::span<double> wide, workspace& scratch) {
            const detail::product_input in(given, scratch);
            form(object, in.numbers(), wide);
            in.out_of_units(wide);
          });
  }

  template <class Body>
  void write(std::initializer_list<detail::named_input<T>> inputs, std::string_view field, std::span<T> out,
             std::size_t expected, std::string_view unit, Body body) {
    check(inputs, field, out, expected, unit);
    if (size_ > 0) detail::write_product(held_->object, out, scratch_, body);
  }
  void check(std::initializer_list<detail::named_input<T>> inputs, std::string_view field, std::span<T> out,
             std::size_t expected, std::string_view unit) {
    detail::check_inputs<T>(inputs, size_, field, out.size(), expected, unit, context_.checks, scratch_);
  }

  How how_;
  context context_;
  workspace& scratch_ = context_.scratch();
  std::optional<workspace::scope> scope_;  // of what follows
  std::optional<holder> held_;
  std::size_t size_ = 0;
};

}  // namespace rankloss::inline RANKLOSS_ABI

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/workspace.hpp>

#include <concepts>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// soft_sort_operator: a soft permutation P(scores) [n, n], whose row i is for the i-th largest score. It is
/// applied without being formed. `how(scores, scratch)` returns an object, in scratch of the caller's scope,
/// with
///
///     apply(values, out)                      out_i = sum_j P_ij values_j
///     apply_transposed(values, out)           out_j = sum_i P_ij values_i
///     pullback(values, cotangent, gradient)   gradient_k = d(sum_ij cotangent_i P_ij values_j) / d(s_k)
///     to_matrix(out)                          out[i * n + j] = P_ij, all n^2 numbers
///
/// Columns and all arrays are in the order of the scores, as doubles; outputs must not overlap inputs. The
/// bilinear form is linear in both vectors. The pullbacks by values and by cotangent are therefore
/// apply_transposed(cotangent) and apply(values), and the pullback of apply_transposed is `pullback` with its
/// two vectors exchanged.
template <class Sort, class T>
concept soft_sort_operator = requires(const Sort& how, const strided<const T>& scores, workspace& scratch,
                                      std::span<const double> in, std::span<double> out) {
  how(scores, scratch).apply(in, out);
  how(scores, scratch).apply_transposed(in, out);
  how(scores, scratch).pullback(in, in, out);
  how(scores, scratch).to_matrix(out);
};

/// sort_apply: P(scores) values; the result is the soft-sorted scores if values are the scores. `how` is
/// neural_sort, soft_sort, ...
///
/// - Scratch of the context's first worker. Cost and accuracy are those of `how`.
/// @throws std::invalid_argument naming the field when a size or an option is invalid, or (data_checks::on) a
/// number is NaN; then nothing has been written.
template <class Sort, detail::array Scores, score T = detail::element_of<Scores>>
requires soft_sort_operator<Sort, T>
void sort_apply(const Sort& how, const Scores& scores, detail::view_of<const T> values,
                detail::view_of<T> out, detail::call_context ctx = {}) {
  detail::with_product<T>(how, scores, {{"values", values}}, "out", out, detail::size_of(scores),
                         "one per score", ctx, [&](auto& object, std::span<double> wide, workspace& scratch) {
                           const detail::product_input in(values, scratch);
                           object.apply(in.numbers(), wide);
                           in.out_of_units(wide);
                         });
}

/// sort_apply_transposed: the transpose of P(scores) times values; otherwise as sort_apply.
template <class Sort, detail::array Scores, score T = detail::element_of<Scores>>
requires soft_sort_operator<Sort, T>
void sort_apply_transposed(const Sort& how, const Scores& scores, detail::view_of<const T> values,
                           detail::view_of<T> out, detail::call_context ctx = {}) {
  detail::with_product<T>(how, scores, {{"values", values}}, "out", out, detail::size_of(scores),
                         "one per score", ctx, [&](auto& object, std::span<double> wide, workspace& scratch) {
                           const detail::product_input in(values, scratch);
                           object.apply_transposed(in.numbers(), wide);
                           in.out_of_units(wide);
                         });
}

/// sort_pullback: the gradient by the scores of sum_ij cotangent_i P_ij values_j; otherwise as sort_apply.
template <class Sort, detail::array Scores, score T = detail::element_of<Scores>>
requires soft_sort_operator<Sort, T>
void sort_pullback(const Sort& how, const Scores& scores, detail::view_of<const T> values,
                   detail::view_of<const T> cotangent, detail::view_of<T> gradient,
                   detail::call_context ctx = {}) {
  detail::with_product<T>(how, scores, {{"values", values}, {"cotangent", cotangent}}, "gradient", gradient,
                         detail::size_of(scores), "one per score", ctx,
                         [&](auto& object, std::span<double> wide, workspace& scratch) {
                           const detail::product_input in(values, scratch), by(cotangent, scratch);
                           object.pullback(in.numbers(), by.numbers(), wide);
                           in.out_of_units(wide);
                           by.out_of_units(wide);
                         });
}

/// sort_matrix: P(scores) itself, [n, n] by rows; otherwise as sort_apply.
template <class Sort, detail::array Scores, score T = detail::element_of<Scores>>
requires soft_sort_operator<Sort, T>
void sort_matrix(const Sort& how, const Scores& scores, detail::view_of<T> matrix,
                 detail::call_context ctx = {}) {
  detail::with_product<T>(how, scores, {}, "matrix", matrix, detail::size_of(scores) * detail::size_of(scores),
                         "scores times scores", ctx,
                         [](auto& object, std::span<double> wide, workspace&) { object.to_matrix(wide); });
}

}  // namespace rankloss::inline RANKLOSS_ABI

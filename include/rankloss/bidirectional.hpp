// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/options.hpp>

#include <array>
#include <concepts>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// The relevance by which the columns of a square matrix are ranked.
enum class column_relevance {
  own,      ///< row i has relevance R_ij for column j, or that of the batch's column_relevance
  of_rows,  ///< column j has row j of R, as in the code of arXiv 2305.16566; correct only for symmetric R
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(column_relevance) noexcept {
  return {"own", "of_rows"};
}

/// bidirectional: a list loss over the rows and over the columns of a similarity matrix.
///
///     loss(S) = 1/2 mean_i loss(row i, relevance of row i)
///             + 1/2 mean_j loss(column j, relevance of column j)
///
/// Under reduction::sum it is the sum over all rows and columns. With `over` it is the mean or the sum over
/// the rows alone, or the columns alone. Li et al. 2023, arXiv 2305.16566, for S-NDCG.
///
/// - Time and scratch are those of the list loss; no array of the size of the matrix is created. Without
///   relevance a pair has relevance 1 where it matches, else 0.
/// - Rectangular matrices, several matches in a row or column, and weights of rows and columns are supported.
/// - Edge cases: as the list loss; an empty matrix has value 0.
/// @throws std::invalid_argument from `evaluate` when the matrix is not square and neither relevance nor
/// matches are given.
template <class ListLoss>
struct bidirectional {
  ListLoss loss{};  ///< what each row and column is measured by
  rankloss::column_relevance columns_by = rankloss::column_relevance::own;  ///< relevance of the columns
  directions over = directions::both;                                       ///< which lines are lists

  static constexpr bool has_hessian = detail::gives_hessian<ListLoss>;
  static constexpr bool has_gradient = detail::gives_gradient<ListLoss>;
  static constexpr bool has_temperature_gradient = detail::gives_temperature_gradient<ListLoss>;
  static constexpr bool has_bias_gradient = detail::gives_bias_gradient<ListLoss>;
  static constexpr bool takes_probabilities = detail::takes_probabilities<ListLoss>;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("loss", self.loss, options::inner{});
    visit("columns_by", self.columns_by, options::choice<rankloss::column_relevance>{});
    visit("over", self.over, options::choice<directions>{});
  }

  template <class T, class R>
  void validate(const similarity_batch<T, R>& batch) const {
    if (batch.relevance.empty()) detail::check_matches(batch);
    detail::require(columns_by == rankloss::column_relevance::own || batch.rows == batch.columns,
                    "columns_by: of_rows for ", batch.rows, " rows and ", batch.columns,
                    " columns, expected a square matrix");
  }

  /// The list loss, so that its own checks of the data are made.
  template <class Visit>
  void for_each_inner(const Visit& visit) const {
    detail::for_each_inner(loss, visit);
  }

  /// Calls visit(list loss, directions, relevance of the lists, factor).
  template <class Visit>
  void for_each_query(double factor, const Visit& visit) const {
    visit(loss, over,
          columns_by == rankloss::column_relevance::own ? detail::list_relevance::relevance
                                                        : detail::list_relevance::relevance_as_rows,
          factor);
  }

  template <score T, class R>
  double run(const similarity_batch<T, R>& batch, const outputs& out, context& ctx, double factor) const {
    double value = 0.0;
    for_each_query(
        factor, [&](const ListLoss& list_loss, directions lines, detail::list_relevance kind, double share) {
          value = detail::run_directions(list_loss, batch, lines, kind, out, ctx, share);
        });
    return value;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

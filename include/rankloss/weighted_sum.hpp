// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/check_data.hpp>
#include <rankloss/detail/require.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <tuple>
#include <utility>

namespace rankloss {

namespace detail {

/// Zeroes what is written for the pairs of a matrix, and nothing between its rows.
template <class T, class R>
void clear_pairs(const similarity_batch<T, R>& batch, const real_output& out) {
  if (out.empty()) return;
  out.visit([&](auto* memory) {
    for (std::size_t i = 0; i < batch.rows; ++i) std::fill_n(memory + i * row_stride(batch), batch.columns, 0);
  });
}

}  // namespace detail

/// One term of a weighted_sum.
template <class Loss>
struct weighted {
  double weight = 1.0;  ///< any finite number; 0 leaves the term out
  Loss loss{};
};
template <class Loss>
weighted(double, Loss) -> weighted<Loss>;

/// weighted_sum: several losses as one.
///
///     loss = sum_k weight_k loss_k
///
///     const rankloss::weighted_sum loss{rankloss::weighted{0.1, rankloss::triplet{.margin = 0.2}},
///                                       rankloss::weighted{0.9, rankloss::bidirectional<rankloss::sndcg>{}}};
///
/// Of similarity losses it is a similarity loss, of list losses a list loss; gradient, Hessian and per_list are the weighted sums of the
/// terms'. Zhang et al. 2023, arXiv 2305.16566, for triplet and S-NDCG.
///
/// - Time of the terms together; scratch of the greediest, and O(rows + columns) for per_list or O(n) a list.
/// - A list counts in reduction::mean_of_relevant when it does for a term; over a matrix each term takes its own mean.
/// - Edge cases: a term of weight 0 is not run; with no other the value, the gradient and per_list are 0.
/// @throws std::invalid_argument from `evaluate` when a weight is not finite or a term finds fault, before anything is written.
template <class... Losses>
requires(sizeof...(Losses) > 0) struct weighted_sum {
  std::tuple<weighted<Losses>...> terms;  ///< what is added up

  weighted_sum() = default;
  weighted_sum(weighted<Losses>... given) : terms(std::move(given)...) {}

  static constexpr bool has_hessian = (detail::gives_hessian<Losses> && ...);
  static constexpr bool has_gradient = (detail::gives_gradient<Losses> && ...);

  void validate() const {
    std::size_t k = 0;
    for_each([&](const auto& term) {
      detail::require(detail::is_finite(term.weight), "weighted_sum: weight ", term.weight, " of term ", k, ", expected a finite number");
      if constexpr (requires { term.loss.validate(); }) term.loss.validate();
      ++k;
    });
  }

  template <class T, class R>
  void validate(const similarity_batch<T, R>& batch) const {
    for_each([&](const auto& term) {
      if constexpr (requires { term.loss.validate(batch); }) term.loss.validate(batch);
    });
  }

  /// A similarity matrix.
  template <std::floating_point T, class R>
  requires(similarity_loss<Losses, T, R>&&...) double run(const similarity_batch<T, R>& batch, const outputs& out, context& ctx, double share) const {
    const workspace::scope scope(ctx.scratch());
    const std::span<double> own = ctx.scratch().take<double>(out.per_list.size());
    std::fill(out.per_list.begin(), out.per_list.end(), 0.0);
    outputs term_out = out;
    term_out.per_list = own;
    double value = 0.0;
    bool first = true;
    for_each([&](const auto& term) {
      if (term.weight == 0.0) return;
      value += term.loss.run(batch, term_out, ctx, term.weight * share);
      for (std::size_t l = 0; l < own.size(); ++l) out.per_list[l] += term.weight * own[l];
      term_out.update = update::add;
      first = false;
    });
    if (first && out.update == update::overwrite) {
      detail::clear_pairs(batch, out.gradient);
      detail::clear_pairs(batch, out.hessian);
    }
    return value;
  }

  /// One list.
  template <class T, class R>
  requires(ranking_loss<Losses, T, R>&&...) double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    const workspace::scope scope(scratch);
    double value = 0.0;
    bool first = true;
    list_outputs<T> own = out;
    const auto add = [&](double weight, const strided<T>& from, const strided<T>& to) {
      const T factor = static_cast<T>(weight);
      for (std::size_t i = 0; i < to.size(); ++i) to[i] = first ? factor * from[i] : to[i] + factor * from[i];
    };
    for_each([&](const auto& term) {
      if (term.weight == 0.0) return;
      value += term.weight * term.loss(items, own, scratch);
      add(term.weight, own.gradient, out.gradient);
      add(term.weight, own.hessian, out.hessian);
      if (first) own = {scratch.take<T>(out.gradient.size()), scratch.take<T>(out.hessian.size())};
      first = false;
    });
    if (first) {
      for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
      for (std::size_t i = 0; i < out.hessian.size(); ++i) out.hessian[i] = T{0};
    }
    return value;
  }

  template <class T, class R>
  requires(ranking_loss<Losses, T, R>&&...) [[nodiscard]] bool has_relevance(const list<T, R>& items) const {
    bool any = false;
    for_each([&](const auto& term) { any = any || (term.weight != 0.0 && detail::has_relevance(term.loss, items)); });
    return any;
  }

 private:
  template <class Visit>
  void for_each(Visit visit) const {
    std::apply([&](const auto&... term) { (visit(term), ...); }, terms);
  }
};

}  // namespace rankloss

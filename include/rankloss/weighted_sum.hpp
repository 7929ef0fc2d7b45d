// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/options.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI {

namespace detail {

/// "terms[K]", the name of a term among the options of a weighted_sum.
template <std::size_t K>
struct term_name {
  static_assert(K < 100, "rankloss: a weighted_sum has at most 100 terms");
  static constexpr bool long_form = K >= 10;
  static constexpr char letters[] = {'t',
                                     'e',
                                     'r',
                                     'm',
                                     's',
                                     '[',
                                     static_cast<char>('0' + (long_form ? K / 10 : K)),
                                     long_form ? static_cast<char>('0' + K % 10) : ']',
                                     ']'};
  static constexpr std::string_view text{letters, long_form ? sizeof letters : sizeof letters - 1};
};

/// Sets to 0 the outputs of the pairs of a matrix, and nothing between its rows.
template <class T, class R>
void clear_pairs(const similarity_batch<T, R>& batch, const shaped<real_output>& out) {
  if (out.empty()) return;
  const pair_strides strides = output_strides(batch, out);
  out.visit([&](auto* memory) {
    for (std::size_t i = 0; i < batch.rows; ++i)
      for (std::size_t j = 0; j < batch.columns; ++j) memory[strides.at(i, j)] = 0;
  });
}

}  // namespace detail

/// One term of a weighted_sum.
template <class Loss>
struct weighted {
  double weight = 1.0;  ///< any finite number; a term of weight 0 is left out
  Loss loss{};

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("weight", self.weight, options::any_finite);
    visit("loss", self.loss, options::inner{});
  }
};
template <class Loss>
weighted(double, Loss) -> weighted<Loss>;

/// weighted_sum: the weighted sum of several losses, as one loss.
///
///     loss = sum_k weight_k loss_k
///
///     const rankloss::weighted_sum loss{
///         rankloss::weighted{0.1, rankloss::triplet{.margin = 0.2}},
///         rankloss::weighted{0.9, rankloss::bidirectional<rankloss::sndcg>{}}};
///
/// A weighted_sum of similarity losses is a similarity loss, one of list losses a list loss. Gradient,
/// Hessian and per_list are the weighted sums of those of the terms. Li et al. 2023, arXiv 2305.16566, for
/// triplet and S-NDCG.
///
/// - Time: the sum over the terms. Scratch: that of the term that needs most, and O(rows + columns) for
///   per_list or O(n) for a list.
/// - A list counts in reduction::mean_of_relevant if it does for any term. Over a matrix each term has its
///   own mean.
/// - Edge cases: a term of weight 0 is not computed. If there is no other, the value, the gradient and
///   per_list are 0.
/// @throws std::invalid_argument from `evaluate` when a weight is not finite or a term refuses its options or
/// data, before anything is written.
template <class... Losses>
requires(sizeof...(Losses) > 0) struct weighted_sum {
  std::tuple<weighted<Losses>...> terms;  ///< the losses with their weights

  weighted_sum() = default;
  weighted_sum(weighted<Losses>... given) : terms(std::move(given)...) {}

  static constexpr bool has_hessian = (detail::gives_hessian<Losses> && ...);
  static constexpr bool has_gradient = (detail::gives_gradient<Losses> && ...);
  static constexpr bool counts_missed = (detail::counts_missed<Losses> && ...);
  static constexpr bool takes_probabilities = (detail::takes_probabilities<Losses> || ...);

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    [&]<std::size_t... K>(std::index_sequence<K...>) {
      (visit(detail::term_name<K>::text, std::get<K>(self.terms), options::inner{}), ...);
    }
    (std::index_sequence_for<Losses...>{});
  }

  template <class T, class R>
  void validate(const similarity_batch<T, R>& batch) const {
    for_each([&](const auto& term) {
      if constexpr (requires { term.loss.validate(batch); }) term.loss.validate(batch);
    });
  }

  /// A similarity matrix.
  template <score T, class R>
  requires(similarity_loss<Losses, T, R>&&...) double run(const similarity_batch<T, R>& batch,
                                                          const outputs& out, context& ctx,
                                                          double factor) const {
    const workspace::scope scope(ctx.scratch());
    const std::span<double> own = ctx.scratch().take<double>(out.per_list.size());
    const std::span<double> all = ctx.scratch().take<double>(out.per_list.size());
    std::fill(all.begin(), all.end(), 0.0);
    outputs term_out = out;
    term_out.per_list = own;
    double value = 0.0;
    bool first = true;
    for_each([&](const auto& term) {
      if (term.weight == 0.0) return;
      value = detail::held_sum(value,
                               detail::compute(term.loss, batch, term_out, ctx, times(term.weight, factor)));
      for (std::size_t l = 0; l < own.size(); ++l)
        all[l] = detail::held_sum(all[l], times(term.weight, own[l]));
      term_out.update = update::add;
      first = false;
    });
    std::copy(all.begin(), all.end(), out.per_list.begin());  // now that no term can fail any more
    if (first && out.update == update::overwrite) {
      detail::clear_pairs(batch, out.gradient);
      detail::clear_pairs(batch, out.hessian);
    }
    return value;
  }

  /// Calls visit(list loss, directions, relevance of the lists, factor) for every term that is not left out.
  template <class Visit>
  void for_each_query(double factor, const Visit& visit) const {
    for_each([&](const auto& term) {
      if (term.weight != 0.0) detail::for_each_query(term.loss, times(term.weight, factor), visit);
    });
  }

  /// One list.
  template <class T, class R>
  requires(ranking_loss<Losses, T, R>&&...) double operator()(const list<T, R>& items,
                                                              const list_outputs<T>& out,
                                                              workspace& scratch) const {
    double value = 0.0;
    add_up<T>(std::span(&items, 1), std::span(&out, 1), std::span(&value, 1), scratch,
              [&](const auto& loss, std::span<const list_outputs<T>> own, std::span<double> own_value) {
                own_value[0] = detail::compute(loss, items, own[0], scratch);
              });
    return value;
  }

  /// Short lists, one in each lane, if every term supports that.
  template <class T, class R>
  requires(detail::grouped_loss<Losses>&&...) void operator()(std::span<const list<T, R>> lists,
                                                              std::span<const list_outputs<T>> out,
                                                              std::span<double> values,
                                                              workspace& scratch) const {
    add_up<T>(lists, out, values, scratch,
              [&](const auto& loss, std::span<const list_outputs<T>> own, std::span<double> own_values) {
                detail::compute(loss, lists, own, own_values, scratch);
              });
  }
  static constexpr std::size_t group_size() noexcept requires(detail::grouped_loss<Losses>&&...) {
    return std::min({engine<Losses, context>::group_size()...});
  }
  /// If the terms disagree about the shortest lists, none is grouped: the result for a list must not depend
  /// on its group.
  template <class T>
  requires(detail::grouped_loss<Losses>&&...) static constexpr std::size_t group_longest() noexcept {
    constexpr std::size_t shortest[] = {detail::shortest_grouped<Losses, T>()...};
    if (!std::ranges::all_of(shortest, [&](std::size_t s) { return s == shortest[0]; })) return 0;
    return std::min({engine<Losses, context>::template group_longest<T>()...});
  }
  template <class T>
  static constexpr std::size_t group_shortest() noexcept {
    return std::max({detail::shortest_grouped<Losses, T>()...});
  }
  static constexpr std::size_t shortest_shared() noexcept {
    return std::min({detail::shortest_shared<Losses>()...});
  }

  /// The terms that are not left out, so that their own checks of the data are made.
  template <class Visit>
  void for_each_inner(const Visit& visit) const {
    for_each([&](const auto& term) {
      if (term.weight != 0.0) detail::for_each_inner(term.loss, visit);
    });
  }

  template <class T, class R>
  requires(ranking_loss<Losses, T, R>&&...) [[nodiscard]] bool has_relevance(const list<T, R>& items) const {
    bool any = false;
    for_each([&](const auto& term) {
      any = any || (term.weight != 0.0 && detail::has_relevance(term.loss, items));
    });
    return any;
  }

 private:
  /// The value of a term times its weight; if the value is finite, limited to the largest number.
  [[nodiscard]] static double times(double weight, double value) noexcept {
    return detail::is_finite(detail::opaque(value)) ? detail::held_as<double>(weight * value)
                                                    : weight * value;
  }

  /// Calls run(loss, outputs, values) for every term, and sums the results times the weights in `out` and
  /// `values`.
  template <class T, class Lists, class Run>
  void add_up(Lists lists, std::span<const list_outputs<T>> out, std::span<double> values, workspace& scratch,
              Run run) const {
    const workspace::scope scope(scratch);
    const std::size_t count = lists.size();
    const std::span<list_outputs<T>> own = scratch.take<list_outputs<T>>(count);
    const std::span<double> own_values = scratch.take<double>(count);
    std::copy(out.begin(), out.end(), own.begin());  // the first term writes in place
    std::fill_n(values.begin(), count, 0.0);
    bool first = true;
    const auto add = [&](double weight, const strided<T>& from, const strided<T>& to) {
      for (std::size_t i = 0; i < to.size(); ++i)
        to[i] = detail::held_as<T>((first ? 0.0 : static_cast<double>(to[i])) +
                                   detail::held_as<double>(weight * static_cast<double>(from[i])));
    };
    for_each([&](const auto& term) {
      if (term.weight == 0.0) return;
      run(term.loss, std::span<const list_outputs<T>>(own), own_values);
      for (std::size_t l = 0; l < count; ++l) {
        values[l] = detail::held_sum(values[l], times(term.weight, own_values[l]));
        add(term.weight, own[l].gradient, out[l].gradient);
        add(term.weight, own[l].hessian, out[l].hessian);
        if (first)
          own[l] = {{scratch.take<T>(out[l].gradient.size())}, {scratch.take<T>(out[l].hessian.size())}};
      }
      first = false;
    });
    if (!first) return;
    for (const list_outputs<T>& o : out) {
      for (std::size_t i = 0; i < o.gradient.size(); ++i) o.gradient[i] = T{0};
      for (std::size_t i = 0; i < o.hessian.size(); ++i) o.hessian[i] = T{0};
    }
  }

  template <class Visit>
  void for_each(Visit visit) const {
    std::apply([&](const auto&... term) { (visit(term), ...); }, terms);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/check_data.hpp>
#include <rankloss/detail/evaluate_lists.hpp>
#include <rankloss/detail/require.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI {

/// ranking_loss: computes one list. It returns the value of the list and writes its gradient to
/// `out.gradient` when that is not empty.
///
/// It may have `validate()` (ranges of options), a Hessian diagonal (`has_hessian`), `has_relevance(list)`,
/// and an operator that takes a group of short lists at once (see docs/adding_a_loss.md). A metric declares
/// `has_gradient = false`, and `counts_missed = true` if it accepts lists whose relevance continues, behind
/// the scores, with that of missed items.
template <class Loss, class T, class Relevance = T>
concept ranking_loss = requires(const Loss& loss, const list<T, Relevance>& items, const list_outputs<T>& out, workspace& scratch) {
  { loss(items, out, scratch) } -> std::convertible_to<double>;
};

/// similarity_loss: computes a similarity matrix. `validate(batch)` makes the loss's own checks;
/// `run(batch, out, context, share)` returns share * value and writes share * out.scale * gradient.
template <class Loss, class T, class Relevance = T>
concept similarity_loss = requires(const Loss& loss, const similarity_batch<T, Relevance>& batch, const outputs& out, context& ctx) {
  { loss.run(batch, out, ctx, 1.0) } -> std::convertible_to<double>;
};

namespace detail {

/// The lists of a list_batch in the form in which list_run reads them.
template <class T, class R>
class batch_source {
 public:
  using score_type = T;
  using relevance_type = R;

  explicit batch_source(const list_batch<T, R>& batch) : batch_(batch) {
    if (batch.length > 0) {
      stride_ = batch.stride > 0 ? batch.stride : batch.length;
      lists_ = (batch.scores.size() + stride_ - batch.length) / stride_;
    } else {
      lists_ = batch.offsets.empty() ? 1 : batch.offsets.size() - 1;
    }
  }

  [[nodiscard]] std::size_t lists() const { return lists_; }
  [[nodiscard]] std::size_t first(std::size_t l) const {
    if (batch_.length > 0) return l * stride_;
    return batch_.offsets.empty() ? 0 : static_cast<std::size_t>(batch_.offsets[l]);
  }
  [[nodiscard]] std::size_t size(std::size_t l) const {
    if (batch_.length > 0) return batch_.lengths.empty() ? batch_.length : static_cast<std::size_t>(batch_.lengths[l]);
    return batch_.offsets.empty() ? batch_.scores.size() : static_cast<std::size_t>(batch_.offsets[l + 1] - batch_.offsets[l]);
  }
  /// Items behind the last one of the list, whose gradient is 0.
  [[nodiscard]] std::size_t padding(std::size_t l) const { return batch_.lengths.empty() ? 0 : batch_.length - size(l); }
  [[nodiscard]] strided<const T> scores(std::size_t l) const { return {batch_.scores.data() + first(l), size(l)}; }
  [[nodiscard]] strided<const R> relevance(std::size_t l, workspace&) const { return {batch_.relevance.data() + first(l), size(l)}; }
  [[nodiscard]] strided<const double> weights(std::size_t l, workspace& scratch) const {
    if (batch_.item_weights.empty()) return {};
    const std::span<double> copy = scratch.take<double>(size(l));
    for (std::size_t i = 0; i < copy.size(); ++i) copy[i] = batch_.item_weights[first(l) + i];
    return {copy.data(), copy.size()};
  }
  [[nodiscard]] double list_weight(std::size_t l) const { return batch_.list_weights.empty() ? 1.0 : batch_.list_weights[l]; }
  [[nodiscard]] bool masked() const { return !batch_.mask.empty(); }
  [[nodiscard]] bool kept(std::size_t l, std::size_t i) const { return !masked() || batch_.mask[first(l) + i]; }
  [[nodiscard]] bool any_missed() const { return !batch_.missed.empty(); }
  [[nodiscard]] bool missed(std::size_t l, std::size_t i) const { return any_missed() && batch_.missed[first(l) + i]; }
  [[nodiscard]] std::pair<std::size_t, std::ptrdiff_t> place(std::size_t l, const shaped<real_output>&) const { return {first(l), 1}; }

 private:
  const list_batch<T, R>& batch_;
  std::size_t lists_ = 0;
  std::size_t stride_ = 0;
};

inline void check_output(std::string_view field, std::size_t size, std::size_t expected, std::string_view of) {
  require(size == 0 || size == expected, field, ": size ", size, ", expected ", expected, " (", of, ")");
}

/// The same for an output that is written item by item. A matrix is such an output where it is contiguous in
/// the order of rows, or where its rows are `stride` apart like those of a dense batch.
inline void check_output(std::string_view field, const shaped<real_output>& out, std::size_t expected, std::string_view of, std::size_t stride = 0) {
  if (const auto& shape = out.shape()) {
    const std::size_t apart = stride > 0 ? stride : shape->columns;
    require(shape->lies_in_rows(shape->columns) || shape->lies_in_rows(apart), field, ": a matrix with strides ", shape->row_stride, " and ",
            shape->column_stride, ", expected ", apart, " and 1, as the scores lie; of lists that are apart rows_of or columns_of make an output");
  }
  check_output(field, out.size(), expected, of);
}

template <class T, class R>
void check_shape(const list_batch<T, R>& batch, const outputs& out) {
  const std::size_t items = batch.scores.size();
  require(batch.relevance.size() == items, "relevance: size ", batch.relevance.size(), ", expected ", items, " (one per score)");
  require(batch.mask.empty() || batch.mask.size() == items, "mask: size ", batch.mask.size(), ", expected ", items, " (one per score)");
  require(batch.missed.empty() || batch.missed.size() == items, "missed: size ", batch.missed.size(), ", expected ", items, " (one per score)");
  if (batch.length > 0) {
    const std::size_t stride = batch.stride > 0 ? batch.stride : batch.length;
    require(batch.offsets.empty(), "offsets: given together with length; a batch is ragged or dense");
    require(stride >= batch.length, "stride: ", stride, ", expected at least length ", batch.length);
    const std::size_t rest = items % stride;
    require(rest == 0 || rest == batch.length, "scores: size ", items, ", expected whole lists of length ", batch.length, " at stride ", stride);
    const std::size_t lists = batch_source<T, R>(batch).lists();
    require(batch.lengths.empty() || batch.lengths.size() == lists, "lengths: size ", batch.lengths.size(), ", expected ", lists, " (one per list)");
    for (std::size_t l = 0; l < batch.lengths.size(); ++l)
      require(batch.lengths[l] >= 0 && static_cast<std::size_t>(batch.lengths[l]) <= batch.length, "lengths: ", batch.lengths.number(l), " at list ",
              l, ", expected 0 to ", batch.length, " (length)");
  } else {
    require(batch.stride == 0, "stride: ", batch.stride, " without length");
    require(batch.lengths.empty(), "lengths: given without length; lists of a ragged batch end where offsets say");
    check_offsets(batch.offsets, items, "scores");
  }
  const std::size_t apart = batch.stride > 0 ? batch.stride : batch.length;
  check_output("gradient", out.gradient, items, "one per score", apart);
  check_output("hessian", out.hessian, items, "one per score", apart);
  require(is_finite(out.scale), "scale: ", out.scale, ", expected a finite number");
}

/// Checks everything in one pass before anything is written, so that outputs are never partly updated.
template <class Loss, class Source>
void check_values(const Loss& loss, const Source& source, context& ctx) {
  using R = typename Source::relevance_type;
  workspace& scratch = ctx.scratch();
  for (std::size_t l = 0; l < source.lists(); ++l) {
    const workspace::scope scope(scratch);
    const auto scores = source.scores(l);
    const auto report = [&](const auto& items, auto bad, std::string_view field, auto expected) {
      for (std::size_t from = 0; from < items.size();) {
        const std::size_t i =
            from + find_first(strided(items.data() + static_cast<std::ptrdiff_t>(from) * items.stride(), items.size() - from, items.stride()), bad);
        if (i >= items.size()) return;
        if (source.kept(l, i)) fail(field, ": ", static_cast<double>(items[i]), " at list ", l, ", item ", i, ", expected ", expected(items[i]));
        from = i + 1;  // padding may hold any value
      }
    };
    report(
        scores, [](const auto& s) { return is_nan(s); }, "scores", [](auto) { return "a number"; });
    report(
        source.relevance(l, scratch), [&](const R& y) { return refuses_relevance(loss, y); }, "relevance",
        [&](const R& y) { return expected_relevance(loss, y, "; mask items without judgement"); });
    report(
        source.weights(l, scratch), [](const double& w) { return !(is_finite(w) && w >= 0.0); }, "item_weights",
        [](double) { return "a finite number >= 0"; });
  }
}

template <class Loss>
inline constexpr bool gives_hessian = requires {
  requires Loss::has_hessian;
};

/// Metrics have no gradient: they are constant except for jumps.
template <class Loss>
inline constexpr bool gives_gradient = !requires {
  requires !Loss::has_gradient;
};

/// Whether a metric counts the relevance of items without a rank.
template <class Loss>
inline constexpr bool counts_missed = requires {
  requires Loss::counts_missed;
};

template <class Loss>
void check_options(const Loss& loss, const outputs& out) {
  if constexpr (requires { loss.validate(); }) loss.validate();
  if constexpr (!gives_gradient<Loss>) require(out.gradient.empty(), "gradient: a metric has none, expected an empty output");
  if constexpr (!gives_hessian<Loss>) require(out.hessian.empty(), "hessian: this loss has none, expected an empty output");
}

}  // namespace detail

/// evaluate: the value of a list loss over a batch, and on request its gradient.
///
///     value         = sum_l w_l loss(list l) / sum_l w_l           (reduction::mean; without the division for sum)
///     gradient[i]   = out.scale * d(value) / d(scores[i])
///
/// - The same bits for any executor and on every run. Lists run in parallel; each list runs on one thread.
/// - Scratch O(longest list) for each worker, and O(lists). After the first calls nothing is allocated.
/// - Edge cases: without lists, or with empty lists only, the value is 0. Weights that sum to 0: value 0,
///   gradient 0.
/// @throws std::invalid_argument naming the field when sizes, offsets, options or (data_checks::on) data are
/// invalid, and std::logic_error when the context is in use or has been moved from; then no output has been
/// written. std::bad_alloc while scratch grows, std::logic_error when the executor breaks its rules, and
/// whatever the executor or a loss throws; then gradient and hessian may have been written for some lists,
/// per_list is unchanged, and the context can be used again.
template <class Loss, score T, class Relevance>
requires ranking_loss<Loss, T, Relevance>
double evaluate(const Loss& loss, const list_batch<T, Relevance>& batch, const outputs& out, context& ctx) {
  const detail::sole_use alone(ctx);
  detail::check_options(loss, out);
  detail::check_shape(batch, out);
  if constexpr (!detail::counts_missed<Loss>)
    detail::require(batch.missed.empty(), "missed: given, expected none: a loss, or a metric without a value for items that have no rank");
  const detail::batch_source<T, Relevance> source(batch);
  detail::check_output("per_list", out.per_list.size(), source.lists(), "one per list");
  const bool check = ctx.checks == data_checks::on;
  detail::check_weights("list_weights", batch.list_weights, source.lists(), "list", check);
  detail::check_weights("item_weights", batch.item_weights, batch.scores.size(), "item", false);
  if (check) detail::check_values(loss, source, ctx);
  return detail::list_run<Loss, decltype(source)>(loss, source, batch.reduction, out, ctx)();
}

/// evaluate: the value of a similarity loss over a matrix, and on request its gradient. Otherwise as for
/// lists.
template <class Loss, score T, class Relevance>
requires similarity_loss<Loss, T, Relevance>
double evaluate(const Loss& loss, const similarity_batch<T, Relevance>& batch, const outputs& out, context& ctx);

/// evaluate on the calling thread with a context of its own, which allocates in each call. For tests and
/// single values.
template <class Loss, class Batch>
double evaluate(const Loss& loss, const Batch& batch, const outputs& out = {}) {
  context ctx;
  return evaluate(loss, batch, out, ctx);
}

/// evaluate for the value alone.
template <class Loss, class Batch>
double evaluate(const Loss& loss, const Batch& batch, context& ctx) {
  return evaluate(loss, batch, outputs{}, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI

#include <rankloss/detail/evaluate_similarity.hpp>
#include <rankloss/detail/finite.hpp>

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/options.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI {

/// engine: how a loss is computed in a context of a given kind. `evaluate` looks it up here and nowhere else.
///
/// For a `context`, which computes on this machine, it calls the operators of the loss itself, or it is the
/// specialisation in `cpu/NAME.hpp` for losses whose kernels are more than a formula. Its functions take the
/// loss first:
///
///     run(loss, list, outputs, scratch)
///         The value of one list. Writes its gradient, and its Hessian where the loss has one.
///     run(loss, lists, outputs, values, scratch)
///         Optional: several short lists at once, one per SIMD lane.
///     group_size(), group_longest<T>(), group_shortest<T>()
///         How many lists, and of which sizes (docs/adding_a_loss.md).
///     shortest_shared()
///         Optional: from how many items on all workers may compute a list together, where an item is more work than
///         with most losses.
///     run(loss, matrix, outputs, context, factor)
///         For a similarity loss: factor * value; writes factor * outputs.scale * gradient.
///     run(loss, batch, outputs, context)
///         For a loss with a batch of its own, which its `evaluate` has checked: the value of the batch.
///         Writes nothing before everything that can fail has been done.
///     run(loss, batch, outputs, tie_gradient, context)
///         The same for a preference loss; tie_gradient may be null. All of them have an engine in
///         cpu/preference_batch.hpp, which calls the operators of the loss pair by pair.
template <class Loss, class Context = context>
struct engine;

template <class Loss>
struct engine<Loss, context> {
  template <class T, class R>
  requires requires(const Loss& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    { loss(items, out, scratch) } -> std::convertible_to<double>;
  }
  static double run(const Loss& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    return loss(items, out, scratch);
  }

  template <class T, class R>
  requires requires(const Loss& loss, std::span<const list<T, R>> lists, std::span<const list_outputs<T>> out,
                    std::span<double> values, workspace& scratch) {
    loss(lists, out, values, scratch);
  }
  static void run(const Loss& loss, std::span<const list<T, R>> lists, std::span<const list_outputs<T>> out,
                  std::span<double> values, workspace& scratch) {
    loss(lists, out, values, scratch);
  }
  static constexpr std::size_t group_size() noexcept requires requires { Loss::group_size(); }
  { return Loss::group_size(); }
  template <class T>
  requires requires { Loss::template group_longest<T>(); }
  static constexpr std::size_t group_longest() noexcept { return Loss::template group_longest<T>(); }
  template <class T>
  requires requires { Loss::template group_shortest<T>(); }
  static constexpr std::size_t group_shortest() noexcept { return Loss::template group_shortest<T>(); }
  static constexpr std::size_t shortest_shared() noexcept requires requires { Loss::shortest_shared(); }
  { return Loss::shortest_shared(); }

  template <class T, class R>
  requires requires(const Loss& loss, const similarity_batch<T, R>& batch, const outputs& out, context& ctx) {
    { loss.run(batch, out, ctx, 1.0) } -> std::convertible_to<double>;
  }
  static double run(const Loss& loss, const similarity_batch<T, R>& batch, const outputs& out, context& ctx,
                    double factor) {
    return loss.run(batch, out, ctx, factor);
  }
};

/// ranking_loss: computes one list. It returns the value and writes the gradient to `out.gradient` unless
/// that is empty. It may offer
/// `for_each_option` (options and their ranges, see options.hpp), `validate()` (what one option asks of
/// another), a Hessian diagonal (`has_hessian`), gradients of a learned temperature or bias
/// (`has_temperature_gradient`, `has_bias_gradient`) and `has_relevance(list)`; see docs/adding_a_loss.md. A metric declares `has_gradient = false`, and
/// `counts_missed = true` where it takes lists whose relevance continues, behind the items with scores, with
/// the relevance of missed items.
template <class Loss, class T, class Relevance = T>
concept ranking_loss = requires(const Loss& loss, const list<T, Relevance>& items, const list_outputs<T>& out,
                                workspace& scratch) {
  { engine<Loss, context>::run(loss, items, out, scratch) } -> std::convertible_to<double>;
};

/// similarity_loss: computes a similarity matrix. Its `validate(batch)` checks what only this loss requires.
template <class Loss, class T, class Relevance = T>
concept similarity_loss = requires(const Loss& loss, const similarity_batch<T, Relevance>& batch,
                                   const outputs& out, context& ctx) {
  { engine<Loss, context>::run(loss, batch, out, ctx, 1.0) } -> std::convertible_to<double>;
};

namespace detail {

template <class Loss>
inline constexpr bool gives_hessian = requires {
  requires Loss::has_hessian;
};

/// Metrics have no gradient: they are constant except for jumps.
template <class Loss>
inline constexpr bool gives_gradient = !requires {
  requires !Loss::has_gradient;
};

/// Whether the temperature or the bias of a loss is learned: its gradient can be asked for.
template <class Loss>
inline constexpr bool gives_temperature_gradient = requires {
  requires Loss::has_temperature_gradient;
};
template <class Loss>
inline constexpr bool gives_bias_gradient = requires {
  requires Loss::has_bias_gradient;
};

/// Whether a loss corrects for the probabilities with which items were sampled.
template <class Loss>
inline constexpr bool takes_probabilities = requires {
  requires Loss::takes_probabilities;
};

/// Whether a metric counts the relevance of items without a rank.
template <class Loss>
inline constexpr bool counts_missed = requires {
  requires Loss::counts_missed;
};

template <class Loss>
void check_options(const Loss& loss, const outputs& out) {
  rankloss::validate(loss);
  if constexpr (!gives_gradient<Loss>)
    require(out.gradient.empty(), "gradient: a metric has none, expected an empty output");
  if constexpr (!gives_hessian<Loss>)
    require(out.hessian.empty(), "hessian: this loss has none, expected an empty output");
  if constexpr (!gives_temperature_gradient<Loss>)
    require(out.temperature_gradient == nullptr, "temperature_gradient: this loss has none, expected null");
  if constexpr (!gives_bias_gradient<Loss>)
    require(out.bias_gradient == nullptr, "bias_gradient: this loss has none, expected null");
}

/// A loss that computes several short lists at once, one per SIMD lane: up to `group_size()` lists of at most
/// `group_longest<T>()` items. The results of a list must not depend on the other lists of its group. Where
/// the engine has `group_shortest<T>()`, lists of up to that many items never share a group with longer ones.
template <class Loss>
concept grouped_loss = requires {
  { engine<Loss, context>::group_size() } -> std::convertible_to<std::size_t>;
  { engine<Loss, context>::template group_longest<double>() } -> std::convertible_to<std::size_t>;
};

template <class Loss>
consteval std::size_t most_lists() {
  if constexpr (grouped_loss<Loss>)
    return engine<Loss, context>::group_size();
  else
    return 1;
}

template <class Loss, class T>
consteval std::size_t longest_grouped() {
  if constexpr (grouped_loss<Loss>)
    return engine<Loss, context>::template group_longest<T>();
  else
    return 0;
}

template <class Loss, class T>
consteval std::size_t shortest_grouped() {
  if constexpr (requires { engine<Loss, context>::template group_shortest<T>(); })
    return engine<Loss, context>::template group_shortest<T>();
  else
    return 0;
}

/// From how many items on a list is worth the work of all workers.
template <class Loss>
consteval std::size_t shortest_shared() {
  if constexpr (requires { engine<Loss, context>::shortest_shared(); })
    return engine<Loss, context>::shortest_shared();
  else
    return tuning::shortest_shared;
}

/// What the engine of a loss computes, for losses that are composed of others.
template <class Loss, class... Arguments>
decltype(auto) compute(const Loss& loss, Arguments&&... arguments) {
  return engine<Loss, context>::run(loss, std::forward<Arguments>(arguments)...);
}

/// Calls visit for a loss, or for each of the losses that it is composed of.
template <class Loss, class Visit>
void for_each_inner(const Loss& loss, const Visit& visit) {
  if constexpr (requires { loss.for_each_inner(visit); })
    loss.for_each_inner(visit);
  else
    visit(loss);
}

/// Whether a list has a relevant item, by the rule of the loss where it defines one.
template <class Loss, class T, class Relevance>
[[nodiscard]] bool has_relevance(const Loss& loss, const list<T, Relevance>& items) {
  if constexpr (requires { loss.has_relevance(items); }) {
    return loss.has_relevance(items);
  } else {
    for (std::size_t i = 0; i < items.size(); ++i)
      if (items.relevance[i] > Relevance{0} && (items.weights.empty() || items.weights[i] > 0.0)) return true;
    return false;
  }
}

}  // namespace detail
}  // namespace rankloss::inline RANKLOSS_ABI

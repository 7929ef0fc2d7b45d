// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/item_ends.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/preference_floats.cuh>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/detail/term_kernel.cuh>
#include <rankloss/cuda/preference_batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/preference_batch.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// What is told of the fields of a preference batch, in the order in which they are looked at.
enum class preference_field : unsigned { preferred, other, same_item, weight, tie, reward, margin };
template <bool knows_ties>
inline constexpr const char* preference_words[] = {
    "preferred: $w at pair $i, expected an item from 0 to below $o (the number of rewards)",
    "other: $w at pair $i, expected an item from 0 to below $o (the number of rewards)",
    "other: $w at pair $i, expected an item other than the preferred one",
    "pair_weights: $x at pair $i, expected a finite number >= 0",
    knows_ties ? "$e, for the tie at pair $i"
               : "ties: a tie at pair $i, expected none: this loss does not know ties",
    "rewards: nan at item $i, expected a number",
    "margins: $x at pair $i, expected a finite number"};

/// What preference_terms has of a loss that is not computed in floats.
template <class Loss>
struct no_near_form {
  [[nodiscard]] static no_near_form of(const Loss&) noexcept { return {}; }
};
template <class Loss, bool has_floats>
struct near_form_choice {
  using type = no_near_form<Loss>;
};
template <class Loss>
struct near_form_choice<Loss, true> {
  using type = near_form<Loss>;
};
template <class Loss, bool has_floats>
using near_form_of = typename near_form_choice<Loss, has_floats>::type;

/// A preference loss over the pairs of a batch.
template <class Loss, class T>
struct preference_terms {
  static constexpr bool has_floats = sizeof(T) == sizeof(float) && has_near_form<Loss>;
  using near_term = near_pair_term;
  /// A derivative at an end of a pair, times the weight of the pair.
  using end_number = std::conditional_t<has_floats, two_floats, double>;
  static_assert(sizeof(end_number) == sizeof(double));

  Loss loss;
  preference_batch<T> batch;
  std::size_t count;   ///< pairs
  std::size_t looked;  ///< pairs or items, whichever are more
  bool of_relevant;
  bool check, takes_ties;
  double* per_pair;        ///< [pairs] null: not wanted
  end_number* slopes;      ///< [pairs, 2] of the preferred and of the other item; null: not wanted
  end_number* curvatures;  ///< the same of second derivatives
  near_form_of<Loss, has_floats> near = near_form_of<Loss, has_floats>::of(loss);

  [[nodiscard]] __device__ fault_word fault(std::size_t i) const {
    using field = preference_field;
    const auto of = [i](field of) { return fault_of_field(static_cast<unsigned>(of), i); };
    const auto items = static_cast<std::int64_t>(batch.rewards.size());
    if (i < count) {
      const std::int64_t p = batch.preferred[i], o = batch.other[i];
      if (p < 0 || p >= items) return of(field::preferred);
      if (o < 0 || o >= items) return of(field::other);
      if (p == o) return of(field::same_item);
      if (check && bad_weight_at(batch.pair_weights, i)) return of(field::weight);
      if (!takes_ties && !batch.ties.empty() && batch.ties[i]) return of(field::tie);
    }
    if (!check) return no_fault;
    if (i < batch.rewards.size() && is_nan(batch.rewards[i])) return of(field::reward);
    if (not_finite_at(batch.margins, i)) return of(field::margin);
    return no_fault;
  }
  __device__ void describe(fault_word word, fault_record& record) const {
    const std::size_t i = item_of(word);
    record.other = static_cast<std::int64_t>(batch.rewards.size());
    switch (static_cast<preference_field>(field_of(word))) {
      case preference_field::preferred: record.whole = batch.preferred[i]; break;
      case preference_field::other:
      case preference_field::same_item: record.whole = batch.other[i]; break;
      case preference_field::weight: record.number = batch.pair_weights[i]; break;
      case preference_field::margin: record.number = batch.margins[i]; break;
      default: break;
    }
  }

  [[nodiscard]] __device__ preference_term term(std::size_t k) const {
    const double preferred = reward(batch.preferred[k]), other = reward(batch.other[k]);
    const double margin = batch.margins.empty() ? 0.0 : batch.margins[k];
    if constexpr (tie_loss<Loss>)
      if (!batch.ties.empty() && batch.ties[k]) return loss.tie(preferred, other, margin);
    return loss(preferred, other, margin);
  }
  [[nodiscard]] __device__ double weight(std::size_t k) const {
    return batch.pair_weights.empty() ? 1.0 : batch.pair_weights[k];
  }
  [[nodiscard]] __device__ double by_parameter(const preference_term& term) const {
    return term.slope_of_ties;
  }
  __device__ void put(std::size_t k, const preference_term& term, double weight,
                      const list_mean& mean) const {
    if (per_pair != nullptr) per_pair[k] = term.value;
    const double w = mean.scaled(weight);
    const auto leave = [&](end_number* ends, double of_preferred, double of_other) {
      if (ends == nullptr) return;
      ends[2 * k] = at_end(w * of_preferred);
      ends[2 * k + 1] = at_end(w * of_other);
    };
    leave(slopes, term.slope_preferred, term.slope_other);
    leave(curvatures, term.curvature_preferred, term.curvature_other);
  }
  [[nodiscard]] __device__ bool weighted() const { return !batch.pair_weights.empty(); }
  [[nodiscard]] __device__ bool keeps(std::size_t) const { return true; }
  [[nodiscard]] __device__ bool in_floats(std::size_t k, near_pair_term& term) const {
    const auto reward = [this](std::int64_t i) {
      return rankloss::detail::bounded(batch.rewards[static_cast<std::size_t>(i)]);
    };
    const float preferred = reward(batch.preferred[k]), other = reward(batch.other[k]);
    const two_floats margin =
        batch.margins.empty() ? two_floats{0.0f, 0.0f} : number<two_floats>(batch.margins[k]);
    if constexpr (tie_loss<Loss>)
      if (!batch.ties.empty() && batch.ties[k]) return near.tie(preferred, other, margin, term);
    return near(preferred, other, margin, term);
  }
  __device__ void put_near(std::size_t k, const near_pair_term& term, const near_share& share) const {
    if (per_pair != nullptr) per_pair[k] = exact_value(term.value);
    if (slopes != nullptr) {
      slopes[2 * k] = share.weight * term.slope_preferred;
      slopes[2 * k + 1] = share.weight * term.slope_other;
    }
    if (curvatures != nullptr)
      curvatures[2 * k] = curvatures[2 * k + 1] = product(share.weight.high, {term.curvature, 0.0f});
  }
  __device__ void put_nan(std::size_t k) const {
    if (per_pair != nullptr) per_pair[k] = not_a_number<double>;
  }

 private:
  [[nodiscard]] __device__ double reward(std::int64_t i) const {
    constexpr double largest =
        static_cast<double>(greatest_number<T>) < 1e300 ? static_cast<double>(greatest_number<T>) : 1e300;
    return rankloss::detail::limited(
        static_cast<double>(rankloss::detail::bounded(batch.rewards[static_cast<std::size_t>(i)])), -largest,
        largest);
  }
  /// A number that two floats do not hold is NaN: who adds it up computes it again.
  [[nodiscard]] static __device__ end_number at_end(double x) {
    if constexpr (has_floats) {
      const double size = fabs(x);
      return (size >= 1e-25 && size <= 1e25) || size == 0.0 ? number<two_floats>(x)
                                                            : two_floats{not_a_number<float>, 0.0f};
    } else {
      return x;
    }
  }
};

/// The engine of all preference losses. The operators of the loss are called by kernels, so they are
/// RANKLOSS_HOST_DEVICE.
template <class Loss>
struct preference_engine {
  template <class T>
  [[nodiscard]] static std::size_t scratch_bytes(const Loss&, const preference_batch<T>& batch) {
    return plan(batch, true, rankloss::detail::gives_hessian<Loss>).scratch.bytes;
  }

  template <class T>
  static void run(const Loss& loss, const preference_batch<T>& batch, const outputs<T>& out,
                  const device_span<double>& tie_gradient, context& ctx) {
    const plan to(batch, !out.gradient.empty(), !out.hessian.empty());
    void* const memory = ctx.scratch(to.scratch.bytes);
    std::string_view refuses;
    if constexpr (tie_loss<Loss>) {
      static_assert(
          requires { std::string_view(loss.refuses_ties()); },
          "rankloss: a loss that knows ties has refuses_ties() on a device; see preference_batch.hpp");
      refuses = loss.refuses_ties();
    }
    const std::size_t items = batch.rewards.size(), pairs = batch.preferred.size();
    using terms_type = preference_terms<Loss, T>;
    using end_number = typename terms_type::end_number;
    const terms_type terms{
        .loss = loss,
        .batch = batch,
        .count = pairs,
        .looked = pairs > items ? pairs : items,
        .of_relevant = batch.reduction == reduction::mean_of_relevant,
        .check = ctx.checks == data_checks::on,
        .takes_ties = tie_loss<Loss> && refuses.empty(),
        .per_pair = out.per_list.data(),
        .slopes = out.gradient.empty() ? nullptr : scratch_plan::at<end_number>(memory, to.slopes),
        .curvatures = out.hessian.empty() ? nullptr : scratch_plan::at<end_number>(memory, to.curvatures)};
    const auto task = prepare_terms(
        terms, to.terms, batch.reduction, out.value, tie_gradient, out.scale, out.update,
        fault_words{preference_words<tie_loss<Loss>>, refuses.data(), refuses.size()}, memory, ctx);
    sum_terms(task, ctx);
    if (terms.slopes != nullptr || terms.curvatures != nullptr) {
      item_ends ends(to.ends, memory, items, pairs);
      ends.sort(batch.preferred, batch.other, task.faults, ctx.stream());
      const auto add_up = [&](const end_number* of_ends, bool second, const device_span<T>& derivative) {
        if (of_ends == nullptr) return;
        ends.add_up(item_sums<term_task<terms_type>, end_number, T>{task, of_ends, second, derivative.data()},
                    ctx.stream());
      };
      add_up(terms.slopes, false, out.gradient);
      add_up(terms.curvatures, true, out.hessian);
    }
    reduce_terms(task, ctx);
  }

 private:
  struct plan {
    template <class T>
    plan(const preference_batch<T>& batch, bool wants_slopes, bool wants_curvatures)
        : terms(scratch, batch.preferred.size(),
                !batch.pair_weights.empty() || batch.reduction == reduction::mean_of_relevant),
          slopes(scratch.take<double>(wants_slopes ? 2 * batch.preferred.size() : 0)),
          curvatures(scratch.take<double>(wants_curvatures ? 2 * batch.preferred.size() : 0)),
          ends(scratch, wants_slopes || wants_curvatures ? batch.rewards.size() : 0,
               wants_slopes || wants_curvatures ? batch.preferred.size() : 0) {}

    scratch_plan scratch;
    term_plan terms;
    std::size_t slopes, curvatures;
    item_ends_plan ends;
  };
};

}  // namespace cuda::detail

template <preference_loss Loss>
struct engine<Loss, cuda::context> : cuda::detail::preference_engine<Loss> {};

}  // namespace rankloss::inline RANKLOSS_ABI

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/field_faults.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/detail/step_floats.cuh>
#include <rankloss/cuda/detail/step_statistics.cuh>
#include <rankloss/cuda/detail/term_kernel.cuh>
#include <rankloss/cuda/ppo.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/ppo.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

using rankloss::detail::policy_ratio;
using rankloss::detail::policy_term;

/// What terms of all steps have: weights, a mask, and a slope that is written at once.
template <class T>
struct step_terms {
  static constexpr bool of_relevant = false, has_floats = sizeof(T) == sizeof(float);
  using near_term = near_step_term;

  device_reals weights;
  device_flags mask;
  std::size_t count, looked;
  bool check;
  outputs<T> out;

  [[nodiscard]] __device__ bool keeps(std::size_t i) const { return mask.empty() || mask[i]; }
  [[nodiscard]] __device__ bool weighted() const { return !weights.empty(); }
  [[nodiscard]] __device__ double weight(std::size_t i) const {
    return !keeps(i) ? 0.0 : weights.empty() ? 1.0 : weights[i];
  }
  [[nodiscard]] __device__ double by_parameter(const policy_term&) const { return 0.0; }
  __device__ void put(std::size_t i, const policy_term& term, double weight, const list_mean& mean) const {
    if (out.gradient.empty()) return;
    const double share = mean.share(weight);
    put_number(out.gradient[i], share > 0.0 ? held_as<double>(out.scale * (share * term.slope)) : 0.0,
               out.update);
  }
  __device__ void put_near(std::size_t i, const near_step_term& term, const near_share& share) const {
    if (out.gradient.empty()) return;
    const float slope = share.factor * term.slope;
    if (out.update == update::add)
      put_number(out.gradient[i], static_cast<double>(slope), out.update);
    else
      out.gradient[i] = slope;
  }
  __device__ void put_nan(std::size_t i) const {
    if (!out.gradient.empty()) out.gradient[i] = not_a_number<T>;
  }
};

inline constexpr const char* policy_words[] = {
    "weights: $x at step $i, expected a finite number >= 0",
    "reference_log_probabilities: $x at step $i, expected a finite number",
    "entropies: $x at step $i, expected a finite number",
    "log_probabilities: $x at step $i, expected a finite number",
    "old_log_probabilities: $x at step $i, expected a finite number",
    "advantages: $x at step $i, expected a finite number"};

/// ppo over actions.
template <class T>
struct policy_terms : step_terms<T> {
  ppo loss;
  policy_batch<T> batch;
  near_policy near = near_policy::of(loss);

  [[nodiscard]] __device__ fault_word fault(std::size_t i) const {
    if (!this->check) return no_fault;
    if (bad_weight_at(batch.weights, i)) return fault_of_field(0, i);
    if (!this->keeps(i)) return no_fault;
    for (unsigned f = 1; f < 6; ++f)
      if (f == entropy_field ? not_finite_at(batch.entropies, i) : not_finite_at(numbers(f), i))
        return fault_of_field(f, i);
    return no_fault;
  }
  __device__ void describe(fault_word word, fault_record& record) const {
    const std::size_t i = item_of(word);
    const unsigned field = field_of(word);
    record.number = field == 0               ? batch.weights[i]
                    : field == entropy_field ? batch.entropies[i]
                                             : static_cast<double>(numbers(field)[i]);
  }

  [[nodiscard]] __device__ policy_term term(std::size_t i) const {
    if (!this->keeps(i)) return {};
    const double now = static_cast<double>(batch.log_probabilities[i]);
    const policy_ratio rho(now, static_cast<double>(batch.old_log_probabilities[i]));
    const policy_term own = loss.surrogate(rho.ratio, static_cast<double>(batch.advantages[i]));
    if (!(loss.kl_coefficient > 0.0)) return own;
    return loss.penalised(
        own, batch.reference_log_probabilities.empty()
                 ? rho.penalty(loss.estimator)
                 : policy_ratio::to_reference(static_cast<double>(batch.reference_log_probabilities[i]), now,
                                              loss.estimator));
  }
  [[nodiscard]] __device__ bool in_floats(std::size_t i, near_step_term& term) const {
    term = {};
    if (!this->keeps(i)) return true;
    const float now = batch.log_probabilities[i];
    const near_ratio rho(now, batch.old_log_probabilities[i]);
    if (!near.surrogate(rho, batch.advantages[i], term)) return false;
    if (!near.penalised) return true;
    if (batch.reference_log_probabilities.empty()) return near.penalise(rho, 1.0f, loss.estimator, term);
    return near.penalise(near_ratio(batch.reference_log_probabilities[i], now), -1.0f, loss.estimator, term);
  }
  /// Adds the share of an action to the diagnostics.
  __device__ void diagnose(std::size_t i, double share, policy_diagnostics& to) const {
    const double now = static_cast<double>(batch.log_probabilities[i]);
    const policy_ratio rho(now, static_cast<double>(batch.old_log_probabilities[i]));
    to.mean_ratio += share * rho.ratio;
    if (loss.surrogate(rho.ratio, static_cast<double>(batch.advantages[i])).clipped)
      to.clip_fraction += share;
    to.kl_k1 += share * rho.kl(kl_estimator::k1);
    to.kl_k3 += share * rho.kl(kl_estimator::k3);
    if (!batch.reference_log_probabilities.empty()) {
      const policy_ratio q(static_cast<double>(batch.reference_log_probabilities[i]), now);
      to.reference_kl_k1 += share * q.kl(kl_estimator::k1);
      to.reference_kl_k3 += share * q.kl(kl_estimator::k3);
    }
    if (!batch.entropies.empty()) to.entropy += share * batch.entropies[i];
  }

 private:
  static constexpr unsigned entropy_field = 2;
  /// The arrays in the order of the words.
  [[nodiscard]] __device__ const device_span<const T>& numbers(unsigned field) const {
    return field == 1   ? batch.reference_log_probabilities
           : field == 3 ? batch.log_probabilities
           : field == 4 ? batch.old_log_probabilities
                        : batch.advantages;
  }
};

inline constexpr const char* value_words[] = {"weights: $x at step $i, expected a finite number >= 0",
                                              "values: $x at step $i, expected a finite number",
                                              "returns: $x at step $i, expected a finite number",
                                              "old_values: $x at step $i, expected a finite number"};

/// critic over states.
template <class T>
struct value_terms : step_terms<T> {
  critic loss;
  value_batch<T> batch;
  near_critic near = near_critic::of(loss);

  [[nodiscard]] __device__ fault_word fault(std::size_t i) const {
    if (!this->check) return no_fault;
    if (bad_weight_at(batch.weights, i)) return fault_of_field(0, i);
    if (!this->keeps(i)) return no_fault;
    for (unsigned f = 1; f < 4; ++f)
      if (not_finite_at(numbers(f), i)) return fault_of_field(f, i);
    return no_fault;
  }
  __device__ void describe(fault_word word, fault_record& record) const {
    const std::size_t i = item_of(word);
    const unsigned field = field_of(word);
    record.number = field == 0 ? batch.weights[i] : static_cast<double>(numbers(field)[i]);
  }

  [[nodiscard]] __device__ policy_term term(std::size_t i) const {
    if (!this->keeps(i)) return {};
    const double v = static_cast<double>(batch.values[i]), r = static_cast<double>(batch.returns[i]);
    return batch.old_values.empty() ? loss.term(v, r)
                                    : loss.term(v, r, static_cast<double>(batch.old_values[i]));
  }
  [[nodiscard]] __device__ bool in_floats(std::size_t i, near_step_term& term) const {
    term = {};
    if (!this->keeps(i)) return true;
    return batch.old_values.empty() ? near(batch.values[i], batch.returns[i], term)
                                    : near(batch.values[i], batch.returns[i], batch.old_values[i], term);
  }

 private:
  [[nodiscard]] __device__ const device_span<const T>& numbers(unsigned field) const {
    return field == 1 ? batch.values : field == 2 ? batch.returns : batch.old_values;
  }
};

/// The engine of a loss over steps.
template <class Loss, template <class> class Terms, const char* const* words>
struct step_engine {
  template <class Batch>
  [[nodiscard]] static std::size_t scratch_bytes(const Loss&, const Batch& batch) {
    return plan(batch).scratch.bytes;
  }

  template <class T, class Batch>
  static void run(const Loss& loss, const Batch& batch, const outputs<T>& out, context& ctx) {
    const plan to(batch);
    void* const memory = ctx.scratch(to.scratch.bytes);
    const auto task = prepare(loss, batch, out, to, memory, ctx);
    sum_terms(task, ctx);
    reduce_terms(task, ctx);
  }

  /// diagnose
  template <class T>
  static void diagnose(const Loss& loss, const policy_batch<T>& batch,
                       const device_span<policy_diagnostics>& found, context& ctx) {
    const plan to(batch);
    void* const memory = ctx.scratch(to.scratch.bytes);
    const auto task = prepare(loss, batch, outputs<T>{}, to, memory, ctx);
    auto* const sums = scratch_plan::at<policy_diagnostics>(memory, to.statistics);
    using task_type = std::remove_const_t<decltype(task)>;
    const auto chunks = static_cast<unsigned>(chunks_of(task.terms.count));
    if (chunks > 0)
      launch("diagnose_chunks", diagnose_chunks<task_type>, chunks, term_threads, 0, ctx.stream(), task,
             sums);
    launch("add_diagnostics", add_diagnostics<task_type>, 1, reduce_threads, 0, ctx.stream(), task,
           static_cast<const policy_diagnostics*>(sums), found.data());
  }
  /// explained_variance
  template <class T>
  static void explain(const Loss& loss, const value_batch<T>& batch, const device_span<double>& explained,
                      context& ctx) {
    const plan to(batch);
    void* const memory = ctx.scratch(to.scratch.bytes);
    const auto task = prepare(loss, batch, outputs<T>{}, to, memory, ctx);
    explain_variance(
        variance_task<std::remove_const_t<decltype(task)>>{
            .steps = task,
            .count = task.terms.count,
            .extents = scratch_plan::at<whitening_extent>(memory, to.extents),
            .sums = scratch_plan::at<return_moments>(memory, to.statistics),
            .state = scratch_plan::at<return_state>(memory, to.state),
            .explained = explained.data()},
        ctx.stream());
  }
  /// shape_rewards
  template <class T>
  static void shape(const shaping_task<T>& task, context& ctx) {
    shape_steps_of(task, ctx.checks == data_checks::on, ctx.faults(), ctx.stream());
  }

 private:
  template <class T>
  [[nodiscard]] static std::size_t steps_of(const policy_batch<T>& batch) {
    return batch.log_probabilities.size();
  }
  template <class T>
  [[nodiscard]] static std::size_t steps_of(const value_batch<T>& batch) {
    return batch.values.size();
  }

  struct plan {
    template <class T>
    explicit plan(const policy_batch<T>& batch)
        : terms(scratch, steps_of(batch), !batch.weights.empty() || !batch.mask.empty()),
          statistics(scratch.take<policy_diagnostics>(chunks_of(steps_of(batch)))) {}
    template <class T>
    explicit plan(const value_batch<T>& batch)
        : terms(scratch, steps_of(batch), !batch.weights.empty() || !batch.mask.empty()),
          statistics(scratch.take<return_moments>(chunks_of(steps_of(batch)))),
          extents(scratch.take<whitening_extent>(chunks_of(steps_of(batch)))),
          state(scratch.take<return_state>(1)) {}

    scratch_plan scratch;
    term_plan terms;
    std::size_t statistics, extents = 0, state = 0;
  };

  template <class T, class Batch>
  [[nodiscard]] static term_task<Terms<T>> prepare(const Loss& loss, const Batch& batch,
                                                   const outputs<T>& out, const plan& to, void* memory,
                                                   context& ctx) {
    const std::size_t n = steps_of(batch);
    const Terms<T> terms{{batch.weights, batch.mask, n, n, ctx.checks == data_checks::on, out}, loss, batch};
    return prepare_terms(terms, to.terms, reduction::mean, out.value, {}, out.scale, out.update,
                         fault_words{words}, memory, ctx);
  }
};

}  // namespace cuda::detail

template <>
struct engine<ppo, cuda::context>
    : cuda::detail::step_engine<ppo, cuda::detail::policy_terms, cuda::detail::policy_words> {};
template <>
struct engine<critic, cuda::context>
    : cuda::detail::step_engine<critic, cuda::detail::value_terms, cuda::detail::value_words> {};

}  // namespace rankloss::inline RANKLOSS_ABI

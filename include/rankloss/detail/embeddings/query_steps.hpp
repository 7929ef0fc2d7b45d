// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/embeddings/panel_source.hpp>
#include <rankloss/detail/lists/list_run.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The derivatives and values that all steps add up, before anything is written to the host's memory.
struct embedding_sums {
  std::span<double> per_list;
  double temperature = 0.0;
  double bias = 0.0;
};

/// One list loss over the lists of one direction, panel by panel.
struct query_step {
  virtual void run(std::size_t first, std::size_t last) = 0;
  /// The value; adds the values of the lists to `per_list`, unless that is empty, and what else there is to
  /// the sums.
  virtual double finish(std::span<double> per_list, embedding_sums& sums) = 0;
  virtual ~query_step() = default;
};

template <class Loss, class T, class R>
class query_step_of final : public query_step {
 public:
  /// @param weight  of the values of lists
  /// @param factor  of the value and of what is written, which is half of the weight for both directions
  query_step_of(const Loss& loss, const panel_source<T, R>& source, double weight, double factor,
                const outputs& out, rankloss::reduction reduction, context& ctx)
      : weight_(weight), source_(source), out_(out), run_(loss, source_, reduction, out_, ctx) {
    run_.begin(factor);
  }

  void run(std::size_t first, std::size_t last) override { run_.run(first, last); }
  double finish(std::span<double> per_list, embedding_sums& sums) override {
    const double value = run_.finish();
    if (out_.temperature_gradient != nullptr)
      sums.temperature = held_sum(sums.temperature, *out_.temperature_gradient);
    if (out_.bias_gradient != nullptr) sums.bias = held_sum(sums.bias, *out_.bias_gradient);
    for (std::size_t l = 0; l < per_list.size(); ++l)
      per_list[l] = held_sum(per_list[l], held_as<double>(weight_ * out_.per_list[l]));
    return value;
  }

 private:
  double weight_;
  panel_source<T, R> source_;
  outputs out_;
  list_run<Loss, panel_source<T, R>> run_;
};

/// Steps in scratch. They are destroyed last one first, because each has taken scratch after those before it.
class query_steps {
 public:
  query_steps(std::size_t most, workspace& scratch) : steps_(scratch.take<query_step*>(most)) {}
  ~query_steps() {
    while (count_ > 0) std::destroy_at(steps_[--count_]);
  }
  query_steps(const query_steps&) = delete;
  query_steps& operator=(const query_steps&) = delete;

  template <class Step, class... Arguments>
  void add(workspace& scratch, Arguments&&... arguments) {
    const std::span<std::byte> memory = scratch.take<std::byte>(sizeof(Step));
    steps_[count_] = ::new (static_cast<void*>(memory.data())) Step(std::forward<Arguments>(arguments)...);
    ++count_;
  }
  [[nodiscard]] std::span<query_step* const> all() const noexcept { return steps_.first(count_); }

 private:
  std::span<query_step*> steps_;
  std::size_t count_ = 0;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail

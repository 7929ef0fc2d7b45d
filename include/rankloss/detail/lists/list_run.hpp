// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/lists/across_lists.hpp>
#include <rankloss/detail/lists/list_block.hpp>
#include <rankloss/detail/lists/list_source.hpp>
#include <rankloss/detail/lists/output_sink.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Runs a list loss over the lists of a source, in parallel and in any order, and sums in list order: all at
/// once, or one part of them after the other, where their scores are not there at the same time. A list that is
/// longer than what is a worker's due is computed by all workers together, as far as its engine is made for it
/// (run_pieces).
///
/// The loss's engine reads lists in place. If the source has a mask or missed items, lists are first packed
/// into scratch.
template <class Loss, list_source Source>
class list_run {
  using T = typename Source::score_type;
  using Relevance = typename Source::relevance_type;
  using list_type = list<T, Relevance>;
  static constexpr std::size_t group_size = most_lists<Loss>();
  static constexpr std::size_t group_longest = longest_grouped<Loss, T>();
  static constexpr std::size_t group_shortest = shortest_grouped<Loss, T>();

  static_assert(list_sink<output_sink<Source>, T>);

 public:
  list_run(const Loss& loss, const Source& source, rankloss::reduction reduction, const outputs& out,
           context& ctx)
      : loss_(loss),
        source_(source),
        reduction_(reduction),
        out_(out),
        gradient_(source, out.gradient, out),
        hessian_(source, out.hessian, out),
        context_(ctx),
        scope_(ctx.scratch()) {}

  /// @param factor  on the value and on what is written, such as a direction's share of a mean
  double operator()(double factor = 1.0) {
    begin(factor);
    run(0, source_.lists());
    return finish();
  }

  /// Takes scratch, and forms the shares of the lists in the mean. It reads their relevance, and not their
  /// scores.
  void begin(double factor = 1.0) {
    const std::size_t lists = source_.lists();
    workspace& scratch = context_.scratch();
    sizes_ = scratch.take<std::size_t>(lists);
    order_ = scratch.take<std::size_t>(lists);
    bounds_ = scratch.take<std::size_t>(lists + 1);
    values_ = scratch.take<double>(lists);
    temperature_ = scratch.take<double>(out_.temperature_gradient != nullptr ? lists : 0);
    bias_ = scratch.take<double>(out_.bias_gradient != nullptr ? lists : 0);
    if (reduction_ == reduction::mean_of_relevant) {
      counts_ = scratch.take<double>(lists);
      plan(0, lists);
      count_relevant();
    }
    mean_ = weighted_mean(
        lists, [this](std::size_t l) { return weight(l); }, reduction_, factor);
  }

  /// Runs the lists [first, last).
  void run(std::size_t first, std::size_t last) {
    if constexpr (interleaving_source<Source>)
      if (first < last && source_.interleaved() && source_.size(first) >= tuning::shortest_block) {
        if (!run_across(first, last)) run_blocks(first, last);
        return;
      }
    plan(first, last);
    const auto task_of = [this](workspace& scratch, std::size_t task) {
      run_in_place(bounds_[task], bounds_[task + 1], scratch);
    };
    context_.run(tasks_,
                 [&](std::size_t worker, std::size_t task) { task_of(context_.scratch(worker), task); });
    for (std::size_t l = 0; l < shared_; ++l) task_of(context_.scratch(), tasks_ + l);
  }

  /// The value, once all lists have been run.
  double finish() {
    if (!out_.per_list.empty()) std::copy(values_.begin(), values_.end(), out_.per_list.begin());
    const auto mean_of = [this](std::span<const double> numbers) {
      return mean_(
          values_.size(), [this](std::size_t l) { return weight(l); },
          [&](std::size_t l) { return numbers[l]; });
    };
    const auto write = [&](double* to, std::span<const double> slopes) {
      if (to != nullptr) put(*to, held_as<double>(out_.scale * mean_of(slopes)), out_.update);
    };
    write(out_.temperature_gradient, temperature_);
    write(out_.bias_gradient, bias_);
    return mean_of(values_);
  }

 private:
  [[nodiscard]] double weight(std::size_t l) const {
    return counts_.empty() ? source_.list_weight(l) : counts_[l] * source_.list_weight(l);
  }

  /// Orders the lists [first, last), short ones by size so that groups are even, and cuts the order into
  /// tasks. Lists that are longer than what is a worker's due come last: each is shared by all workers.
  void plan(std::size_t first, std::size_t last) {
    const std::size_t lists = last - first;
    std::size_t all = 0, longest = 0;
    for (std::size_t l = first; l < last; ++l) {
      all += sizes_[l] = kept_size(source_, l);
      longest = std::max(longest, sizes_[l]);
    }
    static_assert(shortest_shared<Loss>() > group_longest,
                  "shortest_shared() of a loss: expected more than the longest lists that it takes in groups");
    const std::size_t due = worker_due(all, context_.workers(), shortest_shared<Loss>());
    const auto rank = [due](std::size_t size) {
      return size >= due ? group_longest + 2 : std::min(size, group_longest + 1);
    };
    // start[size + 1]: where lists of that size begin in the order. Only as much of it is used as there are sizes.
    std::array<std::size_t, group_longest + 4> start;
    const auto end = start.begin() + static_cast<std::ptrdiff_t>(rank(longest)) + 2;
    std::fill(start.begin(), end, std::size_t{0});
    for (std::size_t l = first; l < last; ++l) ++start[rank(sizes_[l]) + 1];
    shared_ = rank(longest) == group_longest + 2 ? start[group_longest + 3] : 0;
    std::partial_sum(start.begin(), end, start.begin());
    for (std::size_t l = first; l < last; ++l) order_[start[rank(sizes_[l])]++] = l;

    tasks_ = 0;
    if (lists == 0) return;
    bounds_[0] = 0;
    std::size_t items = 0;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < lists - shared_; ++at) {
      items += sizes_[order_[at]] + 1;
      const bool whole_group = (at + 1 - begin) % group_size == 0 || sizes_[order_[at]] > group_longest;
      if (at + 1 < lists - shared_ && (items < tuning::task_items || !whole_group)) continue;
      bounds_[++tasks_] = begin = at + 1;
      items = 0;
    }
    for (std::size_t l = 0; l < shared_; ++l) bounds_[tasks_ + l + 1] = bounds_[tasks_ + l] + 1;
  }

  /// Runs the lists of the order from `at` to `end`, which write to where their outputs are.
  void run_in_place(std::size_t at, std::size_t end, workspace& scratch) {
    const auto target = [&](std::size_t l) {
      return std::pair(gradient_.target(l, sizes_[l], scratch), hessian_.target(l, sizes_[l], scratch));
    };
    const auto commit = [&](std::size_t l, const list_outputs<T>& written) {
      const double factor = mean_.share(weight(l));
      gradient_.commit(l, written.gradient, factor);
      hessian_.commit(l, written.hessian, factor);
    };
    while (at < end) at += run_some(source_, at, end, scratch, target, commit);
  }

  /// The same for lists side by side, in lanes, where the engine has a way. Lists that it leaves are run in place.
  [[nodiscard]] bool run_across(std::size_t first, std::size_t last) {
    if constexpr (requires(const across_lists<Source>& lists) { run_side_by_side(loss_, lists); }) {
      if (!source_.side_by_side() || packed() || !out_.hessian.empty() || !temperature_.empty() ||
          !bias_.empty())
        return false;
      workspace& scratch = context_.scratch();
      const workspace::scope scope(scratch);
      const std::size_t count = last - first;
      const std::span<double> shares = scratch.take<double>(count);
      const std::span<std::uint8_t> left = scratch.take<std::uint8_t>(count);
      for (std::size_t l = first; l < last; ++l) shares[l - first] = mean_.share(weight(l));
      if (!run_side_by_side(
              loss_, across_lists<Source>{source_, first, values_.subspan(first, count), left,
                                          out_.gradient.empty() ? nullptr : &gradient_, shares, context_}))
        return false;
      for (std::size_t l = first; l < last; ++l) {
        if (left[l - first] == 0) continue;
        order_[l] = l;
        sizes_[l] = source_.size(l);
        run_in_place(l, l + 1, scratch);
      }
      return true;
    } else {
      return false;
    }
  }

  /// Runs the lists [first, last) that lie between each other: each task is a block of them.
  void run_blocks(std::size_t first, std::size_t last) {
    constexpr std::size_t most = tuning::block_lists;
    context_.run((last - first + most - 1) / most, [=, this](std::size_t worker, std::size_t task) {
      const std::size_t begin = first + task * most, count = std::min(most, last - begin);
      workspace& scratch = context_.scratch(worker);
      const workspace::scope scope(scratch);
      const list_block<Source> block(source_, begin, count, scratch);
      for (std::size_t l = begin; l < begin + count; ++l) {
        sizes_[l] = kept_size(block, l);
        order_[l] = l;
      }
      // Groups are those of a batch of these lists: by size, and then by place.
      const auto rank = [this](std::size_t l) {
        return std::pair(std::min(sizes_[l], group_longest + 1), l);
      };
      std::sort(&order_[begin], &order_[begin] + count,
                [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
      std::array<strided<T>, most> gradients, hessians;
      std::array<double, most> factors;
      const std::size_t pitch = block.pitch();
      T* const slopes = scratch.take<T>(out_.gradient.empty() ? 0 : count * pitch).data();
      T* const curvatures = scratch.take<T>(out_.hessian.empty() ? 0 : count * pitch).data();
      for (std::size_t k = 0; k < count; ++k) {
        const std::size_t kept = sizes_[begin + k];
        if (!out_.gradient.empty()) gradients[k] = {slopes + k * pitch, kept};
        if (!out_.hessian.empty()) hessians[k] = {curvatures + k * pitch, kept};
        factors[k] = mean_.share(weight(begin + k));
      }
      const auto target = [&](std::size_t l) { return std::pair(gradients[l - begin], hessians[l - begin]); };
      for (std::size_t at = begin; at < begin + count;)
        at += run_some(block, at, begin + count, scratch, target, [](std::size_t, const auto&) {});
      const std::span<const double> shares(factors.data(), count);
      gradient_.commit(block, begin, std::span<const strided<T>>(gradients.data(), count), shares, pitch);
      hessian_.commit(block, begin, std::span<const strided<T>>(hessians.data(), count), shares, pitch);
    });
  }

  /// Whether a list goes to the loss as a copy.
  [[nodiscard]] bool packed() const { return source_.masked() || source_.any_missed(); }

  /// The number of items that have a rank.
  template <class Reader>
  [[nodiscard]] std::size_t kept_size(const Reader& reader, std::size_t l) const {
    const std::size_t size = source_.size(l);
    if (!packed()) return size;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size; ++i) kept += reader.kept(l, i) && !reader.missed(l, i) ? 1u : 0u;
    return kept;
  }

  /// counts_[l] = 1 for the lists that have relevance, else 0.
  void count_relevant() {
    context_.run(tasks_ + shared_, [this](std::size_t worker, std::size_t task) {
      for (std::size_t at = bounds_[task]; at < bounds_[task + 1]; ++at) {
        const workspace::scope scope(context_.scratch(worker));
        counts_[order_[at]] =
            has_relevance(loss_, view(source_, order_[at], context_.scratch(worker))) ? 1.0 : 0.0;
      }
    });
  }

  /// One list as the loss reads it: the host's memory, or a packed copy of the items that the mask keeps, the
  /// missed ones last.
  template <class Reader>
  [[nodiscard]] list_type view(const Reader& reader, std::size_t l, workspace& scratch) const {
    list_type items{reader.scores(l), reader.relevance(l, scratch), reader.weights(l, scratch), l};
    if (!packed()) return items;
    const std::size_t n = sizes_[l];
    std::size_t all = n;
    if (reader.any_missed())
      for (std::size_t i = 0; i < items.size(); ++i)
        all += reader.kept(l, i) && reader.missed(l, i) ? 1u : 0u;
    const std::span<T> scores = scratch.take<T>(n);
    const std::span<Relevance> relevance = scratch.take<Relevance>(all);
    const std::span<double> weights = scratch.take<double>(items.weights.empty() ? 0 : all);
    std::size_t ranked = 0;
    std::size_t missed = n;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!reader.kept(l, i)) continue;
      const bool has_rank = !reader.missed(l, i);
      const std::size_t to = has_rank ? ranked++ : missed++;
      if (has_rank) scores[to] = items.scores[i];
      relevance[to] = items.relevance[i];
      if (!weights.empty()) weights[to] = items.weights[i];
    }
    return {{scores.data(), n}, {relevance.data(), all}, {weights.data(), weights.size()}, l};
  }

  /// Runs the next list or group of lists of the order; returns the number of lists.
  /// @param reader  the source, or a block of its lists
  /// @param target  target(l): where the loss writes gradient and Hessian of list l
  /// @param commit  commit(l, written): what becomes of them
  template <class Reader, class Target, class Commit>
  std::size_t run_some(const Reader& reader, std::size_t at, std::size_t end, workspace& scratch,
                       const Target& target, const Commit& commit) {
    const workspace::scope scope(scratch);
    const std::size_t size = sizes_[order_[at]];
    std::size_t count = 1;
    if (size > 0 && size <= group_longest) {
      const std::size_t longest = size <= group_shortest ? group_shortest : group_longest;
      while (count < group_size && at + count < end && sizes_[order_[at + count]] <= longest) ++count;
    }

    std::array<list_type, group_size> lists;
    std::array<list_outputs<T>, group_size> written;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t l = order_[at + i];
      lists[i] = view(reader, l, scratch);
      const auto [gradient, hessian] = target(l);
      written[i] = {gradient, hessian, slope_of(temperature_, l), slope_of(bias_, l)};
    }
    if (size == 0) {
      values_[order_[at]] = 0.0;
    } else if (size <= group_longest) {
      if constexpr (grouped_loss<Loss>) {
        std::array<double, group_size> values;
        compute(loss_, std::span<const list_type>(lists.data(), count),
                std::span<const list_outputs<T>>(written.data(), count),
                std::span<double>(values.data(), count), scratch);
        for (std::size_t i = 0; i < count; ++i) values_[order_[at + i]] = values[i];
      }
    } else {
      values_[order_[at]] = compute(loss_, lists[0], written[0], scratch);
    }
    for (std::size_t i = 0; i < count; ++i) commit(order_[at + i], written[i]);
    return count;
  }

  /// Where the loss writes the derivative of list l by an option: 0 for one that writes nothing.
  [[nodiscard]] static double* slope_of(std::span<double> slopes, std::size_t l) {
    if (slopes.empty()) return nullptr;
    slopes[l] = 0.0;
    return &slopes[l];
  }

  const Loss& loss_;
  const Source& source_;
  rankloss::reduction reduction_;
  const outputs& out_;
  output_sink<Source> gradient_;
  output_sink<Source> hessian_;
  context& context_;
  workspace::scope scope_;
  std::span<std::size_t> sizes_;   // [lists] items that have a rank
  std::span<std::size_t> order_;   // [lists] the order in which lists are run
  std::span<std::size_t> bounds_;  // [tasks + 1] into the order
  std::span<double> counts_;       // [lists] whether a list counts, where not all do
  std::span<double> values_;       // [lists]
  std::span<double> temperature_;  // [lists] derivative by the temperature, where it is wanted
  std::span<double> bias_;         // [lists] the same by the bias
  std::size_t tasks_ = 0;
  std::size_t shared_ = 0;  // lists behind those of the tasks, of which each is computed by all workers
  weighted_mean mean_{0, reduction::mean};
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail

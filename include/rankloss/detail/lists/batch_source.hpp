// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/ragged_lists.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The lists of a list_batch in the form in which list_run reads them.
template <class T, class R>
class batch_source {
 public:
  using score_type = T;
  using relevance_type = R;

  explicit batch_source(const list_batch<T, R>& batch)
      : batch_(batch), ragged_(batch.offsets, batch.scores.size()), lists_(ragged_.count()) {
    if (batch.length > 0) {
      stride_ = batch.stride > 0 ? batch.stride : batch.length;
      lists_ = (batch.scores.size() + stride_ - batch.length) / stride_;
    }
  }

  [[nodiscard]] std::size_t lists() const { return lists_; }
  [[nodiscard]] std::size_t first(std::size_t l) const {
    return batch_.length > 0 ? l * stride_ : ragged_.first(l);
  }
  [[nodiscard]] std::size_t size(std::size_t l) const {
    if (batch_.length > 0)
      return batch_.lengths.empty() ? batch_.length : static_cast<std::size_t>(batch_.lengths[l]);
    return ragged_.size(l);
  }
  /// The number of elements after the last item of the list, whose gradient is 0.
  [[nodiscard]] std::size_t padding(std::size_t l) const {
    return batch_.lengths.empty() ? 0 : batch_.length - size(l);
  }
  [[nodiscard]] strided<const T> scores(std::size_t l) const {
    return {batch_.scores.data() + first(l), size(l)};
  }
  [[nodiscard]] strided<const R> relevance(std::size_t l, workspace&) const {
    return {batch_.relevance.data() + first(l), size(l)};
  }
  [[nodiscard]] strided<const double> weights(std::size_t l, workspace& scratch) const {
    if (batch_.item_weights.empty()) return {};
    const std::span<double> copy = scratch.take<double>(size(l));
    for (std::size_t i = 0; i < copy.size(); ++i) copy[i] = batch_.item_weights[first(l) + i];
    return {copy.data(), copy.size()};
  }
  [[nodiscard]] double list_weight(std::size_t l) const { return weight_of(batch_.list_weights, l); }
  [[nodiscard]] bool masked() const { return !batch_.mask.empty(); }
  [[nodiscard]] bool kept(std::size_t l, std::size_t i) const {
    return !masked() || batch_.mask[first(l) + i];
  }
  [[nodiscard]] bool any_missed() const { return !batch_.missed.empty(); }
  [[nodiscard]] bool missed(std::size_t l, std::size_t i) const {
    return any_missed() && batch_.missed[first(l) + i];
  }
  [[nodiscard]] std::pair<std::size_t, std::ptrdiff_t> layout(std::size_t l,
                                                              const shaped<real_output>&) const {
    return {first(l), 1};
  }

 private:
  const list_batch<T, R>& batch_;
  ragged_lists ragged_;  // where there is no length
  std::size_t lists_;
  std::size_t stride_ = 0;
};

template <class T, class R>
void check_shape(const list_batch<T, R>& batch, const outputs& out) {
  const std::size_t items = batch.scores.size();
  check_size("relevance", batch.relevance.size(), items, "one per score");
  check_optional("mask", batch.mask.size(), items, "one per score");
  check_optional("missed", batch.missed.size(), items, "one per score");
  if (batch.length > 0) {
    const std::size_t stride = batch.stride > 0 ? batch.stride : batch.length;
    require(batch.offsets.empty(), "offsets: given together with length; a batch is ragged or dense");
    require(stride >= batch.length, "stride: ", stride, ", expected at least length ", batch.length);
    const std::size_t rest = items % stride;
    require(rest == 0 || rest == batch.length, "scores: size ", items, ", expected whole lists of length ",
            batch.length, " at stride ", stride);
    const std::size_t lists = batch_source<T, R>(batch).lists();
    check_optional("lengths", batch.lengths.size(), lists, "one per list");
    for (std::size_t l = 0; l < batch.lengths.size(); ++l)
      require(batch.lengths[l] >= 0 && static_cast<std::size_t>(batch.lengths[l]) <= batch.length,
              "lengths: ", batch.lengths.number(l), " at list ", l, ", expected 0 to ", batch.length,
              " (length)");
  } else {
    require(batch.stride == 0, "stride: ", batch.stride, " without length");
    require(batch.lengths.empty(),
            "lengths: given without length; lists of a ragged batch end where offsets say");
    checked_lists(batch.offsets, items, "scores");
  }
  const std::size_t apart = batch.stride > 0 ? batch.stride : batch.length;
  check_outputs(out, items, "one per score", batch_source<T, R>(batch).lists(), "one per list", apart);
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
            from + find_first(strided(items.data() + static_cast<std::ptrdiff_t>(from) * items.stride(),
                                      items.size() - from, items.stride()),
                              bad, scratch);
        if (i >= items.size()) return;
        if (source.kept(l, i))
          fail(field, ": ", static_cast<double>(items[i]), " at list ", l, ", item ", i, ", expected ",
               expected(items[i]));
        from = i + 1;  // padding may hold any value
      }
    };
    report(
        scores, [](const auto& s) { return is_nan(s); }, "scores", [](auto) { return "a number"; });
    report(
        source.relevance(l, scratch), [&](const R& y) { return refuses_relevance(loss, y); }, "relevance",
        [&](const R& y) { return expected_relevance(loss, y, "; mask items without judgement"); });
    report(
        source.weights(l, scratch), [](const double& w) { return !(is_finite(w) && w >= 0.0); },
        "item_weights", [](double) { return "a finite number >= 0"; });
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail

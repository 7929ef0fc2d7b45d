// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <span>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Some neighbouring lists of a matrix, whose scores are in memory: list l of [first, last) has its scores,
/// its slopes and, where it is computed, its relevance at (l - first) * width.
template <class T, class R>
struct list_panel {
  std::size_t first = 0;
  std::size_t last = 0;
  std::size_t width = 0;
  T* scores = nullptr;
  T* slopes = nullptr;
  R* relevance = nullptr;

  [[nodiscard]] std::size_t at(std::size_t l) const noexcept {
    return l >= first && l < last ? (l - first) * width : 0;
  }
};

/// The lists of a matrix that is in memory panel by panel, as list_run reads them. Before the panel of a list
/// is there, its scores are memory of the right size, which nobody reads.
template <class T, class R>
class panel_source {
 public:
  using score_type = T;
  using relevance_type = R;

  /// @param pairs  rows, columns and all that is known of pairs, without similarities
  panel_source(const similarity_batch<T, R>& pairs, bool columns, list_relevance kind, bool probabilities,
               const list_panel<T, R>& panel)
      : lists_(pairs, columns, kind, probabilities),
        panel_(panel),
        computed_(kind == list_relevance::relevance && panel.relevance != nullptr) {}

  [[nodiscard]] std::size_t lists() const { return lists_.lists(); }
  [[nodiscard]] std::size_t size(std::size_t l) const { return lists_.size(l); }
  [[nodiscard]] strided<const T> scores(std::size_t l) const {
    return {panel_.scores + panel_.at(l), panel_.width};
  }
  [[nodiscard]] strided<const R> relevance(std::size_t l, workspace& scratch) const {
    if (computed_) return {panel_.relevance + panel_.at(l), panel_.width};
    return lists_.relevance(l, scratch);
  }
  [[nodiscard]] strided<const double> weights(std::size_t l, workspace& scratch) const {
    return lists_.weights(l, scratch);
  }
  [[nodiscard]] double list_weight(std::size_t l) const { return lists_.list_weight(l); }
  [[nodiscard]] bool masked() const { return lists_.masked(); }
  [[nodiscard]] bool kept(std::size_t l, std::size_t i) const { return lists_.kept(l, i); }
  [[nodiscard]] bool any_missed() const { return false; }
  [[nodiscard]] bool missed(std::size_t, std::size_t) const { return false; }
  [[nodiscard]] std::size_t padding(std::size_t) const { return 0; }
  [[nodiscard]] std::pair<std::size_t, std::ptrdiff_t> layout(std::size_t l,
                                                              const shaped<real_output>&) const {
    return {panel_.at(l), 1};
  }

 private:
  matrix_source<T, R> lists_;
  const list_panel<T, R>& panel_;
  bool computed_;
};

/// Requires the relevance that was computed for a panel to be what the loss takes, of pairs that take part.
template <class Loss, class T, class R>
void check_relevance(const Loss& loss, const similarity_batch<T, R>& pairs, const list_panel<T, R>& panel,
                     bool columns) {
  const std::span<const R> relevance(panel.relevance, (panel.last - panel.first) * panel.width);
  const auto refused = [&](const R& y) { return refuses_relevance(loss, y); };
  const auto takes_part = [&](std::size_t at) {
    const std::size_t list = panel.first + at / panel.width, item = at % panel.width;
    return columns ? keeps_pair(pairs, item, list) : keeps_pair(pairs, list, item);
  };
  std::size_t at = find_first(strided<const R>(relevance), refused);
  if (leaves_out_pairs(pairs))
    while (at < relevance.size() && !(refused(relevance[at]) && takes_part(at))) ++at;
  if (at < relevance.size())
    fail("computed_relevance: ", static_cast<double>(relevance[at]), " at ", columns ? "column " : "row ",
         panel.first + at / panel.width, columns ? ", row " : ", column ", at % panel.width, ", expected ",
         expected_relevance(loss, relevance[at], "; pairs without judgement are left out by the mask, or 0"));
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail

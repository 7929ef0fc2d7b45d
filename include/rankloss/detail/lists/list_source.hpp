// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/workspace.hpp>

#include <concepts>
#include <cstddef>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// list_source: a view of lists in the host's memory, as list_run reads them: the lists of a batch, the rows or columns of a matrix.
///
///     lists(), size(l)                         how many lists, and items of list l
///     scores(l), relevance(l, scratch), weights(l, scratch)      of list l; what is not in memory as it is needed is made in scratch
///     list_weight(l)
///     masked(), kept(l, i)                     whether any item may be masked, and whether item i of list l takes part
///     any_missed(), missed(l, i)               the same for items that have relevance and no rank
///     padding(l)                               items behind the list whose outputs are 0
///     place(l, out)                            first item of the list in an output, and the step from one item to the next
template <class Source>
concept list_source = requires(const Source& source, std::size_t l, std::size_t i,
                               const shaped<real_output>& out, workspace& scratch) {
  typename Source::score_type;
  typename Source::relevance_type;
  { source.lists() } -> std::same_as<std::size_t>;
  { source.size(l) } -> std::same_as<std::size_t>;
  { source.scores(l) } -> std::same_as<strided<const typename Source::score_type>>;
  { source.relevance(l, scratch) } -> std::same_as<strided<const typename Source::relevance_type>>;
  { source.weights(l, scratch) } -> std::same_as<strided<const double>>;
  { source.list_weight(l) } -> std::same_as<double>;
  { source.masked() } -> std::same_as<bool>;
  { source.kept(l, i) } -> std::same_as<bool>;
  { source.any_missed() } -> std::same_as<bool>;
  { source.missed(l, i) } -> std::same_as<bool>;
  { source.padding(l) } -> std::same_as<std::size_t>;
  { source.place(l, out) } -> std::same_as<std::pair<std::size_t, std::ptrdiff_t>>;
};

/// list_sink: where what a loss writes of a list goes.
///
///     target(l, n, scratch)                    memory for the n items of list l that take part; empty where the output is not wanted
///     commit(l, written, factor)               brings it, times the factor, to its final place
template <class Sink, class T>
concept list_sink = requires(const Sink& sink, std::size_t l, double factor, workspace& scratch,
                             const strided<T>& written) {
  { sink.target(l, l, scratch) } -> std::same_as<strided<T>>;
  sink.commit(l, written, factor);
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/workspace.hpp>

#include <concepts>
#include <cstddef>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// list_source: a view of lists in the host's memory, as list_run reads them: the lists of a batch, or the
/// rows or columns of a matrix.
///
///     lists(), size(l)              number of lists, and of items of list l
///     scores(l)                     scores of list l
///     relevance(l, scratch),        of list l; built in scratch if the host's memory does not hold them in
///     weights(l, scratch)           the form that is needed
///     list_weight(l)                weight of list l
///     masked(), kept(l, i)          whether any item may be masked; whether item i of list l takes part
///     any_missed(), missed(l, i)    whether any item may have relevance but no rank; whether item i has none
///     padding(l)                    number of elements after list l whose outputs are 0
///     layout(l, out)                first item of list l in an output, and the stride from item to item
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
  { source.layout(l, out) } -> std::same_as<std::pair<std::size_t, std::ptrdiff_t>>;
};

/// list_sink: the destination of the outputs that a loss writes for a list.
///
///     target(l, n, scratch)         memory for the n items of list l that take part; empty if the output is
///                                   not wanted
///     commit(l, written, factor)    multiplies the written values by the factor and stores them in their
///                                   final place
template <class Sink, class T>
concept list_sink = requires(const Sink& sink, std::size_t l, double factor, workspace& scratch,
                             const strided<T>& written) {
  { sink.target(l, l, scratch) } -> std::same_as<strided<T>>;
  sink.commit(l, written, factor);
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail

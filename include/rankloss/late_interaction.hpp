// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// How similar two tokens are.
enum class token_similarity {
  cosine,  ///< of the angle between them; with a zero vector it is 0
  dot,     ///< the dot product
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(token_similarity) noexcept {
  return {"cosine", "dot"};
}

/// token_batch: the input of late_interaction, as views of the host's own memory: the embeddings of the
/// tokens of queries and of documents, query after query and document after document. Without offsets all
/// tokens are one query or one document. Embeddings are plain arrays of whole vectors, or matrices whose
/// rows are contiguous, with any row stride.
///
/// Which documents a query is compared with is said by the first of these that is given:
///
/// - neither `candidate_offsets` nor `candidates`: all of them, in a matrix [queries, documents];
/// - `candidates`: those whose indices stand from candidate_offsets[q] to candidate_offsets[q + 1]; a
///   document may be a candidate of several queries, or of none;
/// - `candidate_offsets` alone: each query has documents of its own, which follow one another.
///
/// The components of the tokens are finite. A masked token takes no part, may hold any value and has a
/// gradient of 0.
template <score T>
struct token_batch {
  shaped<array_view<const T>> query_tokens;     ///< [query tokens, dimension]
  shaped<array_view<const T>> document_tokens;  ///< [document tokens, dimension]
  std::size_t dimension = 0;                    ///< components of a token; 0: the columns of the matrices
  indices query_offsets{};                      ///< [queries + 1] non-decreasing, from 0
  indices document_offsets{};                   ///< [documents + 1] non-decreasing, from 0
  indices candidate_offsets{};                  ///< [queries + 1] non-decreasing, from 0
  indices candidates{};                         ///< [candidates] documents, counted from 0
  reals query_weights{};                        ///< [query tokens] >= 0, finite; empty: all 1
  flags query_mask{};                           ///< [query tokens] zero: the token takes no part
  flags document_mask{};                        ///< [document tokens] zero: the token takes no part
  token_similarity similarity = token_similarity::cosine;
};

/// The entry of `best` for a query token that has no best token: it is masked, or the document has no token.
inline constexpr std::uint32_t no_token = std::numeric_limits<std::uint32_t>::max();

/// late_interaction: the relevance of documents for queries, by the best document token of each query token:
/// ColBERT's MaxSim.
///
///     S[q, d] = sum_i w_i max_j sim(x_i, y_j)           i over the tokens of q, j over the tokens of d
///     dx_i    = sum_d dS[q, d] w_i d(sim)/d(x_i)        at j, the best token of d for i
///     dy_j    = sum_q,i dS[q, d] w_i d(sim)/d(y_j)      over the tokens i whose best token j is
///
/// Scores are written query by query: [queries, documents], which is the `similarity` of a similarity_batch,
/// or those of the candidates of each query in their order, which are the `scores` of a list_batch with
/// `candidate_offsets` as its offsets. Any loss of such a batch trains the tokens:
///
///     std::vector<float> scores(queries * documents), upstream(scores.size());
///     std::vector<std::uint32_t> best(best_token_count(tokens));
///     late_interaction(tokens, scores, best, context);
///     evaluate(loss, similarity_batch<float>{.similarity = scores, .rows = queries, .columns = documents},
///              {.gradient = upstream}, context);
///     late_interaction_pullback(tokens, upstream, {.queries = dx, .documents = dy, .best = best}, context);
///
/// `best`, where it is not empty, receives the best document token of each query token, counted from 0 within
/// the document, 4 bytes each: document by document [documents, query tokens], or with candidates the tokens
/// of the query of each pair, pairs in the order of the documents and those of a document in the order of the
/// candidates. A pullback without it computes it again, which takes about as long as the scores.
///
/// Khattab, Zaharia: ColBERT: Efficient and effective passage search via contextualized late interaction over
/// BERT, SIGIR 2020, arXiv 2004.12832, with the cosine, which is the default here.
///
/// - Time O(dimension) for each pair of a query token and a document token, in parallel over documents. The
///   pullback with `best` takes O(dimension) for each pair of a query token and a document. Products are
///   formed in the type of the tokens, sums over tokens in double. The same bits for any executor; a score
///   does not depend on the other queries and documents, unless some dot products are out of the range of the
///   type.
/// - Scratch O(query tokens dimension), and O(longest document dimension) for each worker; with candidates
///   also O(candidates). The pullback takes 16 bytes more for each document token, and without `best` at most
///   16 MB more, or 4 bytes for each query token if that is more. No similarity of two tokens is kept.
/// - Of equally good tokens the first one is the best and has the whole slope: a subgradient. torch.max over
///   a dimension takes one of them, too; torch.amax shares the slope.
/// - Edge cases: a query without tokens has scores 0. A document without tokens has scores 0, the cosine with
///   nothing; a document that is absent is better left out by a mask of the losses' batch. The cosine with a
///   zero vector is 0, and its gradient by that vector is 0. Nothing overflows: a score or derivative beyond
///   the largest number counts as that number.
/// @throws std::invalid_argument naming the field when sizes, offsets, candidates or (data_checks::on) data
/// are invalid; then nothing has been written. std::bad_alloc while scratch grows; then scores may be partly
/// written.
template <score T>
void late_interaction(const token_batch<T>& batch, std::type_identity_t<array_view<T>> scores,
                      array_view<std::uint32_t> best, context& ctx);

/// late_interaction without a memory of the best tokens.
template <score T>
void late_interaction(const token_batch<T>& batch, std::type_identity_t<array_view<T>> scores, context& ctx) {
  late_interaction(batch, scores, array_view<std::uint32_t>{}, ctx);
}

/// late_interaction on the calling thread with a context of its own.
template <score T>
void late_interaction(const token_batch<T>& batch, std::type_identity_t<array_view<T>> scores) {
  context ctx;
  late_interaction(batch, scores, ctx);
}

/// The entries of `best`: the query tokens of each pair of a query and a document.
/// @throws std::invalid_argument when sizes, offsets or candidates are invalid.
template <score T>
[[nodiscard]] std::size_t best_token_count(const token_batch<T>& batch);

/// token_gradients: what late_interaction_pullback writes, and the best tokens that it reads. Empty outputs
/// are not written; they are float or double, whatever the tokens are, with a layout of their own.
struct token_gradients {
  shaped<real_output> queries{};                          ///< [query tokens, dimension]
  shaped<real_output> documents{};                        ///< [document tokens, dimension]
  array_view<const std::uint32_t> best{};                 ///< read: as late_interaction wrote it; or empty
  double scale = 1.0;                                     ///< a factor on both gradients
  rankloss::update update = rankloss::update::overwrite;  ///< of both gradients
};

/// late_interaction_pullback: the derivatives by the tokens, from those by the scores (`upstream`, in the
/// layout of the scores), such as the gradient of a loss.
/// @throws as late_interaction does, also for an upstream or a best token that is not valid.
template <score T>
void late_interaction_pullback(const token_batch<T>& batch, const reals& upstream, const token_gradients& out,
                               context& ctx);

/// late_interaction_pullback on the calling thread with a context of its own.
template <score T>
void late_interaction_pullback(const token_batch<T>& batch, const reals& upstream,
                               const token_gradients& out) {
  context ctx;
  late_interaction_pullback(batch, upstream, out, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/late_interaction.hpp>
#endif

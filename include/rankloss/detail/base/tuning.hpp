// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/precision.hpp>

#include <cstddef>

/// Sizes at which one way of computing takes over from another, and sizes of pieces of work. No result
/// depends on them beyond rounding. Most name the benchmark that shows what a change of them
/// does (`scripts/bench.sh NAME`); where digits decide and not time, it says so.
namespace rankloss::inline RANKLOSS_ABI::detail::tuning {

// Lists of a batch.

/// Items of a task: enough work to hide what it costs to hand a task to a worker. Benchmark sndcg_batch.
inline constexpr std::size_t task_items = 4096;
/// The same for lists of partial orders, whose times differ more. Benchmark plackett_luce_pairs.
inline constexpr std::size_t task_orders = 16;
/// Lists of so many items are computed by all workers together where each would have fewer otherwise, and so many pairs of
/// a preference batch.
inline constexpr std::size_t shortest_shared = std::size_t{1} << 16;
/// Items of a piece of one long list, which is the work of one worker at a time. Benchmark sndcg_threads.
inline constexpr std::size_t piece_items = std::size_t{1} << 14;
/// Items of a piece whose stretches lie in lanes. Not a power of two, so that the neighbours in a row do not
/// take turns in few places of the cache. A list of fewer items than the second number is one stretch.
/// Benchmarks soft_sort, laplace_ranks.
inline constexpr std::size_t stretched_items = piece_items + 256;
inline constexpr std::size_t shortest_stretched = 48;

/// Columns of a matrix that are copied at a time, in pieces of so many rows, and their length from which on
/// they are. Benchmark softmax_columns.
inline constexpr std::size_t block_lists = 64;
inline constexpr std::size_t block_rows = 16;
inline constexpr std::size_t shortest_block = 128;

/// Columns of a matrix whose softmax losses are computed side by side by one task. Benchmark softmax_columns.
inline constexpr std::size_t interleaved_lists = 512;

/// Lines of a block, at least, of which one task finds the hardest negatives, and lines whose hinges are one task.
/// Benchmarks triplet, triplet_both.
inline constexpr std::size_t least_block_lines = 32;
inline constexpr std::size_t hinge_lines = 64;

/// Items of a list of a softmax loss up to which exponentials and target are kept in scratch instead of being
/// computed again. Benchmark listnet.
inline constexpr std::size_t longest_kept_softmax = 4096;

// Embeddings.

/// Similarities of a panel, at most, where that many lists are enough: a panel that stays in the cache.
/// Benchmark info_nce_embeddings.
inline constexpr std::size_t panel_items = std::size_t{1} << 19;
/// Lists of a panel: enough for products to be fast, and for tasks. Benchmark info_nce_embeddings.
inline constexpr std::size_t least_panel_lists = 128;
inline constexpr std::size_t most_panel_lists = 256;
/// Columns of a panel and lists of it that are multiplied in one task.
inline constexpr std::size_t product_items = 512;
inline constexpr std::size_t product_lists = 64;

// Sorts.

/// Lists of up to so many items are sorted by comparing each with each. Benchmark argsort.
inline constexpr std::size_t longest_short_sort = 32;
/// Lists of up to so many items with keys of 32 bits are sorted in vectors: with two lanes, none. Benchmark argsort.
[[nodiscard]] constexpr std::size_t longest_vector_sort(std::size_t lanes) noexcept {
  return 8 * lanes * lanes;
}
/// Items from which on digits may have 11 bits, and from which on a list is brought into bins before it is
/// sorted, and the items of a bin. Benchmark argsort.
inline constexpr std::size_t shortest_wide_digits = 2048;
inline constexpr std::size_t shortest_partition = std::size_t{1} << 17;
inline constexpr std::size_t bin_items = std::size_t{1} << 14;

// sndcg and sigmoid ranks.

/// Lists of up to so many items are summed over all pairs, without a sort: where a batch of them takes at most about an
/// eighth longer, since a list by itself takes less than half. Benchmarks sndcg_batch, sndcg.
template <class T>
inline constexpr std::size_t longest_by_pairs = by_precision<T>(16, 20);
/// Lists of up to so many items are computed one in each lane. Benchmarks sweep_sndcg, sndcg: a list by itself has its
/// terms in the lanes, which takes more time than parts of it in the lanes, the more so the fewer they are. In double by
/// digits, which long chains of a scan lose where more items have scores close to each other.
template <class T>
[[nodiscard]] constexpr std::size_t longest_in_lane(std::size_t lanes) noexcept {
  return by_precision<T>(std::size_t{lanes < 8 ? 256u : 512u}, std::size_t{64});
}
/// The same where a Hessian is wanted: a list by itself fills one lane then.
inline constexpr std::size_t longest_hessian_in_lane = 256;
/// Items of a cell, in the mean, from which on cells are faster than scans: without a sort, which scans need, and where
/// the list has been sorted. Benchmarks sndcg_temperature, sndcg_batch_temperature and sweep_sndcg.
inline constexpr std::size_t cell_items = 16;
inline constexpr std::size_t sorted_cell_items = 24;
/// Items of one cell from which on a list is computed in cells though scans are faster, where the cells hold so
/// many in the mean: by digits.
inline constexpr std::size_t crowded_cell = 256;
inline constexpr std::size_t crowded_mean = 4;

/// Sigmoid ranks of lists of up to so many items are summed pair by pair. Benchmark smooth_ap_batch.
template <class T>
inline constexpr std::size_t longest_short_sums = by_precision<T>(32, 64);

/// Items with gain up to which each is compared with all items, and the length of a list from which on. Benchmarks
/// sndcg_single, sndcg_batch.
inline constexpr std::size_t few_gains = 4;
inline constexpr std::size_t shortest_few_gains = 64;

/// The same for neural_ndcg, whatever the type. Benchmark neural_ndcg.
inline constexpr std::size_t longest_band_in_lane = 256;
/// Items of a list of a batch from which on its band is shared by all workers, and rows of lanes that are the
/// work of one of them at a time. Benchmark neural_ndcg_threads.
inline constexpr std::size_t shortest_shared_band = 1024;
inline constexpr std::size_t band_rows = 64;
/// Columns of chunks of four rows whose products and column sums are the work of one worker at a time where a band is
/// kept, and columns whose sums it adds up. Benchmark scaled_neural_ndcg_threads.
inline constexpr std::size_t band_columns = 8192;
inline constexpr std::size_t joined_columns = 1024;

// Sums over the pairs of a list.

/// Lists of up to so many floats are computed one in each lane: where pairs do not take ranks, a list by itself needs
/// no sort by score. Benchmarks ranknet_batch, lambdarank_batch.
inline constexpr std::size_t longest_lane_pairs = 16;
inline constexpr std::size_t longest_ranked_lane_pairs = 48;
/// The same for the objectives of boosted trees. Benchmark lightgbm_lambdarank_batch.
inline constexpr std::size_t longest_lambda_lanes = 128;

/// Shorter lists are computed pair by pair, without a scan over sorted scores. Benchmark ranknet_batch.
template <class T>
inline constexpr std::size_t shortest_scan = by_precision<T>(257, 193);
/// The same where weights go by the distance of two ranks. Benchmark ndcg_loss2_plus.
template <class T>
inline constexpr std::size_t shortest_rank_scan = by_precision<T>(385, 769);
/// Items of a window of such a scan, whose pairs are computed one by one. Benchmark ndcg_loss2.
inline constexpr std::size_t rank_window_items = 64;
/// Within a scan, parts of up to so many items that have many levels are. Benchmark ranknet_real.
inline constexpr std::size_t scanned_by_pairs = 256;
/// Shorter lists are computed pair by pair, without a merge of their hinges. Benchmark hinge.
inline constexpr std::size_t shortest_merge = 256;
/// Sums over up to so many pairs of an item are formed in float lanes: by digits, because with more summands
/// roundings in one direction add up.
inline constexpr std::size_t longest_float_sum = 256;
/// Items of which one after the other adds to the sum of another item in float lanes: by digits.
inline constexpr std::size_t float_summands = 32;
/// Items of a window whose pairs are computed one by one. Benchmark ranknet.
inline constexpr std::size_t window_items = 64;
/// Items of a window below which the past acts on them one by one, and items of such a window, whose pairs are computed one
/// by one. Benchmarks sweep_ranknet, sweep_lambdarank.
inline constexpr std::size_t sparse_items = 16;
/// The same where pairs within other windows go by moments, times the levels: what is done once a window is done for each.
/// Benchmark ranknet_temperature.
inline constexpr double sparse_items_of_level = 1.5;
inline constexpr std::size_t wide_items = 32;
/// Items of a window that is computed by moments, at most: a bound on scratch.
inline constexpr std::size_t large_window = 4096;
/// Items of a narrow window from which on its short series is faster, and levels up to which. Benchmark
/// ranknet.
inline constexpr std::size_t narrow_items = 32;
inline constexpr std::size_t narrow_levels = 8;
/// Items of a window for each of its levels from which on the moments of the window are kept, instead of being formed
/// by each walk that takes them. Benchmark ranknet.
inline constexpr std::size_t kept_moments = 4;
/// Levels with scan states of their own; more are divided first. Benchmark ranknet.
inline constexpr std::size_t most_levels = 32;
/// Levels up to which each pair of levels has its own gain; time is quadratic in it. Benchmark lambdarank.
inline constexpr std::size_t most_by_level = 16;
/// Positives up to which each is compared with the negatives; with more a sort is faster. Benchmark triplet.
inline constexpr std::size_t few_positives = 32;
/// Soft triplets of a query from which on a scan over sorted scores is faster: more than lists have that a
/// scan computes by pairs. Benchmark triplet_all_soft.
inline constexpr std::size_t soft_pairs = 20480;

// Chunks that stay in the cache nearest to the processor, and pieces of work that are not worth less.

inline constexpr std::size_t check_chunk = 256;  ///< items whose data are checked before a look at the result
inline constexpr std::size_t preference_chunk =
    256;                                           ///< pairs whose terms are computed before they are added
inline constexpr std::size_t softmax_chunk = 512;  ///< items whose sums are formed before they are added
inline constexpr std::size_t match_chunk = 512;    ///< columns of a matrix whose counts are kept
inline constexpr std::size_t chance_chunk = 512;   ///< items of an order whose chances are formed
inline constexpr std::size_t order_chunk = 64;     ///< lists of a task that samples or evaluates orders
inline constexpr std::size_t token_chunk = 64;     ///< vectors of a task that checks or copies them

/// Best tokens that a pullback of late_interaction computes again at once: a bound on scratch.
inline constexpr std::size_t best_tokens = std::size_t{1} << 22;
/// Logits of cmpc that are held at once, unless those of 64 classes are more: a bound on scratch.
inline constexpr std::size_t logits_of_tile = std::size_t{1} << 21;

}  // namespace rankloss::inline RANKLOSS_ABI::detail::tuning

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/segmented_sort.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tiles.cuh>

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

/// Runs a list loss over lists that are too long for one block: by the whole grid, in steps. Masks, checks and
/// what is written of bad lists are here; a loss knows of tiles and lists only.
///
/// Launches depend on what the host knows alone, so they can be captured into a graph. Blocks for whose tile there
/// is no list leave at once.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

// Lists of up to so many items are computed by one block. These numbers are predicted and not measured: a
// launch takes some 2 us, and each step of a sort or pass of a block, whose items are in memory, as much for
// every 1000 to 2000 items.

/// Of losses that sort: a block sorts 4096 items in 78 steps, which is about as many as the whole grid takes
/// launches.
inline constexpr std::uint32_t longest_sorted_by_block = 4096;
/// Of losses that pass over their items a few times, for which the grid takes some 10 launches.
inline constexpr std::uint32_t longest_passed_by_block = 16384;
/// Of losses of all pairs. A block is with the pairs of some 100 items for as long as a launch takes, so this is
/// as few as there can be.
inline constexpr std::uint32_t longest_paired_by_block = tile_items - 1;

/// Items of a part of a tile.
inline constexpr std::uint32_t part_items = 32;
inline constexpr std::uint32_t parts_of_tile = tile_items / part_items;
static_assert(tile_items % part_items == 0);

/// A long list, as a step sees it: the items that the mask keeps, in their order.
template <class T, class R>
struct grid_list {
  device_list<T, R> items;
  device_sink<T> sink;
  std::size_t first;   ///< its first element in arrays of items
  std::uint32_t tile;  ///< that of its first tile in arrays of tiles
  std::uint32_t at;    ///< its own in arrays of lists
  double* value;       ///< where its value goes

  [[nodiscard]] __device__ std::uint32_t size() const { return items.size(); }
  [[nodiscard]] __device__ std::uint32_t tiles() const { return tiles_of(items.size()); }
  [[nodiscard]] __device__ std::uint32_t parts() const { return (size() + part_items - 1) / part_items; }
  [[nodiscard]] __device__ std::size_t part() const { return std::size_t{tile} * parts_of_tile; }
  /// What all tiles have left, combined by x.with(y) and of all threads by x.of_all(team).
  template <class Team, class X>
  [[nodiscard]] __device__ X combine(const Team& team, const X* of_tiles, X x) const {
    for (std::uint32_t t = team.rank(); t < tiles(); t += team.size()) x = x.with(of_tiles[tile + t]);
    return x.of_all(team);
  }
};

/// A tile of it, or a part of one: the items [begin, end).
struct grid_tile {
  std::uint32_t index, begin, end;

  [[nodiscard]] __device__ std::uint32_t size() const { return end - begin; }
  /// Calls body(i) for the items of a thread.
  template <class Team, class Body>
  __device__ void for_own(const Team& team, Body body) const {
    for (std::uint32_t i = begin + team.rank(); i < end; i += team.size()) body(i);
  }
};

/// What a tile has been found to hold.
struct tile_items_found {
  fault_word word;
  std::uint64_t kept;  ///< items that the mask keeps; once they are summed, with those of the tiles before
};

/// What a launch of a step is given, by value.
template <class Task>
struct grid_task {
  using T = std::remove_const_t<std::remove_reference_t<decltype(Task::batch.scores[0])>>;
  using R = std::remove_const_t<std::remove_reference_t<decltype(Task::batch.relevance[0])>>;

  Task task;
  tile_table table;
  tile_items_found* found;  ///< [tiles]
  std::uint32_t* kept;      ///< [items] indices of the items that the mask keeps; null without mask

  [[nodiscard]] __device__ grid_list<T, R> list_of(const long_list& of, std::uint32_t at) const {
    const std::uint32_t* indices = kept != nullptr ? kept + of.first : nullptr;
    const double factor = held_as<double>(task.out.scale * task.mean().share(task.weight(of.number)));
    return {device_list<T, R>(task.batch, of.first, of.kept, indices, of.number),
            device_sink<T>(task.out, of.first, indices, factor),
            of.first,
            table.tile_at(of.first),
            at,
            task.values + of.number};
  }
};

/// Where the lists of a task lie, for their tiles.
template <class Task>
struct places_of_task {
  Task task;

  [[nodiscard]] __device__ list_place operator()(std::size_t l) const {
    return task.faults->places != no_fault ? list_place{0, 0, no_fault} : place_of(task, l);
  }
};

/// Looks at the items of each tile: how many the mask keeps, and the first fault.
template <class Task>
__global__ void __launch_bounds__(tile_threads) check_tiles(const grid_task<Task> grid) {
  __shared__ block_team::slots slots;
  const tile_place tile = tile_place::of_block(grid.table, blockIdx.x, true);
  if (!tile.any()) return;
  const block_team team(slots);
  const Task& task = grid.task;
  const auto& batch = task.batch;
  const std::size_t first = tile.of.first;
  tile_items_found found{no_fault, 0};
  for (std::uint32_t i = tile.begin() + team.rank(); i < tile.end_of(tile.of.size); i += team.size()) {
    if (!batch.mask.empty() && !batch.mask[first + i]) {
      clear_derivatives(task.out, first + i);
      continue;
    }
    ++found.kept;
    if (!task.check) continue;
    const fault_word own = item_fault(task, first, i);
    found.word = own < found.word ? own : found.word;
  }
  if (!batch.lengths.empty())
    for (std::size_t i = tile.of.size + std::size_t{tile.index} * team.size() + team.rank(); i < batch.length;
         i += std::size_t{tiles_of(tile.of.size)} * team.size())
      clear_derivatives(task.out, first + i);
  found = {least(team, found.word), sum(team, found.kept)};
  if (team.rank() == 0) grid.found[blockIdx.x] = found;
}

/// The same of each list, from its tiles.
template <class Task>
__global__ void __launch_bounds__(tile_threads) check_long_lists(const grid_task<Task> grid) {
  __shared__ block_team::slots slots;
  const long_list of = grid.table.lists[blockIdx.x];
  if (of.number == long_list::none) return;
  const block_team team(slots);
  const Task& task = grid.task;
  tile_items_found* const found = grid.found + grid.table.tile_at(of.first);
  const std::uint32_t tiles = tiles_of(of.size);
  const std::uint64_t kept = scan_items(
      team, tiles, std::uint64_t{0}, [&](std::uint32_t t) { return found[t].kept; },
      [](std::uint64_t a, std::uint64_t b) { return a + b; },
      [&](std::uint32_t t, std::uint64_t sum) { found[t].kept = sum; });
  fault_word word = task.check && task.bad_weight(of.number) ? fault_of(fault::list_weight) : no_fault;
  for (std::uint32_t t = team.rank(); t < tiles; t += team.size())
    word = found[t].word < word ? found[t].word : word;
  word = least(team, word);
  if (team.rank() != 0) return;
  grid.table.lists[blockIdx.x].word = word;
  grid.table.lists[blockIdx.x].kept = static_cast<std::uint32_t>(kept);
  task.words[of.number] = word;
  task.values[of.number] = word != no_fault ? not_a_number<double> : 0.0;
}

/// Lists the items that the mask keeps, or writes NaN for those of a list that cannot be computed.
template <class Task>
__global__ void __launch_bounds__(tile_threads) keep_items(const grid_task<Task> grid) {
  using T = typename grid_task<Task>::T;
  __shared__ block_team::slots slots;
  const tile_place tile = tile_place::of_block(grid.table, blockIdx.x, true);
  if (!tile.any()) return;
  const block_team team(slots);
  const auto& mask = grid.task.batch.mask;
  const bool bad = tile.of.word != no_fault;
  if (!bad && mask.empty()) return;
  const device_sink<T> sink(grid.task.out, tile.of.first, nullptr, 0.0);
  std::uint64_t count = tile.index > 0 ? grid.found[blockIdx.x - 1].kept : 0;
  for (std::uint32_t begin = tile.begin(); begin < tile.end_of(tile.of.size); begin += team.size()) {
    const std::uint32_t i = begin + team.rank();
    const bool keep = i < tile.end_of(tile.of.size) && (mask.empty() || mask[tile.of.first + i]);
    if (bad) {
      if (keep) sink.put_nan(i);
      continue;
    }
    const auto position = scan(team, keep ? std::uint32_t{1} : 0, std::uint32_t{0},
                               [](std::uint32_t a, std::uint32_t b) { return a + b; });
    if (keep) grid.kept[tile.of.first + count + position.before] = i;
    count += position.total;
  }
}

// As kernels of lists, those of steps may take all registers that a block can have.

/// A step over tiles, one a block.
template <class Task, class Step>
__global__ void __launch_bounds__(tile_threads, 1) tile_step(const grid_task<Task> grid, const Step step) {
  __shared__ block_team::slots slots;
  const tile_place tile = tile_place::of_block(grid.table, blockIdx.x);
  if (!tile.any()) return;
  step(block_team(slots), grid.task.compute, grid.list_of(tile.of, tile.list),
       grid_tile{tile.index, tile.begin(), tile.end_of(tile.of.kept)});
}

/// A step over parts of tiles, one a block, as finely as pairs of items are shared out. Parts are numbered
/// through the list.
template <class Task, class Step>
__global__ void __launch_bounds__(tile_threads, 1) part_step(const grid_task<Task> grid, const Step step) {
  __shared__ block_team::slots slots;
  const tile_place tile = tile_place::of_block(grid.table, blockIdx.x / parts_of_tile);
  if (!tile.any()) return;
  const std::uint32_t part = tile.index * parts_of_tile + blockIdx.x % parts_of_tile;
  const std::uint32_t begin = part * part_items, n = tile.of.kept;
  if (begin >= n) return;
  step(block_team(slots), grid.task.compute, grid.list_of(tile.of, tile.list),
       grid_tile{part, begin, n - begin < part_items ? n : begin + part_items});
}

/// A step over lists, one a block.
template <class Task, class Step>
__global__ void __launch_bounds__(tile_threads, 1) list_step(const grid_task<Task> grid, const Step step) {
  __shared__ block_team::slots slots;
  const long_list of = grid.table.lists[blockIdx.x];
  if (!of.computed()) return;
  step(block_team(slots), grid.task.compute, grid.list_of(of, blockIdx.x));
}

/// Memory that a loss has asked for by kept_bytes, as the items of a list have it.
struct kept_memory {
  unsigned char* memory;
  std::size_t bytes;  ///< of an item

  template <class T, class R>
  [[nodiscard]] __device__ unsigned char* of(const grid_list<T, R>& list) const {
    return memory + list.first * bytes;
  }
};

/// What queues the steps of a loss.
template <class Task>
class grid_steps {
 public:
  grid_steps(const grid_task<Task>& grid, cudaStream_t stream) : grid_(grid), stream_(stream) {}

  /// step(team, compute, list, tile) for each tile, and step(team, compute, list) for each list.
  template <class Step>
  void tiles(std::string_view name, const Step& step) const {
    launch(name, tile_step<Task, Step>, grid_.table.most_tiles, tile_threads, 0, stream_, grid_, step);
  }
  template <class Step>
  void parts(std::string_view name, const Step& step) const {
    launch(name, part_step<Task, Step>, grid_.table.most_tiles * parts_of_tile, tile_threads, 0, stream_,
           grid_, step);
  }
  /// The same for parts with a thread for each item: a step whose items take long, each for itself.
  template <class Step>
  void rows(std::string_view name, const Step& step) const {
    launch(name, part_step<Task, Step>, grid_.table.most_tiles * parts_of_tile, part_items, 0, stream_, grid_,
           step);
  }
  template <class Step>
  void lists(std::string_view name, const Step& step) const {
    launch(name, list_step<Task, Step>, grid_.table.most_lists, tile_threads, 0, stream_, grid_, step);
  }
  template <class Key, unsigned sorts>
  void sort(const digit_counts& counts, const sorted_arrays<Key> (&arrays)[sorts], bool numbers = true,
            unsigned bytes = sizeof(Key)) const {
    sort_lists(grid_.table, counts, arrays, stream_, numbers, bytes);
  }
  /// The same steps over some items of the lists alone. `lists` [lists] are those of the table but for the
  /// numbers of items that are kept, and `kept` [items] says which these are; see chosen_items.cuh.
  [[nodiscard]] grid_steps over(long_list* lists, std::uint32_t* kept) const {
    grid_task<Task> some = grid_;
    some.table.lists = lists;
    some.kept = kept;
    return {some, stream_};
  }
  void clear(long_list* lists) const { clear_lists(lists, grid_.table.most_lists, stream_); }
  [[nodiscard]] const auto& compute() const noexcept { return grid_.task.compute; }
  /// Lists have at most so many items.
  [[nodiscard]] std::uint32_t longest() const noexcept { return grid_.task.longest; }
  [[nodiscard]] kept_memory kept() const noexcept { return {grid_.task.kept, grid_.task.kept_bytes}; }
  [[nodiscard]] bool weighted() const noexcept { return !grid_.task.batch.item_weights.empty(); }
  [[nodiscard]] bool gradient_wanted() const noexcept { return !grid_.task.out.gradient.empty(); }
  [[nodiscard]] bool hessian_wanted() const noexcept { return !grid_.task.out.hessian.empty(); }
  [[nodiscard]] bool derivatives_wanted() const noexcept { return gradient_wanted() || hessian_wanted(); }

 private:
  grid_task<Task> grid_;
  cudaStream_t stream_;
};

/// How lists are computed that are too long for one block, by a loss that says in which steps: `Steps` has
///
///     longest_of_block           lists of up to so many items are computed by one block
///     arrays<T, R>               a struct made from tile_arrays: the arrays that steps share
///     run(steps, arrays)         queues the steps, by grid_steps
template <class Steps>
struct over_grid {
  static constexpr std::uint32_t longest_of_block = Steps::longest_of_block;
  static constexpr std::uint32_t shortest = longest_of_block + 1;
  static_assert(shortest >= tile_items);

  template <class T, class R>
  [[nodiscard]] static std::size_t scratch_bytes(const list_batch<T, R>& batch) {
    return memory<T, R>(nullptr, batch).bytes;
  }

  template <class Task>
  static void run(const Task& task, unsigned char* scratch, cudaStream_t stream) {
    using T = typename grid_task<Task>::T;
    using R = typename grid_task<Task>::R;
    const memory<T, R> to(scratch, task.batch);
    const grid_task<Task> grid{task, to.table, to.found, to.kept};
    find_tiles(to.table, places_of_task<Task>{task}, task.lists, stream);
    const auto queue = [&](std::string_view name, void (*kernel)(grid_task<Task>), unsigned blocks) {
      launch(name, kernel, blocks, tile_threads, 0, stream, grid);
    };
    queue("check_tiles", check_tiles<Task>, to.table.most_tiles);
    queue("check_long_lists", check_long_lists<Task>, to.table.most_lists);
    if (task.check || !task.batch.mask.empty()) queue("keep_items", keep_items<Task>, to.table.most_tiles);
    Steps::run(grid_steps<Task>(grid, stream), to.own);
  }

 private:
  template <class T, class R>
  struct memory {
    memory(unsigned char* scratch, const list_batch<T, R>& batch)
        : memory(tile_arrays(scratch, batch.scores.size(), shortest), !batch.mask.empty()) {}

    tile_table table;
    tile_items_found* found;
    std::uint32_t* kept;
    typename Steps::template arrays<T, R> own;
    std::size_t bytes;

   private:
    memory(tile_arrays from, bool masked)
        : table(from.table(shortest)),
          found(from.of_tiles<tile_items_found>()),
          kept(masked ? from.of_items<std::uint32_t>() : nullptr),
          own(from),
          bytes(from.bytes()) {}
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail

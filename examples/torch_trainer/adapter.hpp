// SPDX-License-Identifier: BSL-1.0
#pragma once

// What compiled.py compiles with each loss, by the C++ compiler or by nvcc. Nothing here knows torch: arrays are
// addresses and sizes. The structs have the fields of the ones in compiled.py, in the same order.

#include <rankloss/batch.hpp>
#include <rankloss/vectors.hpp>

#include <pthread.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <mutex>
#include <stdexcept>
#include <type_traits>
#include <utility>

#if defined(__CUDACC__)
#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/embedding_batch.hpp>
#else
#include <rankloss/context.hpp>
#include <rankloss/embedding_batch.hpp>
#include <rankloss/evaluate.hpp>
#endif

// What is built differently, such as for another version, shares nothing; losses built alike share their threads.
namespace adapter::inline RANKLOSS_ABI {

/// A whole number that an expression names: for options of either kind.
struct whole_number {
  std::size_t value;
  operator std::size_t() const { return value; }
  operator double() const { return static_cast<double>(value); }
};

/// Lists of scored items; an address of 0 means that the array is not given.
struct lists {
  const void* scores;             // [items]
  const void* relevance;          // [items] of the type of the scores
  const std::uint8_t* mask;       // [items]
  const std::int64_t* offsets;    // [lists + 1]
  const std::int64_t* lengths;    // [lists]
  const double* list_weights;     // [lists]
  const double* item_weights;     // [items]
  double* value;                  // [1]
  void* gradient;                 // [items] of the type of the scores
  double* per_list;               // [lists]
  std::int64_t items;             //
  std::int64_t lists;             //
  std::int64_t length;            // of each list; 0 where there are offsets, and for one list
  std::int64_t longest;           // of the lists that offsets say; 0: not known
  std::int32_t reduction;         // mean, mean_of_relevant, sum
  std::int32_t double_precision;  // 0: float
};

/// Embeddings of rows and columns.
struct embeddings {
  const void* row_embeddings;          // [rows, dimension]
  const void* column_embeddings;       // [columns, dimension]; 0: those of the rows
  const std::uint8_t* matches;         // [rows, columns]
  const std::uint8_t* mask;            // [rows, columns]
  const std::int64_t* row_classes;     // [rows]
  const std::int64_t* column_classes;  // [columns]
  const std::int64_t* row_ids;         // [rows]
  const std::int64_t* column_ids;      // [columns]
  const double* row_weights;           // [rows]
  const double* column_weights;        // [columns]
  double* value;                       // [1]
  void* row_gradient;                  // [rows, dimension]; float where components are halves
  void* column_gradient;               // [columns, dimension]
  double* temperature_gradient;        // [1]
  double* bias_gradient;               // [1]
  double temperature;                  // in place of the one in the loss, where has_temperature
  double bias;                         // likewise
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t dimension;
  std::int32_t reduction;
  std::int32_t similarity;  // cosine, dot, projection
  std::int32_t component;   // float, double, half, bfloat16
  std::int32_t without_diagonal;
  std::int32_t extra_columns;
  std::int32_t has_temperature;
  std::int32_t has_bias;
};

#if defined(__CUDACC__)
namespace place = rankloss::cuda;
template <class T>
using view = rankloss::cuda::device_span<T>;
#else
namespace place = rankloss;
template <class T>
using view = rankloss::array_view<T>;
#endif

/// An array that may not be given.
template <class T>
[[nodiscard]] view<T> optional(T* data, std::int64_t size) {
  return data == nullptr ? view<T>{} : view<T>(data, static_cast<std::size_t>(size));
}

template <class T, class Loss, class Context>
void run(const Loss& loss, const lists& c, Context& context) {
  const place::list_batch<T, T> batch {
    .scores = view<const T>(static_cast<const T*>(c.scores), static_cast<std::size_t>(c.items)),
    .relevance = view<const T>(static_cast<const T*>(c.relevance), static_cast<std::size_t>(c.items)),
    .offsets = optional(c.offsets, c.lists + 1), .list_weights = optional(c.list_weights, c.lists),
    .item_weights = optional(c.item_weights, c.items), .length = static_cast<std::size_t>(c.length),
    .lengths = optional(c.lengths, c.lists), .mask = optional(c.mask, c.items),
    .reduction = static_cast<rankloss::reduction>(c.reduction),
#if defined(__CUDACC__)
    .longest = static_cast<std::size_t>(c.longest),
#endif
  };
#if defined(__CUDACC__)
  rankloss::evaluate(loss, batch,
                     {.value = view<double>(c.value, 1),
                      .gradient = optional(static_cast<T*>(c.gradient), c.items),
                      .per_list = optional(c.per_list, c.lists)},
                     context);
#else
  *c.value = rankloss::evaluate(
      loss, batch,
      {.gradient = optional(static_cast<T*>(c.gradient), c.items), .per_list = optional(c.per_list, c.lists)},
      context);
#endif
}

template <class T, class Component, class Loss, class Context>
void run(const Loss& loss, const embeddings& c, Context& context) {
  const auto vectors = [&](const void* data, std::int64_t count) {
    return optional(static_cast<const Component*>(data), count * c.dimension);
  };
  const place::embedding_batch<T> batch{
      .row_embeddings = vectors(c.row_embeddings, c.rows),
      .column_embeddings = vectors(c.column_embeddings, c.columns),
      .rows = static_cast<std::size_t>(c.rows),
      .columns = c.column_embeddings == nullptr ? 0 : static_cast<std::size_t>(c.columns),
      .dimension = static_cast<std::size_t>(c.dimension),
      .similarity = static_cast<rankloss::similarity>(c.similarity),
      .matches = optional(c.matches, c.rows * c.columns),
      .row_classes = optional(c.row_classes, c.rows),
      .column_classes = optional(c.column_classes, c.columns),
      .mask = optional(c.mask, c.rows * c.columns),
      .without_diagonal = c.without_diagonal != 0,
      .extra_columns = c.extra_columns != 0,
      .row_ids = optional(c.row_ids, c.rows),
      .column_ids = optional(c.column_ids, c.columns),
      .row_weights = optional(c.row_weights, c.rows),
      .column_weights = optional(c.column_weights, c.columns),
      .reduction = static_cast<rankloss::reduction>(c.reduction)};
  const auto dx = optional(static_cast<T*>(c.row_gradient), c.rows * c.dimension);
  const auto dy = optional(static_cast<T*>(c.column_gradient), c.columns * c.dimension);
#if defined(__CUDACC__)
  rankloss::evaluate(loss, batch,
                     {.value = view<double>(c.value, 1),
                      .row_gradient = dx,
                      .column_gradient = dy,
                      .temperature_gradient = optional(c.temperature_gradient, 1),
                      .bias_gradient = optional(c.bias_gradient, 1)},
                     context);
#else
  *c.value = rankloss::evaluate(loss, batch,
                                {.row_gradient = dx,
                                 .column_gradient = dy,
                                 .temperature_gradient = c.temperature_gradient,
                                 .bias_gradient = c.bias_gradient},
                                context);
#endif
}

template <class Loss, class Context>
void run(const Loss& loss, const lists& c, Context& context) {
  if (c.double_precision != 0)
    run<double>(loss, c, context);
  else
    run<float>(loss, c, context);
}

template <class Loss, class Context>
void run(Loss loss, const embeddings& c, Context& context) {
  if (c.has_temperature != 0) {
    if constexpr (requires { loss.temperature = 0.0; })
      loss.temperature = c.temperature;
    else
      throw std::invalid_argument("temperature: this loss has none of its own, expected nothing");
  }
  if (c.has_bias != 0) {
    if constexpr (requires { loss.bias = 0.0; })
      loss.bias = c.bias;
    else
      throw std::invalid_argument("bias: this loss has none, expected nothing");
  }
  switch (c.component) {
    case 0: return run<float, float>(loss, c, context);
    case 1: return run<double, double>(loss, c, context);
    case 2: return run<float, rankloss::half>(loss, c, context);
    default: return run<float, rankloss::bfloat16>(loss, c, context);
  }
}

/// A metric has none.
template <class Loss>
inline constexpr bool has_gradient = !requires {
  requires !Loss::has_gradient;
};

/// Calls `body`. 0, or 1 for what the caller can put right and 2 for anything else, with its words in `text`.
template <class Body>
[[nodiscard]] int guarded(char* text, int size, Body body) noexcept {
  try {
    body();
    return 0;
  } catch (const std::invalid_argument& wrong) {
    std::snprintf(text, static_cast<std::size_t>(size), "%s", wrong.what());
    return 1;
  } catch (const std::exception& wrong) {
    std::snprintf(text, static_cast<std::size_t>(size), "%s", wrong.what());
    return 2;
  }
}

/// What the calls of a process share. A context serves one call at a time; torch may call from several threads. A
/// process that is forked off begins anew, as the lock may be taken for ever and the threads are not there.
struct process_state {
  std::mutex one_at_a_time;
#if !defined(__CUDACC__)
  std::map<std::int64_t, rankloss::context> contexts;
#endif
};
inline process_state& state_of_process() {
  static process_state* state = nullptr;
  static const bool made [[maybe_unused]] = [] {
    state = new process_state;
    pthread_atfork(nullptr, nullptr, [] { state = new process_state; });
    return true;
  }();
  return *state;
}

#if defined(__CUDACC__)

/// A context for each device and stream, which is the address of one. They are never destroyed: when the program
/// ends, CUDA may have gone before.
inline rankloss::cuda::context& context_of(std::int64_t stream) {
  static auto& contexts = *new std::map<std::pair<int, std::int64_t>, rankloss::cuda::context>;
  int device = 0;
  rankloss::cuda::detail::require_success(cudaGetDevice(&device), "cudaGetDevice");
  const std::pair key{device, stream};
  if (const auto found = contexts.find(key); found != contexts.end()) return found->second;
  return contexts.emplace(key, rankloss::cuda::context(reinterpret_cast<cudaStream_t>(stream))).first->second;
}

#else

/// The context for so many threads. None is ever destroyed: their threads are not there after a fork, so that a
/// child could not end them.
inline rankloss::context& context_of(std::int64_t threads) {
  auto& contexts = state_of_process().contexts;
  const auto found = contexts.find(threads);
  if (found != contexts.end()) return found->second;
  return contexts.emplace(threads, rankloss::context(rankloss::threads(static_cast<std::size_t>(threads))))
      .first->second;
}

#endif

/// `where` is a number of threads, or a stream.
template <class Call, class MakeLoss>
[[nodiscard]] int evaluate(const Call* call, const double* numbers, std::int64_t where, char* text, int size,
                           MakeLoss make_loss) noexcept {
  return guarded(text, size, [&] {
    const std::lock_guard lock(state_of_process().one_at_a_time);
    run(make_loss(numbers), *call, context_of(where));
  });
}

}  // namespace adapter::inline RANKLOSS_ABI

#if defined(__CUDACC__)
/// Waits for the stream and says which number of the calls since the last check was bad.
extern "C" int check(std::int64_t stream, char* text, int size) {
  return adapter::guarded(text, size, [&] {
    const std::lock_guard lock(adapter::state_of_process().one_at_a_time);
    adapter::context_of(stream).check();
  });
}
#endif

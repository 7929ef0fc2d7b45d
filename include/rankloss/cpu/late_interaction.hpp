// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/ragged_lists.hpp>
#include <rankloss/detail/data/vector_rows.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/product_tile.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/late_interaction.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

namespace detail {

/// The sizes of a token_batch, which the constructor checks.
template <class T>
struct token_shape {
  explicit token_shape(const token_batch<T>& batch)
      : dimension(dimension_of(batch.dimension, batch.query_tokens, batch.document_tokens)),
        x(vectors_of("query_tokens", batch.query_tokens, dimension)),
        y(vectors_of("document_tokens", batch.document_tokens, dimension)),
        queries(checked_lists(batch.query_offsets, x.count, "query tokens", "query_offsets")),
        documents(checked_lists(batch.document_offsets, y.count, "document tokens", "document_offsets")) {
    require(batch.similarity == token_similarity::cosine || batch.similarity == token_similarity::dot,
            "similarity: ", static_cast<int>(batch.similarity), ", expected cosine or dot");
    check_optional("query_weights", batch.query_weights.size(), x.count, "one per query token");
    check_optional("query_mask", batch.query_mask.size(), x.count, "one per query token");
    check_optional("document_mask", batch.document_mask.size(), y.count, "one per document token");
    // A panel's number is kept in lanes of floats while the best token is looked for.
    for (std::size_t d = 0; d < documents.count(); ++d)
      require(documents.size(d) <= (std::size_t{1} << 24), "document_offsets: document ", d, " has ",
              documents.size(d), " tokens, expected at most 2^24");
    if (batch.candidate_offsets.empty()) {
      require(batch.candidates.empty(), "candidates: given without candidate_offsets");
      pairs = queries.count() * documents.count();
      return;
    }
    require(batch.candidate_offsets.size() == queries.count() + 1, "candidate_offsets: size ",
            batch.candidate_offsets.size(), ", expected ", queries.count() + 1,
            " (one per query, and the end)");
    pairs = batch.candidates.empty() ? own_documents(batch) : batch.candidates.size();
    checked_lists(batch.candidate_offsets, pairs, batch.candidates.empty() ? "documents" : "candidates",
                  "candidate_offsets");
    for (std::size_t p = 0; p < batch.candidates.size(); ++p)
      require(batch.candidates[p] >= 0 && static_cast<std::size_t>(batch.candidates[p]) < documents.count(),
              "candidates: ", batch.candidates.number(p), " at ", p, ", expected documents from 0 to below ",
              documents.count());
  }

  std::size_t dimension;
  vector_rows x;  // query tokens
  vector_rows y;  // document tokens
  ragged_lists queries;
  ragged_lists documents;
  std::size_t pairs = 0;

 private:
  /// Candidates without indices are the documents, one after the other, unless no query has any.
  [[nodiscard]] std::size_t own_documents(const token_batch<T>& batch) const {
    return batch.candidate_offsets[batch.candidate_offsets.size() - 1] == 0 ? 0 : documents.count();
  }
};

/// The pairs of a query and a document in the order of the documents, those of a document in the order of
/// the queries. Pair t has its number in this order.
template <class T>
class document_pairs {
 public:
  document_pairs(const token_batch<T>& batch, const token_shape<T>& shape, workspace& scratch)
      : shape_(shape), queries_(shape.queries.count()), listed_(!batch.candidate_offsets.empty()) {
    if (!listed_) return;
    const std::size_t documents = shape.documents.count();
    const auto document_of = [&](std::size_t p) {
      return batch.candidates.empty() ? p : static_cast<std::size_t>(batch.candidates[p]);
    };
    // Sorted by document, stably, and then back by query, which leaves the pairs of a query in the order of
    // the documents.
    first_ = scratch.take<std::size_t>(documents + 2);
    score_ = scratch.take<std::size_t>(shape.pairs);
    query_ = scratch.take<std::size_t>(shape.pairs);
    document_ = scratch.take<std::size_t>(shape.pairs);
    entry_ = scratch.take<std::size_t>(shape.pairs + 1);
    of_query_ = scratch.take<std::size_t>(shape.pairs);
    first_of_query_ = scratch.take<std::size_t>(queries_ + 1);
    std::fill(first_.begin(), first_.end(), std::size_t{0});
    for (std::size_t p = 0; p < shape.pairs; ++p) ++first_[document_of(p) + 2];
    for (std::size_t d = 0; d < documents; ++d) first_[d + 2] += first_[d + 1];
    for (std::size_t q = 0; q < queries_; ++q)
      for (auto p = static_cast<std::size_t>(batch.candidate_offsets[q]);
           p < static_cast<std::size_t>(batch.candidate_offsets[q + 1]); ++p) {
        const std::size_t t = first_[document_of(p) + 1]++;
        score_[t] = p;
        query_[t] = q;
        document_[t] = document_of(p);
      }
    entry_[0] = 0;
    for (std::size_t t = 0; t < shape.pairs; ++t) entry_[t + 1] = entry_[t] + shape.queries.size(query_[t]);
    for (std::size_t q = 0; q <= queries_; ++q)
      first_of_query_[q] = static_cast<std::size_t>(batch.candidate_offsets[q]);
    for (std::size_t t = 0; t < shape.pairs; ++t) of_query_[first_of_query_[query_[t]]++] = t;
    for (std::size_t q = 0; q <= queries_; ++q)
      first_of_query_[q] = static_cast<std::size_t>(batch.candidate_offsets[q]);
  }

  /// The first pair of document d; for d = documents the number of pairs.
  [[nodiscard]] std::size_t first(std::size_t d) const noexcept { return listed_ ? first_[d] : d * queries_; }
  [[nodiscard]] std::size_t query(std::size_t t) const noexcept { return listed_ ? query_[t] : t % queries_; }
  [[nodiscard]] std::size_t document(std::size_t t) const noexcept {
    return listed_ ? document_[t] : t / queries_;
  }
  /// Where the score of the pair is.
  [[nodiscard]] std::size_t score(std::size_t t) const noexcept {
    return listed_ ? score_[t] : (t % queries_) * shape_.documents.count() + t / queries_;
  }
  /// Where the best tokens of the pair begin; for t = pairs where the last ones end.
  [[nodiscard]] std::size_t entry(std::size_t t) const noexcept {
    if (listed_) return entry_[t];
    return queries_ == 0 ? 0 : (t / queries_) * shape_.x.count + shape_.queries.first(t % queries_);
  }
  [[nodiscard]] std::size_t entries() const noexcept { return entry(shape_.pairs); }
  /// The pairs of a query in the order of the documents.
  [[nodiscard]] std::size_t count_of_query(std::size_t q) const noexcept {
    return listed_ ? first_of_query_[q + 1] - first_of_query_[q] : shape_.documents.count();
  }
  [[nodiscard]] std::size_t of_query(std::size_t q, std::size_t k) const noexcept {
    return listed_ ? of_query_[first_of_query_[q] + k] : k * queries_ + q;
  }

 private:
  const token_shape<T>& shape_;
  std::size_t queries_;
  bool listed_;
  std::span<std::size_t> first_, score_, query_, document_, entry_, of_query_, first_of_query_;
};

/// Powers of two that bring tokens near 1 where their products or sums could leave the range of the type;
/// else they are 1. A cosine needs none.
struct token_units {
  int x = 0;  // exponents
  int y = 0;
};

/// A number times a power of two, in two steps whose factors are both in range.
class power_factor {
 public:
  explicit power_factor(int wanted) noexcept : power_factor(std::clamp(wanted, -2000, 2000), 0) {}
  [[nodiscard]] double operator()(double x) const noexcept { return opaque(x * half_) * rest_; }

 private:
  power_factor(int exponent, int) noexcept
      : half_(std::ldexp(1.0, exponent / 2)), rest_(std::ldexp(1.0, exponent - exponent / 2)) {}

  double half_, rest_;
};

/// The tokens of a batch as the kernels read them, and the similarities of one document with some queries.
template <class T, class Arch>
class token_matcher {
  using tile = product_tile<T, Arch>;
  using V = typename tile::V;
  /// Query tokens that stay in the cache, with their best lanes, while the panels of a document are read.
  static constexpr std::size_t block = 8 * tile::most_rows;

 public:
  token_matcher(const token_batch<T>& batch, const token_shape<T>& shape) : batch_(batch), shape_(shape) {}

  /// Copies the query tokens. @throws std::invalid_argument for data that are not valid.
  void prepare(context& ctx) {
    const bool check = ctx.checks == data_checks::on;
    check_weights("query_weights", batch_.query_weights, shape_.x.count, "query token", check);
    const bits_of<T> largest_x =
        largest("query_tokens", "query token", batch_.query_tokens.data(), shape_.x, batch_.query_mask, ctx);
    const bits_of<T> largest_y = largest("document_tokens", "document token", batch_.document_tokens.data(),
                                         shape_.y, batch_.document_mask, ctx);
    if (batch_.similarity == token_similarity::dot) units_ = units_for(largest_x, largest_y);
    weights_ = ctx.scratch().template take<double>(shape_.x.count);
    for (std::size_t i = 0; i < shape_.x.count; ++i)
      weights_[i] = shows(batch_.query_mask, i) ? weight_of(batch_.query_weights, i) : 0.0;
    const std::size_t d = shape_.dimension;
    copies_ = ctx.scratch().template take<T>(shape_.x.count * d);
    in_chunks(shape_.x.count, ctx, [&](std::size_t i) {
      T* to = copies_.data() + i * d;
      if (!shows(batch_.query_mask, i))
        std::fill_n(to, d, T{0});
      else
        copy(query_token(i), query_length(i), to, 1);
    });
  }

  [[nodiscard]] const token_units& units() const noexcept { return units_; }
  /// 0 for a masked token.
  [[nodiscard]] double weight(std::size_t i) const noexcept { return weights_[i]; }
  [[nodiscard]] const T* query_token(std::size_t i) const noexcept {
    return batch_.query_tokens.data() + i * shape_.x.stride;
  }
  [[nodiscard]] const T* document_token(std::size_t j) const noexcept {
    return batch_.document_tokens.data() + j * shape_.y.stride;
  }
  /// The query token, of length 1 for a cosine, else in its unit.
  [[nodiscard]] const T* copy_of(std::size_t i) const noexcept {
    return copies_.data() + i * shape_.dimension;
  }
  [[nodiscard]] unit_length query_length(std::size_t i) const noexcept {
    return length(query_token(i), units_.x);
  }
  [[nodiscard]] unit_length document_length(std::size_t j) const noexcept {
    return length(document_token(j), units_.y);
  }

  /// Calls body(first, last, similarities) for pairs t from first to last of one document, whose queries
  /// follow one another, with the best similarities of all of their query tokens. Writes the best tokens to
  /// `best`, at the entries of the pairs less `from`, unless it is null.
  template <class Body>
  void match(std::size_t document, const document_pairs<T>& pairs, std::uint32_t* best, std::size_t from,
             workspace& scratch, Body body) const {
    const std::size_t end = pairs.first(document + 1);
    if (pairs.first(document) == end) return;
    const workspace::scope scope(scratch);
    const packed_tokens packed = pack(document, scratch);
    const std::span<T> found = scratch.take<T>(shape_.x.count);
    for (std::size_t first = pairs.first(document), last; first < end; first = last) {
      last = first + 1;
      while (last < end && pairs.query(last) == pairs.query(last - 1) + 1) ++last;
      const std::size_t begin = shape_.queries.first(pairs.query(first));
      const std::size_t count = shape_.queries.first(pairs.query(last - 1) + 1) - begin;
      std::uint32_t* to = best == nullptr ? nullptr : best + (pairs.entry(first) - from);
      const std::span<T> similarities = found.first(count);
      if (packed.count == 0) {
        std::fill(similarities.begin(), similarities.end(), T{0});
        if (to != nullptr) std::fill_n(to, count, no_token);
      } else {
        best_of(begin, count, packed, similarities.data(), to, scratch);
      }
      body(first, last, std::span<const T>(similarities));
    }
  }

 private:
  struct packed_tokens {
    std::span<T> panels;               // component by component, `width` tokens beside one another
    std::span<std::uint32_t> numbers;  // of the tokens that are not masked; empty: all are there
    std::size_t count = 0;
  };

  [[nodiscard]] static bool shows(const flags& mask, std::size_t i) noexcept {
    return mask.empty() || mask[i];
  }

  template <class Body>
  static void in_chunks(std::size_t count, context& ctx, Body body) {
    constexpr std::size_t chunk = tuning::token_chunk;
    ctx.run((count + chunk - 1) / chunk, [&](std::size_t, std::size_t task) {
      for (std::size_t i = task * chunk; i < std::min(count, (task + 1) * chunk); ++i) body(i);
    });
  }

  /// The bits of the largest component; 0 where neither a check nor a unit needs it.
  [[nodiscard]] bits_of<T> largest(std::string_view name, std::string_view unit, const T* tokens,
                                   const vector_rows& rows, const flags& mask, context& ctx) const {
    if (ctx.checks == data_checks::off && batch_.similarity == token_similarity::cosine) return 0;
    constexpr std::size_t chunk = tuning::token_chunk;
    const workspace::scope scope(ctx.scratch());
    const std::span<bits_of<T>> found =
        ctx.scratch().template take<bits_of<T>>((rows.count + chunk - 1) / chunk);
    ctx.run(found.size(), [&](std::size_t, std::size_t task) {
      bits_of<T> most = 0;
      for (std::size_t i = task * chunk; i < std::min(rows.count, (task + 1) * chunk); ++i)
        if (shows(mask, i)) most = std::max(most, largest_bits(tokens + i * rows.stride, shape_.dimension));
      found[task] = most;
    });
    bits_of<T> most = 0;
    for (const bits_of<T> part : found) most = std::max(most, part);
    if (most >= bits_of_infinity<T> && ctx.checks == data_checks::on)
      for (std::size_t i = 0; i < rows.count; ++i)
        if (shows(mask, i) && largest_bits(tokens + i * rows.stride, shape_.dimension) >= bits_of_infinity<T>)
          refuse_vector(name, unit, i, tokens + i * rows.stride, shape_.dimension);
    return most;
  }

  [[nodiscard]] token_units units_for(bits_of<T> largest_x, bits_of<T> largest_y) const noexcept {
    const auto exponent = [](bits_of<T> largest) {
      const auto size = static_cast<double>(std::bit_cast<T>(std::min(largest, bits_of_infinity<T> - 1)));
      return size > 0.0 ? std::ilogb(size) : 0;
    };
    const int x = exponent(largest_x);
    const int y = exponent(largest_y);
    const int terms = std::ilogb(static_cast<double>(shape_.dimension)) + 4;
    constexpr int high = std::numeric_limits<T>::max_exponent;
    constexpr int low = std::numeric_limits<T>::min_exponent + std::numeric_limits<T>::digits;
    const bool in_range =
        x + y + terms < high && x + y > low && std::max(std::abs(x), std::abs(y)) < high / 2;
    if (in_range) return {};
    const auto inverse = [](int of) { return std::clamp(-of, 1 - high, high - 1); };
    return {inverse(x), inverse(y)};
  }

  [[nodiscard]] unit_length length(const T* token, int unit) const noexcept {
    if (batch_.similarity == token_similarity::cosine) return unit_length_of(token, shape_.dimension);
    return {std::ldexp(1.0, unit), 1.0};
  }

  void copy(const T* token, const unit_length& by, T* to, std::size_t step) const noexcept {
    for (std::size_t k = 0; k < shape_.dimension; ++k)
      to[k * step] = static_cast<T>(by(static_cast<double>(token[k])));
  }

  /// The tokens of a document in panels. The last panel is filled with its last token, which is never better
  /// than itself.
  [[nodiscard]] packed_tokens pack(std::size_t document, workspace& scratch) const {
    const std::size_t first = shape_.documents.first(document);
    const std::size_t size = shape_.documents.size(document);
    packed_tokens packed;
    if (batch_.document_mask.empty()) {
      packed.count = size;
    } else {
      packed.numbers = scratch.take<std::uint32_t>(size);
      for (std::size_t j = 0; j < size; ++j)
        if (batch_.document_mask[first + j]) packed.numbers[packed.count++] = static_cast<std::uint32_t>(j);
    }
    const std::size_t d = shape_.dimension;
    packed.panels = scratch.take<T>((packed.count + tile::width - 1) / tile::width * tile::width * d);
    for (std::size_t n = 0; n < packed.count; ++n) {
      const std::size_t j = first + (packed.numbers.empty() ? n : packed.numbers[n]);
      T* to = packed.panels.data() + n / tile::width * tile::width * d + n % tile::width;
      copy(document_token(j), document_length(j), to, tile::width);
      if (n + 1 == packed.count)
        for (std::size_t l = 1; l < tile::width - n % tile::width; ++l)
          for (std::size_t k = 0; k < d; ++k) to[k * tile::width + l] = to[k * tile::width];
    }
    return packed;
  }

  /// The best similarity of `count` query tokens from `begin` on, and the number of the token that has it.
  void best_of(std::size_t begin, std::size_t count, const packed_tokens& packed, T* similarities,
               std::uint32_t* best, workspace& scratch) const {
    if (best == nullptr)
      best_of<false>(begin, count, packed, similarities, best, scratch);
    else
      best_of<true>(begin, count, packed, similarities, best, scratch);
  }

  template <bool Numbers>
  void best_of(std::size_t begin, std::size_t count, const packed_tokens& packed, T* similarities,
               std::uint32_t* best, workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::size_t d = shape_.dimension;
    T* const dots = scratch.take<T>(tile::most_rows * tile::width).data();
    T* const most = scratch.take<T>(block * tile::width).data();
    T* const panel_of = scratch.take<T>(block * tile::width).data();
    const std::size_t panels = packed.panels.size() / (tile::width * d);
    for (std::size_t b = 0; b < count; b += block) {
      const std::size_t rows = std::min(block, count - b);
      for (std::size_t p = 0; p < panels; ++p)
        for (std::size_t r = 0; r < rows; r += tile::most_rows) {
          const std::size_t some = std::min(tile::most_rows, rows - r);
          T* const kept = most + r * tile::width;
          T* const kept_panel = panel_of + r * tile::width;
          tile::run(some, {copy_of(begin + b + r), d}, d, packed.panels.data() + p * tile::width * d,
                    tile::width, p == 0 ? kept : dots, tile::width);
          if (p == 0) {
            if constexpr (Numbers) std::fill_n(kept_panel, some * tile::width, T{0});
          } else {
            keep_best<Numbers>(some * tile::width, dots, static_cast<T>(p), kept, kept_panel);
          }
        }
      for (std::size_t r = 0; r < rows; ++r) {
        const T greatest = largest_lane(most + r * tile::width);
        similarities[b + r] = greatest;
        if constexpr (Numbers) {
          const std::size_t n = std::min(
              packed.count - 1, first_of(greatest, most + r * tile::width, panel_of + r * tile::width));
          best[b + r] = !shows(batch_.query_mask, begin + b + r) ? no_token
                        : packed.numbers.empty()                 ? static_cast<std::uint32_t>(n)
                                                                 : packed.numbers[n];
        }
      }
    }
  }

  template <bool Numbers>
  [[gnu::always_inline]] static void keep_best(std::size_t lanes, const T* dots, T panel, T* most,
                                               T* panel_of) noexcept {
    for (std::size_t l = 0; l < lanes; l += V::size) {
      const V now = V::load_aligned(dots + l);
      const V kept = V::load_aligned(most + l);
      if constexpr (Numbers)
        xsimd::select(now > kept, V(panel), V::load_aligned(panel_of + l)).store_aligned(panel_of + l);
      xsimd::max(now, kept).store_aligned(most + l);
    }
  }

  [[nodiscard]] static T largest_lane(const T* lanes) noexcept {
    std::array<T, tile::width> fold;
    std::copy_n(lanes, tile::width, fold.begin());
    for (std::size_t half = tile::width / 2; half > 0; half /= 2)
      for (std::size_t l = 0; l < half; ++l) fold[l] = std::max(fold[l], fold[l + half]);
    return fold[0];
  }

  /// The least number of a token among the lanes that hold the greatest similarity.
  [[nodiscard]] static std::size_t first_of(T greatest, const T* lanes, const T* panel_of) noexcept {
    constexpr std::int32_t none = std::numeric_limits<std::int32_t>::max();
    std::array<std::int32_t, tile::width> numbers;
    for (std::size_t l = 0; l < tile::width; ++l) {
      const std::int32_t number =
          static_cast<std::int32_t>(panel_of[l]) * static_cast<std::int32_t>(tile::width) +
          static_cast<std::int32_t>(l);
      numbers[l] = lanes[l] == greatest ? number : none;
    }
    for (std::size_t half = tile::width / 2; half > 0; half /= 2)
      for (std::size_t l = 0; l < half; ++l) numbers[l] = std::min(numbers[l], numbers[l + half]);
    return static_cast<std::size_t>(numbers[0]);
  }

  const token_batch<T>& batch_;
  const token_shape<T>& shape_;
  token_units units_;
  std::span<double> weights_;
  std::span<T> copies_;
};

/// The derivatives of late_interaction by its tokens. Documents are taken in chunks, so that the best tokens
/// that are computed again stay few. Sums are formed in the order of the documents for a query token, and of
/// the queries for a document token, so neither the chunks nor the threads have an effect on them.
template <class T, class Arch>
class token_pullback {
 public:
  token_pullback(const token_batch<T>& batch, const token_shape<T>& shape, const document_pairs<T>& pairs,
                 const token_matcher<T, Arch>& matcher, const reals& upstream, const token_gradients& out)
      : batch_(batch), shape_(shape), pairs_(pairs), matcher_(matcher), upstream_(upstream), out_(out) {
    double most = 0.0;
    for (std::size_t p = 0; p < upstream.size(); ++p) most = std::max(most, std::abs(upstream[p]));
    double weight = 0.0;
    for (std::size_t i = 0; i < shape.x.count; ++i) weight = std::max(weight, matcher.weight(i));
    upstream_unit_ = unit_of(most);
    weight_unit_ = unit_of(weight);
    scale_unit_ = unit_of(std::abs(out.scale));
    exponent_ = -std::ilogb(upstream_unit_) - std::ilogb(weight_unit_) - std::ilogb(scale_unit_);
  }

  void run(const vector_rows& dx, const vector_rows& dy, context& ctx) const {
    workspace& scratch = ctx.scratch();
    const std::size_t d = shape_.dimension;
    const std::size_t documents = shape_.documents.count();
    const bool by_queries = !out_.queries.empty();
    const std::span<double> sums = scratch.take<double>(by_queries ? shape_.x.count * d : 0);
    const std::span<std::size_t> done = scratch.take<std::size_t>(by_queries ? shape_.queries.count() : 0);
    const std::span<unit_length> lengths = scratch.take<unit_length>(shape_.y.count);
    const std::span<std::uint32_t> again =
        scratch.take<std::uint32_t>(out_.best.empty() ? most_entries() : 0);
    std::fill(sums.begin(), sums.end(), 0.0);
    std::fill(done.begin(), done.end(), std::size_t{0});
    ctx.run(documents, [&](std::size_t, std::size_t document) {
      for (std::size_t j = shape_.documents.first(document); j < shape_.documents.first(document + 1); ++j)
        lengths[j] = batch_.document_mask.empty() || batch_.document_mask[j] ? matcher_.document_length(j)
                                                                             : unit_length{};
    });
    for (std::size_t first = 0, last; first < documents; first = last) {
      last = end_of_chunk(first);
      const std::size_t from = out_.best.empty() ? pairs_.entry(pairs_.first(first)) : 0;
      if (out_.best.empty())
        ctx.run(last - first, [&](std::size_t worker, std::size_t task) {
          matcher_.match(first + task, pairs_, again.data(), from, ctx.scratch(worker),
                         [](std::size_t, std::size_t, std::span<const T>) {});
        });
      const best_tokens best{out_.best.empty() ? again.data() : out_.best.data(), from};
      if (by_queries)
        ctx.run(shape_.queries.count(), [&](std::size_t, std::size_t query) {
          add_to_query(query, last, best, lengths, done[query], sums);
        });
      if (!out_.documents.empty())
        ctx.run(last - first, [&](std::size_t worker, std::size_t task) {
          write_document(first + task, best, lengths, dy, ctx.scratch(worker));
        });
    }
    if (!by_queries) return;
    const power_factor factor(exponent_ - matcher_.units().y);
    ctx.run(shape_.queries.count(), [&](std::size_t, std::size_t query) {
      for (std::size_t i = shape_.queries.first(query); i < shape_.queries.first(query + 1); ++i) {
        const bool masked = !batch_.query_mask.empty() && !batch_.query_mask[i];
        write(sums.data() + i * d, matcher_.query_token(i), masked ? unit_length{} : matcher_.query_length(i),
              masked, factor, out_.queries, i * dx.stride);
      }
    });
  }

 private:
  struct best_tokens {
    const std::uint32_t* tokens;
    std::size_t from;  // the entry that the first of them has
  };

  /// Documents whose best tokens are computed at once.
  [[nodiscard]] std::size_t end_of_chunk(std::size_t first) const noexcept {
    const std::size_t begin = pairs_.entry(pairs_.first(first));
    std::size_t last = first + 1;
    while (last < shape_.documents.count() &&
           pairs_.entry(pairs_.first(last + 1)) - begin <= tuning::best_tokens)
      ++last;
    return last;
  }
  [[nodiscard]] std::size_t most_entries() const noexcept {
    std::size_t most = 0;
    for (std::size_t first = 0, last; first < shape_.documents.count(); first = last) {
      last = end_of_chunk(first);
      most = std::max(most, pairs_.entry(pairs_.first(last)) - pairs_.entry(pairs_.first(first)));
    }
    return most;
  }

  /// What the similarity of query token i in pair t is worth, in units.
  [[nodiscard]] double slope(std::size_t t, std::size_t i) const noexcept {
    return opaque(upstream_[pairs_.score(t)] * upstream_unit_) * opaque(out_.scale * scale_unit_) *
           opaque(matcher_.weight(i) * weight_unit_);
  }

  /// sum += slope * token * scale * inverse
  static void add(double* sum, const T* token, std::size_t d, double slope, const unit_length& by) noexcept {
    using row = lanes<Arch>;
    const row factor(slope * by.inverse);
    const row scale(by.scale);
    for_rows<Arch>(d, [&](std::size_t k, auto count) {
      const row y = opaque(load_items<Arch>(token + k, count) * scale);
      store_items<Arch>(sum + k, count, xsimd::fma(factor, y, load_items<Arch>(sum + k, count)));
    });
  }

  void add_to_query(std::size_t query, std::size_t last_document, const best_tokens& best,
                    std::span<const unit_length> lengths, std::size_t& done,
                    std::span<double> sums) const noexcept {
    const std::size_t d = shape_.dimension;
    const std::size_t begin = shape_.queries.first(query);
    const std::size_t tokens = shape_.queries.size(query);
    for (; done < pairs_.count_of_query(query); ++done) {
      const std::size_t t = pairs_.of_query(query, done);
      const std::size_t document = pairs_.document(t);
      if (document >= last_document) return;
      const std::uint32_t* of_pair = best.tokens + (pairs_.entry(t) - best.from);
      for (std::size_t i = 0; i < tokens; ++i) {
        const double c = slope(t, begin + i);
        if (of_pair[i] == no_token || c == 0.0) continue;
        const std::size_t j = shape_.documents.first(document) + of_pair[i];
        add(sums.data() + (begin + i) * d, matcher_.document_token(j), d, c, lengths[j]);
      }
    }
  }

  void write_document(std::size_t document, const best_tokens& best, std::span<const unit_length> lengths,
                      const vector_rows& dy, workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::size_t d = shape_.dimension;
    const std::size_t begin = shape_.documents.first(document);
    const std::size_t tokens = shape_.documents.size(document);
    const std::span<double> sums = scratch.take<double>(tokens * d);
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::size_t t = pairs_.first(document); t < pairs_.first(document + 1); ++t) {
      const std::size_t query = pairs_.query(t);
      const std::size_t first = shape_.queries.first(query);
      const std::uint32_t* of_pair = best.tokens + (pairs_.entry(t) - best.from);
      for (std::size_t i = 0; i < shape_.queries.size(query); ++i) {
        const double c = slope(t, first + i);
        if (of_pair[i] == no_token || c == 0.0) continue;
        add(sums.data() + of_pair[i] * d, matcher_.copy_of(first + i), d, c, {});
      }
    }
    const power_factor factor(exponent_ - matcher_.units().x);
    for (std::size_t j = 0; j < tokens; ++j) {
      const bool masked = !batch_.document_mask.empty() && !batch_.document_mask[begin + j];
      write(sums.data() + j * d, matcher_.document_token(begin + j), lengths[begin + j], masked, factor,
            out_.documents, (begin + j) * dy.stride);
    }
  }

  /// Writes the derivative by a token, of which `sum` is the one by the token of length 1.
  void write(double* sum, const T* token, const unit_length& by, bool masked, const power_factor& factor,
             const shaped<real_output>& out, std::size_t at) const {
    const std::size_t d = shape_.dimension;
    const bool through_length = batch_.similarity == token_similarity::cosine && !masked;
    if (through_length) {
      using row = lanes<Arch>;
      const row scale(by.scale);
      const row inverse(by.inverse);
      row sums(0.0);
      for_rows<Arch>(d, [&](std::size_t k, auto count) {
        sums = xsimd::fma(load_items<Arch>(sum + k, count),
                          opaque(load_items<Arch>(token + k, count) * scale) * inverse, sums);
      });
      const row along(sum_of(sums));
      for_rows<Arch>(d, [&](std::size_t k, auto count) {
        const row unit = opaque(load_items<Arch>(token + k, count) * scale) * inverse;
        store_items<Arch>(sum + k, count, (load_items<Arch>(sum + k, count) - along * unit) * inverse);
      });
    }
    const double scale = through_length ? by.scale : 1.0;
    out.visit([&](auto* gradient) {
      for (std::size_t k = 0; k < d; ++k)
        put(gradient[at + k], held_as<double>(opaque(factor(sum[k])) * scale), out_.update, 0.0);
    });
  }

  const token_batch<T>& batch_;
  const token_shape<T>& shape_;
  const document_pairs<T>& pairs_;
  const token_matcher<T, Arch>& matcher_;
  const reals& upstream_;
  const token_gradients& out_;
  double upstream_unit_, weight_unit_, scale_unit_;
  int exponent_;  // of what the slopes are divided by
};

template <class T>
void check_best_tokens(const std::span<const std::uint32_t> best, const token_shape<T>& shape,
                       const document_pairs<T>& pairs) {
  for (std::size_t document = 0; document < shape.documents.count(); ++document) {
    const std::size_t size = shape.documents.size(document);
    for (std::size_t e = pairs.entry(pairs.first(document)); e < pairs.entry(pairs.first(document + 1)); ++e)
      require(best[e] < size || best[e] == no_token, "best: ", best[e], " at ", e,
              ", expected a token of document ", document, ", which has ", size, ", or no_token");
  }
}

}  // namespace detail

template <score T>
std::size_t best_token_count(const token_batch<T>& batch) {
  const detail::token_shape<T> shape(batch);
  if (batch.candidate_offsets.empty()) return shape.x.count * shape.documents.count();
  std::size_t count = 0;
  for (std::size_t q = 0; q < shape.queries.count(); ++q)
    count += shape.queries.size(q) *
             static_cast<std::size_t>(batch.candidate_offsets[q + 1] - batch.candidate_offsets[q]);
  return count;
}

template <score T>
void late_interaction(const token_batch<T>& batch, std::type_identity_t<array_view<T>> scores,
                      array_view<std::uint32_t> best, context& ctx) {
  const detail::sole_use alone(ctx);
  const detail::token_shape<T> shape(batch);
  detail::check_size("scores", scores.size(), shape.pairs, "one per query and document");
  const workspace::scope scope(ctx.scratch());
  const detail::document_pairs<T> pairs(batch, shape, ctx.scratch());
  detail::check_optional("best", best.size(), pairs.entries(), "one per query token of each pair");
  detail::token_matcher<T, xsimd::default_arch> matcher(batch, shape);
  matcher.prepare(ctx);

  const int exponent = -matcher.units().x - matcher.units().y;
  const detail::power_factor factor(exponent);
  ctx.run(shape.documents.count(), [&](std::size_t worker, std::size_t document) {
    matcher.match(
        document, pairs, best.empty() ? nullptr : best.data(), 0, ctx.scratch(worker),
        [&](std::size_t first, std::size_t last, std::span<const T> similarities) {
          const std::size_t begin = shape.queries.first(pairs.query(first));
          for (std::size_t t = first; t < last; ++t) {
            const std::size_t query = pairs.query(t);
            double sum = 0.0;
            for (std::size_t i = shape.queries.first(query); i < shape.queries.first(query + 1); ++i)
              sum = detail::held_as<double>(
                  sum +
                  detail::held_as<double>(matcher.weight(i) * static_cast<double>(similarities[i - begin])));
            scores[pairs.score(t)] = detail::held_as<T>(factor(sum));
          }
        });
  });
}

template <score T>
void late_interaction_pullback(const token_batch<T>& batch, const reals& upstream, const token_gradients& out,
                               context& ctx) {
  const detail::sole_use alone(ctx);
  const detail::token_shape<T> shape(batch);
  detail::check_size("upstream", upstream.size(), shape.pairs, "one per query and document");
  const detail::vector_rows dx =
      detail::output_vectors("queries", out.queries, shape.dimension, shape.x.count, "one per query token");
  const detail::vector_rows dy = detail::output_vectors("documents", out.documents, shape.dimension,
                                                        shape.y.count, "one per document token");
  detail::require(detail::is_finite(out.scale), "scale: ", out.scale, ", expected a finite number");
  const workspace::scope scope(ctx.scratch());
  const detail::document_pairs<T> pairs(batch, shape, ctx.scratch());
  detail::check_optional("best", out.best.size(), pairs.entries(), "one per query token of each pair");
  if (!out.best.empty()) detail::check_best_tokens<T>(out.best, shape, pairs);
  if (ctx.checks == data_checks::on)
    for (std::size_t p = 0; p < upstream.size(); ++p)
      detail::require(upstream.is_finite(p), "upstream: ", upstream[p], " at ", p,
                      ", expected a finite number");
  detail::token_matcher<T, xsimd::default_arch> matcher(batch, shape);
  matcher.prepare(ctx);
  const detail::token_pullback<T, xsimd::default_arch> pullback(batch, shape, pairs, matcher, upstream, out);
  pullback.run(dx, dy, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI

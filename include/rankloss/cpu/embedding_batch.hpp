// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/draws/query_sums.hpp>
#include <rankloss/detail/embeddings/embedding_side.hpp>
#include <rankloss/detail/embeddings/index_panels.hpp>
#include <rankloss/detail/embeddings/panel_source.hpp>
#include <rankloss/detail/embeddings/products.hpp>
#include <rankloss/detail/embeddings/two_way_hardest.hpp>
#include <rankloss/detail/embeddings/two_way_softmax.hpp>
#include <rankloss/detail/lists/list_run.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/embedding_batch.hpp>
#include <rankloss/options.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Where the embeddings of a batch and the gradients by them lie.
struct embedding_shapes {
  matrix_shape rows;
  matrix_shape columns;
  bool self = false;  ///< whether the columns are the rows
  matrix_shape row_gradient{};
  matrix_shape column_gradient{};
};

/// The vectors of a field: of the shape that it brings, or by the numbers of the batch.
template <class View>
[[nodiscard]] matrix_shape vectors_shape(std::string_view field, const shaped<View>& given,
                                         std::string_view count_field, std::size_t count,
                                         std::size_t dimension, std::string_view stride_field,
                                         std::size_t stride) {
  if (const auto& shape = given.shape()) {
    require(stride == 0, stride_field, ": ", stride, ", expected none: ", field,
            " is a matrix with strides of its own");
    require((count == 0 || shape->rows == count) && (dimension == 0 || shape->columns == dimension), field,
            ": ", shape->rows, " vectors of ", shape->columns, " components, expected ",
            count == 0 ? shape->rows : count, " of ", dimension == 0 ? shape->columns : dimension);
    return *shape;
  }
  require(given.empty() || (count > 0 && dimension > 0), count > 0 ? "dimension" : count_field,
          ": 0, expected that of ", field, ", a plain array of ", given.size(), " components");
  const std::size_t apart = stride > 0 ? stride : dimension;
  require(apart >= dimension, stride_field, ": ", stride, ", expected at least the dimension ", dimension);
  require(given.size() == extent_of(count, dimension, apart) || given.size() == count_of(count, apart), field,
          ": size ", given.size(), ", expected ", count_of(count, apart), " (", count, " vectors of ",
          dimension, " components)");
  return {count, dimension, apart, 1};
}

/// The shape of a gradient, whose vectors are the first of `of`.
[[nodiscard]] inline matrix_shape gradient_shape(std::string_view field, const shaped<real_output>& out,
                                                 const matrix_shape& of, bool first_ones) {
  if (out.empty()) return {0, of.columns, of.columns, 1};
  matrix_shape shape{of.columns == 0 ? 0 : out.size() / of.columns, of.columns, of.columns, 1};
  if (out.shape()) shape = *out.shape();
  require(shape.columns == of.columns, field, ": ", shape.rows, " vectors of ", shape.columns,
          " components, expected vectors of ", of.columns);
  require(out.shape() || out.size() == shape.rows * shape.columns, field, ": size ", out.size(),
          ", expected vectors of ", of.columns, " components");
  require(shape.rows == of.rows || (first_ones && shape.rows < of.rows), field, ": ", shape.rows,
          " vectors, expected ", of.rows, first_ones ? " or fewer" : "");
  require(shape.has_distinct_elements(), field, ": strides ", shape.row_stride, " and ", shape.column_stride,
          ", expected components of their own, none of which is written twice");
  return shape;
}

template <class T, class R>
[[nodiscard]] embedding_shapes shapes_of(const embedding_batch<T, R>& batch, const embedding_outputs& out) {
  using kinds = options::choice<similarity>;
  if (!kinds::accepts(batch.similarity)) kinds::refuse("similarity", batch.similarity);
  embedding_shapes shapes;
  shapes.rows = vectors_shape("row_embeddings", batch.row_embeddings, "rows", batch.rows, batch.dimension,
                              "row_stride", batch.row_stride);
  if (shapes.rows.rows == 0 && shapes.rows.columns == 0)  // then the columns may know it
    if (const auto& shape = batch.column_embeddings.shape()) shapes.rows.columns = shape->columns;
  const std::size_t d = shapes.rows.columns;
  require(d > 0 || shapes.rows.rows == 0, "dimension: 0, expected at least 1");
  shapes.self = batch.column_embeddings.empty() && batch.columns == 0 && !batch.column_embeddings.shape();
  require(batch.columns == 0 || d == 0 || !batch.column_embeddings.empty() || batch.column_embeddings.shape(),
          "columns: ", batch.columns,
          " without column_embeddings, expected them, or 0: the rows are compared with themselves");
  require(batch.column_stride == 0 || !shapes.self, "column_stride: ", batch.column_stride,
          " without column_embeddings, expected none");
  if (shapes.self) {
    shapes.columns = shapes.rows;
    require(
        shapes.rows.rows == 0 || !batch.matches.empty() || !batch.row_classes.empty(),
        "column_embeddings: none given, and no matches or classes, expected columns, or classes of rows that "
        "are compared with themselves");
    require(
        batch.column_classes.empty() && batch.column_ids.empty() && batch.column_probabilities.empty(),
        "column_classes, column_ids, column_probabilities: given without column_embeddings, expected those of "
        "the rows alone");
    require(out.column_gradient.empty(),
            "column_gradient: given without column_embeddings, expected row_gradient alone");
    require(batch.similarity != similarity::projection,
            "similarity: projection of rows onto themselves, expected column_embeddings");
  } else {
    shapes.columns = vectors_shape("column_embeddings", batch.column_embeddings, "columns", batch.columns, d,
                                   "column_stride", batch.column_stride);
  }
  shapes.row_gradient = gradient_shape("row_gradient", out.row_gradient, shapes.rows, false);
  shapes.column_gradient = gradient_shape("column_gradient", out.column_gradient, shapes.columns, true);
  check_optional("per_list", out.per_list.size(), shapes.rows.rows + shapes.columns.rows,
                 "rows, then columns");
  require(is_finite(out.scale), "scale: ", out.scale, ", expected a finite number");
  require(batch.prefix_weights.empty() || batch.prefix_weights.size() == batch.prefixes.size(),
          "prefix_weights: size ", batch.prefix_weights.size(), ", expected ", batch.prefixes.size(),
          " (one per prefix)");
  for (std::size_t k = 0; k < batch.prefixes.size(); ++k)
    require(batch.prefixes[k] >= 1 && static_cast<std::size_t>(batch.prefixes[k]) <= d,
            "prefixes: ", batch.prefixes.number(k), " at prefix ", k, ", expected 1 to the dimension ", d);
  return shapes;
}

/// What a batch says of pairs, as a matrix without similarities.
template <class T, class R>
[[nodiscard]] similarity_batch<T, R> pairs_of(const embedding_batch<T, R>& batch,
                                              const embedding_shapes& shapes) {
  const bool self = shapes.self;
  return {.similarity = {},
          .rows = shapes.rows.rows,
          .columns = shapes.columns.rows,
          .matches = batch.matches,
          .row_classes = batch.row_classes,
          .column_classes = self ? batch.row_classes : batch.column_classes,
          .relevance = batch.relevance,
          .column_relevance = batch.column_relevance,
          .mask = batch.mask,
          .without_diagonal = batch.without_diagonal,
          .extra_columns = batch.extra_columns,
          .row_ids = batch.row_ids,
          .column_ids = self ? batch.row_ids : batch.column_ids,
          .row_probabilities = batch.row_probabilities,
          .column_probabilities = self ? batch.row_probabilities : batch.column_probabilities,
          .row_weights = batch.row_weights,
          .column_weights = self && batch.column_weights.empty() ? batch.row_weights : batch.column_weights,
          .reduction = batch.reduction};
}

/// The derivatives and values that all steps add up, before anything is written to the host's memory.
struct embedding_sums {
  std::span<double> per_list;
  double temperature = 0.0;
  double bias = 0.0;
};

/// One list loss over the lists of one direction, panel by panel.
struct query_step {
  virtual void run(std::size_t first, std::size_t last) = 0;
  /// The value; adds the values of the lists to `per_list`, unless that is empty, and what else there is to
  /// the sums.
  virtual double finish(std::span<double> per_list, embedding_sums& sums) = 0;
  virtual ~query_step() = default;
};

template <class Loss, class T, class R>
class query_step_of final : public query_step {
 public:
  /// @param weight  of the values of lists
  /// @param factor  of the value and of what is written, which is half of the weight for both directions
  query_step_of(const Loss& loss, const panel_source<T, R>& source, double weight, double factor,
                const outputs& out, rankloss::reduction reduction, context& ctx)
      : weight_(weight), source_(source), out_(out), run_(loss, source_, reduction, out_, ctx) {
    run_.begin(factor);
  }

  void run(std::size_t first, std::size_t last) override { run_.run(first, last); }
  double finish(std::span<double> per_list, embedding_sums& sums) override {
    const double value = run_.finish();
    if (out_.temperature_gradient != nullptr)
      sums.temperature = held_sum(sums.temperature, *out_.temperature_gradient);
    if (out_.bias_gradient != nullptr) sums.bias = held_sum(sums.bias, *out_.bias_gradient);
    for (std::size_t l = 0; l < per_list.size(); ++l)
      per_list[l] = held_sum(per_list[l], held_as<double>(weight_ * out_.per_list[l]));
    return value;
  }

 private:
  double weight_;
  panel_source<T, R> source_;
  outputs out_;
  list_run<Loss, panel_source<T, R>> run_;
};

/// Steps in scratch. They are destroyed last one first, because each has taken scratch after those before it.
class query_steps {
 public:
  query_steps(std::size_t most, workspace& scratch) : steps_(scratch.take<query_step*>(most)) {}
  ~query_steps() {
    while (count_ > 0) std::destroy_at(steps_[--count_]);
  }
  query_steps(const query_steps&) = delete;
  query_steps& operator=(const query_steps&) = delete;

  template <class Step, class... Arguments>
  void add(workspace& scratch, Arguments&&... arguments) {
    const std::span<std::byte> memory = scratch.take<std::byte>(sizeof(Step));
    steps_[count_] = ::new (static_cast<void*>(memory.data())) Step(std::forward<Arguments>(arguments)...);
    ++count_;
  }
  [[nodiscard]] std::span<query_step* const> all() const noexcept { return steps_.first(count_); }

 private:
  std::span<query_step*> steps_;
  std::size_t count_ = 0;
};

/// A similarity loss over the first components of embeddings.
template <class T, class R>
class embedding_run {
  using side = embedding_side<T>;

 public:
  embedding_run(const embedding_batch<T, R>& batch, const similarity_batch<T, R>& pairs,
                const embedding_shapes& shapes, const embedding_outputs& out, std::size_t dimension,
                context& ctx)
      : batch_(batch),
        pairs_(pairs),
        shapes_(shapes),
        out_(out),
        context_(ctx),
        rows_(batch.row_embeddings, first_components(shapes.rows, dimension)),
        columns_(shapes.self ? batch.row_embeddings : batch.column_embeddings,
                 first_components(shapes.columns, dimension)) {}

  /// The value; `sums` gets what does not lie in the sides.
  template <class Loss>
  double operator()(const Loss& loss, embedding_sums& sums) {
    prepare(loss);
    double value = 0.0;
    if (std::optional<double> found = in_both_directions(loss, sums)) return *found;
    for (const bool columns : {false, true})
      if (wants(loss, columns)) value = held_sum(value, run_direction(loss, columns, sums));
    return value;
  }

  /// Writes the gradients, times the scale.
  void commit(double scale, update how) {
    const workspace::scope scope(context_.scratch());
    const std::span<double> slopes =
        context_.scratch().template take<double>(context_.workers() * rows_.dimension());
    const auto write = [&](const side& of, const real_output& out, const matrix_shape& shape) {
      of.commit(out, first_components(shape, rows_.dimension()), scale, how, slopes, context_);
    };
    write(rows_, out_.row_gradient, shapes_.row_gradient);
    if (!shapes_.self) write(columns_, out_.column_gradient, shapes_.column_gradient);
  }

 private:
  [[nodiscard]] static matrix_shape first_components(matrix_shape shape, std::size_t count) {
    shape.columns = count;
    return shape;
  }

  /// The form of the embedding whose list it is, and that of the items.
  [[nodiscard]] vector_form list_form() const {
    return batch_.similarity == similarity::cosine ? vector_form::unit : vector_form::raw;
  }
  [[nodiscard]] vector_form item_form() const {
    return batch_.similarity == similarity::dot ? vector_form::raw : vector_form::unit;
  }
  [[nodiscard]] side& side_of(bool columns) noexcept { return columns && !shapes_.self ? columns_ : rows_; }
  [[nodiscard]] std::size_t slopes_wanted(bool columns) const {
    return columns ? shapes_.column_gradient.rows : shapes_.row_gradient.rows;
  }
  [[nodiscard]] bool gradient_wanted() const {
    return !out_.row_gradient.empty() || !out_.column_gradient.empty();
  }

  template <class Loss>
  [[nodiscard]] static bool wants(const Loss& loss, bool columns) {
    bool any = false;
    for_each_query(loss, 1.0, [&](const auto&, directions over, list_relevance, double) {
      any = any || over != (columns ? directions::rows : directions::columns);
    });
    return any;
  }

  template <class Loss>
  void prepare(const Loss& loss) {
    const auto make = [&](bool columns, vector_form form) {
      side_of(columns).prepare(form, slopes_wanted(columns), context_);
    };
    if (shapes_.self) return make(false, list_form());
    for (const bool columns : {false, true}) {
      const bool as_lists = wants(loss, columns);
      const bool as_items = wants(loss, !columns);
      if (as_lists) make(columns, list_form());
      if (as_items && !(as_lists && list_form() == item_form())) make(columns, item_form());
    }
  }

  template <class Loss>
  double run_direction(const Loss& loss, bool columns, embedding_sums& sums) {
    workspace& scratch = context_.scratch();
    const workspace::scope scope(scratch);
    side& lists = side_of(columns);
    side& items = side_of(!columns);
    const std::size_t width = items.count();
    const std::size_t height = panel_lists(lists.count(), width);
    const bool computes_relevance = !batch_.computed_relevance.empty();
    list_panel<T, R> panel{.width = width};
    panel.scores = scratch.take<T>(height * width).data();
    if (gradient_wanted()) panel.slopes = scratch.take<T>(height * width).data();
    if (computes_relevance) panel.relevance = scratch.take<R>(height * width).data();

    std::size_t queries = 0;
    for_each_query(loss, 1.0, [&](const auto&, directions, list_relevance, double) { ++queries; });
    query_steps steps(queries, scratch);
    for_each_query(loss, 1.0, [&](const auto& query, directions over, list_relevance kind, double weight) {
      using query_type = std::remove_cvref_t<decltype(query)>;
      if (over == (columns ? directions::rows : directions::columns)) return;
      const bool half = over == directions::both && pairs_.reduction != reduction::sum;
      outputs own{.per_list = scratch.take<double>(sums.per_list.empty() ? 0 : lists.count()),
                  .update = steps.all().empty() ? update::overwrite : update::add};
      if (panel.slopes != nullptr) own.gradient = real_output(panel.slopes, height * width);
      const auto zero = [&] {
        double* slope = scratch.take<double>(1).data();
        *slope = 0.0;
        return slope;
      };
      if (out_.temperature_gradient != nullptr) own.temperature_gradient = zero();
      if (out_.bias_gradient != nullptr) own.bias_gradient = zero();
      steps.template add<query_step_of<query_type, T, R>>(
          scratch, query, panel_source<T, R>(pairs_, columns, kind, takes_probabilities<query_type>, panel),
          weight, half ? 0.5 * weight : weight, own, pairs_.reduction, context_);
    });

    for (panel.first = 0; panel.first < lists.count(); panel.first = panel.last) {
      panel.last = std::min(lists.count(), panel.first + height);
      multiply(panel, lists, items);
      if (computes_relevance) fill_relevance(loss, panel, columns);
      for (query_step* step : steps.all()) step->run(panel.first, panel.last);
      if (panel.slopes != nullptr) pull(panel, lists, items);
    }

    double value = 0.0;
    const std::span<double> own = sums.per_list.empty()
                                      ? sums.per_list
                                      : sums.per_list.subspan(columns ? pairs_.rows : 0, lists.count());
    for (query_step* step : steps.all()) value = held_sum(value, step->finish(own, sums));
    return value;
  }

  /// Whether row i matches column i and no pair is left out, and the columns have the similarities of the
  /// rows.
  [[nodiscard]] bool matches_by_index_alone() const {
    return !shapes_.self && batch_.similarity != similarity::projection && matches_by_index(pairs_) &&
           !leaves_out_pairs(pairs_) && pairs_.row_probabilities.empty() &&
           pairs_.column_probabilities.empty() && pairs_.rows > 0 && pairs_.columns > 0;
  }

  /// What is computed for both directions at once, if this is such a case.
  template <class Loss>
  [[nodiscard]] std::optional<double> in_both_directions(const Loss& loss, embedding_sums& sums) {
    if constexpr (requires { engine<Loss, context>::is_two_way_softmax(loss); }) {
      if (engine<Loss, context>::is_two_way_softmax(loss) && matches_by_index_alone())
        return run_two_way_softmax(loss.temperature, sums);
    } else if constexpr (requires { engine<Loss, context>::is_two_way_hardest(loss); }) {
      if (engine<Loss, context>::is_two_way_hardest(loss) && matches_by_index_alone())
        return run_two_way_hardest(loss.margin, sums);
    }
    return std::nullopt;
  }

  /// Calls visit(line, share of its value) for the lines of a direction that have a match, whose values it
  /// returns, and returns their mean.
  template <class Visit>
  double mean_of_lines(bool columns, std::size_t matches, embedding_sums& sums, const Visit& visit) {
    const std::size_t lines = columns ? pairs_.columns : pairs_.rows;
    const reals& weights = columns ? pairs_.column_weights : pairs_.row_weights;
    const auto weight = [&](std::size_t l) {
      return pairs_.reduction == reduction::mean_of_relevant && l >= matches ? 0.0 : weight_of(weights, l);
    };
    const weighted_mean mean(lines, weight, pairs_.reduction, pairs_.reduction == reduction::sum ? 1.0 : 0.5);
    const workspace::scope scope(context_.scratch());
    const std::span<double> values = context_.scratch().take<double>(lines);
    std::fill(values.begin(), values.end(), 0.0);
    for (std::size_t l = 0; l < matches; ++l) values[l] = visit(l, mean.share(weight(l)));
    for (std::size_t l = 0; l < lines && !sums.per_list.empty(); ++l)
      sums.per_list[(columns ? pairs_.rows : 0) + l] = values[l];
    return mean(lines, weight, [&](std::size_t l) { return values[l]; });
  }

  double run_two_way_softmax(double temperature, embedding_sums& sums) {
    workspace& scratch = context_.scratch();
    const workspace::scope scope(scratch);
    two_way_softmax<xsimd::default_arch, T> softmax(rows_.vectors_as(list_form()),
                                                    columns_.vectors_as(list_form()), temperature,
                                                    out_.temperature_gradient != nullptr, context_);
    const auto zeros = [&](std::size_t count) {
      const std::span<T> of = scratch.take<T>(count);
      std::fill(of.begin(), of.end(), T{0});
      return of;
    };
    const std::span<T> of_row = zeros(pairs_.rows);
    const std::span<T> of_column = zeros(pairs_.columns);
    const std::span<double> of_match = scratch.take<double>(softmax.matches());
    std::fill(of_match.begin(), of_match.end(), 0.0);
    const double unit = 1.0 / temperature;
    double value = 0.0;
    for (const bool columns : {false, true}) {
      const auto lines = columns ? softmax.columns() : softmax.rows();
      const std::span<T> of_line = columns ? of_column : of_row;
      const double mean = mean_of_lines(columns, softmax.matches(), sums, [&](std::size_t l, double share) {
        const auto& line = lines[l];
        if (!(line.total > 0.0)) return 0.0;
        const double below = std::clamp((static_cast<double>(line.top) - softmax.match(l)) * unit,
                                        -largest_term, largest_term);
        const softplus_of odds(std::clamp(below + std::log(line.total), -largest_term, largest_term));
        const double slope = held_as<double>(share * odds.slope * unit);
        of_line[l] = held_as<T>(slope / line.total);
        of_match[l] -= slope;
        if (out_.temperature_gradient != nullptr)
          sums.temperature =
              held_sum(sums.temperature, held_as<double>(slope * (line.distance / line.total - below)));
        return std::min(odds.value, largest_term);
      });
      value = held_sum(value, mean);
    }
    if (gradient_wanted()) {
      const std::span<T> held = scratch.take<T>(of_match.size());
      for (std::size_t i = 0; i < held.size(); ++i) held[i] = held_as<T>(of_match[i]);
      softmax.pull(of_row, of_column, held, rows_.sums_as(list_form()), columns_.sums_as(list_form()));
    }
    return value;
  }

  /// Nothing where equally hard negatives share a slope.
  std::optional<double> run_two_way_hardest(double margin, embedding_sums& sums) {
    workspace& scratch = context_.scratch();
    const workspace::scope scope(scratch);
    const two_way_hardest<xsimd::default_arch, T> hardest(rows_.vectors_as(list_form()),
                                                          columns_.vectors_as(list_form()), context_);
    const auto hinge = [&](const auto& line, std::size_t l) {
      return line.count > 0
                 ? std::clamp(margin + (static_cast<double>(line.top) - hardest.match(l)), 0.0, 1e290)
                 : 0.0;
    };
    for (const bool columns : {false, true}) {
      const auto lines = columns ? hardest.columns() : hardest.rows();
      for (std::size_t l = 0; l < hardest.matches(); ++l)
        if (lines[l].count > 1 && hinge(lines[l], l) > 0.0) return std::nullopt;
    }
    // Of each line with a hinge above 0: its match falls, its hardest negative rises.
    struct move {
      std::uint32_t row, column, other;
      T slope;
    };
    const std::span<move> moves = scratch.take<move>(2 * hardest.matches());
    std::size_t by_rows = 0;
    std::size_t all = 0;
    double value = 0.0;
    for (const bool columns : {false, true}) {
      const auto lines = columns ? hardest.columns() : hardest.rows();
      const double mean = mean_of_lines(columns, hardest.matches(), sums, [&](std::size_t l, double share) {
        const double h = hinge(lines[l], l);
        const auto own = static_cast<std::uint32_t>(l);
        if (h > 0.0) moves[all++] = {own, own, lines[l].index, held_as<T>(share)};
        return h;
      });
      value = held_sum(value, mean);
      if (!columns) by_rows = all;
    }
    if (gradient_wanted()) apply_moves<move>(moves.first(by_rows), moves.subspan(by_rows, all - by_rows));
    return value;
  }

  /// Adds slope (y_other - y_own) to x and the like, a range of components in each task.
  template <class Move>
  void apply_moves(std::span<const Move> by_rows, std::span<const Move> by_columns) {
    constexpr std::size_t chunk = 64;
    const std::size_t d = rows_.dimension();
    const auto x = rows_.vectors_as(list_form());
    const auto y = columns_.vectors_as(list_form());
    const auto dx = rows_.sums_as(list_form());
    const auto dy = columns_.sums_as(list_form());
    context_.run(pieces(d, chunk), [&](std::size_t, std::size_t task) {
      const std::size_t first = task * chunk;
      const std::size_t last = std::min(d, first + chunk);
      const auto add = [&](const vector_block<T>& sums, std::size_t to, T factor, const T* from) {
        if (to >= sums.count) return;
        T* sum = sums[to];
        for (std::size_t k = first; k < last; ++k) sum[k] += factor * from[k];
      };
      const auto move_all = [&](std::span<const Move> moves, const auto& lists, const auto& list_sums,
                                const auto& items, const auto& item_sums) {
        for (const Move& m : moves) {
          add(list_sums, m.row, m.slope, items[m.other]);
          add(list_sums, m.row, -m.slope, items[m.column]);
          add(item_sums, m.other, m.slope, lists[m.row]);
          add(item_sums, m.column, -m.slope, lists[m.row]);
        }
      };
      move_all(by_rows, x, dx, y, dy);
      move_all(by_columns, y, dy, x, dx);
    });
  }

  [[nodiscard]] static vector_block<T> block_of(T* memory, const list_panel<T, R>& panel) {
    return {memory, panel.last - panel.first, panel.width, panel.width};
  }

  /// The scores of a panel.
  void multiply(const list_panel<T, R>& panel, const side& lists, const side& items) {
    constexpr std::size_t size = tuning::product_items;
    const auto a = lists.vectors_as(list_form()).part(panel.first, panel.last);
    const auto b = items.vectors_as(item_form());
    context_.run(pieces(panel.width, size), [&](std::size_t, std::size_t task) {
      const std::size_t first = task * size;
      const std::size_t last = std::min(panel.width, first + size);
      similarities<T>(a, b.part(first, last), block_of(panel.scores, panel).components(first, last));
    });
  }

  /// What a panel adds to the derivatives by embeddings. Each task adds to vectors of its own.
  void pull(const list_panel<T, R>& panel, side& lists, side& items) {
    const vector_block<const T> slopes = block_of(panel.slopes, panel);
    const auto a = lists.vectors_as(list_form()).part(panel.first, panel.last);
    const auto b = items.vectors_as(item_form());
    const vector_block<T> list_sums = lists.sums_as(list_form());
    const vector_block<T> item_sums = items.sums_as(item_form());
    const std::size_t most_lists = std::min(panel.last, list_sums.count);
    const std::size_t own_lists = most_lists > panel.first ? most_lists - panel.first : 0;
    const std::size_t list_tasks = pieces(own_lists, tuning::product_lists);
    const std::size_t item_tasks = pieces(item_sums.count, tuning::product_items);
    const auto by_rows = [&](std::size_t task) {
      const std::size_t first = task * tuning::product_lists;
      const std::size_t last = std::min(own_lists, first + tuning::product_lists);
      add_by_rows<T>(slopes.part(first, last), b, list_sums.part(panel.first + first, panel.first + last));
    };
    const auto by_columns = [&](std::size_t task) {
      const std::size_t first = task * tuning::product_items;
      const std::size_t last = std::min(item_sums.count, first + tuning::product_items);
      add_by_columns<T>(slopes.components(first, last), a, item_sums.part(first, last));
    };
    if (shapes_.self) {  // both add to the same vectors
      context_.run(list_tasks, [&](std::size_t, std::size_t task) { by_rows(task); });
      context_.run(item_tasks, [&](std::size_t, std::size_t task) { by_columns(task); });
    } else {
      context_.run(list_tasks + item_tasks, [&](std::size_t, std::size_t task) {
        if (task < list_tasks)
          by_rows(task);
        else
          by_columns(task - list_tasks);
      });
    }
  }

  template <class Loss>
  void fill_relevance(const Loss& loss, const list_panel<T, R>& panel, bool columns) {
    const std::size_t lists = panel.last - panel.first;
    const std::span<R> relevance(panel.relevance, lists * panel.width);
    batch_.computed_relevance.fill(columns, panel.first, lists, relevance, context_);
    if (context_.checks != data_checks::on) return;
    const auto refused = [&](const R& y) { return refuses_relevance(loss, y); };
    const auto takes_part = [&](std::size_t at) {
      const std::size_t list = panel.first + at / panel.width, item = at % panel.width;
      return columns ? keeps_pair(pairs_, item, list) : keeps_pair(pairs_, list, item);
    };
    std::size_t at = find_first(strided<const R>(relevance), refused);
    if (leaves_out_pairs(pairs_))
      while (at < relevance.size() && !(refused(relevance[at]) && takes_part(at))) ++at;
    if (at < relevance.size())
      fail("computed_relevance: ", static_cast<double>(relevance[at]), " at ", columns ? "column " : "row ",
           panel.first + at / panel.width, columns ? ", row " : ", column ", at % panel.width, ", expected ",
           expected_relevance(loss, relevance[at],
                              "; pairs without judgement are left out by the mask, or 0"));
  }

  const embedding_batch<T, R>& batch_;
  const similarity_batch<T, R>& pairs_;
  const embedding_shapes& shapes_;
  const embedding_outputs& out_;
  context& context_;
  side rows_;
  side columns_;
};

/// Requires finite components whose products stay finite.
template <class T, class R>
void check_embeddings(const embedding_batch<T, R>& batch, const embedding_shapes& shapes) {
  const double rows = embedding_side<T>(batch.row_embeddings, shapes.rows).check("row_embeddings", "row");
  const double columns =
      shapes.self
          ? rows
          : embedding_side<T>(batch.column_embeddings, shapes.columns).check("column_embeddings", "column");
  if (batch.similarity == similarity::cosine) return;
  // By halves of the exponent, so that the product itself cannot overflow.
  const double most = static_cast<double>(std::numeric_limits<T>::max());
  const double other = batch.similarity == similarity::dot ? columns : 1.0;
  // Twice as far as the exact sum may reach, so that neither its rounding nor a difference of two overflows.
  const double reach = 2.0 * static_cast<double>(std::max<std::size_t>(1, shapes.rows.columns));
  const auto fits = [&](double a, double b) { return a <= most / reach / std::max(1.0, b); };
  require(fits(rows, other) && fits(columns, batch.similarity == similarity::dot ? rows : 1.0),
          "row_embeddings, column_embeddings: components up to ", static_cast<T>(rows), " and ",
          static_cast<T>(columns),
          ", whose dot products may exceed the largest number of the type; expected smaller ones, or "
          "similarity::cosine");
}

/// The sums of gradients over prefixes, in scratch, so that nothing of the host's memory is written before
/// all prefixes have been computed.
class prefix_sums {
 public:
  prefix_sums(const embedding_outputs& out, const embedding_shapes& shapes, workspace& scratch)
      : out_(out),
        shapes_(shapes),
        rows_(zeros(out.row_gradient, shapes.row_gradient, scratch)),
        columns_(zeros(out.column_gradient, shapes.column_gradient, scratch)) {}

  /// The outputs of a run that adds to the sums.
  [[nodiscard]] embedding_outputs outputs() const {
    embedding_outputs own = out_;
    own.row_gradient = real_output(rows_.data(), rows_.size());
    own.column_gradient = real_output(columns_.data(), columns_.size());
    return own;
  }
  [[nodiscard]] embedding_shapes shapes() const {
    embedding_shapes own = shapes_;
    own.row_gradient = contiguous(shapes_.row_gradient);
    own.column_gradient = contiguous(shapes_.column_gradient);
    return own;
  }

  void commit() const {
    write(out_.row_gradient, shapes_.row_gradient, rows_);
    write(out_.column_gradient, shapes_.column_gradient, columns_);
  }

 private:
  [[nodiscard]] static std::span<double> zeros(const real_output& out, const matrix_shape& shape,
                                               workspace& scratch) {
    const std::span<double> sums = scratch.take<double>(out.empty() ? 0 : shape.rows * shape.columns);
    std::fill(sums.begin(), sums.end(), 0.0);
    return sums;
  }
  [[nodiscard]] static matrix_shape contiguous(const matrix_shape& shape) {
    return {shape.rows, shape.columns, shape.columns, 1};
  }
  void write(const real_output& out, const matrix_shape& shape, std::span<const double> sums) const {
    if (sums.empty()) return;
    out.visit([&](auto* memory) {
      for (std::size_t i = 0; i < shape.rows; ++i)
        for (std::size_t k = 0; k < shape.columns; ++k)
          put(memory[i * shape.row_stride + k * shape.column_stride],
              held_as<double>(out_.scale * sums[i * shape.columns + k]), out_.update);
    });
  }

  const embedding_outputs& out_;
  const embedding_shapes& shapes_;
  std::span<double> rows_;
  std::span<double> columns_;
};

}  // namespace detail

template <class Loss, score T, class Relevance>
double evaluate(const Loss& loss, const embedding_batch<T, Relevance>& batch, const embedding_outputs& out,
                context& ctx) {
  static_assert(detail::made_of_queries<Loss> && similarity_loss<Loss, T, Relevance>,
                "rankloss: an embedding_batch is for losses of similarity matrices; of a list loss, "
                "bidirectional<loss> is one; cmpc has a batch of its own");
  const detail::sole_use alone(ctx);
  // What is checked of the options is the same for all outputs.
  outputs checked{.temperature_gradient = out.temperature_gradient, .bias_gradient = out.bias_gradient};
  if (!out.row_gradient.empty()) checked.gradient = out.row_gradient;
  if (!out.column_gradient.empty()) checked.gradient = out.column_gradient;
  detail::check_options(loss, checked);
  const detail::embedding_shapes shapes = detail::shapes_of(batch, out);
  similarity_batch<T, Relevance> pairs = detail::pairs_of(batch, shapes);
  detail::check_pairs(pairs);
  const bool computed = !batch.computed_relevance.empty();
  detail::require(!computed || (batch.relevance.empty() && batch.column_relevance.empty()),
                  "computed_relevance: given with relevance, expected one of them");
  detail::require(
      !computed || batch.reduction != reduction::mean_of_relevant,
      "reduction: mean_of_relevant with computed_relevance, expected mean or sum: which lists are "
      "relevant is not known before");
  detail::for_each_query(loss, 1.0, [&](const auto&, directions, detail::list_relevance kind, double) {
    detail::require(!computed || kind != detail::list_relevance::relevance_as_rows,
                    "columns_by: of_rows with computed_relevance, expected own");
  });
  if constexpr (requires { loss.validate(pairs); }) {
    auto known = pairs;
    const Relevance stand_in{};  // computed relevance is relevance, whatever it is
    if (computed) known.relevance = array_view<const Relevance>(&stand_in, 1);
    loss.validate(known);
  }
  const bool check = ctx.checks == data_checks::on;
  detail::check_weights("row_weights", pairs.row_weights, pairs.rows, "row", check);
  detail::check_weights("column_weights", pairs.column_weights, pairs.columns, "column", check);
  detail::check_weights("prefix_weights", batch.prefix_weights, batch.prefixes.size(), "prefix", check);
  detail::check_probabilities<Loss>("row_probabilities", pairs.row_probabilities, pairs.rows, "row", check);
  detail::check_probabilities<Loss>("column_probabilities", pairs.column_probabilities, pairs.columns,
                                    "column", check);
  if (check) {
    detail::check_embeddings(batch, shapes);
    detail::check_values(loss, pairs);
  }

  const workspace::scope scope(ctx.scratch());
  const auto zero_sums = [&] {
    const detail::embedding_sums zero{
        .per_list = ctx.scratch().take<double>(out.per_list.empty() ? 0 : pairs.rows + pairs.columns)};
    std::fill(zero.per_list.begin(), zero.per_list.end(), 0.0);
    return zero;
  };
  detail::embedding_sums sums = zero_sums();
  double value = 0.0;
  if (batch.prefixes.empty()) {
    detail::embedding_run<T, Relevance> run(batch, pairs, shapes, out, shapes.rows.columns, ctx);
    value = run(loss, sums);
    run.commit(out.scale, out.update);
  } else {
    const detail::prefix_sums all(out, shapes, ctx.scratch());
    const embedding_outputs own_out = all.outputs();
    const detail::embedding_shapes own_shapes = all.shapes();
    for (std::size_t k = 0; k < batch.prefixes.size(); ++k) {
      const workspace::scope own(ctx.scratch());
      const double weight = detail::weight_of(batch.prefix_weights, k);
      if (weight == 0.0) continue;
      detail::embedding_run<T, Relevance> run(batch, pairs, own_shapes, own_out,
                                              static_cast<std::size_t>(batch.prefixes[k]), ctx);
      detail::embedding_sums part = zero_sums();
      const auto add = [&](double& to, double x) {
        detail::put(to, detail::held_as<double>(weight * x), update::add);
      };
      add(value, run(loss, part));
      run.commit(weight, update::add);
      for (std::size_t l = 0; l < part.per_list.size(); ++l) add(sums.per_list[l], part.per_list[l]);
      add(sums.temperature, part.temperature);
      add(sums.bias, part.bias);
    }
    all.commit();
  }
  std::copy(sums.per_list.begin(), sums.per_list.end(), out.per_list.begin());
  const auto write = [&](double* to, double slope) {
    if (to != nullptr) detail::put(*to, detail::held_as<double>(out.scale * slope), out.update);
  };
  write(out.temperature_gradient, sums.temperature);
  write(out.bias_gradient, sums.bias);
  return value;
}

}  // namespace rankloss::inline RANKLOSS_ABI

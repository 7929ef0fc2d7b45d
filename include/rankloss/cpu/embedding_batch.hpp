// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/softplus.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/embeddings/embedding_shapes.hpp>
#include <rankloss/detail/embeddings/embedding_side.hpp>
#include <rankloss/detail/embeddings/gradient_sums.hpp>
#include <rankloss/detail/embeddings/index_panels.hpp>
#include <rankloss/detail/embeddings/panel_source.hpp>
#include <rankloss/detail/embeddings/products.hpp>
#include <rankloss/detail/embeddings/query_steps.hpp>
#include <rankloss/detail/embeddings/two_way_hardest.hpp>
#include <rankloss/detail/embeddings/two_way_softmax.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/embedding_batch.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

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
      const bool halved = over == directions::both && pairs_.reduction != reduction::sum;
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
          weight, halved ? 0.5 * weight : weight, own, pairs_.reduction, context_);
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
                 ? std::clamp(margin + opaque(static_cast<double>(line.top) - hardest.match(l)), 0.0, 1e290)
                 : 0.0;
    };
    for (const bool columns : {false, true}) {
      const auto lines = columns ? hardest.columns() : hardest.rows();
      for (std::size_t l = 0; l < hardest.matches(); ++l)
        if (lines[l].count > 1 && hinge(lines[l], l) > 0.0) return std::nullopt;
    }
    const std::span<hardest_move<T>> moves = scratch.take<hardest_move<T>>(2 * hardest.matches());
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
    if (gradient_wanted())
      move_hardest<T>(moves.first(by_rows), moves.subspan(by_rows, all - by_rows),
                      rows_.vectors_as(list_form()), columns_.vectors_as(list_form()),
                      rows_.sums_as(list_form()), columns_.sums_as(list_form()), context_);
    return value;
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
    if (context_.checks == data_checks::on) check_relevance(loss, pairs_, panel, columns);
  }

  const embedding_batch<T, R>& batch_;
  const similarity_batch<T, R>& pairs_;
  const embedding_shapes& shapes_;
  const embedding_outputs& out_;
  context& context_;
  side rows_;
  side columns_;
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
  detail::check_computed_relevance(loss, batch);
  if constexpr (requires { loss.validate(pairs); }) {
    auto known = pairs;
    const Relevance stand_in{};  // computed relevance is relevance, whatever it is
    if (!batch.computed_relevance.empty()) known.relevance = array_view<const Relevance>(&stand_in, 1);
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
    const detail::gradient_sums of_rows(out.row_gradient, shapes.row_gradient, ctx.scratch());
    const detail::gradient_sums of_columns(out.column_gradient, shapes.column_gradient, ctx.scratch());
    embedding_outputs own_out = out;
    own_out.row_gradient = of_rows.output();
    own_out.column_gradient = of_columns.output();
    detail::embedding_shapes own_shapes = shapes;
    own_shapes.row_gradient = of_rows.shape();
    own_shapes.column_gradient = of_columns.shape();
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
    of_rows.commit(out.scale, out.update);
    of_columns.commit(out.scale, out.update);
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

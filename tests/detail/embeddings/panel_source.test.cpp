// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/embeddings/panel_source.hpp>
#include <rankloss/detail/lists/list_run.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace detail_embeddings_panel_source_test {

namespace {

using rankloss::similarity_batch;
using rankloss::workspace;
using rankloss::detail::list_panel;
using rankloss::detail::list_relevance;
using source = rankloss::detail::panel_source<float, int>;

template <class Items>
auto items_of(const Items& items) {
  std::vector<std::remove_cvref_t<decltype(items[0])>> out;
  for (std::size_t i = 0; i < items.size(); ++i) out.push_back(items[i]);
  return out;
}

TEST_CASE("panel_source: scores and relevance of the panel, the rest of the batch") {
  STATIC_REQUIRE(rankloss::detail::list_source<source>);
  const std::vector<int> row_classes{1, 2, 1, 3}, column_classes{1, 1, 3};
  const std::vector<std::uint8_t> mask{1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1};
  const std::vector<double> weights{1, 2, 3, 4};
  const similarity_batch<float, int> pairs{.similarity = {},
                                           .rows = 4,
                                           .columns = 3,
                                           .row_classes = row_classes,
                                           .column_classes = column_classes,
                                           .mask = mask,
                                           .row_weights = weights};
  std::vector<float> scores{1, 2, 3, 4, 5, 6}, slopes(6);
  std::vector<int> relevance{7, 8, 9, 10, 11, 12};
  list_panel<float, int> panel{.width = 3, .scores = scores.data(), .slopes = slopes.data()};
  const source rows(pairs, false, list_relevance::matches, false, panel);
  workspace scratch;
  CHECK(rows.lists() == 4);
  CHECK(rows.size(2) == 3);
  // Before there is a panel, memory of the right size.
  CHECK(rows.scores(3).data() == scores.data());
  CHECK(rows.scores(3).size() == 3);
  panel.first = 2;
  panel.last = 4;
  CHECK(items_of(rows.scores(2)) == std::vector<float>{1, 2, 3});
  CHECK(items_of(rows.scores(3)) == std::vector<float>{4, 5, 6});
  CHECK(rows.layout(2, {}) == std::pair<std::size_t, std::ptrdiff_t>(0, 1));
  CHECK(rows.layout(3, {}) == std::pair<std::size_t, std::ptrdiff_t>(3, 1));
  CHECK(items_of(rows.relevance(2, scratch)) == std::vector<int>{1, 1, 0});
  CHECK(items_of(rows.relevance(3, scratch)) == std::vector<int>{0, 0, 1});
  CHECK(rows.masked());
  CHECK_FALSE(rows.kept(3, 1));
  CHECK(rows.kept(3, 2));
  CHECK(rows.list_weight(2) == 3.0);
  CHECK(rows.weights(2, scratch).empty());
  CHECK_FALSE(rows.any_missed());
  CHECK(rows.padding(2) == 0);

  // Computed relevance lies as the scores; matches stay what they are.
  panel.relevance = relevance.data();
  const source computed(pairs, false, list_relevance::relevance, false, panel);
  CHECK(items_of(computed.relevance(3, scratch)) == std::vector<int>{10, 11, 12});
  const source matches(pairs, false, list_relevance::matches, false, panel);
  CHECK(items_of(matches.relevance(3, scratch)) == std::vector<int>{0, 0, 1});

  const list_panel<float, int> of_columns{
      .first = 1, .last = 2, .width = 4, .scores = scores.data(), .slopes = slopes.data()};
  const source columns(pairs, true, list_relevance::matches, false, of_columns);
  CHECK(columns.lists() == 3);
  CHECK(columns.size(1) == 4);
  CHECK(items_of(columns.scores(1)) == std::vector<float>{1, 2, 3, 4});
  CHECK(items_of(columns.relevance(1, scratch)) == std::vector<int>{1, 0, 1, 0});
  CHECK_FALSE(columns.kept(1, 3));
  CHECK(columns.list_weight(1) == 1.0);
}

TEST_CASE("panel_source: inverse probabilities are weights of items, where they are wanted") {
  const std::vector<double> probabilities{0.5, 0.25};
  const similarity_batch<float, int> pairs{
      .similarity = {}, .rows = 2, .columns = 2, .column_probabilities = probabilities};
  std::vector<float> scores(4);
  const list_panel<float, int> panel{.first = 0, .last = 2, .width = 2, .scores = scores.data()};
  workspace scratch;
  const source with(pairs, false, list_relevance::matches, true, panel);
  CHECK(items_of(with.weights(0, scratch)) == std::vector<double>{2.0, 4.0});
  CHECK(source(pairs, false, list_relevance::matches, false, panel).weights(0, scratch).empty());
}

}  // namespace

}  // namespace detail_embeddings_panel_source_test

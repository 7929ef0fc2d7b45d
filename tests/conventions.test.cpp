// SPDX-License-Identifier: BSL-1.0
#include <rankloss/conventions.hpp>

#include <catch2/catch.hpp>

#include <string>

namespace conventions_test {

using namespace rankloss;

TEST_CASE("conventions: each is told in words") {
  using namespace conventions;
  for (const convention& row : {ours, conventions::allrank::row, tf_ranking::row, rax::row, xgboost::row,
                                lightgbm::row, listwise_itr::row}) {
    const std::string text = describe(row);
    CHECK(text.substr(0, row.name.size() + 1) == std::string(row.name) + "\n");
    for (const auto what : {row.value, row.gain, row.discount, row.ties, row.without_relevance, row.reduction,
                            row.cutoff, row.logarithm, row.temperature}) {
      CHECK(!what.empty());
      CHECK(text.find(what) != std::string::npos);
    }
  }
}

}  // namespace conventions_test

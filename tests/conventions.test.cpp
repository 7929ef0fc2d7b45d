// SPDX-License-Identifier: BSL-1.0
#include <rankloss/conventions.hpp>

#include <catch2/catch.hpp>

#include <string>

namespace conventions_test {

using namespace rankloss;

TEST_CASE("conventions: each is told in words") {
  using namespace conventions;
  for (const convention& description : {ours, conventions::allrank::description, tf_ranking::description,
                                        rax::description, xgboost::description, lightgbm::description,
                                        listwise_itr::description, pytorch_metric_learning::description}) {
    const std::string text = describe(description);
    CHECK(text.substr(0, description.name.size() + 1) == std::string(description.name) + "\n");
    for (const auto what : {description.value, description.gain, description.discount, description.ties,
                            description.without_relevance, description.reduction, description.cutoff,
                            description.logarithm, description.temperature}) {
      CHECK(!what.empty());
      CHECK(text.find(what) != std::string::npos);
    }
  }
}

}  // namespace conventions_test

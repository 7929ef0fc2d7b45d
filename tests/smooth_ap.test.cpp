// SPDX-License-Identifier: BSL-1.0
#include <rankloss/evaluate.hpp>
#include <rankloss/smooth_ap.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <vector>

namespace smooth_ap_test {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::smooth_ap;

namespace {

using reals = std::vector<double>;

/// Six embeddings of two classes of three, one after the other.
constexpr double embeddings[6][4]{
    {-0.13708829879760742, -0.5348795056343079, 0.7393874526023865, 0.38524919748306274},
    {-0.4381170868873596, 0.5681295394897461, 0.6869366765022278, 0.1157592311501503},
    {-0.4896838963031769, 0.8504632115364075, -0.15673334896564484, 0.11115998774766922},
    {0.38719621300697327, 0.5341684222221375, 0.4378919303417206, 0.6107321381568909},
    {-0.6108946204185486, 0.6383534669876099, -0.08054077625274658, 0.46133047342300415},
    {0.18191221356391907, -0.4223928153514862, -0.8879116177558899, 0.010264968499541283}};
/// Of Andrew-Brown1/Smooth_AP (commit 59927ec): the loss and its gradient by the embeddings.
struct peer_case {
  double temperature, value;
  double gradient[6][4];
};
constexpr peer_case cases[]{
    {0.01,
     0.24612897634506226,
     {{0.06996193528175354, -0.13198931515216827, -0.07598982006311417, -0.010255994275212288},
      {-0.010460585355758667, -0.01832585409283638, 0.006399690173566341, 0.030452286824584007},
      {0.13660766184329987, -0.18967951834201813, -0.547232449054718, -0.04484940692782402},
      {-8.356703619938344e-05, -8.031566540012136e-05, 0.00044178959797136486, 8.958173566497862e-05},
      {-0.12236743420362473, 0.24507352709770203, 0.47054603695869446, 0.004909625742584467},
      {0.04179925471544266, 0.04255199059844017, 0.04142528772354126, -0.12208297848701477}}},
    {0.1,
     0.28050923347473145,
     {{0.06237325817346573, -0.03439192473888397, -0.057372525334358215, 0.03354398161172867},
      {0.04194828122854233, 0.020370827987790108, -0.03482761234045029, 0.02904616668820381},
      {0.033737968653440475, -0.060963213443756104, -0.0898049920797348, 0.048314567655324936},
      {-0.018985390663146973, -0.009051106870174408, 0.10264458507299423, 0.0008329115808010101},
      {-0.04055524244904518, 0.05069984495639801, 0.07455647736787796, -0.07623232901096344},
      {-0.001835749833844602, -0.03989618271589279, 0.02710956707596779, -0.019774310290813446}}},
};

}  // namespace

TEST_CASE("smooth_ap: values and gradients of the published code") {
  // A row of similarities is a list; the query is an item of its own list, and relevant.
  reals s(36), y(36);
  for (std::size_t q = 0; q < 6; ++q)
    for (std::size_t i = 0; i < 6; ++i) {
      for (std::size_t k = 0; k < 4; ++k) s[q * 6 + i] += embeddings[q][k] * embeddings[i][k];
      y[q * 6 + i] = q / 3 == i / 3 ? 1 : 0;
    }
  for (const peer_case& c : cases) {
    INFO("temperature " << c.temperature);
    reals g(36);
    const double value =
        evaluate(smooth_ap{.ranks = {.temperature = c.temperature}},
                 list_batch<double>{.scores = s, .relevance = y, .length = 6}, {.gradient = g});
    CHECK(value == Approx(c.value).margin(1e-6));
    for (std::size_t a = 0; a < 6; ++a)
      for (std::size_t k = 0; k < 4; ++k) {
        double by_embedding = 0;
        for (std::size_t i = 0; i < 6; ++i) by_embedding += (g[a * 6 + i] + g[i * 6 + a]) * embeddings[i][k];
        CHECK(by_embedding == Approx(c.gradient[a][k]).margin(5e-6));
      }
  }
}

TEST_CASE("smooth_ap: a list without relevance has gradient 0, and not -0, alone and beside others") {
  for (std::size_t other = 1; other <= 32; ++other)
    for (std::size_t copies = 1; copies <= 16; ++copies) {
      reals s(copies * other, 0.5), y(copies * other, 1.0);
      std::vector<std::size_t> offsets{0};
      for (std::size_t l = 1; l <= copies; ++l) offsets.push_back(l * other);
      s.insert(s.end(), {0.5, -0.25});
      y.insert(y.end(), {0.0, 0.0});
      offsets.push_back(s.size());
      reals g(s.size(), 1.0);
      evaluate(smooth_ap{}, list_batch<double>{.scores = s, .relevance = y, .offsets = offsets},
               {.gradient = g});
      INFO(copies << " lists of " << other);
      for (std::size_t i = s.size() - 2; i < s.size(); ++i) CHECK((g[i] == 0.0 && !std::signbit(g[i])));
    }
}

}  // namespace smooth_ap_test

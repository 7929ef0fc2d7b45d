// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/context.hpp>
#include <rankloss/softmax_cross_entropy.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace cuda_context_test {

using Catch::Matchers::Contains;
using cuda_support::counted_memory;
using cuda_support::lists_of_lengths;
using rankloss::data_checks;
using rankloss::softmax_cross_entropy;
using rankloss::cuda::context;
using lists = cuda_support::host_lists<float, float>;

namespace {

/// The message of what evaluate reports on the host, and that of the same batch on the device.
void same_words(const lists& in, const softmax_cross_entropy& loss = {}) {
  const cuda_support::stream own;
  context ctx(own);
  std::string expected = "nothing";
  try {
    (void)cuda_support::on_host(loss, in);
  } catch (const std::invalid_argument& refused) {
    expected = refused.what();
  }
  const auto out = cuda_support::on_device(loss, in, ctx, {.filled = 5.0});
  CHECK(std::isnan(out.value));
  CHECK_THROWS_WITH(ctx.check(), expected);
  if (expected.find("offsets") != std::string::npos || expected.find("lengths") != std::string::npos)
    CHECK(out.gradient == std::vector<float>(in.scores.size(), 5.0f));
  CHECK_NOTHROW(ctx.check());  // it is reported once
  const lists good = lists_of_lengths<float, float>({3, 80}, 1);
  cuda_support::agrees(loss, good, ctx);
}

}  // namespace

TEST_CASE("cuda context: bad numbers are told as on the host, the first of them") {
  lists in = lists_of_lengths<float, float>({3, 0, 70, 40, 3000}, 1);
  SECTION("scores") {
    in.scores[60] = in.scores[3100] = NAN;
    same_words(in);
  }
  SECTION("relevance, by list and then by field") {
    in.relevance[4] = -1.0f;
    in.relevance[5] = NAN;
    in.scores[80] = NAN;
    same_words(in);
    in.relevance[4] = 0.0f;
    same_words(in);
    in.scores[20] = NAN;
    same_words(in);
  }
  SECTION("item weights") {
    in.item_weights.assign(in.scores.size(), 1.0);
    in.item_weights[100] = -0.5;
    same_words(in);
    in.item_weights[100] = INFINITY;
    same_words(in);
  }
  SECTION("list weights, before items") {
    in.scores[0] = NAN;
    in.list_weights = {1, 1, 2, NAN, -1};
    same_words(in);
  }
  SECTION("offsets") {
    lists bad = in;
    bad.offsets[0] = 1;
    same_words(bad);
    bad = in;
    bad.offsets[2] = 200;
    same_words(bad);
    bad = in;
    bad.offsets.back() -= 1;
    same_words(bad);
    bad.offsets.back() = -7;
    same_words(bad);
  }
  SECTION("lengths") {
    lists dense = lists_of_lengths<float, float>({40}, 1);
    dense.offsets.clear();
    dense.length = 10;
    dense.lengths = {10, 0, 11, 3};
    same_words(dense);
  }
  SECTION("a list beyond the bound, of which the host knows nothing") {
    const cuda_support::stream own;
    context ctx(own);
    in.longest = 69;
    (void)cuda_support::on_device(softmax_cross_entropy{}, in, ctx);
    CHECK_THROWS_WITH(ctx.check(), "rankloss: longest: 69, but list 2 has 70 items");
  }
}

TEST_CASE("cuda context: the list of a bad number is NaN, the others are not") {
  const cuda_support::stream own;
  context ctx(own);
  lists in = lists_of_lengths<float, float>({3, 5}, 1);
  in.scores[4] = NAN;
  const auto out = cuda_support::on_device(softmax_cross_entropy{}, in, ctx);
  CHECK(std::isnan(out.value));
  CHECK_FALSE(std::isnan(out.per_list[0]));
  CHECK(std::isnan(out.per_list[1]));
  for (std::size_t i = 0; i < 8; ++i) CHECK(std::isnan(out.gradient[i]) == (i >= 3));
}

TEST_CASE("cuda context: without checks numbers are not looked at, and memory is safe") {
  const cuda_support::stream own;
  context ctx(own, data_checks::off);
  lists in = lists_of_lengths<float, float>({3, 500}, 1);
  in.scores[1] = in.scores[50] = NAN;
  in.relevance[7] = -INFINITY;
  (void)cuda_support::on_device(softmax_cross_entropy{}, in, ctx);
  CHECK_NOTHROW(ctx.check());
  in.offsets[1] = 4000;  // what memory depends on is checked all the same
  (void)cuda_support::on_device(softmax_cross_entropy{}, in, ctx);
  CHECK_THROWS_WITH(ctx.check(), Contains("offsets"));
}

TEST_CASE("cuda context: shapes and options are refused before anything is queued") {
  const cuda_support::stream own;
  context ctx(own);
  lists in = lists_of_lengths<float, float>({3, 5}, 1);
  const auto refused = [&](const lists& bad, const std::string& words) {
    CHECK_THROWS_WITH(cuda_support::on_device(softmax_cross_entropy{}, bad, ctx), Contains(words));
  };
  lists bad = in;
  bad.relevance.pop_back();
  refused(bad, "relevance: size 7, expected 8 (one per score)");
  bad = in;
  bad.list_weights = {1};
  refused(bad, "list_weights: size 1, expected 2 (one per list)");
  bad = in;
  bad.length = 4;
  refused(bad, "offsets: given together with length");
  bad = in;
  bad.offsets = {0};
  refused(bad, "offsets: size 1, for no list, and there are 8 items");
  CHECK_THROWS_WITH(cuda_support::on_device(softmax_cross_entropy{.temperature = -1}, in, ctx),
                    Contains("temperature: -1"));
}

TEST_CASE("cuda context: memory is lent, grows, and is not asked for again") {
  const cuda_support::stream own;
  counted_memory memory;
  {
    context ctx(own, memory.resource());
    const lists small = lists_of_lengths<float, float>({3, 50}, 1),
                large = lists_of_lengths<float, float>({3, 5000}, 1);
    cuda_support::agrees(softmax_cross_entropy{}, small, ctx);
    cuda_support::agrees(softmax_cross_entropy{}, large, ctx);
    const std::size_t before = memory.allocations;
    for (int step = 0; step < 3; ++step) {
      cuda_support::agrees(softmax_cross_entropy{}, large, ctx);
      cuda_support::agrees(softmax_cross_entropy{}, small, ctx);
    }
    CHECK(memory.allocations == before);
  }
  CHECK(memory.bytes == 0);
  CHECK(memory.deallocations == memory.allocations);
}

TEST_CASE("cuda context: what is reserved is enough") {
  const cuda_support::stream own;
  counted_memory memory;
  context ctx(own, memory.resource());
  const lists in = lists_of_lengths<float, float>({3, 5000}, 1);
  ctx.reserve(cuda_support::scratch_bytes(softmax_cross_entropy{}, cuda_support::device_lists(in).batch));
  const std::size_t before = memory.allocations;
  cuda_support::agrees(softmax_cross_entropy{}, in, ctx);
  CHECK(memory.allocations == before);
}

TEST_CASE("cuda context: where memory fails the call says so, and the context can be used again") {
  const cuda_support::stream own;
  counted_memory memory;
  context ctx(own, memory.resource());
  const lists in = lists_of_lengths<float, float>({3, 50}, 1);
  memory.none_left = true;
  CHECK_THROWS_AS(cuda_support::on_device(softmax_cross_entropy{}, in, ctx), rankloss::cuda::error);
  CHECK_THROWS_AS(context(own, memory.resource()), rankloss::cuda::error);
  memory.none_left = false;
  cuda_support::agrees(softmax_cross_entropy{}, in, ctx);
}

TEST_CASE("cuda context: it can be moved") {
  const cuda_support::stream own;
  counted_memory memory;
  {
    context first(own, memory.resource());
    const lists in = lists_of_lengths<float, float>({3, 50}, 1);
    cuda_support::agrees(softmax_cross_entropy{}, in, first);
    context second(std::move(first));
    cuda_support::agrees(softmax_cross_entropy{}, in, second);
    CHECK_THROWS_AS(cuda_support::on_device(softmax_cross_entropy{}, in, first), std::logic_error);
    CHECK_THROWS_AS(first.check(), std::logic_error);
    first = std::move(second);
    cuda_support::agrees(softmax_cross_entropy{}, in, first);
  }
  CHECK(memory.bytes == 0);
}

TEST_CASE("cuda context: without a device", "[.][no_device]") {
  CHECK_THROWS_AS(context(nullptr), rankloss::cuda::error);
  CHECK_THROWS_WITH(context(nullptr), Contains("rankloss: cudaMallocAsync: "));
}

TEST_CASE("cuda context: calls are captured into a graph and replayed", "[gpu]") {
  const cuda_support::stream own;
  context ctx(own);
  const lists in = lists_of_lengths<float, float>({3, 50, 200, 5000}, 1);
  const cuda_support::device_lists<float, float> batch(in);
  const cuda_support::array<float> gradient(in.scores.size());
  const cuda_support::array<double> value(1), per_list(4);
  const rankloss::cuda::outputs<float> out{
      .value = value.view(), .gradient = gradient.view(), .per_list = per_list.view()};
  using cuda_support::require_success;
  require_success(cudaStreamBeginCapture(own, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  CHECK_THROWS_AS(cuda_support::on_device(softmax_cross_entropy{}, batch.batch, out, ctx), std::logic_error);
  cudaGraph_t graph = nullptr;
  require_success(cudaStreamEndCapture(own, &graph), "cudaStreamEndCapture");
  require_success(cudaGraphDestroy(graph), "cudaGraphDestroy");

  ctx.reserve(cuda_support::scratch_bytes(softmax_cross_entropy{}, batch.batch));
  require_success(cudaStreamBeginCapture(own, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  cuda_support::on_device(softmax_cross_entropy{}, batch.batch, out, ctx);
  require_success(cudaStreamEndCapture(own, &graph), "cudaStreamEndCapture");
  cudaGraphExec_t ready = nullptr;
  require_success(cudaGraphInstantiate(&ready, graph, 0), "cudaGraphInstantiate");
  for (int replay = 0; replay < 2; ++replay) {
    require_success(cudaGraphLaunch(ready, own), "cudaGraphLaunch");
    ctx.check();
    cuda_support::agree(in, {value.host()[0], gradient.host(), per_list.host()},
                        cuda_support::on_host(softmax_cross_entropy{}, in));
  }
  require_success(cudaGraphExecDestroy(ready), "cudaGraphExecDestroy");
  require_success(cudaGraphDestroy(graph), "cudaGraphDestroy");
}

}  // namespace cuda_context_test

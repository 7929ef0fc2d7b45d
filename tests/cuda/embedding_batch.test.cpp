// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/embedding_batch.hpp>
#include <rankloss/info_nce.hpp>
#include <rankloss/siglip.hpp>
#include <rankloss/triplet.hpp>

#include "cuda/support/embedding_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace cuda_embedding_batch_test {

using Catch::Matchers::Contains;
using cuda_support::agree;
using cuda_support::agrees;
using cuda_support::array;
using cuda_support::embedding_tolerance;
using cuda_support::embeddings_on_device;
using cuda_support::embeddings_on_host;
using cuda_support::give_classes;
using cuda_support::host_embeddings;
using cuda_support::random_embeddings;
using rankloss::info_nce;
using rankloss::siglip;
using rankloss::triplet;
using rankloss::cuda::context;

TEST_CASE("cuda embedding_batch: reductions, weights, scale and update") {
  const cuda_support::stream own;
  context ctx(own);
  host_embeddings<double> in = random_embeddings<double>(9, 12, 3, 1);
  for (const bool by_class : {false, true})
    for (const auto reduction :
         {rankloss::reduction::mean, rankloss::reduction::sum, rankloss::reduction::mean_of_relevant})
      for (const bool weighted : {false, true}) {
        in.reduction = reduction;
        in.row_weights.clear();
        in.column_weights.clear();
        if (by_class) give_classes(in, 8, 2);
        for (std::size_t i = 0; weighted && i < in.rows; ++i)
          in.row_weights.push_back(static_cast<double>(i % 3));
        for (std::size_t j = 0; weighted && j < in.columns; ++j)
          in.column_weights.push_back(static_cast<float>(j % 4));
        INFO("by class " << by_class << ", reduction " << static_cast<int>(reduction) << ", weighted "
                         << weighted);
        agrees(info_nce{}, in, ctx, {.scale = 2.0, .update = rankloss::update::add, .filled = 1.0});
        if (by_class == weighted) continue;
        agrees(siglip{}, in, ctx, {.scale = -3.0});
        agrees(triplet{}, in, ctx, {.sloped_columns = 4});
      }
}

TEST_CASE("cuda embedding_batch: weights of any size") {
  const cuda_support::stream own;
  context ctx(own);
  host_embeddings<double> in = random_embeddings<double>(4, 4, 3, 1);
  for (const double size : {1e-300, 1e300})
    for (const auto reduction : {rankloss::reduction::mean, rankloss::reduction::sum}) {
      in.reduction = reduction;
      in.row_weights = {size, 0.0, 2.0 * size, size};
      INFO("size " << size << ", reduction " << static_cast<int>(reduction));
      const auto device = embeddings_on_device(info_nce{}, in, ctx);
      CHECK(device.value == Approx(embeddings_on_host(info_nce{}, in).value).epsilon(1e-12));
    }
}

TEST_CASE("cuda embedding_batch: rows with themselves") {
  const cuda_support::stream own;
  context ctx(own);
  for (const std::size_t rows : {1, 2, 70}) {
    host_embeddings<float> in = random_embeddings<float>(rows, 0, 6, 3);
    in.extra_columns = false;
    for (std::size_t i = 0; i < rows; ++i) in.row_classes.push_back(static_cast<std::int64_t>(i / 3) - 2);
    INFO(rows << " rows");
    in.without_diagonal = true;
    agrees(info_nce{.temperature = 0.2}, in, ctx);
    agrees(triplet{}, in, ctx);
    in.without_diagonal = false;
    if (rows > 1) agrees(siglip{}, in, ctx);  // one row alone has a gradient of rounding errors
  }
}

TEST_CASE("cuda embedding_batch: matches, a mask and ids") {
  const cuda_support::stream own;
  context ctx(own);
  std::mt19937 random(5);
  const auto flags = [&](const host_embeddings<double>& in, unsigned out_of) {
    std::vector<std::uint8_t> given(in.rows * in.all_columns());
    for (auto& flag : given) flag = random() % out_of == 0 ? 0 : 9;
    return given;
  };
  const auto ids = [&](std::size_t count) {
    std::vector<std::int64_t> given(count);
    for (auto& id : given) id = static_cast<std::int64_t>(random() % 9) - 4;
    return given;
  };
  const auto all_agree = [&](const host_embeddings<double>& in, const char* what) {
    INFO(what);
    agrees(info_nce{.temperature = 0.3}, in, ctx);
    agrees(siglip{.over = rankloss::directions::both}, in, ctx, {.panel_rows = 64});
    agrees(triplet{}, in, ctx);
  };
  host_embeddings<double> in = random_embeddings<double>(66, 70, 3, 1);
  in.mask = flags(in, 3);
  all_agree(in, "a mask");
  in.row_ids = ids(66);
  in.column_ids = ids(70);
  all_agree(in, "a mask and ids");
  in.mask.clear();
  in.extra_columns = false;
  in.matches = flags(in, 2);
  all_agree(in, "matches and ids");
  give_classes(in, 9, 3);
  all_agree(in, "matches, which are looked at before classes, and ids");
  in = random_embeddings<double>(30, 0, 3, 1);
  in.extra_columns = false;
  in.matches = flags(in, 2);
  in.row_ids = ids(30);
  in.without_diagonal = true;
  all_agree(in, "rows with themselves");
  in.mask.assign(30 * 30, 0);
  all_agree(in, "nothing takes part");
}

TEST_CASE("cuda embedding_batch: prefixes") {
  const cuda_support::stream own;
  cuda_support::counted_memory memory;
  context ctx(own, memory.resource());
  host_embeddings<double> in = random_embeddings<double>(5, 7, 6, 1);
  in.prefixes = {2, 6, 1, 3};
  const auto all_agree = [&](const host_embeddings<double>& of) {
    agrees(info_nce{.temperature = 0.3}, of, ctx,
           {.scale = -2.0, .update = rankloss::update::add, .filled = 1.0});
    agrees(siglip{}, of, ctx, {.filled = 3.0, .sloped_columns = 3});
    agrees(triplet{}, of, ctx);
  };
  ctx.reserve(cuda_support::scratch_bytes(siglip{}, cuda_support::device_embeddings(in).batch));
  const std::size_t before = memory.allocations;
  agrees(siglip{}, in, ctx);
  CHECK(memory.allocations == before);
  all_agree(in);
  in.prefix_weights = {0.5, 0.0, 2.0, 1.0};  // the longest is left out
  all_agree(in);
  in.prefix_weights.assign(4, 0.0);
  all_agree(in);
  in.prefixes = {5};
  in.prefix_weights = {0.25};
  in.row_stride = in.column_stride = 6;
  in.dimension = 5;
  all_agree(in);
  host_embeddings<double> self = random_embeddings<double>(5, 0, 6, 2);
  self.extra_columns = false;
  self.row_classes = {1, 2, 1, 2, 1};
  self.prefixes = {6, 2};
  all_agree(self);

  in.x[2] = NAN;  // in one of the prefixes alone
  in.prefixes = {2, 4};
  in.prefix_weights.clear();
  const auto out = embeddings_on_device(siglip{}, in, ctx);
  CHECK(std::isnan(out.value));
  CHECK(std::isnan(out.by_bias));
  for (const auto* numbers : {&out.dx, &out.dy, &out.per_list})
    for (const double x : *numbers) REQUIRE(std::isnan(x));
  CHECK_THROWS_WITH(ctx.check(), Contains("row_embeddings: nan"));
  in.x[2] = 1.0;
  in.prefix_weights = {1.0, -1.0};
  CHECK_THROWS_WITH(embeddings_on_device(siglip{}, in, ctx), Contains("prefix_weights: -1 at prefix 1"));
}

TEST_CASE("cuda embedding_batch: dot products, strides, zero vectors and equal rows") {
  const cuda_support::stream own;
  context ctx(own);
  host_embeddings<float> in = random_embeddings<float>(33, 65, 7, 4);
  SECTION("dot products") {
    in.similarity = rankloss::similarity::dot;
    agrees(info_nce{.temperature = 2.0}, in, ctx);
    agrees(siglip{.temperature = 2.0, .bias = 1.0}, in, ctx);
    agrees(triplet{}, in, ctx);
  }
  SECTION("strides: the first components of longer vectors") {
    in.dimension = 5;
    in.row_stride = in.column_stride = 7;
    agrees(info_nce{.temperature = 0.5}, in, ctx);
    in.x.resize(32 * 7 + 5);
    agrees(info_nce{.temperature = 0.5}, in, ctx);
  }
  SECTION("zero vectors") {
    std::fill(in.x.begin() + 14, in.x.begin() + 28, 0.0f);
    std::fill(in.y.begin() + 7, in.y.begin() + 14, 0.0f);
    agrees(info_nce{.temperature = 0.5}, in, ctx);
    agrees(siglip{}, in, ctx);
    std::fill(in.x.begin(), in.x.end(), 0.0f);
    agrees(info_nce{.temperature = 0.5}, in, ctx);
  }
  SECTION("equal rows") {
    for (std::size_t i = 0; i < in.x.size(); ++i) in.x[i] = in.x[i % 14];
    for (std::size_t j = 0; j < in.y.size(); ++j) in.y[j] = in.y[j % 14];
    agrees(info_nce{.temperature = 0.5}, in, ctx);
    agrees(siglip{}, in, ctx);
  }
  SECTION("components of any size") {
    for (const float size : {1e-30f, 1e30f, 1e-44f}) {
      host_embeddings<float> scaled = in;
      for (auto* numbers : {&scaled.x, &scaled.y})
        for (float& x : *numbers) x *= size;
      INFO("size " << size);
      const auto device = embeddings_on_device(info_nce{.temperature = 0.5}, scaled, ctx);
      CHECK_NOTHROW(ctx.check());
      CHECK(device.value ==
            Approx(embeddings_on_host(info_nce{.temperature = 0.5}, scaled).value).epsilon(1e-5));
    }
    host_embeddings<double> wide = random_embeddings<double>(3, 3, 7, 4);
    for (double& x : wide.x) x *= 1e200;
    for (double& y : wide.y) y *= 1e-300;
    agrees(info_nce{.temperature = 0.5}, wide, ctx, {.scale = 1e-200});
  }
}

TEST_CASE("cuda embedding_batch: projections") {
  const cuda_support::stream own;
  cuda_support::counted_memory memory;
  context ctx(own, memory.resource());
  using rankloss::directions;
  host_embeddings<double> in = random_embeddings<double>(33, 70, 5, 4);
  in.similarity = rankloss::similarity::projection;
  const siglip both{.over = directions::both};
  ctx.reserve(cuda_support::scratch_bytes(both, cuda_support::device_embeddings(in).batch));
  const std::size_t before = memory.allocations;
  agrees(both, in, ctx);
  CHECK(memory.allocations == before);
  const auto all_agree = [&](const auto& of) {
    for (const auto over : {directions::both, directions::rows, directions::columns}) {
      INFO("over " << static_cast<int>(over));
      agrees(info_nce{.temperature = 2.0, .over = over}, of, ctx,
             {.scale = -2.0, .update = rankloss::update::add, .filled = 1.0});
      agrees(siglip{.bias = 0.5, .over = over}, of, ctx, {.filled = 3.0, .sloped_columns = 4});
      agrees(triplet{.over = over}, of, ctx);
    }
  };
  all_agree(in);
  std::fill(in.x.begin() + 10, in.x.begin() + 15, 0.0);
  std::fill(in.y.begin() + 5, in.y.begin() + 10, 0.0);
  in.reduction = rankloss::reduction::sum;
  in.prefixes = {2, 5};
  in.prefix_weights = {0.5, 2.0};
  all_agree(in);
  in.prefixes.clear();
  in.prefix_weights.clear();
  in.reduction = rankloss::reduction::mean_of_relevant;
  for (std::size_t i = 0; i < in.rows; ++i) in.row_weights.push_back(static_cast<double>(i % 3));
  give_classes(in, 8, 2);
  all_agree(in);
  host_embeddings<float> floats = random_embeddings<float>(33, 70, 5, 4);
  floats.similarity = rankloss::similarity::projection;
  all_agree(floats);
}

TEST_CASE("cuda embedding_batch: without rows, columns or both") {
  const cuda_support::stream own;
  context ctx(own);
  for (const auto& [rows, columns] :
       std::vector<std::pair<std::size_t, std::size_t>>{{0, 3}, {0, 0}, {3, 0}}) {
    host_embeddings<double> in = random_embeddings<double>(rows, columns, 2, 1);
    if (columns == 0) in.row_classes.assign(rows, 1);
    INFO(rows << " rows, " << columns << " columns");
    agrees(info_nce{}, in, ctx);
    agrees(siglip{}, in, ctx);
    agrees(triplet{}, in, ctx);
  }
}

TEST_CASE("cuda embedding_batch: halves and bfloat16") {
  const cuda_support::stream own;
  context ctx(own);
  host_embeddings<float> in = random_embeddings<float>(5, 5, 3, 5);
  std::vector<rankloss::half> halves;
  std::vector<rankloss::bfloat16> brains;
  for (std::size_t i = 0; i < in.x.size(); ++i) {
    halves.push_back({static_cast<std::uint16_t>(0x3800 + 37 * i + (i % 2) * 0x8000)});
    brains.push_back({static_cast<std::uint16_t>(0x3f00 + 7 * i + (i % 3) * 0x8000)});
    in.x[i] = static_cast<float>(halves[i]);
    in.y[i] = static_cast<float>(brains[i]);
  }
  halves[3] = {0x0003};  // subnormal
  in.x[3] = static_cast<float>(halves[3]);
  const array<rankloss::half> x(halves);
  const array<rankloss::bfloat16> y(brains);
  cuda_support::device_embeddings<float> on(in);
  const auto expected = embeddings_on_device(info_nce{}, in, ctx);
  const array<double> value(1);
  const array<float> gradient(in.x.size());
  const rankloss::cuda::embedding_outputs<float> out{.value = value.view(), .row_gradient = gradient.view()};
  on.batch.row_embeddings = x.view();
  on.batch.column_embeddings = y.view();
  cuda_support::on_device(info_nce{}, on.batch, out, ctx, 0);
  CHECK(value.host()[0] == expected.value);
  CHECK(gradient.host() == expected.dx);
}

TEST_CASE("cuda embedding_batch: many panels, and the same bits on every run") {
  const cuda_support::stream own;
  context ctx(own);
  host_embeddings<float> in = random_embeddings<float>(70, 75, 3, 6);
  const cuda_support::embedding_how panels{.panel_rows = 64};
  const auto once = embeddings_on_device(info_nce{.temperature = 0.3}, in, ctx, panels);
  const auto again = embeddings_on_device(info_nce{.temperature = 0.3}, in, ctx, panels);
  agree(once, embeddings_on_host(info_nce{.temperature = 0.3}, in), embedding_tolerance<float>());
  CHECK(once.value == again.value);
  CHECK(once.dx == again.dx);
  CHECK(once.dy == again.dy);
  give_classes(in, 20, 2);
  agrees(info_nce{.temperature = 0.3, .positives = rankloss::positive_share::separate}, in, ctx, panels);
}

TEST_CASE("cuda embedding_batch: bad numbers are told as on the host") {
  const cuda_support::stream own;
  context ctx(own);
  host_embeddings<float> in = random_embeddings<float>(5, 70, 3, 7);
  const auto same_words = [&](const char* name) {
    INFO(name);
    std::string expected = "nothing";
    try {
      // In floats, as the batch is.
      (void)rankloss::evaluate(info_nce{},
                               rankloss::embedding_batch<float>{.row_embeddings = in.x,
                                                                .column_embeddings = in.y,
                                                                .rows = in.rows,
                                                                .columns = in.columns,
                                                                .dimension = in.dimension,
                                                                .similarity = in.similarity,
                                                                .extra_columns = true,
                                                                .row_weights = in.row_weights,
                                                                .column_weights = in.column_weights});
    } catch (const std::invalid_argument& refused) {
      expected = refused.what();
    }
    const auto device = embeddings_on_device(info_nce{}, in, ctx);
    CHECK_THROWS_WITH(ctx.check(), expected);
    CHECK_NOTHROW(ctx.check());
    CHECK(std::isnan(device.value));
    for (const auto* gradient : {&device.dx, &device.dy})
      for (const float g : *gradient) REQUIRE(std::isnan(g));
    for (const double v : device.per_list) REQUIRE(std::isnan(v));
    CHECK(std::isnan(device.by_temperature));
  };
  in.similarity = rankloss::similarity::dot;
  in.x[4] = 3e38f;
  same_words("dot products");
  in.similarity = rankloss::similarity::projection;
  same_words("projections");
  in.x[4] = 1e25f;
  in.y[4] = 1e25f;
  CHECK_NOTHROW(embeddings_on_device(info_nce{.temperature = 1e25}, in, ctx));
  CHECK_NOTHROW(ctx.check());
  in.similarity = rankloss::similarity::dot;
  in.y[3 * 66 + 1] = -INFINITY;
  in.y[3 * 67 + 1] = NAN;
  same_words("column");
  in.x[13] = in.x[14] = NAN;
  same_words("row");
  in.column_weights.assign(in.columns, 1.0f);
  in.column_weights[66] = -1.0f;
  same_words("column weight");
  in.row_weights = {1.0, 2.0, INFINITY, NAN, 1.0};
  same_words("row weight");

  context unchecked(own, rankloss::data_checks::off);
  (void)embeddings_on_device(info_nce{}, in, unchecked);
  CHECK_NOTHROW(unchecked.check());
  agrees(info_nce{.temperature = 0.5}, random_embeddings<float>(3, 3, 2, 1), ctx);
}

TEST_CASE("cuda embedding_batch: shapes are refused in the words of the host") {
  const cuda_support::stream own;
  context ctx(own);
  const auto refused = [&](const std::function<void(host_embeddings<double>&)>& spoil) {
    host_embeddings<double> in = random_embeddings<double>(3, 4, 2, 1);
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)embeddings_on_host(info_nce{}, in);
    } catch (const std::invalid_argument& words) {
      expected = words.what();
    }
    CHECK_THROWS_WITH(embeddings_on_device(info_nce{}, in, ctx), expected);
  };
  refused([](auto& in) { in.x.pop_back(); });
  refused([](auto& in) { in.y.push_back(1.0); });
  refused([](auto& in) { in.row_stride = 1; });
  refused([](auto& in) { in.rows = 0; });
  refused([](auto& in) { in.columns = 0; });
  refused([](auto& in) { in.dimension = 0; });
  refused([](auto& in) { in.y.clear(); });
  refused([](auto& in) { in.extra_columns = false; });
  refused([](auto& in) { in.without_diagonal = true; });
  refused([](auto& in) { in.row_classes = {1, 2, 3}; });
  refused([](auto& in) { in.row_classes = {1, 2}; });
  refused([](auto& in) { in.prefixes = {1, 3}; });
  refused([](auto& in) { in.prefixes = {0}; });
  refused([](auto& in) { in.prefix_weights = {1.0}; });
  refused([](auto& in) { in.matches = {1}; });
  refused([](auto& in) { in.mask = {1, 0}; });
  refused([](auto& in) { in.row_ids = {1, 2, 3}; });
  refused([](auto& in) { in.column_ids = {1}; });
  refused([](auto& in) { in.row_weights = {1.0}; });
  refused([](auto& in) { in.column_weights = {1.0f}; });
  refused([](auto& in) {
    in.y.clear();
    in.columns = 0;
    in.extra_columns = false;
  });
  refused([](auto& in) {
    in = random_embeddings<double>(3, 0, 2, 1);
    in.extra_columns = false;
    in.row_classes = {1, 2, 1};
    in.similarity = rankloss::similarity::projection;
  });
  CHECK_THROWS_WITH(
      embeddings_on_device(info_nce{.temperature = -1.0}, random_embeddings<double>(3, 3, 2, 1), ctx),
      Contains("temperature: -1"));
}

TEST_CASE("cuda embedding_batch: what is reserved is enough") {
  const cuda_support::stream own;
  cuda_support::counted_memory memory;
  context ctx(own, memory.resource());
  host_embeddings<float> in = random_embeddings<float>(33, 40, 3, 1);
  give_classes(in, 9, 1);
  const info_nce loss{.positives = rankloss::positive_share::separate};
  ctx.reserve(cuda_support::scratch_bytes(loss, cuda_support::device_embeddings(in).batch));
  const std::size_t before = memory.allocations;
  agrees(loss, in, ctx, {}, 1e-5);
  CHECK(memory.allocations == before);
}

TEST_CASE("cuda embedding_batch: calls are captured into a graph and replayed", "[gpu]") {
  const cuda_support::stream own;
  context ctx(own);
  const host_embeddings<float> in = random_embeddings<float>(70, 75, 20, 1);
  const cuda_support::device_embeddings<float> on(in);
  const array<double> value(1);
  const array<float> dx(in.x.size()), dy(in.y.size());
  const rankloss::cuda::embedding_outputs<float> out{
      .value = value.view(), .row_gradient = dx.view(), .column_gradient = dy.view()};
  using cuda_support::require_success;
  ctx.reserve(cuda_support::scratch_bytes(info_nce{}, on.batch));
  require_success(cudaStreamBeginCapture(own, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  cuda_support::on_device(info_nce{}, on.batch, out, ctx, 0);
  cudaGraph_t graph = nullptr;
  require_success(cudaStreamEndCapture(own, &graph), "cudaStreamEndCapture");
  cudaGraphExec_t ready = nullptr;
  require_success(cudaGraphInstantiate(&ready, graph, 0), "cudaGraphInstantiate");
  const auto expected = embeddings_on_device(info_nce{}, in, ctx);
  for (int replay = 0; replay < 2; ++replay) {
    require_success(cudaGraphLaunch(ready, own), "cudaGraphLaunch");
    ctx.check();
    CHECK(value.host()[0] == expected.value);
    CHECK(dx.host() == expected.dx);
    CHECK(dy.host() == expected.dy);
  }
  require_success(cudaGraphExecDestroy(ready), "cudaGraphExecDestroy");
  require_success(cudaGraphDestroy(graph), "cudaGraphDestroy");
}

}  // namespace cuda_embedding_batch_test

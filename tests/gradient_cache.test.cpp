// SPDX-License-Identifier: BSL-1.0
#include <rankloss/gradient_cache.hpp>

#include <rankloss/bidirectional.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/softmax_cross_entropy.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <random>
#include <span>
#include <stdexcept>
#include <vector>

namespace gradient_cache_test {

namespace {

using rankloss::gradient_cache;

constexpr std::size_t inputs = 5;
constexpr std::size_t dimension = 3;

/// z = W a, with the gradient by W summed up.
struct linear_encoder {
  std::vector<double> weights = std::vector<double>(dimension * inputs);
  std::vector<double> gradient = std::vector<double>(dimension * inputs);

  explicit linear_encoder(std::mt19937_64& random) {
    std::normal_distribution<double> normal;
    for (double& w : weights) w = normal(random);
  }
  [[nodiscard]] std::vector<double> encode(std::span<const double> a) const {
    std::vector<double> z(a.size() / inputs * dimension);
    for (std::size_t i = 0; i < a.size() / inputs; ++i)
      for (std::size_t k = 0; k < dimension; ++k)
        for (std::size_t l = 0; l < inputs; ++l)
          z[i * dimension + k] += weights[k * inputs + l] * a[i * inputs + l];
    return z;
  }
  void backward(std::span<const double> a, std::span<const double> dz) {
    REQUIRE(a.size() / inputs == dz.size() / dimension);
    for (std::size_t i = 0; i < a.size() / inputs; ++i)
      for (std::size_t k = 0; k < dimension; ++k)
        for (std::size_t l = 0; l < inputs; ++l)
          gradient[k * inputs + l] += dz[i * dimension + k] * a[i * inputs + l];
  }
};

/// A contrastive loss of all embeddings, and its gradients.
double contrast(std::span<const double> x, std::span<const double> y, std::span<double> dx,
                std::span<double> dy) {
  const std::size_t n = x.size() / dimension;
  std::vector<double> s(n * n), ds(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < dimension; ++k) s[i * n + j] += x[i * dimension + k] * y[j * dimension + k];
  const rankloss::bidirectional<rankloss::softmax_cross_entropy> loss;
  const double value = rankloss::evaluate(
      loss, rankloss::similarity_batch<double>{.similarity = s, .rows = n, .columns = n}, {.gradient = ds});
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < dimension; ++k) {
        dx[i * dimension + k] += ds[i * n + j] * y[j * dimension + k];
        dy[j * dimension + k] += ds[i * n + j] * x[i * dimension + k];
      }
  return value;
}

}  // namespace

TEST_CASE("gradient_cache: two passes over micro-batches have the gradient of the whole batch") {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  const std::size_t n = 12;
  std::vector<double> images(n * inputs), texts(n * inputs);
  for (double& a : images) a = normal(random);
  for (double& a : texts) a = normal(random);
  linear_encoder image_encoder(random), text_encoder(random);

  const std::vector<double> x = image_encoder.encode(images), y = text_encoder.encode(texts);
  std::vector<double> dx(x.size()), dy(y.size());
  const double whole = contrast(x, y, dx, dy);
  image_encoder.backward(images, dx);
  text_encoder.backward(texts, dy);
  const std::vector<double> by_images = image_encoder.gradient, by_texts = text_encoder.gradient;

  gradient_cache<double> cache(dimension);
  const std::vector<std::size_t> image_ends{0, 5, 10, 12}, text_ends{0, 4, 8, 8, 12};
  const auto part = [](const std::vector<double>& of, const std::vector<std::size_t>& ends, std::size_t k) {
    return std::span(of).subspan(ends[k] * inputs, (ends[k + 1] - ends[k]) * inputs);
  };
  for (int step = 0; step < 2; ++step) {
    cache.collect();
    for (std::size_t k = 0; k + 1 < text_ends.size(); ++k) {
      CHECK(cache.add_columns(text_encoder.encode(part(texts, text_ends, k))) == k);
      if (k + 1 < image_ends.size())
        CHECK(cache.add_rows(image_encoder.encode(part(images, image_ends, k))) == k);
    }
    const auto all = cache.replay();
    CHECK(all.row_count == n);
    CHECK(all.column_count == n);
    CHECK(std::ranges::equal(all.rows, x));
    CHECK(std::ranges::equal(all.columns, y));
    CHECK(contrast(all.rows, all.columns, all.row_gradients, all.column_gradients) == whole);
    std::ranges::fill(image_encoder.gradient, 0.0);
    std::ranges::fill(text_encoder.gradient, 0.0);
    for (std::size_t k = 0; k < cache.row_batches(); ++k)
      image_encoder.backward(part(images, image_ends, k), cache.row_gradient(k));
    for (std::size_t k = 0; k < cache.column_batches(); ++k)
      text_encoder.backward(part(texts, text_ends, k), cache.column_gradient(k));
    for (std::size_t k = 0; k < by_images.size(); ++k) {
      CHECK(image_encoder.gradient[k] == Approx(by_images[k]).epsilon(1e-12).margin(1e-14));
      CHECK(text_encoder.gradient[k] == Approx(by_texts[k]).epsilon(1e-12).margin(1e-14));
    }
  }
}

TEST_CASE("gradient_cache: slices are parts of the one matrix of gradients") {
  gradient_cache<float> cache(2);
  CHECK(!cache.replaying());
  cache.add_rows(std::vector<float>{1, 2});
  cache.add_rows(std::vector<float>{3, 4, 5, 6});
  const auto step = cache.replay();
  CHECK(cache.replaying());
  CHECK(std::ranges::equal(step.rows, std::vector<float>{1, 2, 3, 4, 5, 6}));
  CHECK(std::ranges::equal(step.row_gradients, std::vector<float>(6, 0.0f)));
  CHECK(step.columns.empty());
  CHECK(cache.row_gradient(0).data() == step.row_gradients.data());
  CHECK(cache.row_gradient(1).data() == step.row_gradients.data() + 2);
  CHECK(cache.row_gradient(1).size() == 4);
  step.row_gradients[3] = 7.0f;
  CHECK(cache.row_gradient(1)[1] == 7.0f);

  // The memory is kept from step to step, and the gradients are 0 again.
  cache.collect();
  cache.add_rows(std::vector<float>{3, 4, 5, 6});
  const auto next = cache.replay();
  CHECK(next.rows.data() == step.rows.data());
  CHECK(next.row_gradients.data() == step.row_gradients.data());
  CHECK(std::ranges::equal(next.row_gradients, std::vector<float>(4, 0.0f)));
}

TEST_CASE("gradient_cache refuses calls out of order, which change nothing") {
  CHECK_THROWS_WITH(gradient_cache<float>(0), "rankloss: dimension: 0, expected at least 1");
  gradient_cache<float> cache(2);
  const std::vector<float> two{1, 2};
  cache.add_rows(two);
  CHECK_THROWS_AS(cache.row_gradient(0), std::logic_error);
  CHECK_THROWS_WITH(cache.row_gradient(0),
                    "rankloss: row_gradient: it is collecting, expected a call of replay before");
  CHECK_THROWS_WITH(cache.column_gradient(0),
                    "rankloss: column_gradient: it is collecting, expected a call of replay before");
  CHECK_THROWS_WITH(cache.add_columns(std::vector<float>(3)),
                    "rankloss: add_columns: size 3, expected whole vectors of dimension 2");
  CHECK(cache.column_batches() == 0);
  cache.replay();
  CHECK_THROWS_AS(cache.add_rows(two), std::logic_error);
  CHECK_THROWS_WITH(cache.add_rows(two),
                    "rankloss: add_rows: it is replaying, expected a call of collect before");
  CHECK_THROWS_WITH(cache.replay(), "rankloss: replay: it is replaying, expected a call of collect before");
  CHECK_THROWS_WITH(cache.row_gradient(1), "rankloss: row_gradient: micro-batch 1, expected one below 1");
  CHECK_THROWS_WITH(cache.column_gradient(0),
                    "rankloss: column_gradient: micro-batch 0, expected one below 0");
  CHECK(cache.row_batches() == 1);
  CHECK(cache.row_gradient(0).size() == 2);
  cache.collect();
  CHECK(cache.row_batches() == 0);
  CHECK_NOTHROW(cache.add_rows(two));
}

}  // namespace gradient_cache_test

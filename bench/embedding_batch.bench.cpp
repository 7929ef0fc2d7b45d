// SPDX-License-Identifier: BSL-1.0
#include <rankloss/embedding_batch.hpp>

#include <rankloss/bidirectional.hpp>
#include <rankloss/info_nce.hpp>
#include <rankloss/siglip.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/threads.hpp>
#include <rankloss/triplet.hpp>

#include "support.hpp"

#include <Eigen/Core>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <random>
#include <string>
#include <vector>

namespace bench::embedding_batch {
namespace {

/// As many rows as columns, of normal components; row i matches column i.
template <class T>
struct embeddings {
  embeddings(std::size_t count, std::size_t components)
      : n(count), d(components), x(n * d), y(n * d), dx(n * d), dy(n * d) {
    std::mt19937_64 random(n);
    std::normal_distribution<double> normal;
    for (T& component : x) component = static_cast<T>(normal(random));
    for (T& component : y) component = static_cast<T>(normal(random));
  }

  std::size_t n, d;
  std::vector<T> x, y, dx, dy;
};

/// The value and both gradients.
template <class T, class Loss>
void evaluate(benchmark::State& state, const Loss& loss, std::size_t n, std::size_t d, std::size_t workers) {
  embeddings<T> of(n, d);
  rankloss::context context{rankloss::threads(workers)};
  const rankloss::embedding_batch<T> batch{
      .row_embeddings = of.x, .column_embeddings = of.y, .rows = n, .columns = n, .dimension = d};
  for (auto _ : state) {
    benchmark::DoNotOptimize(rankloss::evaluate(
        loss, batch, {.row_gradient = of.dx, .column_gradient = of.dy}, context));
    benchmark::ClobberMemory();
  }
  state.counters["scratch_MB"] = static_cast<double>(context.scratch_capacity()) / 1e6;
}

/// The four products that a loss of rows and columns has to form: the similarities, the same again, and both
/// gradients. The yardstick of the others.
template <class T>
void gemm4(benchmark::State& state, std::size_t n, std::size_t d) {
  using matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  embeddings<T> of(n, d);
  const auto rows = static_cast<Eigen::Index>(n), components = static_cast<Eigen::Index>(d);
  const Eigen::Map<const matrix> x(of.x.data(), rows, components), y(of.y.data(), rows, components);
  Eigen::Map<matrix> dx(of.dx.data(), rows, components), dy(of.dy.data(), rows, components);
  matrix s(rows, rows);
  for (auto _ : state) {
    s.noalias() = x * y.transpose();
    benchmark::ClobberMemory();
    s.noalias() = x * y.transpose();
    dx.noalias() = s * y;
    dy.noalias() = s.transpose() * x;
    benchmark::DoNotOptimize(dy.data());
    benchmark::ClobberMemory();
  }
}

template <class T, class Loss>
void add_loss(const std::string& name, const Loss& loss) {
  add<T>(name + "_embeddings", "4096x256", "gradient",
         [=](benchmark::State& state) { evaluate<T>(state, loss, 4096, 256, 1); });
}

template <class T>
void add_type() {
  using rankloss::directions;
  add<T>("gemm4", "4096x256", "", [](benchmark::State& state) { gemm4<T>(state, 4096, 256); });
  add_loss<T>("info_nce", rankloss::info_nce{});
  add_loss<T>("info_nce_rows", rankloss::info_nce{.over = directions::rows});
  add_loss<T>("triplet", rankloss::triplet{});
  add_loss<T>("siglip", rankloss::siglip{});
  add_loss<T>("bidirectional_sndcg", rankloss::bidirectional<rankloss::sndcg>{});
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
  add<float>("info_nce_embeddings_2_threads", "4096x256", "gradient", [](benchmark::State& state) {
    evaluate<float>(state, rankloss::info_nce{}, 4096, 256, 2);
  });
  // A matrix of 4.3 GB, which is never there.
  add<float>("info_nce_embeddings", "32768x256", "gradient", [](benchmark::State& state) {
    evaluate<float>(state, rankloss::info_nce{}, 32768, 256, 1);
  });
}

}  // namespace bench::embedding_batch

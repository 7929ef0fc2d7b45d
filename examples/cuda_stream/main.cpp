// SPDX-License-Identifier: BSL-1.0
// Trains on a device, on a stream of the host's own, by steps that a graph replays; README.md says what to
// see here.
#include "../support/cli.hpp"
#include "../support/program.hpp"

#include "step.hpp"

#include <rankloss/cuda/error.hpp>
#include <rankloss/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

namespace {

using rankloss::cuda::detail::require_success;

struct options {
  std::size_t lists = 512, items = 64, dimension = 16, steps = 200;
  double rate = 2.0, temperature = 0.5;
  std::uint64_t seed = 1;
  bool eager = false;
};

/// Memory of the device that a host owns.
template <class T>
class device_memory {
 public:
  explicit device_memory(std::size_t size) : size_(size) {
    void* memory = nullptr;
    require_success(cudaMalloc(&memory, size * sizeof(T)), "cudaMalloc");
    data_ = static_cast<T*>(memory);
    require_success(cudaMemset(data_, 0, size * sizeof(T)), "cudaMemset");
  }
  explicit device_memory(const std::vector<T>& host) : device_memory(host.size()) {
    require_success(cudaMemcpy(data_, host.data(), size_ * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
  }
  device_memory(const device_memory&) = delete;
  device_memory& operator=(const device_memory&) = delete;
  ~device_memory() { (void)cudaFree(data_); }

  [[nodiscard]] T* data() const { return data_; }

 private:
  T* data_ = nullptr;
  std::size_t size_;
};

/// Lists whose grades, 0 to 4, follow a hidden direction of the features, with noise.
struct made_up {
  made_up(const options& o, std::uint64_t stream) {
    rankloss::random_stream direction_numbers(o.seed, 0), numbers(o.seed, stream);
    std::vector<float> direction(o.dimension);
    for (float& x : direction) x = normal(direction_numbers) / std::sqrt(static_cast<float>(o.dimension));
    for (std::size_t i = 0; i < o.lists * o.items; ++i) {
      float along = 0.0f;
      for (std::size_t k = 0; k < o.dimension; ++k) {
        features.push_back(normal(numbers));
        along += features.back() * direction[k];
      }
      grades.push_back(static_cast<int>(std::clamp(1.0f + along + 0.5f * normal(numbers), 0.0f, 4.0f)));
    }
  }

  std::vector<float> features;
  std::vector<int> grades;

 private:
  [[nodiscard]] static float normal(rankloss::random_stream& numbers) {
    return static_cast<float>(numbers.normal());
  }
};

/// A stream that does not wait for the default one.
class own_stream {
 public:
  own_stream() {
    require_success(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  }
  own_stream(const own_stream&) = delete;
  own_stream& operator=(const own_stream&) = delete;
  ~own_stream() { (void)cudaStreamDestroy(stream_); }
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

/// A step that is captured once and replayed: its launches cost the host one call.
class captured_step {
 public:
  template <class Queue>
  captured_step(cudaStream_t stream, Queue queue) {
    cudaGraph_t graph = nullptr;
    require_success(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
                    "cudaStreamBeginCapture");
    queue();
    require_success(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
    const cudaError_t made = cudaGraphInstantiate(&ready_, graph, 0);
    (void)cudaGraphDestroy(graph);
    require_success(made, "cudaGraphInstantiate");
  }
  captured_step(const captured_step&) = delete;
  captured_step& operator=(const captured_step&) = delete;
  ~captured_step() { (void)cudaGraphExecDestroy(ready_); }

  void replay(cudaStream_t stream) const {
    require_success(cudaGraphLaunch(ready_, stream), "cudaGraphLaunch");
  }

 private:
  cudaGraphExec_t ready_ = nullptr;
};

/// The number that the kernels before have written.
[[nodiscard]] double read(const double* value, rankloss::cuda::context& ctx) {
  double copy = 0.0;
  require_success(cudaMemcpyAsync(&copy, value, sizeof copy, cudaMemcpyDeviceToHost, ctx.stream()),
                  "cudaMemcpyAsync");
  ctx.check();  // waits, and reports bad numbers
  return copy;
}

void train(const options& o) {
  const own_stream stream;
  rankloss::cuda::context ctx(stream);
  const rankloss::sndcg loss{.temperature = o.temperature};

  const made_up training(o, 1), held_out(o, 2);
  const device_memory<float> features(training.features), other_features(held_out.features);
  const device_memory<int> grades(training.grades), other_grades(held_out.grades);
  const device_memory<float> weights(o.dimension), weight_gradient(o.dimension), scores(o.lists * o.items),
      score_gradient(o.lists * o.items);
  const device_memory<double> value(1);
  const cuda_stream::data train_on{features.data(), grades.data(), o.lists, o.items, o.dimension};
  const cuda_stream::data test_on{other_features.data(), other_grades.data(), o.lists, o.items, o.dimension};
  const cuda_stream::model model{weights.data(), weight_gradient.data(), scores.data(), score_gradient.data(),
                                 value.data()};

  const auto held_out_loss = [&] {
    cuda_stream::queue_loss(loss, test_on, model, ctx);
    return read(value.data(), ctx);
  };
  const double before = held_out_loss();
  const auto queue = [&] { cuda_stream::queue_step(loss, train_on, model, static_cast<float>(o.rate), ctx); };
  ctx.reserve(cuda_stream::scratch_bytes(loss, train_on));  // a capture cannot allocate

  std::printf("%zu lists of %zu items, %zu features; steps are %s\n\n", o.lists, o.items, o.dimension,
              o.eager ? "queued one by one" : "replayed from a graph");
  std::printf("%8s %18s\n", "step", "loss in training");
  const std::size_t told_every = std::max<std::size_t>(1, o.steps / 10);
  const auto take_steps = [&](auto step) {
    for (std::size_t k = 0; k < o.steps; ++k) {
      step();
      if (k % told_every == 0) std::printf("%8zu %18.4f\n", k, read(value.data(), ctx));
    }
  };
  if (o.eager) {
    take_steps(queue);
  } else {
    const captured_step step(stream, queue);
    take_steps([&] { step.replay(stream); });
    ctx.check();  // before the graph is destroyed
  }
  std::printf("\nloss of held-out lists: %.4f before, %.4f after\n", before, held_out_loss());
}

void run(int argc, char** argv) {
  options o;
  CLI::App app;
  examples::describe(app, "cuda_stream",
                     "Trains a linear ranker on a GPU, by steps that a CUDA graph replays on a stream of its "
                     "own.",
                     "cuda_stream --lists 4096 --steps 1000",
                     "made up from a seed: grades follow a hidden direction of the features, with noise.");
  const auto count = [](std::size_t most) { return examples::between(std::size_t{1}, most); };
  examples::section(app, "Options");
  app.add_option("--lists", o.lists, "to train on, and as many to test")
      ->check(count(1000000))
      ->capture_default_str();
  app.add_option("--items", o.items, "of each list")->check(count(100000))->capture_default_str();
  app.add_option("--features", o.dimension, "of each item")->check(count(10000))->capture_default_str();
  app.add_option("--steps", o.steps, "of gradient descent")->check(count(10000000))->capture_default_str();
  app.add_option("--rate", o.rate, "of learning")->check(examples::between(0.0, 1e6))->capture_default_str();
  app.add_option("--temperature", o.temperature, "of S-NDCG")
      ->check(examples::between(1e-6, 1e6))
      ->capture_default_str();
  app.add_option("--seed", o.seed, "of the data")->check(examples::any_seed())->capture_default_str();
  app.add_flag("--eager", o.eager, "queue every step by itself, without a graph");
  if (!examples::parse(app, argc, argv)) return;
  if (o.lists * o.items > 100000000 / o.dimension)
    throw std::runtime_error("--lists " + std::to_string(o.lists) + ", --items " + std::to_string(o.items) +
                             " and --features " + std::to_string(o.dimension) +
                             ": expected a product of at most 100000000");
  train(o);
}

}  // namespace

int main(int argc, char** argv) {
  return examples::program("cuda_stream", [&] { run(argc, argv); });
}

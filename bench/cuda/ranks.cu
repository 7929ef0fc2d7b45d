// SPDX-License-Identifier: BSL-1.0
#include "harness.hpp"

#include <rankloss/cuda/ranks/laplace_ranks.cuh>
#include <rankloss/cuda/ranks/projected_ranks.cuh>
#include <rankloss/cuda/ranks/sigmoid_ranks.cuh>
#include <rankloss/cuda/sorts/neural_sort.cuh>
#include <rankloss/cuda/sorts/soft_sort.cuh>

namespace cuda_bench {
namespace {

/// Ranks of lists of one length, and their pullback.
template <class Ranks>
class rank_call : public call {
 public:
  rank_call(const Ranks& how, std::size_t lists, std::size_t length, unsigned seed)
      : how_(how),
        scores_(normal_numbers<float>(lists * length, 2 * seed)),
        cotangent_(normal_numbers<float>(lists * length, 2 * seed + 1)),
        ranks_(lists * length),
        gradient_(lists * length),
        batch_{.scores = scores_.view(), .length = length} {}

  [[nodiscard]] std::size_t bytes() const override { return 4 * scores_.bytes(); }
  [[nodiscard]] std::size_t scratch_bytes() const override {
    return rankloss::cuda::scratch_bytes(how_, batch_);
  }
  void queue(rankloss::cuda::context& ctx) override {
    rankloss::rank(how_, batch_, ranks_.view(), ctx);
    rankloss::rank_pullback(how_, batch_, cotangent_.view(), gradient_.view(), ctx);
  }

 private:
  Ranks how_;
  array<float> scores_, cotangent_, ranks_, gradient_;
  rankloss::cuda::score_batch<float> batch_;
};

/// Sorted values of lists of one length, and the pullback of the sort.
template <class Sort>
class sort_call : public call {
 public:
  sort_call(const Sort& how, std::size_t lists, std::size_t length, unsigned seed)
      : how_(how),
        scores_(normal_numbers<float>(lists * length, 3 * seed)),
        values_(normal_numbers<float>(lists * length, 3 * seed + 1)),
        cotangent_(normal_numbers<float>(lists * length, 3 * seed + 2)),
        sorted_(lists * length),
        gradient_(lists * length),
        batch_{.scores = scores_.view(), .length = length} {}

  [[nodiscard]] std::size_t bytes() const override { return 5 * scores_.bytes(); }
  [[nodiscard]] std::size_t scratch_bytes() const override {
    return rankloss::cuda::scratch_bytes(how_, batch_);
  }
  void queue(rankloss::cuda::context& ctx) override {
    rankloss::sort_apply(how_, batch_, values_.view(), sorted_.view(), ctx);
    rankloss::sort_pullback(how_, batch_, values_.view(), cotangent_.view(), gradient_.view(), ctx);
  }

 private:
  Sort how_;
  array<float> scores_, values_, cotangent_, sorted_, gradient_;
  rankloss::cuda::score_batch<float> batch_;
};

template <template <class> class Call = rank_call, class Ranks>
void add(std::vector<benchmark>& all, const std::string& name, const Ranks& how, std::size_t lists,
         std::size_t length) {
  all.push_back({name + "/float/" + std::to_string(lists) + 'x' + std::to_string(length) + "/pullback",
                 lists * length, [=](unsigned copy) -> std::unique_ptr<call> {
                   return std::make_unique<Call<Ranks>>(how, lists, length, copy);
                 }});
}

}  // namespace

void add_ranks(std::vector<benchmark>& all) {
  for (const auto& [lists, length] : {std::pair<std::size_t, std::size_t>{8, 32}, {4096, 256}, {1, 100000}}) {
    add(all, "sigmoid_ranks", rankloss::sigmoid_ranks{.temperature = 0.1}, lists, length);
    add(all, "laplace_ranks", rankloss::laplace_ranks{.temperature = 0.1}, lists, length);
    add(all, "projected_ranks", rankloss::projected_ranks{}, lists, length);
    add<sort_call>(all, "soft_sort", rankloss::soft_sort{.temperature = 0.1}, lists, length);
    add<sort_call>(all, "neural_sort", rankloss::neural_sort{.temperature = 0.1}, lists, length);
  }
}

}  // namespace cuda_bench

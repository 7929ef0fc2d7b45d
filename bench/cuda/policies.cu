// SPDX-License-Identifier: BSL-1.0
#include "harness.hpp"

#include <rankloss/bradley_terry.hpp>
#include <rankloss/cuda/gae.cuh>
#include <rankloss/cuda/ppo.cuh>
#include <rankloss/cuda/preference_batch.cuh>

#include <cstdint>

namespace cuda_bench {
namespace {

/// The loss of an actor over so many actions, and its gradient.
class ppo_call : public call {
 public:
  ppo_call(std::size_t actions, unsigned seed)
      : old_(normal_numbers<float>(actions, 3 * seed)),
        now_(normal_numbers<float>(actions, 3 * seed + 1)),
        advantages_(normal_numbers<float>(actions, 3 * seed + 2)),
        gradient_(actions),
        value_(1),
        batch_{.log_probabilities = now_.view(),
               .old_log_probabilities = old_.view(),
               .advantages = advantages_.view()} {}

  [[nodiscard]] std::size_t bytes() const override { return 4 * old_.bytes(); }
  [[nodiscard]] std::size_t scratch_bytes() const override {
    return rankloss::cuda::scratch_bytes(rankloss::ppo{}, batch_);
  }
  void queue(rankloss::cuda::context& ctx) override {
    rankloss::evaluate(rankloss::ppo{}, batch_,
                       rankloss::cuda::outputs<float>{.value = value_.view(), .gradient = gradient_.view()},
                       ctx);
  }

 private:
  array<float> old_, now_, advantages_, gradient_;
  array<double> value_;
  rankloss::cuda::policy_batch<float> batch_;
};

/// Advantages and returns of trajectories of one length.
class gae_call : public call {
 public:
  gae_call(std::size_t trajectories, std::size_t length, unsigned seed)
      : rewards_(normal_numbers<float>(trajectories * length, 2 * seed)),
        values_(normal_numbers<float>(trajectories * length, 2 * seed + 1)),
        offsets_(bounds(trajectories, length)),
        advantages_(trajectories * length),
        returns_(trajectories * length),
        batch_{.rewards = rewards_.view(), .values = values_.view(), .offsets = offsets_.view()} {}

  [[nodiscard]] std::size_t bytes() const override { return 4 * rewards_.bytes(); }
  [[nodiscard]] std::size_t scratch_bytes() const override {
    return rankloss::cuda::scratch_bytes(rankloss::gae{}, batch_);
  }
  void queue(rankloss::cuda::context& ctx) override {
    rankloss::estimate_advantages(batch_, rankloss::gae{}, advantages_.view(), returns_.view(), ctx);
  }

 private:
  static std::vector<std::int64_t> bounds(std::size_t trajectories, std::size_t length) {
    std::vector<std::int64_t> all;
    for (std::size_t k = 0; k <= trajectories; ++k) all.push_back(static_cast<std::int64_t>(k * length));
    return all;
  }

  array<float> rewards_, values_;
  array<std::int64_t> offsets_;
  array<float> advantages_, returns_;
  rankloss::cuda::trajectory_batch<float> batch_;
};

/// Pairs of neighbouring items, and the gradient by their rewards.
class bradley_terry_call : public call {
 public:
  bradley_terry_call(std::size_t pairs, unsigned seed)
      : rewards_(normal_numbers<float>(2 * pairs, seed)),
        preferred_(every_second(pairs, 0)),
        other_(every_second(pairs, 1)),
        gradient_(2 * pairs),
        value_(1),
        batch_{.rewards = rewards_.view(), .preferred = preferred_.view(), .other = other_.view()} {}

  [[nodiscard]] std::size_t bytes() const override {
    return 2 * rewards_.bytes() + preferred_.bytes() + other_.bytes();
  }
  [[nodiscard]] std::size_t scratch_bytes() const override {
    return rankloss::cuda::scratch_bytes(rankloss::bradley_terry{}, batch_);
  }
  void queue(rankloss::cuda::context& ctx) override {
    rankloss::evaluate(rankloss::bradley_terry{}, batch_,
                       rankloss::cuda::outputs<float>{.value = value_.view(), .gradient = gradient_.view()},
                       ctx);
  }

 private:
  static std::vector<std::uint32_t> every_second(std::size_t pairs, std::size_t first) {
    std::vector<std::uint32_t> all;
    for (std::size_t k = 0; k < pairs; ++k) all.push_back(static_cast<std::uint32_t>(2 * k + first));
    return all;
  }

  array<float> rewards_;
  array<std::uint32_t> preferred_, other_;
  array<float> gradient_;
  array<double> value_;
  rankloss::cuda::preference_batch<float> batch_;
};

}  // namespace

void add_policies(std::vector<benchmark>& all) {
  for (const std::size_t n : {std::size_t{1000}, std::size_t{1000000}}) {
    all.push_back({"ppo/float/" + std::to_string(n) + "/gradient", n,
                   [n](unsigned copy) { return std::make_unique<ppo_call>(n, copy); }});
    all.push_back({"bradley_terry/float/" + std::to_string(n) + "/gradient", n,
                   [n](unsigned copy) { return std::make_unique<bradley_terry_call>(n, copy); }});
  }
  for (const std::size_t n : {std::size_t{32}, std::size_t{1000}})
    all.push_back({"gae/float/" + std::to_string(n) + 'x' + std::to_string(n), n * n,
                   [n](unsigned copy) { return std::make_unique<gae_call>(n, n, copy); }});
}

}  // namespace cuda_bench

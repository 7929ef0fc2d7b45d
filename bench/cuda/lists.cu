// SPDX-License-Identifier: BSL-1.0
#include "harness.hpp"

#include <rankloss/cuda/listmle.cuh>
#include <rankloss/cuda/listnet.cuh>
#include <rankloss/cuda/metrics/average_precision.cuh>
#include <rankloss/cuda/metrics/ndcg.cuh>
#include <rankloss/cuda/neural_ndcg.cuh>
#include <rankloss/cuda/neural_sort_cross_entropy.cuh>
#include <rankloss/cuda/pairwise.cuh>
#include <rankloss/cuda/pointwise.cuh>
#include <rankloss/cuda/smooth_ap.cuh>
#include <rankloss/cuda/sndcg.cuh>
#include <rankloss/cuda/soft_spearman.cuh>
#include <rankloss/cuda/softmax_cross_entropy.cuh>
#include <rankloss/cuda/unique_softmax.cuh>
#include <rankloss/cuda/xe_ndcg.cuh>
#include <rankloss/lambdarank.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/smooth_ap.hpp>

namespace cuda_bench {
namespace {

/// A list loss over lists of one length, and its gradient if it has one.
template <class Loss>
class list_call : public call {
 public:
  list_call(const Loss& loss, std::size_t lists, std::size_t length, unsigned seed)
      : loss_(loss),
        scores_(normal_numbers<float>(lists * length, seed)),
        grades_(grades(lists * length, seed)),
        gradient_(rankloss::detail::gives_gradient<Loss> ? lists * length : 0),
        value_(1),
        batch_{.scores = scores_.view(), .relevance = grades_.view(), .length = length} {}

  [[nodiscard]] std::size_t bytes() const override {
    return scores_.bytes() + grades_.bytes() + gradient_.bytes();
  }
  [[nodiscard]] std::size_t scratch_bytes() const override {
    return rankloss::cuda::scratch_bytes(loss_, batch_);
  }
  void queue(rankloss::cuda::context& ctx) override {
    rankloss::evaluate(loss_, batch_,
                       rankloss::cuda::outputs<float>{.value = value_.view(), .gradient = gradient_.view()},
                       ctx);
  }

 private:
  Loss loss_;
  array<float> scores_;
  array<int> grades_;
  array<float> gradient_;
  array<double> value_;
  rankloss::cuda::list_batch<float, int> batch_;
};

template <class Loss>
void add(std::vector<benchmark>& all, const std::string& name, const Loss& loss, std::size_t lists,
         std::size_t length) {
  const char* what = rankloss::detail::gives_gradient<Loss> ? "/gradient" : "";
  all.push_back({name + "/float/" + std::to_string(lists) + 'x' + std::to_string(length) + what,
                 lists * length, [=](unsigned copy) -> std::unique_ptr<call> {
                   return std::make_unique<list_call<Loss>>(loss, lists, length, copy);
                 }});
}

}  // namespace

void add_lists(std::vector<benchmark>& all) {
  for (const auto& [lists, length] : {std::pair<std::size_t, std::size_t>{65536, 64},
                                      {4096, 256},
                                      {1024, 1024},
                                      {1, 100000},
                                      {1, 1048576},
                                      {8, 32}}) {
    add(all, "sndcg", rankloss::sndcg{.temperature = 0.1}, lists, length);
    add(all, "softmax_cross_entropy", rankloss::softmax_cross_entropy{}, lists, length);
    add(all, "listmle", rankloss::listmle{}, lists, length);
  }
  for (const auto& [lists, length] : {std::pair<std::size_t, std::size_t>{4096, 256}, {1, 100000}}) {
    add(all, "listnet", rankloss::listnet{}, lists, length);
    add(all, "xe_ndcg", rankloss::xe_ndcg{}, lists, length);
    add(all, "pointwise", rankloss::pointwise_logistic{}, lists, length);
    add(all, "unique_softmax", rankloss::unique_softmax{}, lists, length);
    add(all, "smooth_ap", rankloss::smooth_ap{.ranks = {.temperature = 0.1}}, lists, length);
    add(all, "soft_spearman", rankloss::soft_spearman<>{}, lists, length);
    add(all, "average_precision", rankloss::metrics::average_precision{}, lists, length);
  }
  add(all, "neural_ndcg", rankloss::neural_ndcg{.temperature = 0.1}, 4096, 256);
  add(all, "neural_sort_cross_entropy", rankloss::neural_sort_cross_entropy{.temperature = 0.1}, 4096, 256);
  add(all, "ranknet", rankloss::ranknet{}, 4096, 256);
  add(all, "ranknet", rankloss::ranknet{}, 1, 4096);
  add(all, "lambdarank", rankloss::lambdarank{}, 10000, 360);
  add(all, "lambdarank", rankloss::lambdarank{}, 8, 32);
  add(all, "ndcg_metric", rankloss::metrics::ndcg{.cutoff = 10}, 10000, 100);
  add(all, "ndcg_metric", rankloss::metrics::ndcg{.cutoff = 10}, 1, 1048576);
}

}  // namespace cuda_bench

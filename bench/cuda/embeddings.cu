// SPDX-License-Identifier: BSL-1.0
#include "harness.hpp"

#include <cuda_bf16.h>
#include <rankloss/cuda/cublas.hpp>
#include <rankloss/cuda/info_nce.cuh>
#include <rankloss/cuda/siglip.cuh>
#include <rankloss/cuda/triplet.cuh>

#include <type_traits>

namespace cuda_bench {
namespace {

/// One handle for all calls, made with the first of them.
[[nodiscard]] rankloss::cuda::cublas& products_by_cublas() {
  static rankloss::cuda::cublas products;
  return products;
}

/// A loss over pairs of embeddings, and both of its gradients; by kernels alone or with products by cuBLAS.
template <class Loss, class Element, bool ByCublas>
class embedding_call : public call {
 public:
  embedding_call(const Loss& loss, std::size_t pairs, std::size_t dimension, unsigned seed)
      : loss_(loss),
        rows_(normal_numbers<Element>(pairs * dimension, 2 * seed)),
        columns_(normal_numbers<Element>(pairs * dimension, 2 * seed + 1)),
        row_gradient_(pairs * dimension),
        column_gradient_(pairs * dimension),
        value_(1),
        batch_{.row_embeddings = rows_.view(),
               .column_embeddings = columns_.view(),
               .rows = pairs,
               .columns = pairs,
               .dimension = dimension} {}

  [[nodiscard]] std::size_t bytes() const override {
    return rows_.bytes() + columns_.bytes() + row_gradient_.bytes() + column_gradient_.bytes();
  }
  [[nodiscard]] std::size_t scratch_bytes() const override {
    if constexpr (ByCublas)
      return rankloss::cuda::scratch_bytes(loss_, batch_, products_by_cublas());
    else
      return rankloss::cuda::scratch_bytes(loss_, batch_);
  }
  void queue(rankloss::cuda::context& ctx) override {
    const rankloss::cuda::embedding_outputs<float> out{.value = value_.view(),
                                                       .row_gradient = row_gradient_.view(),
                                                       .column_gradient = column_gradient_.view()};
    if constexpr (ByCublas)
      rankloss::evaluate(loss_, batch_, out, ctx, products_by_cublas());
    else
      rankloss::evaluate(loss_, batch_, out, ctx);
  }

 private:
  Loss loss_;
  array<Element> rows_, columns_;
  array<float> row_gradient_, column_gradient_;
  array<double> value_;
  rankloss::cuda::embedding_batch<float> batch_;
};

template <class Element, class Loss>
void add(std::vector<benchmark>& all, const std::string& name, const Loss& loss, std::size_t pairs,
         std::size_t dimension) {
  const char* type = std::is_same_v<Element, float> ? "/float/" : "/bfloat16/";
  const std::string shape = type + std::to_string(pairs) + 'x' + std::to_string(dimension) + "/gradient";
  all.push_back({name + shape, pairs * pairs, [=](unsigned copy) -> std::unique_ptr<call> {
                   return std::make_unique<embedding_call<Loss, Element, false>>(loss, pairs, dimension,
                                                                                 copy);
                 }});
  all.push_back({name + "_by_cublas" + shape, pairs * pairs, [=](unsigned copy) -> std::unique_ptr<call> {
                   return std::make_unique<embedding_call<Loss, Element, true>>(loss, pairs, dimension, copy);
                 }});
}

}  // namespace

void add_embeddings(std::vector<benchmark>& all) {
  for (const std::size_t pairs : {std::size_t{64}, std::size_t{4096}, std::size_t{16384}}) {
    add<float>(all, "info_nce", rankloss::info_nce{.temperature = 0.07}, pairs, 256);
    add<float>(all, "siglip", rankloss::siglip{}, pairs, 256);
    add<float>(all, "triplet", rankloss::triplet{}, pairs, 256);
  }
  add<__nv_bfloat16>(all, "info_nce", rankloss::info_nce{.temperature = 0.07}, 65536, 768);
  add<__nv_bfloat16>(all, "siglip", rankloss::siglip{}, 65536, 768);
}

}  // namespace cuda_bench

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/matrix_product.hpp>
#include <rankloss/cuda/embedding_batch.hpp>
#include <rankloss/cuda/error.hpp>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/vectors.hpp>

#include <cublas_v2.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda {
namespace detail {

/// Requires a call of cuBLAS to have succeeded.
inline void require_success(cublasStatus_t status, std::string_view call) {
  if (status != CUBLAS_STATUS_SUCCESS) [[unlikely]]
    rankloss::detail::fail<error>(call, ": ", std::string_view(cublasGetStatusName(status)));
}

/// How cuBLAS is told of matrices of E, and how it is to sum up products of them.
template <class E>
struct product_type {
  static constexpr bool is_double = std::same_as<E, double>;
  using scalar = std::conditional_t<is_double, double, float>;
  static constexpr cudaDataType operands = is_double                ? CUDA_R_64F
                                           : std::same_as<E, float> ? CUDA_R_32F
                                           : std::same_as<E, half>  ? CUDA_R_16F
                                                                    : CUDA_R_16BF;
  static constexpr cudaDataType result = is_double ? CUDA_R_64F : CUDA_R_32F;
  // Floats are not to be rounded for tensor cores, whatever the environment or the handle says.
  static constexpr cublasComputeType_t compute = is_double                ? CUBLAS_COMPUTE_64F_PEDANTIC
                                                 : std::same_as<E, float> ? CUBLAS_COMPUTE_32F_PEDANTIC
                                                                          : CUBLAS_COMPUTE_32F;
};

}  // namespace detail

/// cublas: has cuBLAS form the products of embeddings, by tensor cores where these are halves or bfloat16.
///
///     rankloss::cuda::cublas products;  // once
///     rankloss::evaluate(loss, batch, outputs, context, products);
///
/// It has a handle of cuBLAS of its own, or one that the caller lends. During a call of `evaluate` the handle has
/// the stream and scratch of the context; afterwards it has the stream and the modes that it had before, and the
/// workspace that cuBLAS gives a handle by itself.
///
/// A handle is used by one thread at a time, with the device current on which it was made.
class cublas {
 public:
  /// Memory that cuBLAS is lent beside its operands, as NVIDIA advises for compute capability 9.0.
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;

  /// Makes a handle, which takes memory of the device and may wait for it.
  /// @throws cuda::error when cuBLAS cannot be initialised.
  cublas() : owns_(true) { detail::require_success(cublasCreate(&handle_), "cublasCreate"); }
  /// @param lent  made by cublasCreate, and destroyed by the caller, later than this
  explicit cublas(cublasHandle_t lent) : handle_(lent), owns_(false) {
    rankloss::detail::require(lent != nullptr, "handle: null, expected one that cublasCreate made");
  }
  cublas(cublas&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), owns_(std::exchange(other.owns_, false)) {}
  cublas& operator=(cublas&& other) noexcept {
    cublas taken(std::move(other));
    std::swap(handle_, taken.handle_);
    std::swap(owns_, taken.owns_);
    return *this;
  }
  ~cublas() {
    if (owns_) (void)cublasDestroy(handle_);
  }

  [[nodiscard]] cublasHandle_t handle() const noexcept { return handle_; }

  /// The handle with a stream and a workspace, for engines; destroyed, it has what it had before.
  class binding {
   public:
    binding(cublasHandle_t handle, cudaStream_t stream, void* workspace) : binding(handle) {
      using detail::require_success;
      require_success(cublasSetStream(handle_, stream), "cublasSetStream");
      // After the stream, which brings a workspace of its own.
      require_success(cublasSetWorkspace(handle_, workspace, workspace_bytes), "cublasSetWorkspace");
      require_success(cublasSetPointerMode(handle_, CUBLAS_POINTER_MODE_HOST), "cublasSetPointerMode");
      require_success(cublasSetAtomicsMode(handle_, CUBLAS_ATOMICS_NOT_ALLOWED), "cublasSetAtomicsMode");
      require_success(cublasSetMathMode(handle_, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION),
                      "cublasSetMathMode");
    }
    binding(const binding&) = delete;
    binding& operator=(const binding&) = delete;
    ~binding() {
      (void)cublasSetMathMode(handle_, math_);
      (void)cublasSetAtomicsMode(handle_, atomics_);
      (void)cublasSetPointerMode(handle_, pointers_);
      (void)cublasSetStream(handle_, stream_);
    }

    template <class E, class T>
    void multiply(const detail::matrix_product<E, T>& product) {
      using type = detail::product_type<E>;
      const typename type::scalar one = 1, kept = product.adds ? 1 : 0;
      const auto number = [](std::size_t n) { return static_cast<std::int64_t>(n); };
      // A matrix row after row is to cuBLAS the transpose, column after column: of to = a b it forms that of b times
      // that of a.
      detail::require_success(
          cublasGemmEx_64(handle_, product.b_flipped ? CUBLAS_OP_T : CUBLAS_OP_N,
                          product.a_flipped ? CUBLAS_OP_T : CUBLAS_OP_N, number(product.columns),
                          number(product.rows), number(product.terms), &one, product.b, type::operands,
                          number(product.b_apart), product.a, type::operands, number(product.a_apart), &kept,
                          product.to, type::result, number(product.to_apart), type::compute,
                          CUBLAS_GEMM_DEFAULT),
          "cublasGemmEx");
    }

   private:
    explicit binding(cublasHandle_t handle) : handle_(handle) {
      using detail::require_success;
      require_success(cublasGetStream(handle, &stream_), "cublasGetStream");
      require_success(cublasGetPointerMode(handle, &pointers_), "cublasGetPointerMode");
      require_success(cublasGetAtomicsMode(handle, &atomics_), "cublasGetAtomicsMode");
      require_success(cublasGetMathMode(handle, &math_), "cublasGetMathMode");
    }

    cublasHandle_t handle_;
    cudaStream_t stream_ = nullptr;
    cublasPointerMode_t pointers_{};
    cublasAtomicsMode_t atomics_{};
    cublasMath_t math_{};
  };
  [[nodiscard]] binding bind(cudaStream_t stream, void* workspace) const {
    return binding(handle_, stream, workspace);
  }

 private:
  cublasHandle_t handle_ = nullptr;
  bool owns_;
};

/// scratch_bytes: what `evaluate` takes of the scratch of a context where cuBLAS forms the products.
template <class Loss, score T>
[[nodiscard]] std::size_t scratch_bytes(const Loss& loss, const embedding_batch<T>& batch,
                                        const cublas& products) {
  detail::expect_engine<Loss, embedding_batch<T>>();
  if constexpr (detail::has_engine<Loss, embedding_batch<T>>) {
    detail::check_shape(batch, embedding_outputs<T>{});
    return engine<Loss, context>::scratch_bytes(loss, batch, products);
  }
  return 0;
}

}  // namespace cuda

/// evaluate: the same as without the last argument, by products that cuBLAS forms.
///
/// - Panels of similarities are in memory, of 256 MiB, unless 64 rows take more.
/// - Where both sides are halves, or both bfloat16, and the batch is of floats, products are of these numbers, and
///   summed up in floats: similarities are as exact as without cuBLAS. For the gradients each slope is rounded to
///   the same type, by up to 2^-11 (half) or 2^-8 (bfloat16) of itself. Other embeddings are multiplied as T, by
///   arithmetic of T.
/// - Time: one product of rows x columns x dimension for the value, one more where that matrix takes several panels
///   and gradients are wanted or the loss looks at positives a second time; two for the gradients.
/// - Results are the same bits on every run, on every stream, with the same version of cuBLAS on the same kind of
///   card.
/// @throws what it throws without, and cuda::error naming the call of cuBLAS that failed.
template <class Loss, score T>
void evaluate(const Loss& loss, const cuda::embedding_batch<T>& batch, const cuda::embedding_outputs<T>& out,
              cuda::context& ctx, cuda::cublas& products) {
  cuda::detail::expect_engine<Loss, cuda::embedding_batch<T>>();
  if constexpr (cuda::detail::has_engine<Loss, cuda::embedding_batch<T>>) {
    cuda::detail::check_call(loss, batch, out);
    engine<Loss, cuda::context>::run(loss, batch, out, ctx, products);
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI

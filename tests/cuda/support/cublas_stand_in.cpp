// SPDX-License-Identifier: BSL-1.0

// What the tests need of cuBLAS, where an emulator of the CUDA runtime runs them: cuBLAS itself runs on GPUs alone.
// It forms products on the host, in the order of the stream, and refuses what cuBLAS refuses; also products for
// which cuBLAS would have to allocate memory.

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <rankloss/vectors.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

struct cublasContext {
  cudaStream_t stream = nullptr;
  void* workspace = nullptr;
  std::size_t workspace_bytes = 0;
  cublasPointerMode_t pointers = CUBLAS_POINTER_MODE_HOST;
  cublasAtomicsMode_t atomics = CUBLAS_ATOMICS_NOT_ALLOWED;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
};

namespace {

/// A matrix in the memory of the device, column after column.
template <class T>
struct device_matrix {
  T* data;
  std::int64_t rows, columns, apart;

  [[nodiscard]] cublasStatus_t copy(std::vector<std::remove_const_t<T>>& to) const {
    to.resize(static_cast<std::size_t>(rows * columns));
    return moved(cudaMemcpy2D(to.data(), width(), data, pitch(), width(), height(), cudaMemcpyDeviceToHost));
  }
  [[nodiscard]] cublasStatus_t set(const std::vector<T>& from) const {
    return moved(
        cudaMemcpy2D(data, pitch(), from.data(), width(), width(), height(), cudaMemcpyHostToDevice));
  }

 private:
  [[nodiscard]] std::size_t width() const { return static_cast<std::size_t>(rows) * sizeof(T); }
  [[nodiscard]] std::size_t pitch() const { return static_cast<std::size_t>(apart) * sizeof(T); }
  [[nodiscard]] std::size_t height() const { return static_cast<std::size_t>(columns); }
  [[nodiscard]] static cublasStatus_t moved(cudaError_t status) {
    return status == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
  }
};

/// c = alpha a b + beta c, each product of the sums rounded once.
template <class E, class T>
cublasStatus_t multiply(const device_matrix<const E>& a, bool flips_a, const device_matrix<const E>& b,
                        bool flips_b, const device_matrix<T>& c, std::int64_t terms, T alpha, T beta) {
  std::vector<E> own_a, own_b;
  std::vector<T> own_c(static_cast<std::size_t>(c.rows * c.columns));
  for (const cublasStatus_t status : {a.copy(own_a), b.copy(own_b)})
    if (status != CUBLAS_STATUS_SUCCESS) return status;
  if (beta != T{0})
    if (const cublasStatus_t status = c.copy(own_c); status != CUBLAS_STATUS_SUCCESS) return status;
  const auto element = [](const std::vector<E>& of, std::int64_t rows, std::int64_t i, std::int64_t j) {
    return static_cast<T>(of[static_cast<std::size_t>(j * rows + i)]);
  };
  for (std::int64_t j = 0; j < c.columns; ++j)
    for (std::int64_t i = 0; i < c.rows; ++i) {
      T sum{0};
      for (std::int64_t k = 0; k < terms; ++k)
        sum = std::fma(flips_a ? element(own_a, a.rows, k, i) : element(own_a, a.rows, i, k),
                       flips_b ? element(own_b, b.rows, j, k) : element(own_b, b.rows, k, j), sum);
      T& to = own_c[static_cast<std::size_t>(j * c.rows + i)];
      to = alpha * sum + (beta != T{0} ? beta * to : T{0});
    }
  return c.set(own_c);
}

template <class X>
cublasStatus_t give(cublasHandle_t handle, X* to, X cublasContext::*field) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  *to = handle->*field;
  return CUBLAS_STATUS_SUCCESS;
}
template <class X>
cublasStatus_t take(cublasHandle_t handle, X from, X cublasContext::*field) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  handle->*field = from;
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
const char* cublasGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS: return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED: return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
    default: return "another status";
  }
}
cublasStatus_t cublasGetStream_v2(cublasHandle_t handle, cudaStream_t* stream) {
  return give(handle, stream, &cublasContext::stream);
}
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  const cublasStatus_t status = take(handle, stream, &cublasContext::stream);
  if (status == CUBLAS_STATUS_SUCCESS) handle->workspace = nullptr;
  return status;
}
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, std::size_t bytes) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (reinterpret_cast<std::uintptr_t>(workspace) % 256 != 0) return CUBLAS_STATUS_INVALID_VALUE;
  handle->workspace = workspace;
  handle->workspace_bytes = bytes;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasGetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t* mode) {
  return give(handle, mode, &cublasContext::pointers);
}
cublasStatus_t cublasSetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t mode) {
  return take(handle, mode, &cublasContext::pointers);
}
cublasStatus_t cublasGetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t* mode) {
  return give(handle, mode, &cublasContext::atomics);
}
cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t mode) {
  return take(handle, mode, &cublasContext::atomics);
}
cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t* mode) {
  return give(handle, mode, &cublasContext::math);
}
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  return take(handle, mode, &cublasContext::math);
}

cublasStatus_t cublasGemmEx_64(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,
                               std::int64_t m, std::int64_t n, std::int64_t k, const void* alpha,
                               const void* a, cudaDataType a_type, std::int64_t a_apart, const void* b,
                               cudaDataType b_type, std::int64_t b_apart, const void* beta, void* c,
                               cudaDataType c_type, std::int64_t c_apart, cublasComputeType_t compute,
                               cublasGemmAlgo_t) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  const bool flips_a = transa == CUBLAS_OP_T, flips_b = transb == CUBLAS_OP_T;
  if ((!flips_a && transa != CUBLAS_OP_N) || (!flips_b && transb != CUBLAS_OP_N))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  const std::int64_t a_rows = flips_a ? k : m, b_rows = flips_b ? n : k;
  if (m < 0 || n < 0 || k < 0 || a_apart < std::max<std::int64_t>(1, a_rows) ||
      b_apart < std::max<std::int64_t>(1, b_rows) || c_apart < std::max<std::int64_t>(1, m) ||
      alpha == nullptr || beta == nullptr || handle->pointers != CUBLAS_POINTER_MODE_HOST)
    return CUBLAS_STATUS_INVALID_VALUE;
  if (handle->workspace == nullptr || handle->workspace_bytes < 4096) return CUBLAS_STATUS_ALLOC_FAILED;
  if (m == 0 || n == 0) return CUBLAS_STATUS_SUCCESS;
  if (cudaStreamSynchronize(handle->stream) != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
  // The workspace is not to be used for anything else.
  auto* const last = static_cast<unsigned char*>(handle->workspace) + handle->workspace_bytes - 2048;
  for (void* const part : {handle->workspace, static_cast<void*>(last)})
    if (cudaMemset(part, 0xff, 2048) != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;

  const auto run = [&]<class E, class T>(E, T) {
    return multiply(device_matrix<const E>{static_cast<const E*>(a), a_rows, flips_a ? m : k, a_apart},
                    flips_a,
                    device_matrix<const E>{static_cast<const E*>(b), b_rows, flips_b ? k : n, b_apart},
                    flips_b, device_matrix<T>{static_cast<T*>(c), m, n, c_apart}, k,
                    *static_cast<const T*>(alpha), *static_cast<const T*>(beta));
  };
  const auto is = [&](cudaDataType own, cudaDataType result, auto... computes) {
    return a_type == own && b_type == own && c_type == result && ((compute == computes) || ...);
  };
  if (is(CUDA_R_64F, CUDA_R_64F, CUBLAS_COMPUTE_64F, CUBLAS_COMPUTE_64F_PEDANTIC))
    return run(double{}, double{});
  if (is(CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_PEDANTIC))
    return run(float{}, float{});
  if (is(CUDA_R_16F, CUDA_R_32F, CUBLAS_COMPUTE_32F)) return run(rankloss::half{}, float{});
  if (is(CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F)) return run(rankloss::bfloat16{}, float{});
  return CUBLAS_STATUS_NOT_SUPPORTED;
}

}  // extern "C"

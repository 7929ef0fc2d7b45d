// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(RANKLOSS_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#endif

namespace rankloss::inline RANKLOSS_ABI {

class context;
namespace detail {
class piece_runner;
}

static_assert(sizeof(std::size_t) >= 8,
              "rankloss: sizes of 64 bits are expected; 32-bit machines are not supported");

/// workspace: scratch memory that grows to the size that the largest list needs and then never allocates
/// again.
///
/// It is a bump allocator over a chain of chunks. `take` returns uninitialised, 64-byte aligned memory. When
/// a `scope` ends, it gives back everything that was taken since it began. Chunks are kept until the
/// workspace is destroyed or `clear` is called.
///
/// - Not for use by two threads at a time; a context has one workspace for each worker.
/// - Chunks of 2 MiB or more are whole multiples of that, and Linux is asked to back them by huge pages: the first
///   call meets 512 times fewer page faults, and random reads of long lists miss fewer translations of addresses.
/// - Under AddressSanitizer all memory that is not taken is poisoned, and a guard of 64 bytes follows each
///   piece, so that an access beyond a piece, or after the end of its scope, is reported.
class workspace {
 public:
  /// Gives back, on destruction, everything taken from the workspace after its construction.
  class scope {
   public:
    explicit scope(workspace& owner) noexcept : owner_(owner), chunk_(owner.chunk_), used_(owner.used_) {}
    ~scope() {
      owner_.poison_from(chunk_, used_);
      owner_.chunk_ = chunk_;
      owner_.used_ = used_;
    }
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;

   private:
    workspace& owner_;
    std::size_t chunk_;
    std::size_t used_;
  };

  workspace() = default;
  workspace(workspace&& other) noexcept
      : chunks_(std::exchange(other.chunks_, {})),
        chunk_(std::exchange(other.chunk_, 0)),
        used_(std::exchange(other.used_, 0)) {}
  workspace& operator=(workspace&& other) noexcept {
    chunks_ = std::exchange(other.chunks_, {});
    chunk_ = std::exchange(other.chunk_, 0);
    used_ = std::exchange(other.used_, 0);
    return *this;
  }

  /// `count` objects of uninitialised memory. @throws std::bad_alloc when more memory is needed and not
  /// available.
  template <class T>
  [[nodiscard]] std::span<T> take(std::size_t count) {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
    static_assert(alignof(T) <= alignment);
    if (count > std::numeric_limits<std::size_t>::max() / 4 / sizeof(T)) throw_bad_alloc();
    const std::size_t bytes = (count * sizeof(T) + alignment - 1) / alignment * alignment + guard;
    while (chunk_ < chunks_.size() && used_ + bytes > chunks_[chunk_].size) {
      ++chunk_;
      used_ = 0;
    }
    if (chunk_ == chunks_.size()) grow(bytes);
    std::byte* begin = chunks_[chunk_].memory.get() + used_;
    used_ += bytes;
#if defined(RANKLOSS_ADDRESS_SANITIZER)
    ASAN_UNPOISON_MEMORY_REGION(begin, count * sizeof(T));
#endif
    return {reinterpret_cast<T*>(begin), count};
  }

  /// Bytes held, whether in use or not.
  [[nodiscard]] std::size_t capacity() const noexcept {
    std::size_t total = 0;
    for (const chunk& b : chunks_) total += b.size;
    return total;
  }

  /// Frees all memory. None of it may be in use.
  void clear() noexcept {
    chunks_.clear();
    chunk_ = used_ = 0;
  }

  /// Who runs pieces of the list that is computed in this scratch on other workers, or null
  /// (detail/base/pieces.hpp).
  [[nodiscard]] detail::piece_runner* pieces() const noexcept { return pieces_; }

 private:
  friend class context;

  static constexpr std::size_t alignment = 64;
  static constexpr std::size_t smallest_chunk = std::size_t{1} << 16;
  static constexpr std::size_t huge_page = std::size_t{1} << 21;  // of x86-64, and of ARM with pages of 4 KiB
#if defined(RANKLOSS_ADDRESS_SANITIZER)
  static constexpr std::size_t guard = alignment;
#else
  static constexpr std::size_t guard = 0;
#endif

  struct free_aligned {
    std::align_val_t aligned_to;
    void operator()(std::byte* memory) const noexcept { ::operator delete(memory, aligned_to); }
  };
  struct chunk {
    std::unique_ptr<std::byte, free_aligned> memory;
    std::size_t size;
  };

  [[noreturn]] static void throw_bad_alloc() {
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
    throw std::bad_alloc();
#else
    std::abort();
#endif
  }

  void grow(std::size_t bytes) {
    // Growing by a quarter keeps the chain short without holding much more than was requested.
    const std::size_t wanted = std::max({bytes, smallest_chunk, capacity() / 4});
    const std::size_t unit = wanted < huge_page ? alignment : huge_page;
    const std::size_t size = (wanted + unit - 1) / unit * unit;
    const std::align_val_t aligned_to{unit};
    auto* memory = static_cast<std::byte*>(::operator new(size, aligned_to));
#if defined(MADV_HUGEPAGE)
    // An advice: where it is not taken, the memory is as good as any other.
    if (unit == huge_page) static_cast<void>(::madvise(memory, size, MADV_HUGEPAGE));
#endif
    chunks_.push_back({std::unique_ptr<std::byte, free_aligned>(memory, {aligned_to}), size});
    used_ = 0;
#if defined(RANKLOSS_ADDRESS_SANITIZER)
    ASAN_POISON_MEMORY_REGION(memory, size);
#endif
  }

  /// Poisons what was taken from this position on; memory beyond the taken part is poisoned already.
  void poison_from([[maybe_unused]] std::size_t at, [[maybe_unused]] std::size_t used) noexcept {
#if defined(RANKLOSS_ADDRESS_SANITIZER)
    for (; at <= chunk_ && at < chunks_.size(); ++at, used = 0) {
      const std::size_t end = at == chunk_ ? used_ : chunks_[at].size;
      ASAN_POISON_MEMORY_REGION(chunks_[at].memory.get() + used, end - used);
    }
#endif
  }

  std::vector<chunk> chunks_;
  std::size_t chunk_ = 0;  // the chunk that is being filled
  std::size_t used_ = 0;   // bytes of it that are in use
  detail::piece_runner* pieces_ = nullptr;
};

}  // namespace rankloss::inline RANKLOSS_ABI

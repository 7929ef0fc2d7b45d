// SPDX-License-Identifier: BSL-1.0

#include <rankloss/workspace.hpp>

#include "support/allocations.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace workspace_test {

namespace {

using rankloss::workspace;

bool aligned(const void* memory) { return reinterpret_cast<std::uintptr_t>(memory) % 64 == 0; }

/// Takes pieces of pseudo-random sizes in nested scopes, marks each, and returns whether every mark is still
/// there when its scope ends.
bool pieces_keep_apart(workspace& scratch, std::mt19937& random, unsigned depth) {
  const workspace::scope scope(scratch);
  std::vector<std::pair<std::span<unsigned>, unsigned>> pieces;
  bool whole = true;
  for (int i = 0; i < 4; ++i) {
    const std::span<unsigned> piece = scratch.take<unsigned>(random() % (i == 3 ? 30000 : 300));
    const auto mark = static_cast<unsigned>(random());
    std::fill(piece.begin(), piece.end(), mark);
    pieces.emplace_back(piece, mark);
    if (depth > 0) whole = pieces_keep_apart(scratch, random, depth - 1) && whole;
  }
  for (const auto& [piece, mark] : pieces)
    whole = whole && aligned(piece.data()) &&
            std::all_of(piece.begin(), piece.end(), [m = mark](unsigned x) { return x == m; });
  return whole;
}

}  // namespace

TEST_CASE("workspace: memory is as long as asked for and aligned to 64 bytes") {
  workspace scratch;
  for (const std::size_t count : {1u, 2u, 3u, 63u, 64u, 65u, 1000u, 100000u}) {
    const auto bytes = scratch.take<char>(count);
    const auto reals = scratch.take<double>(count);
    CHECK(bytes.size() == count);
    CHECK(reals.size() == count);
    CHECK(aligned(bytes.data()));
    CHECK(aligned(reals.data()));
    std::fill(bytes.begin(), bytes.end(), 'x');  // the sanitizers watch the ends
    std::fill(reals.begin(), reals.end(), 1.0);
  }
}

TEST_CASE("workspace: nothing may be taken") {
  workspace scratch;
  CHECK(scratch.take<double>(0).empty());
  const auto first = scratch.take<int>(1);
  CHECK(scratch.take<int>(0).empty());
  first[0] = 7;
  CHECK(first[0] == 7);
}

TEST_CASE("workspace: what is taken does not overlap, over nested scopes and grown chunks") {
  workspace scratch;
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) CHECK(pieces_keep_apart(scratch, random, 3));
}

TEST_CASE("workspace: a scope gives back what was taken since it began") {
  workspace scratch;
  const auto kept = scratch.take<int>(10);
  std::fill(kept.begin(), kept.end(), 42);
  int* first = nullptr;
  {
    const workspace::scope outer(scratch);
    first = scratch.take<int>(10).data();
    const auto second = scratch.take<int>(10);
    {
      const workspace::scope inner(scratch);
      const auto third = scratch.take<int>(10);
      CHECK(third.data() != second.data());
      std::fill(third.begin(), third.end(), 1);
    }
    CHECK(scratch.take<int>(10).data() > second.data());
  }
  const auto again = scratch.take<int>(10);
  CHECK(again.data() == first);
  std::fill(again.begin(), again.end(), 1);
  CHECK(std::all_of(kept.begin(), kept.end(), [](int x) { return x == 42; }));
}

TEST_CASE("workspace: a scope gives back what was taken after growing") {
  workspace scratch;
  const auto use = [&] {
    const workspace::scope scope(scratch);
    for (std::size_t bytes = 100; bytes < 2000000; bytes *= 3) (void)scratch.take<char>(bytes);
  };
  use();
  const std::size_t held = scratch.capacity();
  use();
  CHECK(scratch.capacity() == held);
}

TEST_CASE("workspace: what has been held once is never allocated again") {
  workspace scratch;
  const auto use = [&](std::size_t longest) {
    for (std::size_t n = 1; n <= longest; n = n * 2 + 1) {
      const workspace::scope outer(scratch);
      (void)scratch.take<double>(n);
      (void)scratch.take<float>(3 * n);
      const workspace::scope inner(scratch);
      (void)scratch.take<std::uint32_t>(n);
    }
  };
  use(100000);
  const std::size_t before = support::allocations();
  use(100000);
  use(1000);
  use(100000);
  CHECK(support::allocations() == before);
}

TEST_CASE("workspace: growing holds little more than was asked for") {
  workspace scratch;
  std::size_t asked = 0;
  for (int i = 0; i < 200; ++i) {
    asked += 100000 * sizeof(double);
    (void)scratch.take<double>(100000);
  }
  CHECK(scratch.capacity() >= asked);
  CHECK(scratch.capacity() <= asked + asked / 2);
}

TEST_CASE("workspace: large chunks are whole huge pages, small ones are not") {
  constexpr std::size_t huge_page = std::size_t{1} << 21;
  workspace scratch;
  (void)scratch.take<char>(1000);
  CHECK(scratch.capacity() < huge_page / 4);
  for (const std::size_t count : {huge_page, huge_page + 1, 5 * huge_page - 1}) {
    scratch.clear();
    const auto memory = scratch.take<char>(count);
    CHECK(reinterpret_cast<std::uintptr_t>(memory.data()) % huge_page == 0);
    CHECK(scratch.capacity() % huge_page == 0);
    CHECK(scratch.capacity() < count + 2 * huge_page);
    std::fill(memory.begin(), memory.end(), 'x');
  }
}

TEST_CASE("workspace: clear gives all memory back and leaves it ready") {
  workspace scratch;
  { (void)scratch.take<double>(100000); }
  CHECK(scratch.capacity() >= 100000 * sizeof(double));
  scratch.clear();
  CHECK(scratch.capacity() == 0);
  const auto memory = scratch.take<double>(10);
  std::fill(memory.begin(), memory.end(), 1.0);
  CHECK(scratch.capacity() > 0);
}

TEST_CASE("workspace: moving takes the memory along") {
  workspace scratch;
  const auto memory = scratch.take<int>(100);
  std::fill(memory.begin(), memory.end(), 5);
  const std::size_t held = scratch.capacity();
  workspace moved(std::move(scratch));
  CHECK(moved.capacity() == held);
  CHECK(std::all_of(memory.begin(), memory.end(), [](int x) { return x == 5; }));
  CHECK(moved.take<int>(1).data() > memory.data());
}

TEST_CASE("workspace: memory that is not there is bad_alloc, and what was taken stays") {
  workspace scratch;
  const auto kept = scratch.take<int>(100);
  std::fill(kept.begin(), kept.end(), 3);
  {
    const workspace::scope scope(scratch);
    CHECK_THROWS_AS(scratch.take<double>(std::numeric_limits<std::size_t>::max() / 64), std::bad_alloc);
  }
  const auto more = scratch.take<int>(100);
  std::fill(more.begin(), more.end(), 4);
  CHECK(std::all_of(kept.begin(), kept.end(), [](int x) { return x == 3; }));
}

#if defined(RANKLOSS_ADDRESS_SANITIZER)
TEST_CASE("workspace: what is not taken, or no longer, is poisoned") {
  rankloss::workspace scratch;
  const std::span<char> kept = scratch.take<char>(64);
  const auto poisoned = [](const char* at) { return __asan_address_is_poisoned(at) != 0; };
  std::span<char> gone, far;
  {
    const rankloss::workspace::scope scope(scratch);
    gone = scratch.take<char>(10);
    far = scratch.take<char>(std::size_t{1} << 20);  // in a chunk of its own
    CHECK_FALSE(poisoned(gone.data() + 9));
    CHECK(poisoned(gone.data() + 10));
    CHECK_FALSE(poisoned(far.data() + far.size() - 1));
  }
  CHECK(poisoned(gone.data()));
  CHECK(poisoned(far.data()));
  CHECK(poisoned(far.data() + far.size() - 1));
  CHECK_FALSE(poisoned(kept.data() + 63));
  CHECK(poisoned(kept.data() + 64));
  CHECK_FALSE(poisoned(scratch.take<char>(10).data() + 9));
}
#endif

}  // namespace workspace_test

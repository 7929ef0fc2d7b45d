// SPDX-License-Identifier: BSL-1.0
#include <rankloss/arrays.hpp>

#include <rankloss/detail/base/require.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace arrays_test {

namespace {

using rankloss::array_view;
using rankloss::flags;
using rankloss::indices;
using rankloss::real_output;
using rankloss::reals;

/// Eigen's vectors, as far as they matter: a signed size, iterators that are not contiguous, strides that are
/// known to be 1.
template <class T>
struct vector_like {
  static constexpr int IsVectorAtCompileTime = 1;
  static constexpr int InnerStrideAtCompileTime = 1;
  T items[3];

  T* data() { return items; }
  [[nodiscard]] const T* data() const { return items; }
  [[nodiscard]] std::ptrdiff_t size() const { return 3; }
  [[nodiscard]] std::ptrdiff_t innerStride() const { return 1; }
};

/// A list of Qt: data() and size(), an int.
template <class T>
struct list_like {
  T items[3];
  T* data() { return items; }
  [[nodiscard]] const T* data() const { return items; }
  [[nodiscard]] int size() const { return 3; }
};

/// A view of xtensor: its iterators begin where it does, data() where what it views does.
struct offset_view {
  const float* whole;
  [[nodiscard]] const float* data() const { return whole; }
  [[nodiscard]] std::size_t size() const { return 2; }
  [[nodiscard]] const float* begin() const { return whole + 1; }
  [[nodiscard]] const float* end() const { return whole + 3; }
  [[nodiscard]] std::array<std::ptrdiff_t, 1> strides() const { return {1}; }
};

struct column : list_like<float> {
  [[nodiscard]] std::ptrdiff_t innerStride() const { return 3; }
};

static_assert(rankloss::detail::array<const vector_like<float>>);
static_assert(rankloss::detail::array<const list_like<float>>);
static_assert(rankloss::detail::array<const float[3]>);
static_assert(rankloss::detail::array<std::span<float>>);
static_assert(!rankloss::detail::array<const column>);
static_assert(!rankloss::detail::array<rankloss::strided<float>>);
static_assert(!rankloss::detail::array<std::vector<bool>>);
static_assert(!rankloss::detail::array<float*>);
static_assert(!rankloss::detail::array<int>);
static_assert(std::is_trivially_copyable_v<array_view<const float>> &&
              std::is_trivially_copyable_v<real_output>);
static_assert(std::is_convertible_v<array_view<float>, std::span<const float>>);
static_assert(rankloss::score<float> && rankloss::score<double> && !rankloss::score<long double> &&
              !rankloss::score<int>);
static_assert(rankloss::relevance_number<bool> && rankloss::relevance_number<double> &&
              !rankloss::relevance_number<long double> && !rankloss::relevance_number<int*>);

/// The same three numbers in all that can hold them.
template <class T, class Check>
void for_each_holder(Check check) {
  std::array<T, 3> array{1, 0, 1};
  T plain[3] = {1, 0, 1};
  vector_like<T> eigen{{1, 0, 1}};
  list_like<T> qt{{1, 0, 1}};
  check(array);
  check(plain);
  check(eigen);
  check(qt);
  check(std::span<T>(plain));
  if constexpr (!std::is_same_v<T, bool>) {
    std::vector<T> vector{1, 0, 1};
    check(vector);
    check(std::span<T>(vector));
  }
  check(std::span<T, 3>(array));
}

template <class View, class T>
void check_inputs() {
  const auto same = [](const View& view) {
    REQUIRE(view.size() == 3);
    CHECK_FALSE(view.empty());
    CHECK(static_cast<int>(view[0]) == 1);
    CHECK(static_cast<int>(view[1]) == 0);
    CHECK(static_cast<int>(view[2]) == 1);
  };
  for_each_holder<T>([&](const auto& holder) {
    same(holder);
    same({holder});
  });
  T plain[3] = {1, 0, 1};
  const T constant[3] = {1, 0, 1};
  same({plain, 3});
  same({constant, 3u});
  same({&plain[0], std::size_t{3}});
  same({&constant[0], std::ptrdiff_t{3}});
  same(std::array<T, 3>{1, 0, 1});  // until the end of the expression
  CHECK(View{}.empty());
  CHECK(View{plain, 0}.empty());
  CHECK(View{std::array<T, 0>{}}.empty());
  CHECK_THROWS_AS((View{plain, -1}), std::invalid_argument);
  CHECK_THROWS_WITH((View{plain, -1}), "rankloss: size: -1 of an array, expected 0 or more");
}

}  // namespace

TEST_CASE("arrays: views are made of whatever has data() and size(), and of a pointer and a size") {
  check_inputs<array_view<const float>, float>();
  check_inputs<array_view<const double>, double>();
  check_inputs<array_view<const int>, int>();
  check_inputs<reals, float>();
  check_inputs<reals, double>();
  check_inputs<indices, std::int32_t>();
  check_inputs<indices, std::uint32_t>();
  check_inputs<indices, std::int64_t>();
  check_inputs<indices, std::uint64_t>();
  check_inputs<indices, long>();
  check_inputs<flags, bool>();
  check_inputs<flags, char>();
  check_inputs<flags, std::uint8_t>();
  check_inputs<flags, signed char>();
}

TEST_CASE("arrays: outputs are written where they lie") {
  const auto check = [](auto kind) {
    using T = decltype(kind);
    for_each_holder<T>([](auto&& holder) {
      const array_view<T> view(holder);
      view[1] = T(5);
      CHECK(view.data() == rankloss::detail::first_of(holder));
      CHECK(rankloss::detail::first_of(holder)[1] == T(5));
      const real_output output(holder);
      CHECK(output.size() == 3);
      output.visit([](auto* memory) {
        CHECK(std::is_same_v<decltype(memory), T*>);
        memory[2] = 7;
      });
      CHECK(view[2] == T(7));
    });
    T plain[3] = {};
    real_output(plain, 3).visit([](auto* memory) { memory[0] = 8; });
    CHECK(plain[0] == T(8));
    const array_view<T> view(plain, 3);
    CHECK(view.data() == plain);
  };
  check(1.0f);
  check(1.0);
  CHECK_THROWS_WITH((real_output{static_cast<float*>(nullptr), -2}),
                    "rankloss: size: -2 of an array, expected 0 or more");
}

TEST_CASE("arrays: a range is read from where its iterators begin") {
  const float whole[4] = {1, 2, 3, 4};
  const array_view<const float> view(offset_view{whole});
  CHECK(view.data() == whole + 1);
  CHECK(view.size() == 2);
  CHECK(reals(offset_view{whole})[0] == 2.0);
}

TEST_CASE("arrays: an array_view is a span") {
  std::vector<double> numbers{1, 2, 3};
  const array_view<double> view(numbers.begin(), numbers.end());
  CHECK(view.size() == 3);
  const array_view<const double> constant = view;
  CHECK(constant.data() == numbers.data());
  const std::span<const double> span = constant.first(2);
  CHECK(span.size() == 2);
  array_view<double> again{};
  CHECK(again.empty());
  again = view.subspan(1);
  CHECK(again.data() == numbers.data() + 1);
  again = {};
  CHECK(again.empty());
  again = {numbers.data(), 2};
  CHECK(again.size() == 2);
}

TEST_CASE("arrays: indices are compared and printed as the numbers they are") {
  const std::vector<std::uint64_t> large{0, 5, std::uint64_t{1} << 63,
                                         std::numeric_limits<std::uint64_t>::max()};
  const indices view = large;
  const std::vector<std::int64_t> negative{-1};
  const auto text = [](const indices& all, std::size_t i) {
    std::string message;
    rankloss::detail::append(message, all.number(i));
    return message;
  };
  CHECK(text(view, 1) == "5");
  CHECK(text(view, 2) == "9223372036854775808");
  CHECK(text(view, 3) == "18446744073709551615");
  CHECK(text(negative, 0) == "-1");
  CHECK(text(std::vector<std::uint32_t>{0xffffffffu}, 0) == "4294967295");
  CHECK(text(std::vector<std::int32_t>{-7}, 0) == "-7");
  for (std::size_t i = 0; i + 1 < large.size(); ++i) CHECK(view.number(i) < view.number(i + 1));
  CHECK(view.number(3) == view.number(3));
  CHECK(indices(negative).number(0) < view.number(0));
  CHECK(indices(negative).number(0) != view.number(3));
  CHECK(view[3] == -1);  // no index in memory
}

TEST_CASE("arrays: indices and reals show the numbers of the host in its own type") {
  const auto shown = [](const auto& from) {
    return from.visit([](const auto* p) { return std::pair(sizeof *p, static_cast<double>(p[1])); });
  };
  const std::vector<std::int32_t> i32{1, -2};
  const std::vector<std::uint32_t> u32{1, 4000000000u};
  const std::vector<std::int64_t> i64{1, -3};
  const std::vector<float> f{1, 2.5F};
  const std::vector<double> d{1, 0.1};
  CHECK(shown(rankloss::indices(i32)) == std::pair(std::size_t{4}, -2.0));
  CHECK(shown(rankloss::indices(u32)) == std::pair(std::size_t{4}, 4e9));
  CHECK(shown(rankloss::indices(i64)) == std::pair(std::size_t{8}, -3.0));
  CHECK(shown(rankloss::reals(f)) == std::pair(std::size_t{4}, 2.5));
  CHECK(shown(rankloss::reals(d)) == std::pair(std::size_t{8}, 0.1));
}

TEST_CASE("arrays: a shaped view knows what a matrix says, and nothing of a plain array") {
  std::vector<float> memory(20);
  using shaped = rankloss::shaped<array_view<const float>>;
  const shaped plain = memory;
  CHECK(plain.data() == memory.data());
  CHECK(plain.size() == 20);
  CHECK(!plain.shape());
  CHECK(!shaped(memory.data(), 3).shape());
  CHECK(!shaped(memory.begin(), memory.end()).shape());
  CHECK(!shaped(array_view<const float>(memory)).shape());
  CHECK(shaped{}.empty());
  const rankloss::matrix_view<float> block(memory.data() + 1, 3, 2, 5, 2);
  const shaped part = block;
  CHECK(part.data() == memory.data() + 1);
  CHECK(part.size() == 13);
  REQUIRE(part.shape());
  CHECK(part.shape()->rows == 3);
  CHECK(part.shape()->columns == 2);
  CHECK(part.shape()->row_stride == 5);
  CHECK(part.shape()->column_stride == 2);
  CHECK(plain.as({4, 5, 1, 4}).shape()->column_stride == 4);
  CHECK(plain.as({4, 5, 1, 4}).data() == memory.data());
  const rankloss::shaped<real_output> output = block;
  CHECK(output.shape()->row_stride == 5);
  output.visit([&](auto* to) { CHECK(static_cast<void*>(to) == memory.data() + 1); });
  shaped again = block;
  again = {};
  CHECK(!again.shape());
  again = plain;
  CHECK(!again.shape());
}

TEST_CASE("arrays: a matrix is an array where its elements stand one behind the other in the order of rows") {
  std::vector<float> memory(20);
  float* const m = memory.data();
  const auto view = [](const rankloss::matrix_view<float>& matrix) { return array_view<float>(matrix); };
  CHECK(view({m, 4, 5}).size() == 20);
  CHECK(view({m + 5, 1, 5, 99, 1}).data() == m + 5);
  CHECK(view({m, 5, 1, 1, 99}).size() == 5);
  CHECK(view({m, 0, 5, 7, 7}).empty());
  CHECK_THROWS_WITH(
      view({m, 5, 1, 4, 1}),
      "rankloss: stride: 4 of an array of 5 elements, expected 1 (its elements one behind the other)");
  CHECK_THROWS_WITH(
      view({m, 1, 5, 1, 4}),
      "rankloss: stride: 4 of an array of 5 elements, expected 1 (its elements one behind the other)");
  CHECK_THROWS_WITH(
      view({m, 4, 3, 5, 1}),
      Catch::Contains("strides: 5 and 1 of an array of 4 rows and 3 columns, expected 3 and 1"));
  CHECK_THROWS_WITH(view({m, 4, 5, 1, 4}), Catch::Contains("strides: 1 and 4"));
}

TEST_CASE("arrays: the rows or columns of a matrix as the memory of lists") {
  std::vector<float> memory(20);
  const rankloss::matrix_view<float> block(memory.data() + 1, 3, 2, 5, 1);
  CHECK(rankloss::rows_of(block).data() == memory.data() + 1);
  CHECK(rankloss::rows_of(block).size() == 12);
  CHECK(rankloss::rows_of(rankloss::matrix_view<const float>(block)).size() == 12);
  const rankloss::matrix_view<float> turned(memory.data() + 1, 2, 3, 1, 5);
  CHECK(rankloss::columns_of(turned).size() == 12);
  CHECK(rankloss::rows_of(rankloss::matrix_view<float>(memory.data(), 1, 7, 3, 1)).size() == 7);
  CHECK(rankloss::rows_of(rankloss::matrix_view<float>(memory.data(), 0, 7)).empty());
  CHECK_THROWS_WITH(
      rankloss::rows_of(turned),
      "rankloss: column stride: 5 of a matrix whose rows are lists, expected 1 (the items of a list one behind the other)");
  CHECK_THROWS_WITH(
      rankloss::columns_of(block),
      "rankloss: row stride: 5 of a matrix whose columns are lists, expected 1 (the items of a list one behind the other)");
  CHECK_THROWS_WITH(
      rankloss::rows_of(rankloss::matrix_view<float>(memory.data(), 3, 4, 2, 1)),
      "rankloss: row stride: 2 of a matrix whose rows are lists, expected at least their length 4");
}

}  // namespace arrays_test

// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/data/policy_steps.hpp>

#include <rankloss/context.hpp>
#include <rankloss/threads.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace detail_data_policy_steps_test {

using namespace rankloss::detail;

namespace {

template <class Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("policy_steps: shares of a mean sum to 1 over what counts, however large the weights") {
  constexpr double huge = std::numeric_limits<double>::max();
  const std::vector<double> weights{huge, huge, huge / 2, huge};
  const std::vector<std::uint8_t> mask{1, 1, 1, 0};
  const rankloss::reals w(weights);
  const rankloss::flags m(mask);
  const rankloss::reals none_w;
  const rankloss::flags none_m;
  const step_shares shares(w, m, 4);
  CHECK(shares[0] == Approx(0.4));
  CHECK(shares[2] == Approx(0.2));
  CHECK(shares[3] == 0.0);
  const step_shares even(none_w, none_m, 4);
  CHECK(even[1] == 0.25);
  const step_shares masked(none_w, m, 4);
  CHECK(masked[1] == Approx(1.0 / 3.0));
  const std::vector<double> small{5e-324, 5e-324, 1e-323, 5e-324};
  const rankloss::reals subnormal(small);
  const step_shares tiny(subnormal, m, 4);
  CHECK(tiny[0] == Approx(0.25));
  CHECK(tiny[2] == Approx(0.5));
  const std::vector<double> zeros{0.0, 0.0};
  const rankloss::reals z(zeros);
  const step_shares nothing(z, none_m, 2);
  CHECK(nothing[0] == 0.0);
}

TEST_CASE("policy_steps: what does not fit is named; padding may hold anything") {
  const std::vector<double> values{0.0, std::numeric_limits<double>::quiet_NaN()};
  const std::vector<std::uint8_t> first_only{1, 0};
  CHECK(message_of([&] { check_finite("rewards", values, rankloss::flags(first_only)); }).empty());
  CHECK(message_of([&] { check_finite("rewards", values, rankloss::flags{}); }) ==
        "rankloss: rewards: nan at step 1, expected a finite number");
}

}  // namespace detail_data_policy_steps_test

// SPDX-License-Identifier: BSL-1.0

// Runs every battery that is linked and that this processor can run, and compares what each says with what
// the first says; also where subnormal numbers count as 0, as in a program that is linked with -ffast-math. Once
// more after all the others the first has to give the same bits: if the linker had taken a function of its from
// another object, it would not.

#include "battery.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

// BATTERY(name) for each, the one that is compared with first.
#define BATTERY(name) void name(numbers& out);
#include BATTERIES
#undef BATTERY

namespace {

struct group {
  std::string name;
  bool in_float;
  std::vector<double> values;
};

struct record final : numbers {
  void begin(const char* name, bool in_float) override { groups.push_back({name, in_float, {}}); }
  void add(double number) override { groups.back().values.push_back(number); }
  std::vector<group> groups;
};

/// Batteries for x86-64-v3 have that in their names; those for this very machine run everywhere.
bool can_run(const std::string& name) {
#if defined(__x86_64__)
  if (name.find("v3") != std::string::npos)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
#endif
  return !name.empty();
}

std::vector<group> run(void (*battery)(numbers&)) {
  record all;
  battery(all);
  return all.groups;
}

#if defined(__SSE2__)
/// Subnormal numbers count as 0 in this thread, and in those that it starts.
class without_subnormals {
 public:
  without_subnormals() { _mm_setcsr(before_ | 0x8040u); }
  ~without_subnormals() { _mm_setcsr(before_); }
  without_subnormals(const without_subnormals&) = delete;
  without_subnormals& operator=(const without_subnormals&) = delete;

 private:
  unsigned before_ = _mm_getcsr();
};
#endif

/// How many numbers of which groups differ by more than rounding.
int compare(const std::string& name, const std::vector<group>& expected, const std::vector<group>& found) {
  if (expected.size() != found.size() || found.empty()) {
    std::printf("%s: %zu groups of numbers, expected %zu\n", name.c_str(), found.size(), expected.size());
    return 1;
  }
  int faults = 0;
  double worst[2]{};
  for (std::size_t g = 0; g < found.size(); ++g) {
    const group& e = expected[g];
    const group& f = found[g];
    double steepest = 1e-9;  // below it there is nothing but rounding
    for (std::size_t i = 1; i < e.values.size(); ++i) steepest = std::max(steepest, std::abs(e.values[i]));
    for (std::size_t i = 0; i < e.values.size(); ++i) {
      const double scale = i == 0 ? std::max(1.0, std::abs(e.values[0])) : steepest;
      const double error =
          f.values.size() == e.values.size() ? std::abs(f.values[i] - e.values[i]) / scale : 1.0;
      if (error <= (e.in_float ? 1e-6 : 1e-10)) {
        worst[e.in_float ? 1 : 0] = std::max(worst[e.in_float ? 1 : 0], error);
        continue;
      }
      std::printf("%s: %s, group %zu, number %zu: %.17g, expected %.17g\n", name.c_str(), e.name.c_str(), g,
                  i, f.values.size() > i ? f.values[i] : 0.0, e.values[i]);
      ++faults;
      break;
    }
  }
  std::printf("%s: %zu groups, largest differences %.2g in double, %.2g in float, %d faults\n", name.c_str(),
              found.size(), worst[0], worst[1], faults);
  return faults;
}

bool same_bits(const std::vector<group>& a, const std::vector<group>& b) {
  for (std::size_t g = 0; g < a.size(); ++g)
    for (std::size_t i = 0; i < a[g].values.size(); ++i)
      if (std::bit_cast<std::uint64_t>(a[g].values[i]) != std::bit_cast<std::uint64_t>(b[g].values[i]))
        return false;
  return true;
}

}  // namespace

int main() {
  const std::vector<std::pair<std::string, void (*)(numbers&)>> batteries{
#define BATTERY(name) {#name, &name},
#include BATTERIES
  };
  const std::vector<group> expected = run(batteries[0].second);
  int faults = 0;
  for (std::size_t b = 1; b < batteries.size(); ++b) {
    const auto& [name, battery] = batteries[b];
    if (can_run(name))
      faults += compare(name, expected, run(battery));
    else
      std::printf("%s: linked, not run on this processor\n", name.c_str());
  }
#if defined(__SSE2__)
  for (const auto& [name, battery] : batteries) {
    if (!can_run(name)) continue;
    const without_subnormals here;
    faults += compare(name + " without subnormals", expected, run(battery));
  }
#endif
  if (!same_bits(expected, run(batteries[0].second))) {
    std::printf("%s: other bits after the other batteries\n", batteries[0].first.c_str());
    ++faults;
  }
  return faults == 0 ? 0 : 1;
}

// SPDX-License-Identifier: BSL-1.0
#pragma once

// Soft ranks and soft sorts of the published implementations of Blondel et al. 2020, in double: fast-soft-sort
// (google-research/fast-soft-sort at 6a52ce7; l2 and kl) and torchsort (teddykoker/torchsort at 75df71d). Temperature is their epsilon.

#include <rankloss/detail/sorting/isotonic.hpp>
#include <rankloss/ranks/rank.hpp>

#include <array>

namespace peers {

using five = std::array<double, 5>;

struct projection {
  rankloss::regularization regularization;
  rankloss::rank_order order;
  double temperature;
  five scores, cotangent, value, gradient;
};

namespace projected {

using enum rankloss::regularization;
using enum rankloss::rank_order;

inline constexpr five first{0.6, -0.3, 1.4, 0.2, 0.9}, second{2, -1, 0.5, 0.1, -0.7};
// What each peer was given as a cotangent, torchsort two lists at once.
inline constexpr five fast_soft_sort{1, -2, 0.5, 3, -1}, torchsort_first{0.3, -1, 0.7, 0.2, 0.5}, torchsort_second{1, 0.4, -0.6, 0.9, -0.2};

}  // namespace projected

/// soft_rank of both; the gradients are the peers' own.
inline constexpr auto soft_ranks = [] {
  using namespace projected;
  return std::array{
      projection{quadratic, ascending, 0.1, first, fast_soft_sort, {3, 1, 5, 2, 4}, {0, 0, 0, 0, 0}},
      projection{quadratic, ascending, 1, first, fast_soft_sort, {3.04, 2.14, 3.84, 2.64, 3.34}, {0.7, -2.3, 0.2, 2.7, -1.3}},
      projection{quadratic, ascending, 10, first, fast_soft_sort, {3.004, 2.914, 3.084, 2.964, 3.034}, {0.07, -0.23, 0.02, 0.27, -0.13}},
      projection{quadratic, descending, 0.1, first, fast_soft_sort, {3, 5, 1, 4, 2}, {0, 0, 0, 0, 0}},
      projection{quadratic, descending, 1, first, fast_soft_sort, {2.96, 3.86, 2.16, 3.36, 2.66}, {-0.7, 2.3, -0.2, -2.7, 1.3}},
      projection{quadratic, descending, 10, first, fast_soft_sort, {2.996, 3.086, 2.916, 3.036, 2.966}, {-0.07, 0.23, -0.02, -0.27, 0.13}},
      projection{entropic, ascending, 0.1, first, fast_soft_sort, {3, 1, 5, 2, 4}, {0, 0, 0, 0, 0}},
      projection{entropic,
                 ascending,
                 1,
                 first,
                 fast_soft_sort,
                 {2.91821823546001, 1.18645899503979, 5, 1.9561401819356, 3.9391825875646},
                 {2.19609398444461, -2.66651180110534, 0, 5.3843661846227, -4.91394836796197}},
      projection{entropic,
                 ascending,
                 10,
                 first,
                 fast_soft_sort,
                 {3.00693867574323, 2.74813502795991, 3.2573777807243, 2.88903492383277, 3.09851359173979},
                 {0.206317114246273, -0.635880863623136, 0.0606317726667891, 0.776034289250756, -0.407102312540681}},
      projection{entropic, descending, 0.1, first, fast_soft_sort, {3, 5, 1, 4, 2}, {0, 0, 0, 0, 0}},
      projection{entropic,
                 descending,
                 1,
                 first,
                 fast_soft_sort,
                 {2.73954190916663, 5, 1.23095552820156, 4, 2.02950256263182},
                 {-2.13432362984935, 0, -0.34353566159034, 0, 2.47785929143969}},
      projection{entropic,
                 descending,
                 10,
                 first,
                 fast_soft_sort,
                 {2.98296907346059, 3.26388804926853, 2.75362751247726, 3.10470635074046, 2.89480901405316},
                 {-0.213753264383412, 0.745283089834189, -0.0596377568219691, -0.843417970737142, 0.371525902108335}},
      projection{quadratic, ascending, 0.1, first, torchsort_first, {3, 1, 5, 2, 4}, {0, 0, 0, 0, 0}},
      projection{quadratic, ascending, 0.1, second, torchsort_second, {5, 1, 4, 3, 2}, {0, 0, 0, 0, 0}},
      projection{quadratic, ascending, 1, first, torchsort_first, {3.04, 2.14, 3.84, 2.64, 3.34}, {0.16, -1.14, 0.56, 0.06, 0.36}},
      projection{quadratic, ascending, 1, second, torchsort_second, {4.82, 1.82, 3.32, 2.92, 2.12}, {0.7, 0.1, -0.9, 0.6, -0.5}},
      projection{quadratic, ascending, 10, first, torchsort_first, {3.004, 2.914, 3.084, 2.964, 3.034}, {0.016, -0.114, 0.056, 0.006, 0.036}},
      projection{quadratic, ascending, 10, second, torchsort_second, {3.182, 2.882, 3.032, 2.992, 2.912}, {0.07, 0.01, -0.09, 0.06, -0.05}},
      projection{entropic, ascending, 0.1, first, torchsort_first, {3, 1, 5, 2, 4}, {0, 0, 0, 0, 0}},
      projection{entropic, ascending, 0.1, second, torchsort_second, {5, 1, 4, 3, 2}, {0, 0, 0, 0, 0}},
      projection{entropic,
                 ascending,
                 1,
                 first,
                 torchsort_first,
                 {2.91821823546001, 1.18645899503979, 5, 1.9561401819356, 3.9391825875646},
                 {0.277281566047241, -1.42966242159156, 0, -0.00974662607593885, 1.16212748162026}},
      projection{entropic,
                 ascending,
                 1,
                 second,
                 torchsort_second,
                 {5, 1.27667244956502, 4, 3, 1.72332755043498},
                 {0, 0.440024961043342, 0, 0, -0.440024961043342}},
      projection{entropic,
                 ascending,
                 10,
                 first,
                 torchsort_first,
                 {3.00693867574323, 2.74813502795991, 3.2573777807243, 2.88903492383277, 3.09851359173979},
                 {0.038866189824352, -0.321736530701641, 0.172398352035493, 0.00845187548499919, 0.102020113356797}},
      projection{entropic,
                 ascending,
                 10,
                 second,
                 torchsort_second,
                 {3.57835966206644, 2.6509140378113, 3.07992270365826, 2.95915720708033, 2.73164638938367},
                 {0.24075957973136, 0.0193042411999867, -0.285563941909795, 0.16950676147241, -0.144006640493962}},
  };
}();

/// soft_sort of both. The entropic gradients of fast-soft-sort at temperature 10 are central differences of its values, good to 1e-8: its own
/// are wrong, below.
inline constexpr auto soft_sorts = [] {
  using namespace projected;
  return std::array{
      projection{quadratic,
                 ascending,
                 0.1,
                 first,
                 fast_soft_sort,
                 {-0.299999999999997, 0.200000000000003, 0.600000000000001, 0.899999999999999, 1.4},
                 {0.5, 1, -1, -2, 3}},
      projection{quadratic, ascending, 1, first, fast_soft_sort, {-0.3, 0.2, 0.6, 0.9, 1.4}, {0.5, 1, -1, -2, 3}},
      projection{quadratic, ascending, 10, first, fast_soft_sort, {0.36, 0.46, 0.56, 0.66, 0.76}, {0.3, 0.3, 0.3, 0.3, 0.3}},
      projection{quadratic,
                 descending,
                 0.1,
                 first,
                 fast_soft_sort,
                 {1.4, 0.899999999999999, 0.600000000000001, 0.199999999999999, -0.300000000000001},
                 {0.5, -1, 1, 3, -2}},
      projection{quadratic, descending, 1, first, fast_soft_sort, {1.4, 0.9, 0.6, 0.2, -0.3}, {0.5, -1, 1, 3, -2}},
      projection{quadratic, descending, 10, first, fast_soft_sort, {0.76, 0.66, 0.56, 0.46, 0.36}, {0.3, 0.3, 0.3, 0.3, 0.3}},
      projection{entropic,
                 ascending,
                 0.1,
                 first,
                 fast_soft_sort,
                 {-0.299999999999997, 0.200000000000003, 0.600000000000001, 0.899999999999999, 1.4},
                 {0.5, 1, -1, -2, 3}},
      projection{entropic, ascending, 1, first, fast_soft_sort, {-0.3, 0.2, 0.6, 0.9, 1.4}, {0.5, 1, -1, -2, 3}},
      projection{entropic,
                 ascending,
                 10,
                 first,
                 fast_soft_sort,
                 {0.204335108596671, 0.304335108596671, 0.404335108596671, 0.504335108596671, 0.604335108596671},
                 {0.244237024105143, 0.6007261443286, 0.109742769038856, 0.36435882461161, 0.180935237625857}},
      projection{entropic,
                 descending,
                 0.1,
                 first,
                 fast_soft_sort,
                 {1.4, 0.899999999999999, 0.600000000000001, 0.199999999999999, -0.300000000000001},
                 {0.5, -1, 1, 3, -2}},
      projection{entropic, descending, 1, first, fast_soft_sort, {1.4, 0.9, 0.6, 0.2, -0.3}, {0.5, -1, 1, 3, -2}},
      projection{entropic,
                 descending,
                 10,
                 first,
                 fast_soft_sort,
                 {0.912644342551629, 0.812644342551629, 0.712644342551629, 0.612644342551629, 0.512644342551629},
                 {0.265379191288773, 0.107895127166024, 0.590612251105682, 0.177888991870212, 0.358224438778976}},
      projection{quadratic,
                 ascending,
                 0.1,
                 first,
                 torchsort_first,
                 {-0.299999999999997, 0.200000000000003, 0.600000000000001, 0.899999999999999, 1.4},
                 {0.7, 0.3, 0.5, -1, 0.2}},
      projection{quadratic, ascending, 0.1, second, torchsort_second, {-1, -0.700000000000003, 0.100000000000001, 0.5, 2}, {-0.2, 1, 0.9, -0.6, 0.4}},
      projection{quadratic, ascending, 1, first, torchsort_first, {-0.3, 0.2, 0.6, 0.9, 1.4}, {0.7, 0.3, 0.5, -1, 0.2}},
      projection{quadratic, ascending, 1, second, torchsort_second, {-1, -0.7, 0.1, 0.75, 1.75}, {0.35, 1, 0.35, -0.6, 0.4}},
      projection{quadratic, ascending, 10, first, torchsort_first, {0.36, 0.46, 0.56, 0.66, 0.76}, {0.14, 0.14, 0.14, 0.14, 0.14}},
      projection{
          quadratic, ascending, 10, second, torchsort_second, {-0.0199999999999999, 0.0800000000000001, 0.18, 0.28, 0.38}, {0.3, 0.3, 0.3, 0.3, 0.3}},
      projection{entropic,
                 ascending,
                 0.1,
                 first,
                 torchsort_first,
                 {-0.299999999999997, 0.200000000000003, 0.600000000000001, 0.899999999999999, 1.4},
                 {0.7, 0.3, 0.5, -1, 0.2}},
      projection{entropic, ascending, 0.1, second, torchsort_second, {-1, -0.700000000000003, 0.100000000000001, 0.5, 2}, {-0.2, 1, 0.9, -0.6, 0.4}},
      projection{entropic, ascending, 1, first, torchsort_first, {-0.3, 0.2, 0.6, 0.9, 1.4}, {0.7, 0.3, 0.5, -1, 0.2}},
      projection{entropic,
                 ascending,
                 1,
                 second,
                 torchsort_second,
                 {-1, -0.7, 0.1, 0.611848409535471, 1.61184840953547},
                 {0.127697866664449, 1, 0.57230213333555, -0.6, 0.4}},
      projection{entropic,
                 ascending,
                 10,
                 first,
                 torchsort_first,
                 {0.204335108596671, 0.304335108596671, 0.404335108596671, 0.504335108596671, 0.604335108596671},
                 {0.11397727793437, 0.280338867408577, 0.0512132922271511, 0.170034118192417, 0.0844364442374856}},
      projection{entropic,
                 ascending,
                 10,
                 second,
                 torchsort_second,
                 {-0.433553924510284, -0.333553924510284, -0.233553924510284, -0.133553924510284, -0.0335539245102835},
                 {0.0318249359255077, 0.639220925609867, 0.142629467501557, 0.212778162230246, 0.473546508732822}},
  };
}();

/// What fast-soft-sort gives as the gradient of its entropic soft_sort of `first` at temperature 10.
inline constexpr five wrong_ascending{0.297021360060842, 0.362782708410798, 0.24318052180286, 0.328259369186519, 0.268756040538982};
inline constexpr five wrong_descending{0.297021360060842, 0.24318052180286, 0.362782708410798, 0.268756040538982, 0.328259369186519};

}  // namespace peers

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <array>
#include <cstddef>

/// The kernels of sorted exponential sums as sums of exponentials, f(d) = sum_k c_k exp(-k d), k = 1..K; see
/// sorted_sums.hpp. They are apart from it because kernels of a GPU use them too.
namespace rankloss::inline RANKLOSS_ABI::detail {

// Made by scripts/fit_terms.py.
// sigmoid_10: largest error 3.4e-08, sum of magnitudes 7.1
inline constexpr std::array<double, 10> sigmoid_10{
    0.9999999663218058,  -0.9999927367099676, 0.9997407557519792, -0.9963730029571488, 0.9737103062064862,
    -0.8866870239144095, 0.6842924427021907,  -0.394141217107043, 0.14360062781159563, -0.024150118105488883};
// sigmoid_16: largest error 8.4e-13, sum of magnitudes 11.3
inline constexpr std::array<double, 16> sigmoid_16{
    0.9999999999991555, -0.9999999995459642,  0.9999999594440216,   -0.9999985643393791,
    0.9999731933646061, -0.9996952760295473,  0.9977036377429389,   -0.9878709616477265,
    0.9533120305939146, -0.8651209457097244,  0.7002171860406318,   -0.4744689851938383,
    0.2509226150982578, -0.09513815184663595, 0.022705809073381343, -0.002541547044091828};
// slope_10: largest error 2.6e-07, sum of magnitudes 27.9
inline constexpr std::array<double, 10> slope_10{
    0.9999997353822991,  -1.9999424498338587, 2.9979276128916177,  -3.9707075359121493, 4.784942918754918,
    -5.0569990300564305, 4.307396772024092,   -2.6405265014001915, 1.0004696523843881,  -0.17256117423468686};
// curvature_12: largest error 8.2e-08, sum of magnitudes 225.2
inline constexpr std::array<double, 12> curvature_12{
    0.9999999175940982, -3.999974370513781,  8.998677990044802,  -15.973093508142659,
    24.7131686029192,   -34.154832295364194, 41.199915180652056, -41.00136336650516,
    31.25169954535466,  -16.67020274946169,  5.449403008346427,  -0.8133979549237542};
// slope_squared_12: largest error 1.2e-07, sum of magnitudes 225.8
inline constexpr std::array<double, 12> slope_squared_12{
    1.1909656460808743e-07, 0.9999626694779852, -3.9980585347713573, 9.960122147499533,
    -19.570241319979065,    32.19733030387838,  -43.93598295329553,  47.53040245771263,
    -38.281151285190596,    21.179006012343685, -7.09664471927114,   1.077755102498905};
// sigmoid_22: largest error 2.1e-17, sum of magnitudes 15.6
inline constexpr std::array<double, 22> sigmoid_22{1.0,
                                                   -0.9999999999999786,
                                                   0.9999999999964171,
                                                   -0.9999999997619619,
                                                   0.9999999916018936,
                                                   -0.9999998179019068,
                                                   0.9999973504675571,
                                                   -0.9999725835138433,
                                                   0.9997898256175866,
                                                   -0.9987700306864433,
                                                   0.9943787292697902,
                                                   -0.9795757523678659,
                                                   0.9401354224856653,
                                                   -0.8566269275673227,
                                                   0.715898317509703,
                                                   -0.5276243756074711,
                                                   0.32910005377612433,
                                                   -0.16627627925348412,
                                                   0.06462949396216698,
                                                   -0.017994686244326256,
                                                   0.0031776620613668625,
                                                   -0.0002663938436671962};
// slope_22: largest error 3.5e-16, sum of magnitudes 127.5
inline constexpr std::array<double, 22> slope_22{
    0.9999999999999997,   -1.9999999999996485,  2.999999999941209,  -3.99999999608625,
    4.9999998616287815,   -5.999996992806939,   6.999956134825597,  -7.999544805528038,
    8.996499039293512,    -9.979432757198442,   10.905565326734681, -11.654916717768913,
    11.981238683259848,   -11.537399360198824,  10.060470173883056, -7.65281889467126,
    4.885258319441684,    -2.5105327839261156,  0.9881678886530253, -0.27775414785589536,
    0.049406633413181335, -0.004165605034251679};
// curvature_22: largest error 5.6e-15, sum of magnitudes 1326.7
inline constexpr std::array<double, 22> curvature_22{
    0.9999999999999943,  -3.99999999999433,   8.999999999049432,   -15.999999936583098, 24.99999775273931,
    -35.999951039612405, 48.9992838704864,    -63.992545648354664, 80.94246296307689,   -99.66056125811568,
    119.43354399607067,  -138.23994367809678, 151.86032273815016,  -154.1454720845086,  139.91873521155483,
    -109.65170478506131, 71.54561316105325,   -37.36487750141042,  14.885134233069321,  -4.222291090814148,
    0.7563820799220417,  -0.06412898262088558};
// softplus_10: largest error 4.2e-09, sum of magnitudes 2.6
inline constexpr std::array<double, 10> softplus_10{
    0.9999999958273258,  -0.4999991069129459,   0.3333017047874908,  -0.24956144163726576,
    0.19685640261259965, -0.15331789990439273,  0.10645036620143997, -0.05733864755583213,
    0.02003769971124267, -0.0032818925697170186};
// softplus_22: largest error 1.3e-18, sum of magnitudes 3.4
inline constexpr std::array<double, 22> softplus_22{1.0,
                                                    -0.4999999999999987,
                                                    0.333333333333118,
                                                    -0.24999999998571948,
                                                    0.19999999949716743,
                                                    -0.16666665578677603,
                                                    0.1428569849246095,
                                                    -0.12499837006523465,
                                                    0.11109865381647542,
                                                    -0.09992735680800774,
                                                    0.09057850626173963,
                                                    -0.08213846617806912,
                                                    0.0734438316247483,
                                                    -0.0631661525448111,
                                                    0.05047521496308138,
                                                    -0.03597515194524097,
                                                    0.021895347881624005,
                                                    -0.010866290156813065,
                                                    0.0041683272490268255,
                                                    -0.0011492077943042864,
                                                    0.0002014196229515762,
                                                    -1.678734962160007e-05};
// slope_squared_22: largest error 1.5e-14, sum of magnitudes 2521.9
inline constexpr std::array<double, 22> slope_squared_22{
    1.480632862055554e-14, 0.9999999999850472, -3.999999997487539,  9.999999831988028,  -19.99999403146266,
    34.99986961494222,     -55.99808720542343, 83.98002203786919,   -119.8451954807536, 164.0825069408817,
    -215.74219696217133,   270.23494906288676, -316.67765843465054, 338.1302780797329,  -318.8916799127671,
    257.08975963777834,    -171.2823676857923, 90.8465617988679,    -36.61374007917482, 10.478502698441732,
    -1.8901699512033705,   0.16114003751284547};

/// The kernels for each type of scores, with enough terms for gradient errors below 2e-6 (float) and 1e-13
/// (double).
template <class T>
struct kernel_terms {
  static constexpr std::size_t count = 10;                        ///< terms of ranks and slopes
  static constexpr std::size_t hessian_count = 12;                ///< terms of the Hessian
  static constexpr const auto& sigmoid = sigmoid_10;              ///< sigmoid(-d)
  static constexpr std::size_t cut_count = 16;                    ///< terms of ranks at which a cut bends
  static constexpr const auto& cut_sigmoid = sigmoid_16;          ///< sigmoid(-d), of such ranks
  static constexpr const auto& slope = slope_10;                  ///< sigmoid'(d)
  static constexpr const auto& softplus = softplus_10;            ///< log(1 + exp(-d))
  static constexpr const auto& curvature = curvature_12;          ///< -sigmoid''(d)
  static constexpr const auto& slope_squared = slope_squared_12;  ///< sigmoid'(d)^2
  static constexpr double reach = 24.0;                           ///< exp(-reach) is nothing beside 1
};
template <>
struct kernel_terms<double> {
  static constexpr std::size_t count = 22;
  static constexpr std::size_t hessian_count = 22;
  static constexpr const auto& sigmoid = sigmoid_22;
  static constexpr std::size_t cut_count = 22;
  static constexpr const auto& cut_sigmoid = sigmoid_22;
  static constexpr const auto& slope = slope_22;
  static constexpr const auto& softplus = softplus_22;
  static constexpr const auto& curvature = curvature_22;
  static constexpr const auto& slope_squared = slope_squared_22;
  static constexpr double reach = 42.0;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail

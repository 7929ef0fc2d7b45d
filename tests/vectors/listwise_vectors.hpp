// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

/// Values and gradients that allegro/allRank (commit c884756, float32, mean over two lists) gives for two
/// lists of five, of which the second ends in two items of padding.
namespace allrank_listwise {

inline const std::vector<double> scores{0.6000000238418579,
                                        -0.30000001192092896,
                                        1.399999976158142,
                                        0.20000000298023224,
                                        0.8999999761581421,
                                        2.0,
                                        -1.0,
                                        0.5,
                                        0.10000000149011612,
                                        -0.699999988079071};
inline const std::vector<std::uint8_t> mask{1, 1, 1, 1, 1, 1, 1, 1, 0, 0};

struct vectors {
  std::vector<double> relevance;
  double value;
  std::array<double, 10> gradient;
};

inline const vectors listnet{
    {3, 0, 1, 2, 0, 1, 2, 0, -1, -1},
    2.073519229888916,
    {-0.22349649667739868, 0.02043365314602852, 0.15465204417705536, -0.055465951561927795,
     0.1038767546415329, 0.27043426036834717, -0.31306418776512146, 0.0426299013197422, 0.0, 0.0}};
/// Called binary_listNet there: relevance divided by its sum.
inline const vectors softmax_cross_entropy{
    {1, 0, 1, 0, 0, 1, 0, 0, -1, -1},
    0.7866860032081604,
    {-0.16154026985168457, 0.03596504032611847, -0.05312925949692726, 0.05929633602499962,
     0.11940814554691315, -0.10720150172710419, 0.019556285813450813, 0.08764519542455673, 0.0, 0.0}};
/// Without ties.
inline const vectors listmle{
    {3, 0, 1, 2, 4, 1, 2, 0, -1, -1},
    4.048205375671387,
    {-0.2953268885612488, 0.2220025658607483, 0.7152308225631714, -0.26131463050842285, -0.38059186935424805,
     0.3015857934951782, -0.48044371604919434, 0.1788579225540161, 0.0, 0.0}};

}  // namespace allrank_listwise

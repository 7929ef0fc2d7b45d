// SPDX-License-Identifier: BSL-1.0
#include <rankloss/listnet.hpp>
#include <rankloss/pointwise.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/xe_ndcg.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>
#include <vector>

namespace bench::item_losses {
namespace {

/// The losses of a few passes over the items of one long list, which are as fast as memory is: `stream` is
/// their yardstick.
template <class T, class Loss>
void add_loss(const std::string& name, const Loss& loss) {
  constexpr std::size_t n = 1000000;
  for (const wanted what : both_wanted)
    add<T>(name, std::to_string(n), to_string(what), [=](benchmark::State& state) {
      rankloss::context context;
      std::vector<T> gradient(what == wanted::gradient ? n : 0);
      measure(state, lists<T>(n, relevance::real), n, [&](const list_data<T>& list) {
        return rankloss::evaluate(loss,
                                  rankloss::list_batch<T>{.scores = list.scores, .relevance = list.relevance},
                                  {.gradient = gradient}, context);
      });
    });
}

template <class T>
void add_type() {
  add_loss<T>("softmax_cross_entropy", rankloss::softmax_cross_entropy{});
  add_loss<T>("listnet", rankloss::listnet{});
  add_loss<T>("xe_ndcg", rankloss::xe_ndcg{});
  add_loss<T>("pointwise_squared", rankloss::pointwise<rankloss::item_functions::squared>{});
  add_loss<T>("pointwise_smooth_l1", rankloss::pointwise<rankloss::item_functions::smooth_l1>{});
  add_loss<T>("pointwise_logistic", rankloss::pointwise<rankloss::item_functions::logistic>{});
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::item_losses

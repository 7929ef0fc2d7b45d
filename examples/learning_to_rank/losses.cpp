// SPDX-License-Identifier: BSL-1.0
#include "losses.hpp"
#include "../support/nearest.hpp"

#include <rankloss/approx_ndcg.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/pairwise.hpp>
#include <rankloss/pointwise.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/smooth_ap.hpp>
#include <rankloss/smooth_mrr.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/soft_spearman.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/unique_softmax.hpp>
#include <rankloss/xe_ndcg.hpp>

#include <algorithm>
#include <stdexcept>

namespace ranker {
namespace {

/// Erases the type of what `make` makes of a scale.
template <class Make>
std::function<list_loss(double)> of(Make make) {
  return [make](double scale) -> list_loss {
    return [loss = make(scale)](const rankloss::list_batch<float>& batch, const rankloss::outputs& out,
                                rankloss::context& context) {
      return rankloss::evaluate(loss, batch, out, context);
    };
  };
}

std::vector<loss_entry> make_table() {
  using namespace rankloss;
  using pairs::average;
  using hinge = pairwise<pairs::hinge>;
  const std::vector<double> ranks{0.1, 0.3, 1.0};  // temperatures of soft ranks
  const std::vector<double> gaps{0.5, 2.0, 8.0};   // of a function of a pair
  return {
      {"ranknet", gaps,
       of([](double t) { return ranknet{.function = {.temperature = t}, .average = average::pairs}; })},
      {"hinge", gaps,
       of([](double m) { return hinge{.function = {.margin = m}, .average = average::pairs}; })},
      {"lambdarank", gaps, of([](double t) { return lambdarank{.function = {.temperature = t}}; })},
      {"lambdarank_map", gaps, of([](double t) { return lambdarank_map{.function = {.temperature = t}}; })},
      {"ndcg_loss1", gaps, of([](double t) { return ndcg_loss1{.function = {.temperature = t}}; })},
      {"ndcg_loss2", gaps, of([](double t) { return ndcg_loss2{.function = {.temperature = t}}; })},
      {"ndcg_loss2_plus", gaps, of([](double t) { return ndcg_loss2_plus{.function = {.temperature = t}}; })},
      {"arp_loss1", gaps,
       of([](double t) { return arp_loss1{.function = {.temperature = t}, .average = average::pairs}; })},
      {"arp_loss2", gaps,
       of([](double t) { return arp_loss2{.function = {.temperature = t}, .average = average::pairs}; })},
      {"softmax_cross_entropy", gaps, of([](double t) { return softmax_cross_entropy{.temperature = t}; })},
      {"listnet", gaps, of([](double t) { return listnet{.temperature = t}; })},
      {"xe_ndcg", gaps, of([](double t) { return xe_ndcg{.temperature = t}; })},
      {"listmle", gaps, of([](double t) { return listmle{.temperature = t}; })},
      {"listmle_exact", gaps,
       of([](double t) { return listmle{.temperature = t, .ties = tie_order::exact}; })},
      {"unique_softmax", gaps, of([](double t) { return unique_softmax{.temperature = t}; })},
      {"pointwise_squared", {1.0}, of([](double) { return pointwise_squared{}; })},
      {"sndcg", ranks, of([](double t) { return sndcg{.temperature = t}; })},
      {"approx_ndcg", ranks, of([](double t) { return approx_ndcg{.temperature = t, .cutoff = 10}; })},
      {"neural_ndcg", ranks, of([](double t) { return neural_ndcg{.temperature = t}; })},
      {"smooth_ap", ranks, of([](double t) { return smooth_ap{.ranks = {.temperature = t}}; })},
      {"smooth_mrr", ranks, of([](double t) { return smooth_mrr{.ranks = {.temperature = t}}; })},
      {"soft_spearman", ranks, of([](double t) { return soft_spearman<>{.ranks = {.temperature = t}}; })},
  };
}

}  // namespace

const std::vector<loss_entry>& all_losses() {
  static const std::vector<loss_entry> table = make_table();
  return table;
}

std::vector<loss_entry> find_losses(std::string_view names) {
  if (names == "all") return all_losses();
  std::vector<std::string_view> wanted;
  for (std::size_t at = 0; at <= names.size();) {
    const std::size_t end = std::min(names.find(',', at), names.size());
    wanted.push_back(names.substr(at, end - at));
    at = end + 1;
  }
  for (const std::string_view name : wanted) {
    if (std::any_of(all_losses().begin(), all_losses().end(),
                    [&](const loss_entry& l) { return l.name == name; }))
      continue;
    std::string known;
    std::vector<std::string> words{"all"};
    for (const loss_entry& l : all_losses()) {
      known += l.name + ", ";
      words.push_back(l.name);
    }
    const std::string meant = examples::did_you_mean(name, words);
    throw std::runtime_error("--loss: no loss '" + std::string(name) + "'" +
                             (meant.empty() ? ", expected some of " + known + "or all" : meant));
  }
  std::vector<loss_entry> found;
  for (const loss_entry& l : all_losses())
    if (std::find(wanted.begin(), wanted.end(), l.name) != wanted.end()) found.push_back(l);
  return found;
}

}  // namespace ranker

// SPDX-License-Identifier: BSL-1.0
// Reads runs and their judgements, and prints every topic's measures as trec_eval names them: TOPIC MEASURE
// VALUE, one a line.
//
//     trec_eval LEVEL (all | judged) RUN QRELS [RUN QRELS ...]
//
// LEVEL is the least relevance of a relevant document; `judged` leaves documents without judgement out.
// trec_eval.py runs it.

#include <rankloss/data/trec.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/metrics/bpref.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/precision.hpp>
#include <rankloss/metrics/r_precision.hpp>
#include <rankloss/metrics/recall.hpp>
#include <rankloss/metrics/reciprocal_rank.hpp>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace metrics = rankloss::metrics;

constexpr std::size_t cutoffs[] = {1, 2, 3, 5, 10, 20, 1000};

template <class Metric>
void print(const Metric& metric, const rankloss::trec_lists& lists, const std::string& measure,
           rankloss::context& context) {
  std::vector<double> values(lists.topics.size());
  rankloss::evaluate(metric, lists.batch(), {.per_list = values}, context);
  for (std::size_t t = 0; t < values.size(); ++t)
    std::printf("%s %s %.17g\n", std::string(lists.topics[t]).c_str(), measure.c_str(), values[t]);
}

void print_all(const rankloss::trec_run& run, const rankloss::trec_qrels& qrels,
               rankloss::trec_join_options options, rankloss::context& context) {
  const rankloss::trec_lists lists = join(run, qrels, options);
  print(metrics::average_precision{}, lists, "map", context);
  print(metrics::reciprocal_rank{}, lists, "recip_rank", context);
  print(metrics::r_precision{}, lists, "Rprec", context);
  print(metrics::bpref{}, lists, "bpref", context);
  for (const std::size_t k : cutoffs) {
    const std::string at = "_" + std::to_string(k);
    print(metrics::average_precision{.cutoff = k}, lists, "map_cut" + at, context);
    print(metrics::precision{.cutoff = k}, lists, "P" + at, context);
    print(metrics::recall{.cutoff = k}, lists, "recall" + at, context);
    print(metrics::hit{.cutoff = k}, lists, "success" + at, context);
  }
  options.relevance_level = 0.0;  // trec_eval's ndcg takes all grades, whatever its -l
  const rankloss::trec_lists graded = join(run, qrels, options);
  print(metrics::ndcg{.gain = rankloss::gain::linear}, graded, "ndcg", context);
  for (const std::size_t k : cutoffs)
    print(metrics::ndcg{.gain = rankloss::gain::linear, .cutoff = k}, graded, "ndcg_cut_" + std::to_string(k),
          context);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 5 || count % 2 == 0) {
    std::fputs("usage: trec_eval LEVEL (all | judged) RUN QRELS [RUN QRELS ...]\n", stderr);
    return 2;
  }
  try {
    rankloss::context context;
    const rankloss::trec_join_options options{.ties = rankloss::trec_ties::by_name,
                                              .judged_only = std::string_view(arguments[2]) == "judged",
                                              .relevance_level = std::strtod(arguments[1], nullptr)};
    for (int i = 3; i < count; i += 2)
      print_all(rankloss::read_trec_run(arguments[i]), rankloss::read_trec_qrels(arguments[i + 1]), options,
                context);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}

// SPDX-License-Identifier: BSL-1.0
// Learning to rank with the list losses of the library; README.md says what to see here.
#include "../support/output_file.hpp"
#include "../support/program.hpp"
#include "../support/progress.hpp"
#include "data.hpp"
#include "losses.hpp"
#include "options.hpp"
#include "report.hpp"
#include "train.hpp"

#include <rankloss/context.hpp>
#include <rankloss/threads.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace ranker {
namespace {

std::string folder_of(const options& o) { return o.data.empty() ? o.shared_data : o.data; }

dataset load_data(const options& o) {
  const std::string folder = folder_of(o);
  if (o.set == "made") return make(o.train.seed);
  if (!o.set.empty()) {
    if (folder.empty())
      throw std::runtime_error(
          "--set " + o.set +
          ": no data, expected --data or the variable RANKLOSS_DATA to name a folder with " + o.set +
          " in it");
    return load(folder, o.set);
  }
  if (!o.data.empty() && !std::filesystem::is_directory(o.data))
    throw std::runtime_error(o.data + ": no such folder, expected one with mq2008 or clueweb09 in it");
  const std::vector<std::string> found = folder.empty() ? std::vector<std::string>{} : sets_in(folder);
  if (!found.empty()) return load(folder, found.front());
  // RANKLOSS_DATA serves all examples, so it need not hold what this one looks for.
  if (!o.data.empty())
    throw std::runtime_error("--data: neither mq2008 nor clueweb09 in " + o.data + ", expected one of them");
  return make(o.train.seed);
}

std::string model_name(const options& o, const dataset& data) {
  std::string widths = std::to_string(data.parts.front().features.cols());
  for (const std::size_t units : o.train.hidden) widths.append("-").append(std::to_string(units));
  return o.model + " " + widths + "-1";
}

void describe(const options& o, const dataset& data) {
  std::size_t all = 0, relevant = 0, items = 0, longest = 0;
  for (const lists& part : data.parts) {
    all += part.count();
    items += part.items();
    for (std::size_t q = 0; q < part.count(); ++q) {
      relevant += part.has_relevance(q) ? 1 : 0;
      longest = std::max(longest, part.offsets[q + 1] - part.offsets[q]);
    }
  }
  std::printf(
      "%s, %s: %zu lists of up to %zu items, %zu items in all, %td features brought to mean 0 and deviation 1 list by list\n",
      data.name.c_str(), data.about.c_str(), all, longest, items, data.parts.front().features.cols());
  std::printf(
      "%s, %zu of 5 folds (three parts to train on, one to stop by, one to measure on), %zu seed%s, measured on the %s lists\n",
      model_name(o, data).c_str(), o.folds, o.seeds, o.seeds == 1 ? "" : "s",
      o.on_validation ? "validation" : "test");
  std::printf(
      "Lists without a relevant item (%zu) are left out of all means; counted as 0 they would make every figure %.3f of what it is\n\n",
      all - relevant, static_cast<double>(relevant) / static_cast<double>(all));
  std::fflush(stdout);
}

/// A loss on one fold: with the first seed each of its settings is tried, the best on the validation lists then serves all seeds.
struct outcome {
  std::vector<std::vector<quality>> measured;  ///< [seed]
  setting chosen;
  double seconds = 0.0;
};

outcome run_one(const options& o, const loss_entry& loss, const fold& data, std::size_t fold_number,
                rankloss::context& context, examples::several_runs& progress) {
  outcome result;
  const lists& test = o.on_validation ? data.validation : data.test;
  const auto train_with = [&](const setting& with, std::size_t seed) {
    train_options how = o.train;
    how.seed += seed;
    how.rate = with.rate;
    char name[120];
    std::snprintf(name, sizeof name, "%s, fold %zu, seed %zu, scale %g, rate %g", loss.name.c_str(),
                  fold_number + 1, seed + 1, with.scale, with.rate);
    double seconds = 0.0;
    trained found = train(data, loss.make(with.scale), how, context, [&](const train_state& state) {
      seconds = state.seconds;
      char line[200];
      std::snprintf(line, sizeof line,
                    "%s: epoch %zu, loss %.4f, validation NDCG@10 %.2f (best %.2f), %.1f s", name,
                    state.epoch, state.loss, 100.0 * state.validation, 100.0 * state.best, state.seconds);
      progress.tell(line, state.epoch % 5 == 0);
    });
    result.seconds += seconds;
    progress.run_ends();
    return found;
  };
  double best = -1.0;
  for (const double scale : loss.scales)
    for (const double rate : o.rates) {
      const trained found = train_with({scale, rate}, 0);
      if (found.validation <= best) continue;
      best = found.validation;
      result.chosen = {scale, rate};
      result.measured = {measure(test, found.model(test.features), context)};
    }
  for (std::size_t s = 1; s < o.seeds; ++s)
    result.measured.push_back(measure(test, train_with(result.chosen, s).model(test.features), context));
  return result;
}

/// All scores equal: the mean over all orders.
std::vector<quality> chance(const lists& set, rankloss::context& context) {
  return measure(set, vector<float>::Zero(set.features.rows()), context);
}

/// The one feature that ranks the training lists best, rising or falling.
std::vector<quality> best_feature(const fold& data, const lists& test, rankloss::context& context) {
  double best = -1.0;
  Eigen::Index feature = 0;
  float sign = 1.0F;
  for (Eigen::Index f = 0; f < data.train.features.cols(); ++f)
    for (const float s : {1.0F, -1.0F}) {
      double sum = 0.0;
      for (const quality& q : measure(data.train, s * data.train.features.col(f), context))
        sum += q.values[quality::ndcg10];
      if (sum <= best) continue;
      best = sum;
      feature = f;
      sign = s;
    }
  return measure(test, sign * test.features.col(feature), context);
}

void run(const options& o) {
  examples::output_file csv(o.csv), picture(o.picture);  // refused now rather than after the training
  const dataset data = load_data(o);
  describe(o, data);
  std::vector<fold> folds;
  for (std::size_t f = 0; f < o.folds; ++f) folds.push_back(make_fold(data, f));

  // Tasks are independent: one thread each, with a context of its own.
  std::size_t trainings = 0;
  for (const loss_entry& l : o.losses)
    trainings += o.folds * (l.scales.size() * o.rates.size() + o.seeds - 1);
  rankloss::threads pool(o.threads > 0 ? o.threads : std::max(1U, std::thread::hardware_concurrency()));
  std::vector<rankloss::context> contexts(pool.workers());
  std::vector<outcome> outcomes(o.losses.size() * o.folds);
  examples::several_runs progress(o.verbose, trainings);
  pool.run(outcomes.size(), [&](std::size_t worker, std::size_t task) {
    const std::size_t f = task % o.folds;
    outcomes[task] = run_one(o, o.losses[task / o.folds], folds[f], f, contexts[worker], progress);
  });
  progress.clear();

  report r{.set = data.name,
           .model = model_name(o, data),
           .measured_on = o.on_validation ? "validation" : "test",
           .against = o.against};
  result by_chance{.name = "chance", .runs = {{}}};
  result by_feature{.name = "best feature", .runs = {{}}};
  for (const fold& f : folds) {
    const lists& test = o.on_validation ? f.validation : f.test;
    const auto add = [](result& to, const std::vector<quality>& more) {
      to.runs[0].insert(to.runs[0].end(), more.begin(), more.end());
    };
    add(by_chance, chance(test, contexts[0]));
    add(by_feature, best_feature(f, test, contexts[0]));
  }
  r.rows = {by_chance, by_feature};
  for (std::size_t l = 0; l < o.losses.size(); ++l) {
    result row{.name = o.losses[l].name, .runs = std::vector<std::vector<quality>>(o.seeds)};
    for (std::size_t f = 0; f < o.folds; ++f) {
      const outcome& one = outcomes[l * o.folds + f];
      for (std::size_t i = 0; i < o.seeds; ++i)
        row.runs[i].insert(row.runs[i].end(), one.measured[i].begin(), one.measured[i].end());
      row.seconds += one.seconds;
      ++row.chosen[one.chosen];
    }
    r.rows.push_back(std::move(row));
  }
  r.compare(o.resamples, o.train.seed);
  print_table(std::cout, r);
  if (csv.wanted()) write_csv(csv, r);
  if (picture.wanted()) write_picture(picture, r);
}

}  // namespace
}  // namespace ranker

int main(int argc, char** argv) {
  return examples::program("learning_to_rank", [&] {
    if (const auto options = ranker::parse(argc, argv)) ranker::run(*options);
  });
}

// SPDX-License-Identifier: BSL-1.0
// Label relevance ranking by LR2PPO's three stages and their alternatives; README.md says what to see here.
#include "../support/output_file.hpp"
#include "../support/program.hpp"
#include "../support/progress.hpp"
#include "data.hpp"
#include "options.hpp"
#include "report.hpp"
#include "stages.hpp"

#include <rankloss/context.hpp>
#include <rankloss/random.hpp>
#include <rankloss/threads.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace label_ranker {
namespace {

transfer load_data(const options& o) {
  const std::string folder = o.data.empty() ? o.shared_data : o.data;
  if (o.set == "made") return make(o.tune.seed);
  if (!o.set.empty()) {
    if (folder.empty())
      throw std::runtime_error(
          "--set " + o.set +
          ": no data, expected --data or the variable RANKLOSS_DATA to name a folder with it");
    return load(folder, o.set);
  }
  if (!o.data.empty() && !std::filesystem::is_directory(o.data))
    throw std::runtime_error(
        o.data +
        ": no such folder, expected one with movie_tags, mslr_web10k_sample and mq2008, or partial_label_ranking in it");
  const std::vector<std::string> found = folder.empty() ? std::vector<std::string>{} : sets_in(folder);
  if (!found.empty()) return load(folder, found.front());
  // RANKLOSS_DATA serves all examples, so it need not hold what this one looks for.
  if (!o.data.empty())
    throw std::runtime_error("--data: none of the sets is in " + o.data + " (--help names them)");
  return make(o.tune.seed);
}

/// An observer that tells of a run.
observer tells(examples::several_runs& all, std::string run) {
  return [&all, run = std::move(run)](const progress_state& state) {
    char line[256];
    int used = std::snprintf(line, sizeof line, "%s: epoch %zu, loss %.4f, validation %.2f", run.c_str(),
                             state.epoch, state.loss, 100.0 * state.validation);
    if (state.policy != nullptr && used > 0)
      std::snprintf(line + used, sizeof line - static_cast<std::size_t>(used),
                    "; KL %.5f, to the base %.4f, entropy %.3f, ratio %.3f, clipped %.2f",
                    state.policy->kl_k3, state.policy->reference_kl_k3, state.policy->entropy,
                    state.policy->mean_ratio, state.policy->clip_fraction);
    all.tell(line, true);
  };
}

/// What the stages of a seed start from.
struct beginning {
  std::optional<tuned> base;    ///< stage 1
  std::optional<tuned> reward;  ///< stage 2
  rankloss::ordered_pairs pairs;
};

/// One way to train, with one choice of its options.
struct variant {
  std::string chosen;
  std::function<tuned(const beginning&, const tune_options&, rankloss::context&, const observer&)> train;
};
struct method {
  std::string name;
  std::vector<variant> variants;
};

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", x);
  return text;
}

tune_options with(tune_options how, double rate) {
  how.rate = rate;
  return how;
}

std::vector<method> methods_for(const transfer& data) {
  std::vector<method> all;
  method& direct = all.emplace_back(method{"base + pairs", {}});
  for (const double rate : {3e-4, 1e-3, 3e-3})
    direct.variants.push_back(
        {"rate " + number(rate), [&data, rate](const beginning& from, const tune_options& how,
                                               rankloss::context& context, const observer& tell) {
           return tune_by_pairs(from.base->model, data.target, from.pairs, data.target_validation,
                                with(how, rate), context, tell);
         }});
  for (const rankloss::lr2ppo_form form :
       {rankloss::lr2ppo_form::published, rankloss::lr2ppo_form::corrected}) {
    method& paper = all.emplace_back(
        method{form == rankloss::lr2ppo_form::published ? "LR2PPO published" : "LR2PPO corrected", {}});
    for (const double margin : {0.01, 0.3})
      for (const double rate : {1e-4, 3e-4, 1e-3})
        paper.variants.push_back(
            {"margin " + number(margin) + ", rate " + number(rate),
             [&data, form, margin, rate](const beginning& from, const tune_options& how,
                                         rankloss::context& context, const observer& tell) {
               const lr2ppo_options options{.loss = {.form = form, .margin = margin}};
               return tune_by_lr2ppo(from.base->model, from.reward->model, data.target,
                                     data.target_validation, options, with(how, rate), context, tell);
             }});
  }
  method& orders = all.emplace_back(method{"PPO Plackett-Luce", {}});
  for (const double kl : {0.0, 0.03})
    for (const double rate : {1e-4, 3e-4, 1e-3})
      orders.variants.push_back({"KL " + number(kl) + ", rate " + number(rate),
                                 [&data, kl, rate](const beginning& from, const tune_options& how,
                                                   rankloss::context& context, const observer& tell) {
                                   plackett_luce_options options;
                                   options.loss.kl_coefficient = kl;
                                   return tune_by_ppo(from.base->model, from.reward->model, data.target,
                                                      data.target_validation, options, with(how, rate),
                                                      context, tell);
                                 }});
  method& grades = all.emplace_back(method{"all target grades", {}});
  for (const double rate : {3e-4, 1e-3, 3e-3})
    grades.variants.push_back(
        {"rate " + number(rate), [&data, rate](const beginning& from, const tune_options& how,
                                               rankloss::context& context, const observer& tell) {
           return tune_by_grades(from.base->model, data.target, data.target_validation, with(how, rate),
                                 context, tell);
         }});
  return all;
}

/// Stages 1 and 2, which the methods share.
method base_stage(const transfer& data) {
  method stage{"base", {}};
  for (const double rate : {1e-3, 3e-3})
    stage.variants.push_back(
        {"rate " + number(rate), [&data, rate](const beginning&, const tune_options& how,
                                               rankloss::context& context, const observer& tell) {
           return tune_by_grades(new_scorer(data.source, how), data.source, data.source_validation,
                                 with(how, rate), context, tell);
         }});
  return stage;
}
method reward_stage(const transfer& data) {
  method stage{"reward model", {}};
  for (const double margin : {0.01, 1.0})
    for (const double rate : {3e-4, 1e-3})
      stage.variants.push_back({"margin " + number(margin) + ", rate " + number(rate),
                                [&data, margin, rate](const beginning& from, const tune_options& how,
                                                      rankloss::context& context, const observer& tell) {
                                  return train_reward(data.target, from.pairs, data.target_validation, margin,
                                                      with(how, rate), context, tell);
                                }});
  return stage;
}

/// So many of the pairs of different grades, the same number of each list as near as may be, all gaps between grades alike.
rankloss::ordered_pairs known_pairs(const lists& set, std::size_t budget, std::uint64_t seed) {
  const auto order = rankloss::partial_order::from_grades(set.offsets, set.grades);
  const std::size_t per_list = (budget + set.count() - 1) / set.count();
  rankloss::ordered_pairs all = order.sample_pairs(per_list, seed, rankloss::pair_balance::by_level_gap);
  std::vector<std::size_t> which(all.preferred.size());
  std::iota(which.begin(), which.end(), std::size_t{0});
  rankloss::random_stream(seed, 7).shuffle(which);
  which.resize(std::min(which.size(), budget));
  rankloss::ordered_pairs some;
  for (const std::size_t k : which) {
    some.preferred.push_back(all.preferred[k]);
    some.other.push_back(all.other[k]);
  }
  return some;
}

void describe(const options& o, const transfer& data, std::size_t pairs) {
  const auto size = [](const lists& set) {
    return std::to_string(set.count()) + " lists (" + std::to_string(set.items()) + " items)";
  };
  std::printf("%s, %s\n%s\n", data.name.c_str(), data.about.c_str(), data.split.c_str());
  std::printf(
      "Source: %s to learn from, %s to stop by. Target: %zu pairs of %s, %s to choose by, %s to measure on\n",
      size(data.source).c_str(), size(data.source_validation).c_str(), pairs, size(data.target).c_str(),
      size(data.target_validation).c_str(), size(data.target_test).c_str());
  std::printf(
      "%td features, %zu seed%s, measured on the %s lists; lists whose items are all of one grade are left out\n\n",
      data.source.features.cols(), o.seeds, o.seeds == 1 ? "" : "s", o.on_validation ? "validation" : "test");
  std::fflush(stdout);
}

void run(const options& o) {
  using clock = std::chrono::steady_clock;
  examples::output_file csv(o.csv), picture(o.picture);  // refused now rather than after the training
  const transfer data = load_data(o);
  for (const lists* set :
       {&data.source, &data.source_validation, &data.target, &data.target_validation, &data.target_test})
    if (set->count() == 0)
      throw std::runtime_error(data.name + ": too few lists for the five parts of the split");

  std::vector<beginning> from(o.seeds);
  for (std::size_t s = 0; s < o.seeds; ++s)
    from[s].pairs = known_pairs(data.target, o.pairs, o.tune.seed + s);
  if (from[0].pairs.preferred.empty())
    throw std::runtime_error(data.name + ": no two items of different grades in the target lists");
  describe(o, data, from[0].pairs.preferred.size());

  const method base = base_stage(data), reward = reward_stage(data);
  const std::vector<method> methods = methods_for(data);
  std::size_t runs = base.variants.size() + reward.variants.size() + (o.seeds - 1) * (methods.size() + 2);
  for (const method& m : methods) runs += m.variants.size();
  rankloss::threads pool(o.threads > 0 ? o.threads : std::max(1U, std::thread::hardware_concurrency()));
  std::vector<rankloss::context> contexts(pool.workers());
  examples::several_runs told(o.verbose, runs);

  /// A run: its method, its variant, its seed, and what came of it.
  struct task {
    const method* of;
    std::size_t variant, seed;
    std::optional<tuned> found{};
    double seconds = 0.0;
  };
  const auto train = [&](std::vector<task> tasks) {
    pool.run(tasks.size(), [&](std::size_t worker, std::size_t t) {
      task& one = tasks[t];
      tune_options how = o.tune;
      how.seed += one.seed;
      const variant& v = one.of->variants[one.variant];
      const auto begin = clock::now();
      one.found =
          v.train(from[one.seed], how, contexts[worker],
                  tells(told, one.of->name + ", seed " + std::to_string(one.seed + 1) + ", " + v.chosen));
      one.seconds = std::chrono::duration<double>(clock::now() - begin).count();
      told.run_ends();
    });
    return tasks;
  };
  const auto all_variants = [](const method& m, std::vector<task>& to) {
    for (std::size_t v = 0; v < m.variants.size(); ++v) to.push_back({&m, v, 0});
  };
  const auto best_of = [](const std::vector<task>& tasks, const method& m) {
    const task* best = nullptr;
    for (const task& t : tasks)
      if (t.of == &m && (best == nullptr || t.found->validation > best->found->validation)) best = &t;
    return *best;
  };

  // The first seed chooses, by validation lists alone; then every seed goes through the stages with what was chosen.
  std::vector<task> tasks;
  all_variants(base, tasks);
  all_variants(reward, tasks);
  tasks = train(tasks);
  const task base_choice = best_of(tasks, base), reward_choice = best_of(tasks, reward);
  std::vector<task> others;
  for (std::size_t s = 1; s < o.seeds; ++s)
    for (const task* choice : {&base_choice, &reward_choice})
      others.push_back({choice->of, choice->variant, s});
  others = train(others);
  from[0].base = base_choice.found;
  from[0].reward = reward_choice.found;
  for (const task& t : others) (t.of == &base ? from[t.seed].base : from[t.seed].reward) = t.found;

  std::vector<task> first;
  for (const method& m : methods) all_variants(m, first);
  first = train(first);
  std::vector<task> rest;
  for (const method& m : methods)
    for (std::size_t s = 1; s < o.seeds; ++s) rest.push_back({&m, best_of(first, m).variant, s});
  rest = train(rest);
  told.clear();

  const lists& measured = o.on_validation ? data.target_validation : data.target_test;
  const auto quality_of = [&](const net<float>& model) {
    return measure(measured, model(measured.features), contexts[0]);
  };
  report r{.set = data.name};
  const auto seconds_of = [](const std::vector<task>& some, const method& m) {
    double sum = 0.0;
    for (const task& t : some)
      if (t.of == &m) sum += t.seconds;
    return sum;
  };
  result& base_row = r.rows.emplace_back(result{.name = "base"});
  base_row.chosen = base.variants[base_choice.variant].chosen;
  base_row.seconds = seconds_of(tasks, base) + seconds_of(others, base);
  for (const beginning& b : from) base_row.runs.push_back(quality_of(b.base->model));
  for (const method& m : methods) {
    result row{.name = m.name};
    const task choice = best_of(first, m);
    row.chosen = m.variants[choice.variant].chosen;
    row.seconds = seconds_of(first, m) + seconds_of(rest, m);
    row.runs.push_back(quality_of(choice.found->model));
    for (const task& t : rest)
      if (t.of == &m) row.runs.push_back(quality_of(t.found->model));
    r.rows.push_back(std::move(row));
  }
  if (!data.truth.empty() && !o.on_validation)
    r.rows.push_back(
        {.name = "the truth",
         .runs = {measure(measured,
                          Eigen::Map<const vector<float>>(data.truth.data(), measured.features.rows()),
                          contexts[0])}});
  r.rows.push_back({.name = "chance",
                    .runs = {measure(measured, vector<float>::Zero(measured.features.rows()), contexts[0])}});
  r.compare(o.resamples, o.tune.seed);
  print_table(std::cout, r);

  double accuracy = 0.0;
  for (std::size_t s = 0; s < o.seeds; ++s) {
    const auto held_out = rankloss::partial_order::from_grades(measured.offsets, measured.grades)
                              .sample_pairs(50, o.tune.seed + s);
    accuracy += reward_accuracy(from[s].reward->model, measured, held_out) / static_cast<double>(o.seeds);
  }
  std::printf("\nThe reward model (%s) tells %.1f %% of the pairs right\n",
              reward.variants[reward_choice.variant].chosen.c_str(), 100.0 * accuracy);
  if (csv.wanted()) write_csv(csv, r);
  if (picture.wanted()) write_picture(picture, r);
}

}  // namespace
}  // namespace label_ranker

int main(int argc, char** argv) {
  return examples::program("label_relevance_ranking", [&] {
    if (const auto options = label_ranker::parse(argc, argv)) label_ranker::run(*options);
  });
}

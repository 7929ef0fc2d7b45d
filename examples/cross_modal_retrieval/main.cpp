// SPDX-License-Identifier: BSL-1.0
// Cross-modal retrieval with ranking losses, NeuralNDCG among them; README.md says what to see here.
#include "../support/cca.hpp"
#include "../support/program.hpp"
#include "../support/progress.hpp"
#include "../support/train_towers.hpp"
#include "data.hpp"
#include "losses.hpp"
#include "options.hpp"
#include "report.hpp"

#include <rankloss/context.hpp>
#include <rankloss/random.hpp>
#include <rankloss/threads.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace cross_modal {
namespace {

using examples::two_towers;

dataset load_data(const options& o) {
  const std::string folder = o.data.empty() ? o.shared_data : o.data;
  if (!o.data.empty() && !std::filesystem::is_directory(o.data))
    throw std::runtime_error(o.data +
                             ": no such folder, expected one with wikipedia, flickr8k_clip or emoji in it");
  const std::vector<std::string> found = folder.empty() ? std::vector<std::string>{} : sets_in(folder);
  if (!o.set.empty() && (o.set != "emoji" || !found.empty())) {
    if (folder.empty())
      throw std::runtime_error(
          "--set " + o.set +
          ": no data, expected --data or the variable RANKLOSS_DATA to name a folder with it");
    return load(folder, o.set, o.topics);
  }
  if (o.set.empty() && !found.empty()) return load(folder, found.front(), o.topics);
  // RANKLOSS_DATA serves all examples, so it need not hold what this one looks for.
  if (!o.data.empty())
    throw std::runtime_error(o.data +
                             ": holds none of wikipedia, flickr8k_clip and emoji, expected one of them");
  return load(examples::data_beside_program(RANKLOSS_EXAMPLE_DATA), "emoji", o.topics);
}

/// CCA with one choice of its options; no hidden layers.
struct cca_choice {
  double ridge, power;
};
two_towers cca_alone(const examples::cca& fit) {
  const rankloss::random_stream unused(0, 0);
  return {examples::head<float>(fit.images, 0, unused), examples::head<float>(fit.captions, 0, unused)};
}
two_towers towers_at_start(const options& o, const documents& train, const examples::cca& fit,
                           std::uint64_t seed) {
  const rankloss::random_stream for_images(seed, 2);
  const rankloss::random_stream for_texts(seed, 3);
  if (o.start == start::cca)
    return {examples::head<float>(fit.images, o.hidden, for_images),
            examples::head<float>(fit.captions, o.hidden, for_texts)};
  const auto shape = [&](const matrix<float>& features) {
    return examples::head<float>::shape{.features = static_cast<std::size_t>(features.cols()),
                                        .outputs = o.dimensions,
                                        .hidden = o.hidden,
                                        .linear = false};
  };
  return {examples::head<float>(shape(train.images), for_images),
          examples::head<float>(shape(train.captions), for_texts)};
}

/// A set to train on and one to measure on, with what all runs share.
struct stage {
  const documents& train;
  const documents& test;
  examples::cca fit;
  std::vector<float> grades;
  std::vector<std::size_t> classes;
  std::vector<std::size_t> own;
  evaluator measure;

  stage(const documents& from, const documents& on, const options& o, const cca_choice& c)
      : train(from),
        test(on),
        fit(examples::fit_cca(from.images, from.captions, o.dimensions, c.ridge, c.power)),
        grades(from.grades()),
        classes(from.classes()),
        own(from.image_count()),
        measure(on) {
    std::iota(own.begin(), own.end(), std::size_t{0});
  }
  [[nodiscard]] quality of(const two_towers& towers, rankloss::context& context) const {
    return measure(towers.images.unit(test.images), towers.captions.unit(test.captions), context);
  }
};

struct task {
  const stage* on;
  const named_loss* loss;
  double temperature, rate;
  std::uint64_t seed;
  bool curve = false;
  quality found{};
  std::vector<double> curve_found{};
  double seconds = 0.0;
};

void train(task& t, const options& o, rankloss::context& context, const std::function<void()>& tell) {
  two_towers towers = towers_at_start(o, t.on->train, t.on->fit, t.seed);
  examples::train_options how = o.train;
  how.seed = t.seed;
  how.rate = t.rate;
  loss_options of_loss = o.loss;
  of_loss.seed = t.seed;
  const auto measured = [&] { return t.on->of(towers, context); };
  if (t.curve) t.curve_found.push_back(measured().map());
  examples::train_towers(towers, t.on->train, t.loss->own_pairs ? t.on->own : t.on->classes,
                         t.loss->own_pairs ? std::vector<float>{} : t.on->grades,
                         t.loss->make(t.temperature, of_loss), how, context,
                         [&](const examples::train_state& state) {
                           t.seconds = state.seconds;
                           tell();
                           if (t.curve && state.epoch_ends) t.curve_found.push_back(measured().map());
                         });
  t.found = measured();
}

/// Runs tasks on all threads and tells how far it is.
class runner {
 public:
  runner(const options& o, std::size_t runs)
      : options_(o),
        pool_(o.threads > 0 ? o.threads : std::max(1U, std::thread::hardware_concurrency())),
        contexts_(pool_.workers()),
        progress_(false, runs) {}

  void operator()(std::vector<task>& tasks) {
    pool_.run(tasks.size(), [&](std::size_t worker, std::size_t t) {
      task& one = tasks[t];
      char line[160];
      std::snprintf(line, sizeof line, "%s, temperature %g, rate %g, seed %llu", one.loss->name.c_str(),
                    one.temperature, one.rate, static_cast<unsigned long long>(one.seed));
      train(one, options_, contexts_[worker], [&] { progress_.tell(line, false); });
      progress_.run_ends();
    });
  }
  [[nodiscard]] rankloss::context& context() { return contexts_.front(); }
  void clear() { progress_.clear(); }

 private:
  const options& options_;
  rankloss::threads pool_;
  std::vector<rankloss::context> contexts_;
  examples::several_runs progress_;
};

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", x);
  return text;
}

void run(const options& o) {
  examples::output_file csv(o.csv), picture(o.picture);  // refused now rather than after the training
  const dataset data = load_data(o);
  std::vector<const named_loss*> losses;
  for (const named_loss& loss : all_losses())
    if (std::find(o.losses.begin(), o.losses.end(), loss.name) != o.losses.end()) losses.push_back(&loss);

  std::cout << data.name << ": " << data.train.image_count() << " images with " << data.train.caption_count()
            << " texts to train on, " << data.test.image_count() << " with " << data.test.caption_count()
            << " to test on\nRelevance: " << data.grades
            << ". mAP and R@k count all that is above 0, NDCG@10 (N@10) goes by the grade\nStart: "
            << (o.start == start::cca ? "CCA" : "random") << ". Options chosen by mAP on "
            << number(100.0 * o.hold_out) << " % of the training images, then trained on all of them; "
            << o.seeds << (o.seeds == 1 ? " seed\n\n" : " seeds\n\n") << std::flush;

  const auto [rest, held] = examples::hold_out(data.train, o.hold_out, o.train.seed);
  const std::size_t grid = o.temperatures.size() * o.rates.size();
  runner go(o, losses.size() * (grid + o.seeds));

  // CCA has options too, and they are chosen as those of the losses are.
  report r{.set = data.name};
  cca_choice best{0.5, 1.0};
  result cca_row{.name = "CCA", .baseline = true, .validation = -1.0};
  for (const double ridge : {0.01, 0.1, 0.5})
    for (const double power : {0.0, 1.0}) {
      const stage tried(rest, held, o, {ridge, power});
      const double found = tried.of(cca_alone(tried.fit), go.context()).map();
      if (found <= cca_row.validation) continue;
      cca_row.validation = found;
      cca_row.chosen = "ridge " + number(ridge) + ", power " + number(power);
      best = {ridge, power};
    }
  const stage choosing(rest, held, o, best);
  const stage testing(data.train, data.test, o, best);
  r.rows.push_back({.name = "chance", .runs = {testing.measure.chance(go.context())}});
  cca_row.runs.push_back(testing.of(cca_alone(testing.fit), go.context()));
  r.rows.push_back(std::move(cca_row));

  std::vector<task> first;
  for (const named_loss* loss : losses)
    for (const double temperature : o.temperatures)
      for (const double rate : o.rates) first.push_back({&choosing, loss, temperature, rate, o.train.seed});
  go(first);
  std::vector<task> second;
  for (std::size_t l = 0; l < losses.size(); ++l) {
    const auto from = first.begin() + static_cast<std::ptrdiff_t>(l * grid);
    const auto chosen =
        std::max_element(from, from + static_cast<std::ptrdiff_t>(grid),
                         [](const task& a, const task& b) { return a.found.map() < b.found.map(); });
    result row{.name = losses[l]->name, .baseline = losses[l]->baseline, .validation = chosen->found.map()};
    const bool margin = row.name.starts_with("triplet");
    row.chosen = (margin ? "margin " : "temperature ") + number(chosen->temperature) + ", rate " +
                 number(chosen->rate);
    r.rows.push_back(std::move(row));
    for (std::size_t s = 0; s < o.seeds; ++s)
      second.push_back({&testing, losses[l], chosen->temperature, chosen->rate, o.train.seed + s,
                        s == 0 && !o.picture.empty()});
  }
  go(second);
  go.clear();
  for (std::size_t t = 0; t < second.size(); ++t) {
    result& row = r.rows[2 + t / o.seeds];
    row.runs.push_back(std::move(second[t].found));
    row.seconds += second[t].seconds / static_cast<double>(o.seeds);
    if (second[t].curve) row.curve = std::move(second[t].curve_found);
  }
  r.compare(o.resamples, o.train.seed);
  print_table(std::cout, r);
  if (csv.wanted()) write_csv(csv, r);
  if (picture.wanted()) write_picture(picture, r);
}

}  // namespace
}  // namespace cross_modal

int main(int argc, char** argv) {
  return examples::program("cross_modal_retrieval", [&] {
    if (const auto options = cross_modal::parse(argc, argv)) cross_modal::run(*options);
  });
}

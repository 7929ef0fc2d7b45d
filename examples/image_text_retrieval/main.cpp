// SPDX-License-Identifier: BSL-1.0
// Image-text retrieval with two towers on frozen features; README.md says what to see here.
#include "../support/cca.hpp"
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
#include <string>
#include <thread>
#include <vector>

namespace retrieval {
namespace {

dataset load_data(const options& o) {
  if (!o.data.empty()) return load(o.data);
  // RANKLOSS_DATA serves all examples, so it need not hold what this one looks for.
  return load(has_set(o.shared_data) ? std::filesystem::path(o.shared_data)
                                     : examples::data_beside_program(RANKLOSS_EXAMPLE_DATA));
}

std::vector<float> grades_to_learn(const options& o, const pairs& train, rankloss::context& context) {
  return o.relevance == relevance::matches ? std::vector<float>{} : caption_relevance(train, context);
}

two_towers towers_at_start(const options& o, const pairs& train, const examples::cca& fit,
                           std::uint64_t seed) {
  const rankloss::random_stream for_images(seed, 2);
  const rankloss::random_stream for_captions(seed, 3);
  if (o.start == start::cca)
    return {head<float>(fit.images, o.image_hidden, for_images),
            head<float>(fit.captions, o.text_hidden, for_captions)};
  const auto shape = [&](const matrix<float>& features, std::size_t hidden) {
    return head<float>::shape{.features = static_cast<std::size_t>(features.cols()),
                              .outputs = o.dimensions,
                              .hidden = hidden,
                              .linear = hidden == 0};
  };
  return {head<float>(shape(train.images, o.image_hidden), for_images),
          head<float>(shape(train.captions, o.text_hidden), for_captions)};
}

std::string progress_line(const named_loss& loss, const train_state& state, const options& o, std::size_t run,
                          std::size_t runs) {
  const double rate = static_cast<double>(state.pairs) / state.seconds;
  const double left = static_cast<double>(state.pairs_in_all * (runs - run) - state.pairs) / rate;
  char text[160];
  std::snprintf(text, sizeof text, "run %zu of %zu, %s left; %s: epoch %zu of %zu, loss %.4f, %.0f pairs/s",
                run + 1, runs, examples::duration_text(left).c_str(), loss.name.c_str(), state.epoch,
                o.train.epochs, state.loss, rate);
  return text;
}

void run(const options& o) {
  curve curve(o.csv, o.picture);
  query_table queries(o.queries);
  dataset data = load_data(o);
  if (!o.rsc.empty()) data.train.sentences = read_sentences(o.rsc, data.train);
  if (o.hold_out > 0.0) data = hold_out(data, o.hold_out, o.train.seed);
  const std::size_t threads = o.threads > 0 ? o.threads : std::max(1U, std::thread::hardware_concurrency());
  rankloss::context context{rankloss::threads(threads)};

  std::cout << data.name << ": " << data.train.image_count() << " images with " << data.train.caption_count()
            << " captions to train on, " << data.test.image_count() << " with " << data.test.caption_count()
            << " to test on\n"
            << "NDCG by " << data.grades << "\n\n"
            << std::flush;

  const evaluator measure(data.test, context);
  const auto measured = [&](const two_towers& towers) {
    return measure(towers.images.unit(data.test.images), towers.captions.unit(data.test.captions));
  };
  const examples::cca fit =
      examples::fit_cca(data.train.images, data.train.captions, o.dimensions, o.ridge, 1.0);
  options linear = o;
  linear.start = start::cca;
  linear.image_hidden = linear.text_hidden = 0;
  const two_towers cca_alone = towers_at_start(linear, data.train, fit, o.train.seed);
  std::vector<result> results{{"chance", {measure.chance()}, {}}};
  results.push_back({"CCA", {measured(cca_alone)}, {}});

  const std::vector<named_loss> chosen = chosen_losses(o.losses);
  const bool graded = std::any_of(chosen.begin(), chosen.end(), [](const named_loss& l) { return l.graded; });
  const std::vector<float> no_grades;
  const std::vector<float> grades = graded ? grades_to_learn(o, data.train, context) : no_grades;
  const std::size_t runs = chosen.size() * o.seeds;
  examples::progress progress;
  for (const named_loss& loss : chosen) {
    result trained{.name = loss.name, .runs = {}, .seconds = {}};
    rankloss::context scratch{rankloss::threads(threads)};  // of its own, so that what it needs can be told
    for (std::size_t s = 0; s < o.seeds; ++s) {
      train_options how = o.train;
      how.seed += s;
      two_towers towers = towers_at_start(o, data.train, fit, how.seed);
      double seconds = 0.0;
      const std::size_t run = (results.size() - 2) * o.seeds + s;
      const loss_of_run now = loss.make(o.loss);
      train(towers, data.train, loss.graded ? grades : no_grades, now.loss, how, scratch,
            [&](const train_state& state) {
              seconds = state.seconds;
              if (progress.due()) progress.show(progress_line(loss, state, o, run, runs));
              if (curve.wanted() && state.epoch_ends)
                curve.add(loss.option, how.seed, state.epoch, state.seconds, state.loss, measured(towers));
            });
      trained.runs.push_back(measured(towers));
      if (queries.wanted())
        queries.add(loss.option, how.seed,
                    measure.of_queries(towers.images.unit(data.test.images),
                                       towers.captions.unit(data.test.captions)));
      trained.seconds.push_back(seconds);
      if (now.learned) trained.learned.push_back(*now.learned);
    }
    trained.scratch = scratch.scratch_capacity();
    results.push_back(std::move(trained));
  }
  progress.clear();
  print_table(std::cout, results, o.resamples, o.train.seed);
  queries.keep();
  curve.keep(data.name, results[1].mean(quality::rsum));
}

}  // namespace
}  // namespace retrieval

int main(int argc, char** argv) {
  return examples::program("image_text_retrieval", [&] {
    if (const auto options = retrieval::parse(argc, argv)) retrieval::run(*options);
  });
}

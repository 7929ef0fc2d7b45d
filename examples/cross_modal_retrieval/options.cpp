// SPDX-License-Identifier: BSL-1.0
#include "options.hpp"
#include "../support/cli.hpp"
#include "data.hpp"

#include <algorithm>
#include <cstdlib>

namespace cross_modal {

std::optional<options> parse(int argc, char** argv) {
  options o;
  CLI::App app;
  examples::describe(
      app, "cross_modal_retrieval",
      "Learns to find texts for images and images for texts with ranking losses, NeuralNDCG among them, and "
      "compares them with contrastive, triplet and CCA baselines.",
      "cross_modal_retrieval --loss contrastive smooth_ap --seeds 5 --csv table.csv --picture curves.gp",
      "1572 emoji come along and are used unless --data or the variable RANKLOSS_DATA names a folder with "
      "wikipedia, flickr8k_clip or emoji in it; the example's README.md says what these hold.");

  examples::section(app, "What is trained and measured");
  app.add_option("--data", o.data, "folder with wikipedia, flickr8k_clip or emoji in it")->type_name("DIR");
  app.add_option("--set", o.set, "which set of the folder; unless given, the first that is there")
      ->check(examples::one_of(known_sets()));
  std::string grades = "categories";
  app.add_option(
         "--grades", grades,
         "what grades the texts of Wikipedia: the category, or within it the topics of the texts as well")
      ->check(examples::one_of({"categories", "topics"}))
      ->capture_default_str();
  std::vector<std::string> names;
  for (const named_loss& loss : all_losses()) names.push_back(loss.name);
  names.emplace_back("all");
  app.add_option(
         "--loss", o.losses,
         "what to train with, one or more; unless given, all but neural_ndcg_stochastic, which takes long")
      ->check(examples::one_of(names));
  app.add_option("--seeds", o.seeds, "train with so many seeds, from --seed on, and show mean and deviation")
      ->check(examples::between(1, 1000))
      ->capture_default_str();
  app.add_option("--threads", o.threads, "0: as many as the machine has; the results do not depend on it")
      ->check(examples::between(0, 256))
      ->capture_default_str();
  app.add_option("--resamples", o.resamples, "draws of the test images, for the intervals")
      ->check(examples::between(100, 10000000))
      ->capture_default_str();
  examples::add_files(app, o.csv, "the table", o.picture, "learning curves and precision-recall curves");

  examples::section(app, "The heads");
  std::string start_name = "cca";
  app.add_option("--start", start_name, "where the heads start")
      ->check(examples::one_of({"cca", "random"}))
      ->capture_default_str();
  app.add_option("--dims", o.dimensions, "dimensions of the joint space, at most")
      ->check(examples::between(1, 4096))
      ->capture_default_str();
  app.add_option("--hidden", o.hidden, "units of the hidden layer of each head")
      ->check(examples::between(1, 65536))
      ->capture_default_str();

  examples::section(app, "Training");
  app.add_option("--hold-out", o.hold_out, "share of the training images by which the options are chosen")
      ->check(examples::between(0.01, 0.9))
      ->capture_default_str();
  app.add_option("--temperatures", o.temperatures,
                 "to choose from, for every loss; of triplet losses, the margin")
      ->check(examples::between(1e-6, 1e3))
      ->capture_default_str();
  app.add_option("--rates", o.rates, "of Adam at the start, to choose from, for every loss")
      ->check(examples::between(1e-9, 10.0))
      ->capture_default_str();
  app.add_option("--epochs", o.train.epochs, "passes over the texts")
      ->check(examples::between(1, 100000))
      ->capture_default_str();
  app.add_option("--batch", o.train.batch, "texts a step; 0: all")
      ->check(examples::between(0, 10000000))
      ->capture_default_str();
  app.add_option("--noise", o.loss.noise, "of the stochastic form, in units of the cosines")
      ->check(examples::between(0.0, 100.0))
      ->capture_default_str();
  app.add_option("--samples", o.loss.samples, "of that noise")
      ->check(examples::between(1, 10000))
      ->capture_default_str();
  app.add_option("--seed", o.train.seed,
                 "of the order of the texts, the hidden layers, the split and the noise")
      ->check(examples::any_seed())
      ->capture_default_str();

  if (!examples::parse(app, argc, argv)) return std::nullopt;
  const bool all = std::find(o.losses.begin(), o.losses.end(), "all") != o.losses.end();
  if (o.losses.empty() || all) {
    const bool none = o.losses.empty();
    o.losses.clear();
    for (const named_loss& loss : all_losses())
      if (!none || loss.name != "neural_ndcg_stochastic") o.losses.push_back(loss.name);
  }
  o.start = start_name == "cca" ? start::cca : start::random;
  o.topics = grades == "topics";
  if (const char* folder = std::getenv("RANKLOSS_DATA")) o.shared_data = folder;
  return o;
}

}  // namespace cross_modal

// SPDX-License-Identifier: BSL-1.0
#include "options.hpp"
#include "../support/cli.hpp"

#include <cstdlib>

namespace label_ranker {

std::optional<options> parse(int argc, char** argv) {
  options o;
  CLI::App app;
  examples::describe(
      app, "label_relevance_ranking",
      "Transfers a ranking of labels to another domain by preferences: LR2PPO's three stages, as published, "
      "corrected, and with PPO over orders.",
      "label_relevance_ranking --pairs 500 --seeds 3 --csv table.csv --picture table.gp",
      "label rankings are made from the seed unless --data or the variable RANKLOSS_DATA names a folder with "
      "movie_tags, mslr_web10k_sample and mq2008, or partial_label_ranking in it; the example's README.md says what "
      "these hold.");

  examples::section(app, "What is trained and measured");
  app.add_option("--data", o.data,
                 "folder with movie_tags, mslr_web10k_sample and mq2008, or partial_label_ranking in it")
      ->type_name("DIR");
  std::vector<std::string> sets = known_sets();
  sets.emplace_back("made");
  app.add_option("--set", o.set, "what to rank; unless given, the first that is there")
      ->check(examples::one_of(sets));
  app.add_option("--pairs", o.pairs, "pairs of the target domain that are known")
      ->check(examples::between(1, 1000000000))
      ->capture_default_str();
  app.add_option("--seeds", o.seeds, "train with so many seeds, from --seed on")
      ->check(examples::between(1, 1000))
      ->capture_default_str();
  app.add_option("--threads", o.threads, "0: as many as the machine has; the results do not depend on it")
      ->check(examples::between(0, 256))
      ->capture_default_str();
  app.add_option("--resamples", o.resamples, "draws of the lists, for the intervals")
      ->check(examples::between(100, 10000000))
      ->capture_default_str();
  app.add_flag("--on-validation", o.on_validation,
               "measure on the validation lists, not on the test lists: for choosing options");
  examples::add_files(app, o.csv, "the table", o.picture, "the differences from the base");
  app.add_flag(
      "--verbose", o.verbose,
      "a line for every epoch of every run: KL, entropy and clip fraction of the policies among them");

  examples::section(app, "Training");
  app.add_option("--hidden", o.tune.hidden, "units of the hidden layers of all nets")
      ->check(examples::between(1, 65536))
      ->capture_default_str();
  app.add_option("--epochs", o.tune.epochs, "of each stage, at most")
      ->check(examples::between(1, 400))
      ->capture_default_str();
  app.add_option("--patience", o.tune.patience,
                 "a stage ends after so many epochs without a better validation")
      ->check(examples::between(1, 100000))
      ->capture_default_str();
  app.add_option("--decay", o.tune.decay, "decay of the weights")
      ->check(examples::between(0.0, 100.0))
      ->capture_default_str();
  app.add_option("--seed", o.tune.seed,
                 "of the starting weights, the pairs, all that is drawn, and the made data")
      ->check(examples::any_seed())
      ->capture_default_str();

  if (!examples::parse(app, argc, argv)) return std::nullopt;
  if (const char* folder = std::getenv("RANKLOSS_DATA")) o.shared_data = folder;
  return o;
}

}  // namespace label_ranker

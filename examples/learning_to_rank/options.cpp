// SPDX-License-Identifier: BSL-1.0
#include "options.hpp"
#include "../support/cli.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace ranker {

std::optional<options> parse(int argc, char** argv) {
  options o;
  o.train.hidden = {64, 32};
  CLI::App app;
  examples::describe(
      app, "learning_to_rank",
      "Trains a ranker with the list losses of the library, one after the other, and shows what difference the loss makes.",
      "learning_to_rank --loss ranknet,lambdarank,sndcg --folds 2 --csv table.csv --picture table.gp",
      "lists are made from the seed unless --data or the variable RANKLOSS_DATA names a folder with mq2008 (S1.txt to "
      "S5.txt of MQ2008 in LETOR 4.0) or clueweb09 in it; the example's README.md says where these come from.");

  examples::section(app, "What is trained and measured");
  app.add_option("--data", o.data, "folder with mq2008 or clueweb09 in it")->type_name("DIR");
  app.add_option("--set", o.set, "which data; unless given, the first that is there")
      ->check(examples::one_of({"mq2008", "clueweb09", "made"}));
  std::string loss = "all";
  std::string names;
  for (const loss_entry& l : all_losses()) names += (names.empty() ? "" : ", ") + l.name;
  app.add_option("--loss", loss,
                 "what to train with: all, or some with commas and no blanks between: " + names)
      ->type_name("LIST")
      ->capture_default_str();
  app.add_option("--against", o.against, "the loss that the others are compared with, if it is among them")
      ->capture_default_str();
  app.add_option("--model", o.model, "what scores the items: a linear map, or a network")
      ->check(examples::one_of({"linear", "mlp"}))
      ->capture_default_str();
  app.add_option("--hidden", o.train.hidden, "units of the hidden layers of the mlp")
      ->check(examples::between(1, 65536))
      ->capture_default_str();
  app.add_option("--folds", o.folds, "so many of the five folds")
      ->check(examples::between(1, 5))
      ->capture_default_str();
  app.add_option("--seeds", o.seeds, "train with so many seeds, from --seed on")
      ->check(examples::between(1, 1000))
      ->capture_default_str();
  app.add_option("--threads", o.threads, "0: as many as the machine has; the results do not depend on it")
      ->check(examples::between(0, 256))
      ->capture_default_str();
  app.add_option("--resamples", o.resamples, "draws of the queries, for the intervals")
      ->check(examples::between(100, 10000000))
      ->capture_default_str();
  app.add_flag("--on-validation", o.on_validation,
               "measure on the validation lists, not on the test lists: for choosing options");
  examples::add_files(app, o.csv, "the table", o.picture, "the differences from the loss of --against");
  app.add_flag("--verbose", o.verbose, "a line for every fifth epoch of every run");

  examples::section(app, "Training");
  app.add_option("--epochs", o.train.epochs, "passes over the lists, at most")
      ->check(examples::between(1, 100000))
      ->capture_default_str();
  app.add_option("--patience", o.train.patience,
                 "stop after so many epochs without a better validation NDCG@10")
      ->check(examples::between(1, 100000))
      ->capture_default_str();
  app.add_option("--rate", o.rates, "learning rates of Adam, of which the validation lists choose one")
      ->check(examples::between(1e-9, 10.0))
      ->capture_default_str();
  app.add_option("--decay", o.train.decay, "decay of the weights")
      ->check(examples::between(0.0, 100.0))
      ->capture_default_str();
  app.add_option("--batch", o.train.batch, "lists a step")
      ->check(examples::between(1, 1000000))
      ->capture_default_str();
  app.add_option("--seed", o.train.seed, "of the starting weights, the order of the lists and the made lists")
      ->check(examples::any_seed())
      ->capture_default_str();
  double scale = 0.0;
  app.add_option(
         "--scale", scale,
         "one temperature (or margin) for all losses, in place of those that the validation lists choose from")
      ->check(examples::between(1e-6, 1e6));

  if (!examples::parse(app, argc, argv)) return std::nullopt;
  o.losses = find_losses(loss);
  const bool there =
      std::any_of(o.losses.begin(), o.losses.end(), [&](const loss_entry& l) { return l.name == o.against; });
  if (!there && (app.count("--against") > 0 || !o.picture.empty())) {
    std::vector<std::string> trained;
    for (const loss_entry& l : o.losses) trained.push_back(l.name);
    throw std::runtime_error("--against: '" + o.against + "' is not among the losses trained with, " + loss +
                             (app.count("--against") > 0 ? "" : ", and --picture draws differences from it") +
                             examples::did_you_mean(o.against, trained));
  }
  if (!there) o.against.clear();
  if (scale > 0.0)
    for (loss_entry& l : o.losses) l.scales = {scale};
  if (o.model == "linear") o.train.hidden.clear();
  if (const char* folder = std::getenv("RANKLOSS_DATA")) o.shared_data = folder;
  return o;
}

}  // namespace ranker

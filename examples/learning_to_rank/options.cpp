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
  CLI::App app(
      "Trains a ranker with the list losses of the library, one after the other, and shows what difference the loss makes.");
  app.get_formatter()->column_width(34);

  app.add_option(
         "--data", o.data,
         "folder with mq2008 or clueweb09 in it; without it that of the variable RANKLOSS_DATA, if there is one, or lists made from a seed")
      ->type_name("DIR");
  app.add_option("--set", o.set, "mq2008, clueweb09 or made; the first that is there unless given")
      ->check(CLI::IsMember({"mq2008", "clueweb09", "made"}));
  std::string loss = "all";
  app.add_option("--loss", loss, "what to train with: names with commas between, or all")
      ->capture_default_str();
  app.add_option("--against", o.against, "the loss that the others are compared with, if it is among them")
      ->capture_default_str();
  app.add_option("--model", o.model, "linear or mlp")
      ->check(CLI::IsMember({"linear", "mlp"}))
      ->capture_default_str();
  app.add_option("--hidden", o.train.hidden, "units of the hidden layers of the mlp")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--folds", o.folds, "so many of the five folds")
      ->check(CLI::Range(1, 5))
      ->capture_default_str();
  app.add_option("--seeds", o.seeds, "train with so many seeds, from --seed on")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--threads", o.threads, "0: as many as the machine has; the results do not depend on it")
      ->check(CLI::Range(0, 256));
  app.add_option("--csv", o.csv, "write the table there as well")->type_name("FILE");
  app.add_option("--picture", o.picture, "write a gnuplot script there that draws the differences")
      ->type_name("FILE");
  app.add_flag("--verbose", o.verbose, "a line for every fifth epoch of every run");

  app.add_option("--epochs", o.train.epochs, "passes over the lists, at most")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--patience", o.train.patience,
                 "stop after so many epochs without a better validation NDCG@10")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--rate", o.rates, "learning rates of Adam, of which the validation lists choose one")
      ->check(CLI::Range(1e-9, 10.0))
      ->capture_default_str();
  app.add_option("--decay", o.train.decay, "decay of the weights")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  app.add_option("--batch", o.train.batch, "lists a step")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--seed", o.train.seed, "of the starting weights, the order of the lists and the made lists")
      ->capture_default_str();
  double scale = 0.0;
  app.add_option(
         "--scale", scale,
         "one temperature (or margin) for all losses, in place of those that the validation lists choose from")
      ->check(CLI::Range(1e-6, 1e6));
  app.add_option("--resamples", o.resamples, "of the queries, for the intervals")
      ->check(CLI::Range(100, 10000000))
      ->capture_default_str();
  app.add_flag("--on-validation", o.on_validation,
               "measure on the validation lists, not on the test lists: for choosing options");

  if (!examples::parse(app, argc, argv)) return std::nullopt;
  o.losses = find_losses(loss);
  const bool there =
      std::any_of(o.losses.begin(), o.losses.end(), [&](const loss_entry& l) { return l.name == o.against; });
  if (!there && (app.count("--against") > 0 || !o.picture.empty()))
    throw std::runtime_error("--against: '" + o.against + "' is not among the losses trained with, " + loss);
  if (!there) o.against.clear();
  if (scale > 0.0)
    for (loss_entry& l : o.losses) l.scales = {scale};
  if (o.model == "linear") o.train.hidden.clear();
  if (const char* folder = std::getenv("RANKLOSS_DATA")) o.shared_data = folder;
  return o;
}

}  // namespace ranker

// SPDX-License-Identifier: BSL-1.0
#include "options.hpp"
#include "../support/cli.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace retrieval {

std::optional<options> parse(int argc, char** argv) {
  options o;
  CLI::App app(
      "Learns to find captions for images and images for captions, and shows what the loss makes of it.");
  app.get_formatter()->column_width(34);

  app.add_option(
         "--data", o.data,
         "folder with flickr8k_clip or emoji in it; without it that of the variable RANKLOSS_DATA, if there is one, or the emoji set that "
         "comes along")
      ->type_name("DIR");
  app.add_option("--loss", o.loss,
                 "what to train with: triplet, sndcg, both (their weighted sum) or all three in turn")
      ->check(CLI::IsMember({"triplet", "sndcg", "both", "all"}))
      ->capture_default_str();
  app.add_option("--csv", o.csv, "write the curve there: quality after each epoch")->type_name("FILE");
  app.add_option("--queries", o.queries, "write the NDCG of each query there, for paired comparisons")
      ->type_name("FILE");
  app.add_option("--seeds", o.seeds, "train with so many seeds, from --seed on, and show mean and deviation")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--threads", o.threads, "0: as many as the machine has; the results do not depend on it")
      ->check(CLI::Range(0, 256));
  app.add_option("--hold-out", o.hold_out,
                 "measure on this share of the training images, not on the test images: for choosing options")
      ->check(CLI::Range(0.0, 0.9));

  std::string start_name = "cca";
  app.add_option("--start", start_name, "where the heads start: cca or random")
      ->check(CLI::IsMember({"cca", "random"}))
      ->capture_default_str();
  app.add_option("--dims", o.dimensions, "dimensions of the joint space")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--ridge", o.ridge, "regularisation of CCA, in units of a feature's mean variance")
      ->check(CLI::Range(1e-6, 1e6))
      ->capture_default_str();
  app.add_option(
         "--image-hidden", o.image_hidden,
         "units of a hidden layer in the image head, 0: none; beside the linear map of CCA, or in its place")
      ->check(CLI::Range(0, 65536))
      ->capture_default_str();
  app.add_option("--text-hidden", o.text_hidden, "likewise in the text head")
      ->check(CLI::Range(0, 65536))
      ->capture_default_str();

  app.add_option("--epochs", o.train.epochs, "passes over the captions")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--batch", o.train.batch, "captions a step; 0: all")
      ->check(CLI::Range(0, 10000000))
      ->capture_default_str();
  app.add_option("--rate", o.train.rate, "learning rate of Adam at the start")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  app.add_option("--decay", o.train.decay, "pull of the weights towards their start")
      ->check(CLI::Range(0.0, 1e4))
      ->capture_default_str();
  app.add_option("--seed", o.train.seed, "of the order of the captions and of a random start")
      ->capture_default_str();

  std::string relevance_name = "rsc";
  app.add_option("--relevance", relevance_name,
                 "what S-NDCG ranks by: rsc (similarity of the captions) or matches (1 or 0)")
      ->check(CLI::IsMember({"rsc", "matches"}))
      ->capture_default_str();
  app.add_option(
         "--rsc", o.rsc,
         "compute rsc from these vectors of the captions to train on (sentence_vectors.py makes them), not "
         "from the captions' features")
      ->type_name("FILE");
  app.add_option("--weight", o.weight, "share of S-NDCG in --loss both")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--margin", o.margin, "of the triplet loss")
      ->check(CLI::Range(0.0, 2.0))
      ->capture_default_str();
  app.add_option("--temperature", o.temperature, "of S-NDCG")
      ->check(CLI::Range(1e-6, 1e3))
      ->capture_default_str();

  if (!examples::parse(app, argc, argv)) return std::nullopt;
  if (!o.rsc.empty() && relevance_name == "matches")
    throw std::runtime_error("--rsc: has no use with --relevance matches, expected one of them");
  o.start = start_name == "cca" ? start::cca : start::random;
  o.relevance = relevance_name == "rsc" ? relevance::rsc : relevance::matches;
  if (const char* folder = std::getenv("RANKLOSS_DATA")) o.shared_data = folder;
  return o;
}

}  // namespace retrieval

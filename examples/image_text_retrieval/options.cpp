// SPDX-License-Identifier: BSL-1.0
#include "options.hpp"
#include "../support/cli.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace retrieval {

std::optional<options> parse(int argc, char** argv) {
  options o;
  CLI::App app;
  examples::describe(
      app, "image_text_retrieval",
      "Learns to find captions for images and images for captions, and shows what the loss makes of it.",
      "image_text_retrieval --loss both --seeds 5 --csv curve.csv --picture curve.gp",
      "1572 emoji come along and are used unless --data or the variable RANKLOSS_DATA names a folder with "
      "flickr8k_clip or emoji in it; the example's README.md says what these hold.");

  examples::section(app, "What is trained and measured");
  app.add_option("--data", o.data, "folder with flickr8k_clip or emoji in it")->type_name("DIR");
  std::vector<std::string> names;
  for (const named_loss& loss : all_losses()) names.push_back(loss.option);
  names.emplace_back("all");
  names.emplace_back("every");
  app.add_option("--loss", o.losses,
                 "what to train with, one or more, with commas between them; both is the weighted sum of "
                 "triplet and sndcg, all is these three, every is every loss")
      ->delimiter(',')
      ->check(examples::one_of(names))
      ->capture_default_str();
  app.add_option("--seeds", o.seeds, "train with so many seeds, from --seed on, and show mean and deviation")
      ->check(examples::between(1, 1000))
      ->capture_default_str();
  app.add_option("--threads", o.threads, "0: as many as the machine has; the results do not depend on it")
      ->check(examples::between(0, 256))
      ->capture_default_str();
  app.add_option("--hold-out", o.hold_out,
                 "measure on this share of the training images, not on the test images: for choosing options")
      ->check(examples::between(0.0, 0.9))
      ->capture_default_str();
  app.add_option("--resamples", o.resamples, "draws of the test images, for the intervals")
      ->check(examples::between(100, 10000000))
      ->capture_default_str();
  examples::add_files(app, o.csv, "the curve, which is the quality after each epoch,", o.picture,
                      "rsum over the epochs");
  examples::add_file(app, "--queries", o.queries, "the NDCG of each query, for paired comparisons,");

  examples::section(app, "The heads");
  std::string start_name = "cca";
  app.add_option("--start", start_name, "where the heads start")
      ->check(examples::one_of({"cca", "random"}))
      ->capture_default_str();
  app.add_option("--dims", o.dimensions, "dimensions of the joint space")
      ->check(examples::between(1, 4096))
      ->capture_default_str();
  app.add_option("--ridge", o.ridge, "regularisation of CCA, in units of a feature's mean variance")
      ->check(examples::between(1e-6, 1e6))
      ->capture_default_str();
  app.add_option(
         "--image-hidden", o.image_hidden,
         "units of a hidden layer in the image head, 0: none; beside the linear map of CCA, or in its place")
      ->check(examples::between(0, 65536))
      ->capture_default_str();
  app.add_option("--text-hidden", o.text_hidden, "likewise in the text head")
      ->check(examples::between(0, 65536))
      ->capture_default_str();

  examples::section(app, "Training");
  app.add_option("--epochs", o.train.epochs, "passes over the captions")
      ->check(examples::between(1, 100000))
      ->capture_default_str();
  app.add_option("--batch", o.train.batch, "captions a step; 0: all")
      ->check(examples::between(0, 10000000))
      ->capture_default_str();
  app.add_option("--rate", o.train.rate, "learning rate of Adam at the start")
      ->check(examples::between(0.0, 10.0))
      ->capture_default_str();
  app.add_option("--decay", o.train.decay, "pull of the weights towards their start")
      ->check(examples::between(0.0, 1e4))
      ->capture_default_str();
  app.add_option("--seed", o.train.seed, "of the order of the captions and of a random start")
      ->check(examples::any_seed())
      ->capture_default_str();

  examples::section(app, "The losses");
  std::string relevance_name = "rsc";
  app.add_option("--relevance", relevance_name,
                 "what S-NDCG ranks by: the similarity of captions (rsc), or 1 for a match and else 0")
      ->check(examples::one_of({"rsc", "matches"}))
      ->capture_default_str();
  app.add_option(
         "--rsc", o.rsc,
         "compute rsc from these vectors of the captions to train on (sentence_vectors.py makes them), not "
         "from the captions' features")
      ->type_name("FILE");
  app.add_option("--weight", o.loss.weight, "share of S-NDCG in --loss both")
      ->check(examples::between(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--margin", o.loss.margin, "of the triplet loss")
      ->check(examples::between(0.0, 2.0))
      ->capture_default_str();
  app.add_option("--temperature", o.loss.temperature, "of S-NDCG")
      ->check(examples::between(1e-6, 1e3))
      ->capture_default_str();
  app.add_option("--infonce-temperature", o.loss.infonce_temperature,
                 "of infonce and supcon; infonce-learned starts there")
      ->check(examples::between(1e-6, 1e3))
      ->capture_default_str();
  app.add_option("--siglip-temperature", o.loss.siglip_temperature, "where siglip starts")
      ->check(examples::between(1e-6, 1e3))
      ->capture_default_str();
  app.add_option("--siglip-bias", o.loss.siglip_bias, "where siglip starts")
      ->check(examples::between(-1e3, 1e3))
      ->capture_default_str();
  app.add_option(
         "--learned-rate", o.loss.learned_rate,
         "rate of Adam for the logarithm of the temperature of infonce-learned and siglip, and for the "
         "bias; falls as --rate does; the temperature stays at 0.01 or above")
      ->check(examples::between(0.0, 10.0))
      ->capture_default_str();
  app.add_option("--ap-temperature", o.loss.ap_temperature, "of smooth_ap")
      ->check(examples::between(1e-6, 1e3))
      ->capture_default_str();
  app.add_option("--ms-alpha", o.loss.ms_alpha, "of multi_similarity: sharpness of the positives")
      ->check(examples::between(1e-6, 1e6))
      ->capture_default_str();
  app.add_option("--ms-beta", o.loss.ms_beta, "likewise of the negatives")
      ->check(examples::between(1e-6, 1e6))
      ->capture_default_str();
  app.add_option("--ms-base", o.loss.ms_base, "the cosine that positives are to be above and negatives below")
      ->check(examples::between(-1.0, 1.0))
      ->capture_default_str();
  app.add_option("--circle-margin", o.loss.circle_margin, "of circle")
      ->check(examples::between(-1.0, 1.0))
      ->capture_default_str();
  app.add_option("--circle-gamma", o.loss.circle_gamma, "of circle: how sharp it is")
      ->check(examples::between(1e-6, 1e6))
      ->capture_default_str();
  app.add_option("--cmpm-temperature", o.loss.cmpm_temperature, "of cmpm, which is taken of cosines")
      ->check(examples::between(1e-6, 1e3))
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

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../support/train_towers.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace retrieval {

struct loss_options {
  double weight = 0.9;        ///< of S-NDCG where both are used; the triplet loss has the rest
  double margin = 0.2;        ///< of the triplet loss
  double temperature = 0.01;  ///< of S-NDCG
  double infonce_temperature = 0.07;
  double siglip_temperature = 0.1;
  double siglip_bias = -10.0;
  double learned_rate = 0.003;  ///< of Adam, for log temperature and bias
  double ap_temperature = 0.03;
  double ms_alpha = 10.0;
  double ms_beta = 20.0;
  double ms_base = 0.7;
  double circle_margin = 0.4;
  double circle_gamma = 20.0;
  double cmpm_temperature = 0.04;
};

/// What a loss learns besides the heads.
struct learned_numbers {
  double temperature = 0.0;
  double bias = 0.0;
  bool has_bias = false;
};

/// A loss for one run.
struct loss_of_run {
  examples::batch_loss loss;
  std::shared_ptr<const learned_numbers> learned{};  ///< none: it is the same in each step
};

/// A row of the table.
struct named_loss {
  std::string option;   ///< of --loss
  std::string name;     ///< in the table
  bool graded = false;  ///< goes by the grades of the pairs, not by matches alone
  std::function<loss_of_run(const loss_options&)> make{};
};

[[nodiscard]] const std::vector<named_loss>& all_losses();

/// The losses that are named, each once and in the order of all_losses. "all" means triplet, S-NDCG and their
/// sum, "every" all of them.
[[nodiscard]] std::vector<named_loss> chosen_losses(const std::vector<std::string>& names);

}  // namespace retrieval

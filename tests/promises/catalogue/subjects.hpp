// SPDX-License-Identifier: BSL-1.0
#pragma once

// The losses of pairs, of steps, of orders and of embeddings, each with data of its own, as functions of what they have a
// gradient by.

#include "calls.hpp"
#include "pairs.hpp"
#include "steps.hpp"

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace promises {

/// A loss and its data as a function of what it has a gradient by: what all promises but those of the data's
/// own kind are about.
template <class T>
struct subject {
  std::string name;
  std::vector<T> x;
  std::size_t parts;  ///< of per_list; 0: none
  bool has_hessian;
  bool of_any_size = true;  ///< x may be any finite number
  std::function<double(std::span<const T>, const rankloss::outputs&, rankloss::context&)> call;
  bool has_outputs = true;  ///< `outputs` are what it takes, and not parts of them as other outputs

  double operator()(const rankloss::outputs& out, rankloss::context& ctx) const { return call(x, out, ctx); }
};

/// Every loss of pairs, of steps and of orders, and some of embeddings; losses of pairs with ties by their tie parameter, too. In
/// float and double.
template <class T>
std::vector<subject<T>> subjects();

/// Calls a loss with buffers full of `fill`.
template <class T>
result<T> run(const subject<T>& of, rankloss::context& ctx, double fill = nan) {
  result<T> r;
  r.gradient.assign(of.x.size(), static_cast<T>(fill));
  r.hessian.assign(of.has_hessian ? of.x.size() : 0, static_cast<T>(fill));
  r.per_list.assign(of.parts, fill);
  r.value = of({.gradient = r.gradient, .per_list = r.per_list, .hessian = r.hessian}, ctx);
  return r;
}

/// What a loss gives of pairs.
template <class T>
result<T> run(const pair_loss<T>& loss, const rankloss::preference_batch<T>& batch) {
  rankloss::context ctx;
  return run(subject<T>{loss.name,
                        {batch.rewards.begin(), batch.rewards.end()},
                        batch.preferred.size(),
                        loss.has_hessian,
                        true,
                        [&](std::span<const T>, const rankloss::outputs& out, rankloss::context& c) {
                          return loss.call(batch, out, c);
                        }},
             ctx);
}

/// What a loss gives of steps.
template <class T>
result<T> run(const step_loss<T>& loss, const steps<T>& data) {
  rankloss::context ctx;
  return run(subject<T>{loss.name, data.x, 0, false, true,
                        [&](std::span<const T> x, const rankloss::outputs& out, rankloss::context& c) {
                          return loss.call(x, data, out, c);
                        }},
             ctx);
}

// Compiled once, in subjects.cpp.
extern template result<float> run<float>(const subject<float>&, rankloss::context&, double);
extern template result<double> run<double>(const subject<double>&, rankloss::context&, double);
extern template result<float> run<float>(const pair_loss<float>&, const rankloss::preference_batch<float>&);
extern template result<double> run<double>(const pair_loss<double>&,
                                           const rankloss::preference_batch<double>&);
extern template result<float> run<float>(const step_loss<float>&, const steps<float>&);
extern template result<double> run<double>(const step_loss<double>&, const steps<double>&);

}  // namespace promises

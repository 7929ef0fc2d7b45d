// SPDX-License-Identifier: BSL-1.0
// Soft ranks and soft permutations of one list side by side; README.md says what to see here.
#include <rankloss/ranks/hard_ranks.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/ranks/sigmoid_ranks.hpp>
#include <rankloss/sorts/neural_sort.hpp>
#include <rankloss/sorts/sinkhorn.hpp>
#include <rankloss/sorts/soft_sort.hpp>
#include <rankloss/sorts/sorting_network.hpp>

#include <CLI/CLI.hpp>

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
using numbers = std::vector<double>;

/// One number an item, as a function of the temperature.
struct relaxation {
  std::string name;
  std::function<numbers(const numbers& scores, double temperature, rankloss::context& context)> compute;
};

template <class Make>
relaxation ranks(std::string name, Make make) {
  return {std::move(name), [make](const numbers& scores, double temperature, rankloss::context& context) {
            numbers out(scores.size());
            rankloss::rank(make(temperature), std::span<const double>(scores), std::span(out), context);
            return out;
          }};
}

/// How much of each item is at its own position: P_ij for item j and its hard rank i.
template <class Make>
relaxation own_positions(std::string name, Make make) {
  return {std::move(name), [make](const numbers& scores, double temperature, rankloss::context& context) {
            const std::size_t n = scores.size();
            numbers matrix(n * n), position(n), out(n);
            rankloss::sort_matrix(make(temperature), std::span<const double>(scores), std::span(matrix),
                                  context);
            rankloss::rank(rankloss::hard_ranks{.base = 0.0, .ties = rankloss::rank_ties::ordinal},
                           std::span<const double>(scores), std::span(position), context);
            for (std::size_t j = 0; j < n; ++j)
              out[j] = matrix[static_cast<std::size_t>(position[j]) * n + j];
            return out;
          }};
}

std::vector<relaxation> soft_ranks() {
  using namespace rankloss;
  return {ranks("sigmoid", [](double t) { return sigmoid_ranks{.temperature = t}; }),
          ranks("Laplace", [](double t) { return laplace_ranks{.temperature = t}; }),
          ranks("projected, quadratic", [](double t) { return projected_ranks{.temperature = t}; }),
          ranks("projected, entropic", [](double t) {
            return projected_ranks{.temperature = t, .regularization = regularization::entropic};
          })};
}

std::vector<relaxation> soft_permutations() {
  using namespace rankloss;
  return {
      own_positions("NeuralSort", [](double t) { return neural_sort{.temperature = t}; }),
      own_positions("NeuralSort, Sinkhorn", [](double t) { return sinkhorn{.sort = {.temperature = t}}; }),
      own_positions("SoftSort", [](double t) { return soft_sort{.temperature = t}; }),
      own_positions("bitonic network", [](double t) { return sorting_network{.temperature = t}; })};
}

void print_table(const std::string& title, const std::vector<relaxation>& rows, const numbers& scores,
                 double temperature, rankloss::context& context) {
  std::printf("\n%-24s", title.c_str());
  for (const double s : scores) std::printf(" %8.2f", s);
  std::printf("\n");
  for (const relaxation& r : rows) {
    std::printf("%-24s", r.name.c_str());
    for (const double x : r.compute(scores, temperature, context)) std::printf(" %8.2f", x);
    std::printf("\n");
  }
}

/// Columns: temperature, then a column an item; a block a relaxation, as gnuplot's `index` counts them.
void write_curves(const fs::path& file, const std::vector<relaxation>& all, const numbers& scores,
                  rankloss::context& context) {
  std::ofstream out(file);
  for (const relaxation& r : all) {
    out << "# " << r.name << '\n';
    for (int step = 0; step <= 60; ++step) {
      const double t = std::pow(10.0, -2.0 + step / 15.0);
      out << t;
      for (const double x : r.compute(scores, t, context)) out << ' ' << x;
      out << '\n';
    }
    out << "\n\n";
  }
  if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
}

void write_script(const fs::path& file, const fs::path& picture, std::size_t items) {
  std::ofstream out(file);
  out << "set terminal svg size 1240,620 font 'sans-serif,13' background '#ffffff'\n"
      << "set output '" << picture.filename().string() << "'\n"
      << "set multiplot layout 2,4 margins 0.05,0.99,0.09,0.93 spacing 0.035,0.13\n"
      << "set logscale x\nset format x '10^{%T}'\nunset key\nset border 3\nset tics nomirror out\n"
      << "array colours[5] = ['#1b6ca8', '#e08214', '#2a9d57', '#b2182b', '#7b52ab']\n";
  const auto panels = [&](const char* data, const std::vector<relaxation>& all, const std::string& range) {
    for (std::size_t k = 0; k < all.size(); ++k) {
      out << "set title '" << all[k].name << "'\nset yrange " << range << "\nplot for [i=1:" << items << "] '"
          << data << "' index " << k << " using 1:i+1 with lines lw 2 lc rgb colours[(i-1)%5+1]\n";
    }
  };
  panels("ranks.dat", soft_ranks(), "[" + std::to_string(items) + ".3:0.7]");
  out << "set xlabel 'temperature' offset 0,0.5\n";
  panels("permutations.dat", soft_permutations(), "[0:1.05]");
  out << "unset multiplot\n";
  if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
}

int run(int argc, char** argv) {
  numbers scores{2.1, 1.6, 0.4, 0.1, -1.2};
  double temperature = 0.5;
  fs::path out;
  CLI::App app{"Soft ranks and soft permutations of one list, side by side."};
  app.add_option("--scores", scores, "the list")->capture_default_str();
  app.add_option("--temperature", temperature, "of the table")->capture_default_str();
  app.add_option("--out", out,
                 "folder for the curves over temperature and the gnuplot script that draws them");
  CLI11_PARSE(app, argc, argv);

  rankloss::context context;
  std::printf("temperature %g\n", temperature);
  print_table("soft ranks of scores", soft_ranks(), scores, temperature, context);
  print_table("weight at own position", soft_permutations(), scores, temperature, context);
  if (out.empty()) return 0;
  fs::create_directories(out);
  write_curves(out / "ranks.dat", soft_ranks(), scores, context);
  write_curves(out / "permutations.dat", soft_permutations(), scores, context);
  write_script(out / "relaxations.gp", "relaxations.svg", scores.size());
  std::printf(
      "\nWritten to %s: ranks.dat, permutations.dat, relaxations.gp. Draw with\n\n    cd %s && gnuplot relaxations.gp\n",
      out.string().c_str(), out.string().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "relaxations: " << e.what() << '\n';
    return 1;
  }
}

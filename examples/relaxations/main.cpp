// SPDX-License-Identifier: BSL-1.0
// Soft ranks and soft permutations of one list side by side; README.md says what to see here.
#include "../support/cli.hpp"
#include "../support/output_file.hpp"
#include "../support/program.hpp"

#include <rankloss/ranks/hard_ranks.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/ranks/sigmoid_ranks.hpp>
#include <rankloss/sorts/neural_sort.hpp>
#include <rankloss/sorts/sinkhorn.hpp>
#include <rankloss/sorts/soft_sort.hpp>
#include <rankloss/sorts/sorting_network.hpp>

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

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

/// The temperatures of the curves: 15 to a power of ten, from 0.01 to 100.
template <class Use>
void at_temperatures(Use use) {
  for (int step = 0; step <= 60; ++step) use(std::pow(10.0, -2.0 + step / 15.0));
}

/// One line a relaxation, temperature and item.
void write_csv(examples::output_file& file, const numbers& scores, rankloss::context& context) {
  file.stream() << "kind,relaxation,temperature,item,score,value\n";
  const auto add = [&](const char* kind, const std::vector<relaxation>& all) {
    for (const relaxation& r : all)
      at_temperatures([&](double t) {
        const numbers values = r.compute(scores, t, context);
        for (std::size_t i = 0; i < values.size(); ++i)
          file.stream() << kind << ",\"" << r.name << "\"," << t << ',' << i + 1 << ',' << scores[i] << ','
                        << values[i] << '\n';
      });
  };
  add("rank", soft_ranks());
  add("weight at own position", soft_permutations());
  file.keep();
}

/// A gnuplot script with its data in it: a plot a relaxation, a curve an item, the temperature along.
void write_picture(examples::output_file& file, const numbers& scores, rankloss::context& context) {
  std::ostream& out = file.stream();
  const auto data = [&](char kind, const std::vector<relaxation>& all) {
    for (std::size_t k = 0; k < all.size(); ++k) {
      out << '$' << kind << k << " << END\n";
      at_temperatures([&](double t) {
        out << t;
        for (const double x : all[k].compute(scores, t, context)) out << ' ' << x;
        out << '\n';
      });
      out << "END\n";
    }
  };
  data('r', soft_ranks());
  data('p', soft_permutations());
  out << "set terminal svg size 1240,620 font 'sans-serif,13' background '#ffffff'\n"
      << "set output '" << examples::picture_of(file.path()) << "'\n"
      << "set multiplot layout 2,4 margins 0.05,0.99,0.09,0.93 spacing 0.035,0.13\n"
      << "set logscale x\nset format x '10^{%T}'\nunset key\nset border 3\nset tics nomirror out\n"
      << "array colours[5] = ['#1b6ca8', '#e08214', '#2a9d57', '#b2182b', '#7b52ab']\n";
  const auto panels = [&](char kind, const std::vector<relaxation>& all, const std::string& range) {
    for (std::size_t k = 0; k < all.size(); ++k)
      out << "set title '" << all[k].name << "'\nset yrange " << range << "\nplot for [i=1:" << scores.size()
          << "] $" << kind << k << " using 1:i+1 with lines lw 2 lc rgb colours[(i-1)%5+1]\n";
  };
  panels('r', soft_ranks(), "[" + std::to_string(scores.size()) + ".3:0.7]");
  out << "set xlabel 'temperature' offset 0,0.5\n";
  panels('p', soft_permutations(), "[0:1.05]");
  out << "unset multiplot\n";
  file.keep();
  examples::say_how_to_draw(file);
}

void run(int argc, char** argv) {
  numbers scores{2.1, 1.6, 0.4, 0.1, -1.2};
  double temperature = 0.5;
  std::string csv_path, picture_path;
  CLI::App app;
  examples::describe(app, "relaxations", "Soft ranks and soft permutations of one list, side by side.",
                     "relaxations --scores 3 1 0 --temperature 2 --csv curves.csv --picture curves.gp",
                     "none but the scores.");
  examples::section(app, "Options");
  app.add_option("--scores", scores, "the list, of at least two")
      ->expected(2, 1000)
      ->type_name("X")
      ->check(examples::any_number())
      ->capture_default_str();
  app.add_option("--temperature", temperature, "of the tables")
      ->check(examples::between(1e-6, 1e6))
      ->capture_default_str();
  examples::add_files(app, csv_path, "the curves over temperatures from 0.01 to 100", picture_path,
                      "these curves");
  if (!examples::parse(app, argc, argv)) return;
  examples::output_file csv(csv_path), picture(picture_path);

  rankloss::context context;
  std::printf("temperature %g\n", temperature);
  print_table("soft ranks of scores", soft_ranks(), scores, temperature, context);
  print_table("weight at own position", soft_permutations(), scores, temperature, context);
  if (csv.wanted()) write_csv(csv, scores, context);
  if (picture.wanted()) write_picture(picture, scores, context);
}

}  // namespace

int main(int argc, char** argv) {
  return examples::program("relaxations", [&] { run(argc, argv); });
}

// SPDX-License-Identifier: BSL-1.0
#include "report.hpp"

#include <cmath>
#include <cstdio>
#include <numeric>
#include <ostream>

namespace label_ranker {
namespace {

template <class... Values>
std::string text(const char* format, Values... values) {
  char line[256];
  std::snprintf(line, sizeof line, format, values...);
  return line;
}

}  // namespace

std::vector<double> result::per_list(quality::column c) const {
  std::vector<double> values(runs.front().size());
  for (const std::vector<quality>& run : runs)
    for (std::size_t q = 0; q < values.size(); ++q)
      values[q] += run[q].values[c] / static_cast<double>(runs.size());
  return values;
}

double result::mean(quality::column c) const {
  const std::vector<double> values = per_list(c);
  return values.empty()
             ? 0.0
             : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double result::deviation(quality::column c) const {
  double squares = 0.0;
  for (const std::vector<quality>& run : runs) {
    const double off = result{.name = name, .runs = {run}}.mean(c) - mean(c);
    squares += off * off;
  }
  return runs.size() < 2 ? 0.0 : std::sqrt(squares / static_cast<double>(runs.size() - 1));
}

void report::compare(std::size_t resamples, std::uint64_t seed) {
  const std::vector<double> theirs = rows.front().per_list(quality::ndcg10);
  for (const result& r : rows)
    differences.push_back(examples::bootstrap(r.per_list(quality::ndcg10), theirs, resamples, seed));
}

void print_table(std::ostream& out, const report& r) {
  out << text("%-20s%7s%8s%8s%17s%9s%8s   %-25s%8s  %s\n", "", "NDCG@1", "NDCG@3", "NDCG@5",
              "NDCG@10   seeds", "NDCG@20", "pairs", "NDCG@10 less the base's", "train", "chosen");
  for (std::size_t i = 0; i < r.rows.size(); ++i) {
    const result& row = r.rows[i];
    const auto value = [&](quality::column c) { return 100.0 * row.mean(c); };
    out << text("%-20s%7.2f%8.2f%8.2f%9.2f", row.name.c_str(), value(quality::ndcg1), value(quality::ndcg3),
                value(quality::ndcg5), value(quality::ndcg10));
    out << (row.runs.size() > 1 ? text(" +-%5.2f", 100.0 * row.deviation(quality::ndcg10)) : text("%8s", ""));
    out << text("%9.2f%8.2f", value(quality::ndcg20), value(quality::pairs));
    const examples::interval& d = r.differences[i];
    out << (i == 0 ? text("   %-25s", "")
                   : text("   %+6.2f (%+6.2f to %+6.2f)", 100.0 * d.value, 100.0 * d.low, 100.0 * d.high));
    if (row.seconds > 0.0) out << text("%6.0f s  %s", row.seconds, row.chosen.c_str());
    out << '\n';
  }
  out.flush();
}

void write_csv(examples::output_file& to, const report& r) {
  std::ostream& file = to.stream();
  file
      << "set,model,seeds,lists,ndcg1,ndcg3,ndcg5,ndcg10,ndcg20,pairs,ndcg10_deviation,difference,low,high,chosen\n";
  for (std::size_t i = 0; i < r.rows.size(); ++i) {
    const result& row = r.rows[i];
    file << r.set << ',' << row.name << ',' << row.runs.size() << ',' << row.runs.front().size();
    for (std::size_t c = 0; c < quality::columns; ++c)
      file << text(",%.6f", row.mean(static_cast<quality::column>(c)));
    const examples::interval& d = r.differences[i];
    file << text(",%.6f,%.6f,%.6f,%.6f,", row.deviation(quality::ndcg10), d.value, d.low, d.high) << '"'
         << row.chosen << "\"\n";
  }
  to.keep();
}

void write_picture(examples::output_file& to, const report& r) {
  std::ostream& file = to.stream();
  file << "set terminal svg size 760," << 120 + 34 * r.rows.size()
       << " font 'sans,13' background 'white'\nset output '" << examples::picture_of(to.path())
       << "'\n$rows << END\n";
  for (std::size_t i = 1; i < r.rows.size(); ++i) {
    const examples::interval& d = r.differences[i];
    file << text("%zu %.4f %.4f %.4f \"", r.rows.size() - i, 100.0 * d.value, 100.0 * d.low, 100.0 * d.high)
         << r.rows[i].name << "\"\n";
  }
  file
      << "END\nset title '" << r.set
      << ": NDCG\\@10 less that of the base model, with 95 % intervals' noenhanced\nset yrange [0.4:"
      << r.rows.size() - 1
      << ".6]\nset xlabel 'points of 100'\nset grid x\nset arrow from 0, graph 0 to 0, graph 1 nohead lc 'gray40'\n"
         "plot $rows using 2:1:3:4:ytic(5) with xerrorbars pt 7 lc 'black' notitle\n";
  to.keep();
  examples::say_how_to_draw(to);
}

}  // namespace label_ranker

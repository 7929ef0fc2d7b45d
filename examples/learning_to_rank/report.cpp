// SPDX-License-Identifier: BSL-1.0
#include "report.hpp"

#include <rankloss/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <numeric>

namespace ranker {
namespace {

double mean_of(const std::vector<double>& values) {
  return values.empty()
             ? 0.0
             : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

template <class... Values>
std::string text(const char* format, Values... values) {
  char line[256];
  std::snprintf(line, sizeof line, format, values...);
  return line;
}

/// "3x 0.1/0.01, 2x 1/0.001": scale and rate, and in how many folds they were chosen.
std::string chosen_of(const result& r) {
  std::string all;
  for (const auto& [what, count] : r.chosen)
    all += text("%s%zux %g/%g", all.empty() ? "" : ", ", count, what.scale, what.rate);
  return all;
}

}  // namespace

double result::mean(quality::column c) const { return mean_of(per_list(c)); }

double result::deviation(quality::column c) const {
  if (runs.size() < 2) return 0.0;
  double squares = 0.0;
  const double middle = mean(c);
  for (const std::vector<quality>& run : runs) {
    double sum = 0.0;
    for (const quality& list : run) sum += list.values[c];
    const double off = sum / static_cast<double>(run.size()) - middle;
    squares += off * off;
  }
  return std::sqrt(squares / static_cast<double>(runs.size() - 1));
}

std::vector<double> result::per_list(quality::column c) const {
  std::vector<double> values(runs.front().size());
  for (const std::vector<quality>& run : runs)
    for (std::size_t q = 0; q < values.size(); ++q)
      values[q] += run[q].values[c] / static_cast<double>(runs.size());
  return values;
}

void report::compare(std::size_t resamples, std::uint64_t seed) {
  const auto base =
      std::find_if(rows.begin(), rows.end(), [&](const result& r) { return r.name == against; });
  if (base == rows.end()) return;
  const std::vector<double> theirs = base->per_list(quality::ndcg10);
  for (const result& r : rows)
    differences.push_back(bootstrap(r.per_list(quality::ndcg10), theirs, resamples, seed));
}

void print_table(std::ostream& out, const report& r) {
  const bool seeds =
      std::any_of(r.rows.begin(), r.rows.end(), [](const result& row) { return row.runs.size() > 1; });
  out << text("%-16s%7s%8s%8s%9s%s%7s", "", "NDCG@1", "NDCG@3", "NDCG@5", "NDCG@10", seeds ? "   seeds" : "",
              "MAP");
  if (!r.differences.empty()) out << text("   %-25s", ("NDCG@10 less " + r.against + "'s").c_str());
  out << "  train  scale/rate chosen\n";
  for (std::size_t i = 0; i < r.rows.size(); ++i) {
    const result& row = r.rows[i];
    out << text("%-16s", row.name.c_str());
    const auto value = [&](quality::column c) { return 100.0 * row.mean(c); };
    out << text("%7.2f%8.2f%8.2f%9.2f", value(quality::ndcg1), value(quality::ndcg3), value(quality::ndcg5),
                value(quality::ndcg10));
    if (seeds)
      out << (row.runs.size() > 1 ? text(" +-%5.2f", 100.0 * row.deviation(quality::ndcg10))
                                  : text("%8s", ""));
    out << text("%7.2f", value(quality::map));
    if (!r.differences.empty()) {
      const interval& d = r.differences[i];
      if (row.name == r.against)
        out << text("   %-25s", "");
      else
        out << text("   %+6.2f (%+6.2f to %+6.2f)", 100.0 * d.value, 100.0 * d.low, 100.0 * d.high);
    }
    if (!row.chosen.empty()) out << text("%5.0f s  %s", row.seconds, chosen_of(row).c_str());
    out << '\n';
  }
  out.flush();
}

void write_csv(examples::output_file& to, const report& r) {
  std::ostream& file = to.stream();
  file
      << "set,model,measured_on,loss,seeds,lists,ndcg1,ndcg3,ndcg5,ndcg10,map,ndcg10_deviation,against,difference,low,high,seconds,chosen\n";
  for (std::size_t i = 0; i < r.rows.size(); ++i) {
    const result& row = r.rows[i];
    file << r.set << ',' << r.model << ',' << r.measured_on << ',' << row.name << ',' << row.runs.size()
         << ',' << row.runs.front().size();
    for (std::size_t c = 0; c < quality::columns; ++c)
      file << text(",%.6f", row.mean(static_cast<quality::column>(c)));
    file << text(",%.6f", row.deviation(quality::ndcg10));
    if (r.differences.empty())
      file << ",,,,";
    else
      file << ',' << r.against
           << text(",%.6f,%.6f,%.6f", r.differences[i].value, r.differences[i].low, r.differences[i].high);
    file << text(",%.1f", row.seconds) << ",\"" << chosen_of(row) << "\"\n";
  }
  to.keep();
}

void write_picture(examples::output_file& to, const report& r) {
  std::ostream& file = to.stream();
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < r.rows.size(); ++i)
    if (!r.rows[i].chosen.empty() && r.rows[i].name != r.against) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return r.differences[a].value < r.differences[b].value;
  });
  file << "$rows << END\n";
  for (const std::size_t i : order) {
    std::string name = r.rows[i].name;
    std::replace(name.begin(), name.end(), '_', ' ');
    const interval& d = r.differences[i];
    file << '"' << name << '"' << text(" %.3f %.3f %.3f\n", 100.0 * d.value, 100.0 * d.low, 100.0 * d.high);
  }
  file
      << "END\n"
      << "set terminal svg size 760," << 130 + 24 * order.size()
      << " font 'sans-serif,13' background '#ffffff'\n"
      << "set output '" << examples::picture_of(to.path()) << "'\n"
      << "set title '" << r.set << ", " << r.model << "'\n"
      << "set xlabel 'NDCG\\@10 less that of " << r.against << ", in percent, with 95 % intervals'\n"
      << "unset key\nset border 1\nset xtics nomirror out\nset grid xtics lc rgb '#dddddd'\nset ytics nomirror scale 0\n"
      << "set yrange [-0.7:" << order.size()
      << "-0.3]\nset arrow from 0,graph 0 to 0,graph 1 nohead lw 1.5 lc rgb '#555555'\n"
      << "plot $rows using 2:0:3:4:ytic(1) with xerrorbars pt 7 ps 0.7 lw 1.6 lc rgb '#1b6ca8'\n";
  to.keep();
  examples::say_how_to_draw(to);
}

}  // namespace ranker

// SPDX-License-Identifier: BSL-1.0
#include "report.hpp"

#include <rankloss/batch.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/retrieval.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <ostream>
#include <span>

namespace cross_modal {
namespace {

template <class... Values>
std::string text(const char* format, Values... values) {
  char line[256];
  std::snprintf(line, sizeof line, format, values...);
  return line;
}

std::span<const float> values_of(const matrix<float>& m) {
  return {m.data(), static_cast<std::size_t>(m.size())};
}

/// What one metric says of each row of a matrix of scores.
template <class Metric>
std::vector<double> of_rows(const Metric& metric, const matrix<float>& scores, const matrix<float>& grades,
                            rankloss::context& context) {
  const auto rows = static_cast<std::size_t>(scores.rows());
  const auto columns = static_cast<std::size_t>(scores.cols());
  std::vector<std::size_t> offsets(rows + 1);
  for (std::size_t r = 0; r <= rows; ++r) offsets[r] = r * columns;
  std::vector<double> values(rows);
  const rankloss::list_batch<float> lists{
      .scores = values_of(scores), .relevance = values_of(grades), .offsets = offsets};
  (void)rankloss::evaluate(metric, lists, {.per_list = values}, context);
  return values;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// The precision at each recall: the greatest at that recall or beyond.
std::array<double, recall_points> precisions(const matrix<float>& scores, const matrix<float>& grades) {
  std::array<double, recall_points> sums{};
  const auto columns = static_cast<std::size_t>(scores.cols());
  std::vector<std::size_t> order(columns);
  std::vector<double> at;  // at[r - 1]: precision at the rank of the r-th relevant item
  for (Eigen::Index row = 0; row < scores.rows(); ++row) {
    const float* s = scores.data() + row * scores.cols();
    const float* y = grades.data() + row * grades.cols();
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return s[a] > s[b]; });
    at.clear();
    for (std::size_t rank = 0; rank < columns; ++rank)
      if (y[order[rank]] > 0.0F)
        at.push_back(static_cast<double>(at.size() + 1) / static_cast<double>(rank + 1));
    if (at.empty()) continue;
    for (std::size_t r = at.size() - 1; r-- > 0;) at[r] = std::max(at[r], at[r + 1]);
    for (std::size_t p = 0; p < recall_points; ++p) {
      // Recall p / 10 is reached by the first r with r / R >= p / 10.
      const std::size_t reached = (p * at.size() + recall_points - 2) / (recall_points - 1);
      sums[p] += at[std::max<std::size_t>(reached, 1) - 1];
    }
  }
  for (double& sum : sums) sum /= static_cast<double>(scores.rows());
  return sums;
}

double map_of(const quality& q) { return 100.0 * q.map(); }
double ndcg_of(const quality& q) { return 100.0 * q.ndcg10(); }

struct column {
  const char* name;
  double (*of)(const quality&);
};
constexpr column columns[] = {
    {"image_map", [](const quality& q) { return 100.0 * q.images.map; }},
    {"image_ndcg10", [](const quality& q) { return 100.0 * q.images.ndcg10; }},
    {"image_r1", [](const quality& q) { return 100.0 * q.images.recall[0]; }},
    {"image_r5", [](const quality& q) { return 100.0 * q.images.recall[1]; }},
    {"image_r10", [](const quality& q) { return 100.0 * q.images.recall[2]; }},
    {"text_map", [](const quality& q) { return 100.0 * q.texts.map; }},
    {"text_ndcg10", [](const quality& q) { return 100.0 * q.texts.ndcg10; }},
    {"text_r1", [](const quality& q) { return 100.0 * q.texts.recall[0]; }},
    {"text_r5", [](const quality& q) { return 100.0 * q.texts.recall[1]; }},
    {"text_r10", [](const quality& q) { return 100.0 * q.texts.recall[2]; }},
};

}  // namespace

evaluator::evaluator(const documents& set)
    : per_image_(set.captions_per_image), image_classes_(set.classes()) {
  const std::vector<float> grades = set.grades();
  grades_ = Eigen::Map<const matrix<float>>(grades.data(), set.images.rows(), set.captions.rows());
  transposed_ = grades_.transpose();
  for (std::size_t c = 0; c < set.caption_count(); ++c)
    text_classes_.push_back(image_classes_[set.image_of(c)]);
}

quality evaluator::operator()(const matrix<float>& images, const matrix<float>& texts,
                              rankloss::context& context) const {
  return measure(images * texts.transpose(), true, context);
}

quality evaluator::chance(rankloss::context& context) const {
  quality q = measure(matrix<float>::Zero(grades_.rows(), grades_.cols()), false, context);
  // In a random order of many items the precision is the share of relevant items at any recall.
  q.images.precision.fill(static_cast<double>((grades_.array() > 0.0F).count()) /
                          static_cast<double>(grades_.size()));
  q.texts.precision = q.images.precision;
  return q;
}

quality evaluator::measure(const matrix<float>& similarity, bool curves, rankloss::context& context) const {
  const matrix<float> turned = similarity.transpose();
  const rankloss::similarity_batch<float> batch{.similarity = values_of(similarity),
                                                .rows = image_classes_.size(),
                                                .columns = text_classes_.size(),
                                                .row_classes = image_classes_,
                                                .column_classes = text_classes_};
  const auto found = rankloss::metrics::retrieval<3>{.cutoffs = {1, 5, 10}}(batch, context);
  const rankloss::metrics::average_precision ap;
  const rankloss::metrics::ndcg ndcg{.cutoff = 10};
  quality q;
  q.precision_of.assign(image_classes_.size(), 0.0);
  q.ndcg_of.assign(image_classes_.size(), 0.0);
  const auto add = [](const std::vector<double>& values, std::size_t per_document, std::vector<double>& to) {
    for (std::size_t i = 0; i < values.size(); ++i)
      to[i / per_document] += 0.5 * values[i] / static_cast<double>(per_document);
  };
  const auto fill = [&](direction& way, const matrix<float>& scores, const matrix<float>& grades,
                        const auto& recall, std::size_t per_document) {
    const std::vector<double> precision = of_rows(ap, scores, grades, context);
    const std::vector<double> gain = of_rows(ndcg, scores, grades, context);
    way.map = mean_of(precision);
    way.ndcg10 = mean_of(gain);
    way.recall = recall;
    if (curves) way.precision = precisions(scores, grades);
    add(precision, per_document, q.precision_of);
    add(gain, per_document, q.ndcg_of);
  };
  fill(q.images, similarity, grades_, found.rows.recall, 1);
  fill(q.texts, turned, transposed_, found.columns.recall, per_image_);
  return q;
}

double result::mean(double (*of)(const quality&)) const {
  double sum = 0.0;
  for (const quality& run : runs) sum += of(run);
  return sum / static_cast<double>(runs.size());
}

double result::deviation(double (*of)(const quality&)) const {
  if (runs.size() < 2) return 0.0;
  double squares = 0.0;
  for (const quality& run : runs) squares += (of(run) - mean(of)) * (of(run) - mean(of));
  return std::sqrt(squares / static_cast<double>(runs.size() - 1));
}

std::vector<double> result::per_document(std::vector<double> quality::*of) const {
  std::vector<double> values((runs.front().*of).size());
  for (const quality& run : runs)
    for (std::size_t d = 0; d < values.size(); ++d)
      values[d] += (run.*of)[d] / static_cast<double>(runs.size());
  return values;
}

void report::compare(std::size_t resamples, std::uint64_t seed) {
  bool first = true;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].baseline || (!first && rows[i].validation <= rows[against].validation)) continue;
    against = i;
    first = false;
  }
  for (const result& row : rows) {
    const auto against_best = [&](std::vector<double> quality::*of) {
      return examples::bootstrap(row.per_document(of), rows[against].per_document(of), resamples, seed);
    };
    map.push_back(against_best(&quality::precision_of));
    ndcg10.push_back(against_best(&quality::ndcg_of));
  }
}

void print_table(std::ostream& out, const report& r) {
  out << text("%-24s%s\n", "", "     image to text              text to image           both ways")
      << text("%-24s%s", "", "   mAP  N@10   R@1  R@10      mAP  N@10   R@1  R@10      mAP   seeds")
      << text("   %-25s%-25s%7s  %s\n", "mAP less the best", "N@10 less the best", "train", "chosen");
  for (std::size_t i = 0; i < r.rows.size(); ++i) {
    const result& row = r.rows[i];
    out << text("%-24s", row.name.c_str());
    for (const std::size_t c : {0, 1, 2, 4, 5, 6, 7, 9})
      out << text(c == 5 ? "%9.2f" : "%6.2f", row.mean(columns[c].of));
    out << text("%9.2f", row.mean(map_of))
        << (row.runs.size() > 1 ? text(" +-%5.2f", row.deviation(map_of)) : text("%8s", ""));
    const auto difference = [&](const examples::interval& d) {
      return i == r.against
                 ? text("   %-22s", "the best baseline")
                 : text("   %+6.2f (%+6.2f, %+6.2f)", 100.0 * d.value, 100.0 * d.low, 100.0 * d.high);
    };
    out << difference(r.map[i]) << difference(r.ndcg10[i]);
    if (row.seconds > 0.0)
      out << text("%7.1f s", row.seconds);
    else if (!row.chosen.empty())
      out << text("%9s", "");
    if (!row.chosen.empty()) out << "  " << row.chosen;
    out << '\n';
  }
  out.flush();
}

void write_csv(examples::output_file& to, const report& r) {
  std::ostream& file = to.stream();
  file << "set,model,seeds,documents";
  for (const column& c : columns) file << ',' << c.name;
  file << ",map,map_deviation,ndcg10,ndcg10_deviation,against,map_difference,map_low,map_high,"
          "ndcg10_difference,ndcg10_low,"
          "ndcg10_high,validation_map,chosen\n";
  for (std::size_t i = 0; i < r.rows.size(); ++i) {
    const result& row = r.rows[i];
    file << r.set << ',' << row.name << ',' << row.runs.size() << ',' << row.runs.front().precision_of.size();
    for (const column& c : columns) file << text(",%.4f", row.mean(c.of));
    file << text(",%.4f,%.4f,%.4f,%.4f,", row.mean(map_of), row.deviation(map_of), row.mean(ndcg_of),
                 row.deviation(ndcg_of))
         << r.rows[r.against].name;
    for (const examples::interval& d : {r.map[i], r.ndcg10[i]})
      file << text(",%.4f,%.4f,%.4f", 100.0 * d.value, 100.0 * d.low, 100.0 * d.high);
    file << text(",%.4f,", 100.0 * row.validation) << '"' << row.chosen << "\"\n";
  }
  to.keep();
}

void write_picture(examples::output_file& to, const report& r) {
  std::ostream& file = to.stream();
  file << "set terminal svg size 1180,520 font 'sans-serif,12' background '#ffffff'\nset output '"
       << examples::picture_of(to.path()) << "'\n";
  for (std::size_t i = 0; i < r.rows.size(); ++i) {
    const result& row = r.rows[i];
    if (!row.curve.empty()) {
      file << "$curve" << i << " << END\n";
      for (std::size_t e = 0; e < row.curve.size(); ++e) file << text("%zu %.4f\n", e, 100.0 * row.curve[e]);
      file << "END\n";
    }
    file << "$recall" << i << " << END\n";
    const double runs = static_cast<double>(row.runs.size());
    for (std::size_t p = 0; p < recall_points; ++p) {
      double image = 0.0;
      double words = 0.0;
      for (const quality& run : row.runs) {
        image += 100.0 * run.images.precision[p] / runs;
        words += 100.0 * run.texts.precision[p] / runs;
      }
      file << text("%.1f %.4f %.4f\n", 0.1 * static_cast<double>(p), image, words);
    }
    file << "END\n";
  }
  const auto plot = [&](const char* data, const char* by, bool titles) {
    file << "plot ";
    bool first = true;
    for (std::size_t i = 0; i < r.rows.size(); ++i) {
      if (std::string(data) == "curve" && r.rows[i].curve.empty()) continue;
      file << (first ? "" : ", \\\n     ") << '$' << data << i << " using " << by << " with lines lw 2 lc "
           << i + 1 << (i >= 6 ? " dt 2" : "");
      if (titles)
        file << " title '" << r.rows[i].name << "' noenhanced";
      else
        file << " notitle";
      first = false;
    }
    file << '\n';
  };
  file << "set multiplot layout 1,3\nset grid\nset key bottom right font ',9'\n"
          "set title 'Learning curve, first seed'\nset xlabel 'epoch'\n"
          "set ylabel 'mAP of the test set, both ways, %'\n";
  plot("curve", "1:2", false);
  file << "set key top right font ',9'\nset xrange [0:1]\nset xlabel 'recall'\nset ylabel 'precision, %'\n"
          "set title '"
       << r.set << ": images find texts' noenhanced\n";
  plot("recall", "1:2", false);
  file << "set title '" << r.set << ": texts find images' noenhanced\n";
  plot("recall", "1:3", true);
  file << "unset multiplot\n";
  to.keep();
  examples::say_how_to_draw(to);
}

}  // namespace cross_modal

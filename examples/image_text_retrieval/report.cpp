// SPDX-License-Identifier: BSL-1.0
#include "report.hpp"

#include <rankloss/batch.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/retrieval.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <ostream>
#include <span>
#include <stdexcept>

namespace retrieval {

evaluator::evaluator(const pairs& set, rankloss::context& context)
    : context_(context),
      image_classes_(set.image_count()),
      caption_classes_(set.caption_count()),
      graded_(grade(set)) {
  std::iota(image_classes_.begin(), image_classes_.end(), std::size_t{0});
  for (std::size_t c = 0; c < caption_classes_.size(); ++c) caption_classes_[c] = set.image_of(c);
}

quality evaluator::operator()(const matrix<float>& images, const matrix<float>& captions) const {
  return measure(images * captions.transpose());
}

quality evaluator::chance() const {
  return measure(matrix<float>::Zero(static_cast<Eigen::Index>(image_classes_.size()),
                                     static_cast<Eigen::Index>(caption_classes_.size())));
}

std::vector<query_ndcg> evaluator::of_queries(const matrix<float>& images,
                                              const matrix<float>& captions) const {
  const matrix<float> similarity = images * captions.transpose();
  std::vector<query_ndcg> found;
  for (const bool by_image : {true, false}) {
    const graded_lists& lists = by_image ? graded_.captions_of_image : graded_.images_of_caption;
    std::vector<float> scores;
    for (std::size_t q = 0; q < lists.queries.size(); ++q)
      for (auto k = static_cast<std::size_t>(lists.offsets[q]);
           k < static_cast<std::size_t>(lists.offsets[q + 1]); ++k) {
        const auto query = static_cast<Eigen::Index>(lists.queries[q]);
        const auto candidate = static_cast<Eigen::Index>(lists.candidates[k]);
        scores.push_back(by_image ? similarity(query, candidate) : similarity(candidate, query));
      }
    std::vector<double> ndcg(lists.queries.size());
    (void)rankloss::evaluate(
        rankloss::metrics::ndcg{},
        rankloss::list_batch<float>{.scores = scores, .relevance = lists.grades, .offsets = lists.offsets},
        {.per_list = ndcg}, context_);
    for (std::size_t q = 0; q < ndcg.size(); ++q) {
      const auto begin = lists.grades.begin();
      if (std::any_of(begin + lists.offsets[q], begin + lists.offsets[q + 1],
                      [](float y) { return y > 0.0F; }))
        found.push_back({by_image, lists.queries[q],
                         by_image ? lists.queries[q] : caption_classes_[lists.queries[q]], 100.0 * ndcg[q]});
    }
  }
  return found;
}

quality evaluator::measure(const matrix<float>& similarity) const {
  const std::size_t captions = caption_classes_.size();
  const rankloss::similarity_batch<float> batch{
      .similarity = {similarity.data(), static_cast<std::size_t>(similarity.size())},
      .rows = image_classes_.size(),
      .columns = captions,
      .row_classes = image_classes_,
      .column_classes = caption_classes_};
  const auto found = rankloss::metrics::retrieval<3>{.cutoffs = {1, 5, 10}}(batch, context_);

  std::vector<float> scores;
  const auto ndcg = [&](const graded_lists& lists, auto similarity_of) {
    scores.clear();
    for (std::size_t query = 0; query + 1 < lists.offsets.size(); ++query)
      for (auto k = static_cast<std::size_t>(lists.offsets[query]);
           k < static_cast<std::size_t>(lists.offsets[query + 1]); ++k)
        scores.push_back(similarity_of(lists.queries[query], lists.candidates[k]));
    const rankloss::list_batch<float> graded{.scores = scores,
                                             .relevance = lists.grades,
                                             .offsets = lists.offsets,
                                             .reduction = rankloss::reduction::mean_of_relevant};
    return 100.0 * rankloss::evaluate(rankloss::metrics::ndcg{}, graded, {}, context_);
  };
  const float* s = similarity.data();
  quality q;
  for (std::size_t k = 0; k < 3; ++k) {
    q.values[quality::image_r1 + k] = 100.0 * found.rows.recall[k];
    q.values[quality::text_r1 + k] = 100.0 * found.columns.recall[k];
  }
  q.values[quality::rsum] = found.rsum;
  q.values[quality::image_ndcg] =
      ndcg(graded_.captions_of_image, [&](std::size_t i, std::size_t c) { return s[i * captions + c]; });
  q.values[quality::text_ndcg] =
      ndcg(graded_.images_of_caption, [&](std::size_t c, std::size_t i) { return s[i * captions + c]; });
  return q;
}

double result::mean(quality::column c) const {
  double sum = 0.0;
  for (const quality& run : runs) sum += run.values[c];
  return sum / static_cast<double>(runs.size());
}

double result::deviation(quality::column c) const {
  if (runs.size() < 2) return 0.0;
  double squares = 0.0;
  for (const quality& run : runs) squares += (run.values[c] - mean(c)) * (run.values[c] - mean(c));
  return std::sqrt(squares / static_cast<double>(runs.size() - 1));
}

void print_table(std::ostream& out, const std::vector<result>& results) {
  const auto number = [&](double value, int width) {
    char text[32];
    std::snprintf(text, sizeof text, "%*.1f", width, value);
    out << text;
  };
  const auto label = [&](const std::string& name) {
    out << name << std::string(name.size() < 15 ? 15 - name.size() : 1, ' ');
  };
  const auto width_of = [](std::size_t c) { return c == quality::text_r1 ? 9 : c == quality::rsum ? 8 : 6; };
  label("");
  out << "     image to text            text to image\n";
  label("");
  out << "   R@1   R@5  R@10  NDCG      R@1   R@5  R@10  NDCG    rsum   train\n";
  for (const result& r : results) {
    label(r.name);
    for (std::size_t c = 0; c < quality::columns; ++c)
      number(r.mean(static_cast<quality::column>(c)), width_of(c));
    if (!r.seconds.empty()) {
      number(std::accumulate(r.seconds.begin(), r.seconds.end(), 0.0) / static_cast<double>(r.seconds.size()),
             6);
      out << " s";
    }
    out << '\n';
    if (r.runs.size() < 2) continue;
    label("  deviation");
    for (std::size_t c = 0; c < quality::columns; ++c)
      number(r.deviation(static_cast<quality::column>(c)), width_of(c));
    out << '\n';
  }
  out.flush();
}

curve::curve(const std::string& path) : path_(path), file_(path) {
  if (!file_) throw std::runtime_error(path + ": cannot be written, expected a place for the curve");
  file_
      << "loss,seed,epoch,seconds,training_loss,image_r1,image_r5,image_r10,image_ndcg,text_r1,text_r5,text_r10,text_ndcg,rsum\n";
}

void curve::add(const std::string& loss, std::uint64_t seed, std::size_t epoch, double seconds, double value,
                const quality& test) {
  char text[64];
  std::snprintf(text, sizeof text, "%.3f,%.9g", seconds, value);
  file_ << loss << ',' << seed << ',' << epoch << ',' << text;
  for (const double v : test.values) {
    std::snprintf(text, sizeof text, ",%.4f", v);
    file_ << text;
  }
  file_ << std::endl;  // a curve is watched while it grows
  if (!file_) throw std::runtime_error(path_ + ": cannot be written to its end");
}

query_table::query_table(const std::string& path) : path_(path), file_(path) {
  if (!file_) throw std::runtime_error(path + ": cannot be written, expected a place for the queries' NDCG");
  file_ << "loss,seed,direction,query,image,ndcg\n";
}

void query_table::add(const std::string& loss, std::uint64_t seed, const std::vector<query_ndcg>& queries) {
  for (const query_ndcg& q : queries) {
    char value[32];
    std::snprintf(value, sizeof value, "%.4f", q.ndcg);
    file_ << loss << ',' << seed << (q.by_image ? ",image_to_text," : ",text_to_image,") << q.query << ','
          << q.image << ',' << value << '\n';
  }
  file_.flush();
  if (!file_) throw std::runtime_error(path_ + ": cannot be written to its end");
}

}  // namespace retrieval

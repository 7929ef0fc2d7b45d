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
  q.rsum_by_image = rsum_by_image(similarity);
  return q;
}

std::vector<double> evaluator::rsum_by_image(const matrix<float>& similarity) const {
  const std::size_t captions = caption_classes_.size();
  const std::size_t each = captions / image_classes_.size();
  const rankloss::metrics::retrieval<3> recall{.cutoffs = {1, 5, 10}};
  const auto sum_of_rows = [&](const matrix<float>& rows, std::span<const std::size_t> row_classes,
                               std::span<const std::size_t> column_classes) {
    const rankloss::similarity_batch<float> batch{
        .similarity = {rows.data(), static_cast<std::size_t>(rows.size())},
        .rows = row_classes.size(),
        .columns = column_classes.size(),
        .row_classes = row_classes,
        .column_classes = column_classes};
    double sum = 0.0;
    for (const double r : recall(batch, context_).rows.recall) sum += 100.0 * r;
    return sum;
  };
  const std::span<const std::size_t> images(image_classes_);
  const std::span<const std::size_t> images_of_captions(caption_classes_);
  std::vector<double> sums;
  matrix<float> of_image;
  matrix<float> of_captions;
  for (std::size_t i = 0; i < images.size(); ++i) {
    of_image = similarity.row(static_cast<Eigen::Index>(i));
    of_captions = similarity.middleCols(static_cast<Eigen::Index>(i * each), static_cast<Eigen::Index>(each))
                      .transpose();
    sums.push_back(sum_of_rows(of_image, images.subspan(i, 1), images_of_captions) +
                   sum_of_rows(of_captions, images_of_captions.subspan(i * each, each), images));
  }
  return sums;
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

std::vector<double> result::rsum_by_image() const {
  std::vector<double> mean(runs.front().rsum_by_image.size());
  for (const quality& run : runs)
    for (std::size_t i = 0; i < mean.size(); ++i)
      mean[i] += run.rsum_by_image[i] / static_cast<double>(runs.size());
  return mean;
}

examples::interval compare(const result& row, const result& other, std::size_t resamples,
                           std::uint64_t seed) {
  return examples::bootstrap(row.rsum_by_image(), other.rsum_by_image(), resamples, seed);
}

void print_table(std::ostream& out, const std::vector<result>& results, std::size_t resamples,
                 std::uint64_t seed) {
  const auto against =
      std::find_if(results.begin(), results.end(), [](const result& r) { return !r.seconds.empty(); });
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
  out << "   R@1   R@5  R@10  NDCG      R@1   R@5  R@10  NDCG    rsum   train  scratch";
  if (against != results.end() && against + 1 != results.end())
    out << "   rsum less that of " << against->name << " (95 %)";
  out << '\n';
  for (const result& r : results) {
    label(r.name);
    for (std::size_t c = 0; c < quality::columns; ++c)
      number(r.mean(static_cast<quality::column>(c)), width_of(c));
    if (!r.seconds.empty()) {
      number(std::accumulate(r.seconds.begin(), r.seconds.end(), 0.0) / static_cast<double>(r.seconds.size()),
             6);
      out << " s";
      number(static_cast<double>(r.scratch) / 1e6, 6);
      out << " MB";
    }
    if (!r.seconds.empty() && &r != &*against) {
      const examples::interval d = compare(r, *against, resamples, seed);
      char text[64];
      std::snprintf(text, sizeof text, "   %+5.1f (%+5.1f to %+5.1f)", d.value, d.low, d.high);
      out << text;
    }
    out << '\n';
    if (r.runs.size() < 2) continue;
    label("  deviation");
    for (std::size_t c = 0; c < quality::columns; ++c)
      number(r.deviation(static_cast<quality::column>(c)), width_of(c));
    out << '\n';
  }
  for (const result& r : results) {
    if (r.learned.empty()) continue;
    learned_numbers mean;
    for (const learned_numbers& l : r.learned) {
      mean.temperature += l.temperature / static_cast<double>(r.learned.size());
      mean.bias += l.bias / static_cast<double>(r.learned.size());
    }
    char text[96];
    std::snprintf(text, sizeof text, ": temperature %.4f", mean.temperature);
    out << r.name << text;
    if (r.learned.front().has_bias) {
      std::snprintf(text, sizeof text, ", bias %.2f", mean.bias);
      out << text;
    }
    out << " at the end\n";
  }
  out.flush();
}

curve::curve(const std::string& csv, const std::string& picture) : csv_(csv), picture_(picture) {
  csv_.stream()
      << "loss,seed,epoch,seconds,training_loss,image_r1,image_r5,image_r10,image_ndcg,text_r1,text_r5,text_r10,text_ndcg,rsum\n";
}

void curve::add(const std::string& loss, std::uint64_t seed, std::size_t epoch, double seconds, double value,
                const quality& test) {
  char text[64];
  std::snprintf(text, sizeof text, "%.3f,%.9g", seconds, value);
  csv_.stream() << loss << ',' << seed << ',' << epoch << ',' << text;
  for (const double v : test.values) {
    std::snprintf(text, sizeof text, ",%.4f", v);
    csv_.stream() << text;
  }
  csv_.stream() << '\n';
  if (lines_.empty() || lines_.back().loss != loss) lines_.push_back({.loss = loss});
  line& now = lines_.back();
  now.sums.resize(std::max(now.sums.size(), epoch));
  now.runs.resize(now.sums.size());
  now.sums[epoch - 1] += test.values[quality::rsum];
  now.runs[epoch - 1] += 1.0;
}

void curve::keep(const std::string& set, double cca) {
  std::ostream& out = picture_.stream();
  const auto block_of = [](const line& l) {  // a name of gnuplot, which takes a hyphen for a minus
    std::string name = '$' + l.loss;
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
  };
  for (const line& l : lines_) {
    out << block_of(l) << " << END\n";
    for (std::size_t e = 0; e < l.sums.size(); ++e) out << e + 1 << ' ' << l.sums[e] / l.runs[e] << '\n';
    out << "END\n";
  }
  out << "set terminal svg size 760,480 font 'sans-serif,13' background '#ffffff'\nset output '"
      << examples::picture_of(picture_.path()) << "'\nset title '" << set
      << "'\nset xlabel 'epoch'\nset ylabel 'rsum, mean over the seeds'\n"
         "set key bottom right\nset border 3\nset tics nomirror out\nset grid lc rgb '#dddddd'\n"
         "plot "
      << cca << " with lines dashtype 2 lw 1.5 lc rgb '#555555' title 'CCA'";
  for (const line& l : lines_)
    out << ", " << block_of(l) << " with linespoints pt 7 ps 0.5 lw 2 title '" << l.loss << "' noenhanced";
  out << '\n';
  csv_.keep();
  picture_.keep();
  examples::say_how_to_draw(picture_);
}

query_table::query_table(const std::string& path) : file_(path) {
  file_.stream() << "loss,seed,direction,query,image,ndcg\n";
}

void query_table::add(const std::string& loss, std::uint64_t seed, const std::vector<query_ndcg>& queries) {
  for (const query_ndcg& q : queries) {
    char value[32];
    std::snprintf(value, sizeof value, "%.4f", q.ndcg);
    file_.stream() << loss << ',' << seed << (q.by_image ? ",image_to_text," : ",text_to_image,") << q.query
                   << ',' << q.image << ',' << value << '\n';
  }
}

}  // namespace retrieval

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/text/decimal.hpp>
#include <rankloss/detail/text/text.hpp>
#include <rankloss/detail/text/trec_lines.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI {

/// trec_names: strings stored one after the other in one block of memory.
class trec_names {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }
  [[nodiscard]] bool empty() const noexcept { return ends_.empty(); }
  [[nodiscard]] std::string_view operator[](std::size_t i) const noexcept {
    const std::size_t begin = i > 0 ? ends_[i - 1] : 0;
    return std::string_view(text_).substr(begin, ends_[i] - begin);
  }

  void reserve(std::size_t names, std::size_t bytes) {
    ends_.reserve(names);
    text_.reserve(bytes);
  }
  void push_back(std::string_view name) {
    text_ += name;
    ends_.push_back(text_.size());
  }

 private:
  std::string text_;
  std::vector<std::size_t> ends_;
};

/// The types of a judgement: a grade, as in trec_eval, or a real number.
template <class Relevance>
concept trec_relevance = std::same_as<Relevance, std::int32_t> || std::same_as<Relevance, float> ||
    std::same_as<Relevance, double>;

/// trec_qrels: which documents were judged for which topics. Topics are in the order of their first lines,
/// documents in that of their lines. basic_trec_qrels<double> holds real-valued judgements.
template <trec_relevance Relevance>
struct basic_trec_qrels {
  trec_names topics;                    ///< [topics]
  std::vector<std::size_t> offsets{0};  ///< [topics + 1] topic t: judgements offsets[t] to offsets[t + 1]
  trec_names documents;                 ///< [judgements]
  std::vector<Relevance> relevance;     ///< [judgements] as in the file; below 0: not judged
};
using trec_qrels = basic_trec_qrels<std::int32_t>;

/// trec_run: which documents a system retrieved for which topics. Topics are in the order of their first
/// lines, documents in that of their lines.
struct trec_run {
  trec_names topics;                    ///< [topics]
  std::vector<std::size_t> offsets{0};  ///< [topics + 1] topic t: documents offsets[t] to offsets[t + 1]
  trec_names documents;                 ///< [retrieved]
  std::vector<double> scores;           ///< [retrieved] finite
  std::vector<std::int64_t> ranks;      ///< [retrieved] the rank column; -1: no whole number >= 0
  std::string tag;                      ///< the last column of the first line
};

/// How a document is handled that a file names twice for the same topic.
enum class trec_repeats {
  refused,            ///< an error
  identical_dropped,  ///< the first counts; another relevance or score is still an error
};

/// How a file is read.
struct trec_read_options {
  trec_repeats repeats = trec_repeats::refused;  ///< documents that appear again
};

/// The order of documents of equal score.
enum class trec_ties {
  expected,  ///< scores are unchanged; metrics give expectations over the random order
  by_name,   ///< scores become ranks; those equal as floats by descending name, as bytes
  by_rank,   ///< scores become ranks; equal ones by the ranks of the file, then by line
};

/// How judged documents are handled that the run does not retrieve.
enum class trec_missing {
  appended,  ///< last in their list, as missed items: they count and have no rank
  left_out,  ///< left out: metrics are of the retrieved documents only
};

/// Which topics become lists.
enum class trec_topics {
  of_both,   ///< topics of the qrels that the run answers, as trec_eval without -c
  of_qrels,  ///< all topics of the qrels, as trec_eval -c; without an answer they count as 0
};

/// How a run and its judgements become lists. trec_ties::by_name is the order of trec_eval up to version 9
/// and of pytrec_eval; trec_eval 10 compares doubles.
///
/// `judged_only` is trec_eval -J. `relevance_level` is trec_eval -l for measures that count relevant
/// documents.
struct trec_join_options {
  trec_ties ties = trec_ties::expected;           ///< equal scores
  trec_missing missing = trec_missing::appended;  ///< judged documents that were not retrieved
  trec_topics topics = trec_topics::of_both;      ///< topics that were not answered
  std::int32_t unjudged = 0;                      ///< >= 0, of retrieved documents without judgement
  bool judged_only = false;                       ///< leave out retrieved documents without judgement
  double relevance_level = 0.0;                   ///< >= 0, finite; judgements below it become 0
};

/// trec_lists: a run with its relevance, in the form that metrics take. Topics are in the order of the qrels.
/// A list is in descending order of scores, with equal scores in descending order of names, or as trec_ties
/// says; missed documents are last.
template <trec_relevance Relevance>
struct basic_trec_lists {
  trec_names topics;                    ///< [lists]
  std::vector<std::size_t> offsets{0};  ///< [lists + 1] list t: items offsets[t] to offsets[t + 1]
  std::vector<double> scores;           ///< [items] for missed ones the lowest double, which is not read
  std::vector<Relevance> relevance;     ///< [items] >= 0; judgements below 0 become 0
  std::vector<float> weights;           ///< [items] 1; 0: not judged, and of relevance 0
  std::vector<unsigned char> missed;    ///< [items] 1: not retrieved; empty if those are left out
  std::vector<std::size_t> retrieved;   ///< [lists] number of retrieved documents, which are first
  std::vector<std::size_t> relevant;    ///< [lists] number of documents of relevance > 0, retrieved or not
  std::size_t depth = 1;                ///< cutoff that covers all retrieved and all relevant documents
  std::size_t unjudged_topics = 0;      ///< topics of the run without judgements, which are not lists
  std::size_t unanswered_topics = 0;    ///< topics of the qrels that the run does not answer

  /// The lists in the form that `evaluate` takes; a view of this object.
  [[nodiscard]] list_batch<double, Relevance> batch() const RANKLOSS_LIFETIMEBOUND {
    return {.scores = scores,
            .relevance = relevance,
            .offsets = offsets,
            .item_weights = weights,
            .missed = missed};
  }
};
using trec_lists = basic_trec_lists<std::int32_t>;

namespace detail {

/// The judgements of one topic, searchable by name.
template <class Relevance>
class judged_documents {
 public:
  judged_documents(const basic_trec_qrels<Relevance>& qrels, std::size_t topic,
                   std::vector<hashed_name>& names)
      : qrels_(qrels), names_(names) {
    names_.clear();
    for (std::size_t i = qrels.offsets[topic]; i < qrels.offsets[topic + 1]; ++i)
      names_.push_back({hash_of(qrels.documents[i]), i});
    std::sort(names_.begin(), names_.end());
  }

  /// Index of the document's judgement; if there is none, the number of judgements.
  [[nodiscard]] std::size_t find(std::string_view document) const {
    const std::size_t hash = hash_of(document);
    for (auto at = std::lower_bound(names_.begin(), names_.end(), hashed_name{hash, 0});
         at != names_.end() && at->hash == hash; ++at)
      if (qrels_.documents[at->item] == document) return at->item;
    return qrels_.relevance.size();
  }

 private:
  const basic_trec_qrels<Relevance>& qrels_;
  std::vector<hashed_name>& names_;
};

/// What a line of a run says of its document; lines that differ only in the rank are equal.
struct trec_answer {
  double score;
  std::int64_t rank;
  friend bool operator==(const trec_answer& a, const trec_answer& b) noexcept { return a.score == b.score; }
};

}  // namespace detail

/// parse_trec_qrels: reads relevance judgements in TREC's format, one in each line, with fields separated by
/// blanks:
///
///     TOPIC ITERATION DOCUMENT RELEVANCE
///
/// or in BEIR's format, if the first line has the names "query-id corpus-id score":
///
///     TOPIC DOCUMENT RELEVANCE
///
/// - The relevance is a whole number of 32 bits; parse_trec_qrels<double> (or float) reads any number. The
///   iteration is ignored. Topics and documents are any words; the lines of a topic need not be together.
/// - Blank lines are skipped. Lines end in LF, CRLF or CR; the last line need not.
/// - Time O(n log n), memory O(bytes).
/// @throws std::runtime_error "NAME:LINE: field: what was found, expected what". A document judged twice for
/// a topic is an error, except with trec_repeats::identical_dropped. No partial result is returned.
template <trec_relevance Relevance = std::int32_t>
[[nodiscard]] basic_trec_qrels<Relevance> parse_trec_qrels(std::string_view text,
                                                           std::string_view name = "text",
                                                           const trec_read_options& options = {}) {
  basic_trec_qrels<Relevance> qrels;
  const detail::trec_columns& columns =
      detail::has_beir_header(text, name) ? detail::beir_columns : detail::qrels_columns;
  const auto lines = detail::read_trec_lines<Relevance>(
      text, name, columns, options.repeats == trec_repeats::refused, "relevance",
      [&](const detail::trec_tokens& tokens, std::size_t number) {
        const std::string_view token = tokens[columns.count - 1];
        if constexpr (std::floating_point<Relevance>) {
          return detail::read_trec_number<Relevance>(token, "relevance", name, number);
        } else {
          double relevance = 0.5;  // "2.0" is accepted as a whole number
          if (detail::read_decimal(token.data(), token.data() + token.size(), relevance) !=
              token.data() + token.size())
            relevance = 0.5;
          if (!(std::abs(relevance) <= 0x1p31) || relevance == 0x1p31 || relevance != std::trunc(relevance))
            detail::fail_at(name, number, "relevance: ", detail::quoted(token),
                            ", expected a whole number of 32 bits");
          return static_cast<Relevance>(relevance);
        }
      },
      qrels);
  qrels.relevance.reserve(lines.size());
  for (const auto& line : lines) qrels.relevance.push_back(line.value);
  return qrels;
}

/// parse_trec_run: reads a run in TREC's format, one retrieved document in each line, with fields separated
/// by blanks:
///
///     TOPIC Q0 DOCUMENT RANK SCORE TAG
///
/// - The score is a decimal number, read as a double; NaN and infinity are errors. Q0 is ignored, and the
///   rank is used by trec_ties::by_rank only: the order is that of the scores, as in trec_eval. The lines of
///   a topic need not be together.
/// - Blank lines are skipped. Lines end in LF, CRLF or CR; the last line need not.
/// - Time O(n log n), memory O(bytes).
/// @throws std::runtime_error "NAME:LINE: field: what was found, expected what". A document retrieved twice
/// for a topic is an error, except with trec_repeats::identical_dropped. No partial result is returned.
[[nodiscard]] inline trec_run parse_trec_run(std::string_view text, std::string_view name = "text",
                                             const trec_read_options& options = {}) {
  trec_run run;
  const auto lines = detail::read_trec_lines<detail::trec_answer>(
      text, name, detail::run_columns, options.repeats == trec_repeats::refused, "score",
      [&](const detail::trec_tokens& tokens, std::size_t number) {
        const double score = detail::read_trec_number<double>(tokens[4], "score", name, number);
        std::int64_t rank = -1;
        const char* const end = tokens[3].data() + tokens[3].size();
        const auto [after, error] = std::from_chars(tokens[3].data(), end, rank);
        if (error != std::errc{} || after != end || rank < 0) rank = -1;
        if (run.tag.empty()) run.tag = tokens[5];
        return detail::trec_answer{score, rank};
      },
      run);
  run.scores.reserve(lines.size());
  run.ranks.reserve(lines.size());
  for (const auto& line : lines) {
    run.scores.push_back(line.value.score);
    run.ranks.push_back(line.value.rank);
  }
  return run;
}

/// read_trec_qrels: parse_trec_qrels for a file, which is held in memory as a whole while it is read.
/// @throws as parse_trec_qrels; std::runtime_error naming a file that cannot be read.
template <trec_relevance Relevance = std::int32_t>
[[nodiscard]] basic_trec_qrels<Relevance> read_trec_qrels(const std::filesystem::path& path,
                                                          const trec_read_options& options = {}) {
  return parse_trec_qrels<Relevance>(detail::read_text(path), path.string(), options);
}

/// read_trec_run: parse_trec_run for a file, which is held in memory as a whole while it is read.
/// @throws as parse_trec_run; std::runtime_error naming a file that cannot be read.
[[nodiscard]] inline trec_run read_trec_run(const std::filesystem::path& path,
                                            const trec_read_options& options = {}) {
  return parse_trec_run(detail::read_text(path), path.string(), options);
}

/// join: combines a run and the judgements of its documents into lists for metrics.
///
///     const trec_lists lists = join(read_trec_run(a), read_trec_qrels(b));
///     const double map = evaluate(metrics::average_precision{}, lists.batch());
///
/// Recall, average precision and the ideal DCG count relevant documents that were not retrieved. These are
/// missed items of their lists: no metric gives them a rank, whatever its cutoff, and a metric without a
/// cutoff counts all retrieved and all relevant documents. Metrics that are not defined for such items
/// (first_rank, average_relevance_position, the correlations) refuse them; use trec_missing::left_out for
/// these.
///
/// trec_eval's figures are those of trec_ties::by_name: map is average_precision, recip_rank reciprocal_rank,
/// Rprec r_precision, bpref bpref, P_k precision, recall_k recall, success_k hit, ndcg and ndcg_cut_k ndcg
/// with gain::linear. With -l this holds for all except ndcg, which has all grades there. The values under
/// trec_ties::expected are the means over the orders of ties.
///
/// - Topics of the run without judgements are left out and counted. With trec_topics::of_both, topics that
///   the run does not answer are left out and counted too. Names are compared byte by byte. The list of a
///   topic depends on that topic alone.
/// - A judgement below 0 counts as none: the document is one without judgement.
/// - A topic without relevant documents is a list of value 0, which reduction::mean_of_relevant leaves out.
/// - Time O(n log n). Memory O(retrieved and judged documents).
/// @throws std::invalid_argument naming an option that is out of its range, or, with trec_ties::by_rank, a
/// document of equal score that has no rank.
template <trec_relevance Relevance>
[[nodiscard]] basic_trec_lists<Relevance> join(const trec_run& run, const basic_trec_qrels<Relevance>& qrels,
                                               const trec_join_options& options = {}) {
  detail::require(options.unjudged >= 0, "unjudged: ", options.unjudged, ", expected at least 0");
  detail::require(detail::is_finite(options.relevance_level) && options.relevance_level >= 0.0,
                  "relevance_level: ", options.relevance_level, ", expected a finite number >= 0");
  std::unordered_map<std::string_view, std::size_t> answers;
  for (std::size_t t = 0; t < run.topics.size(); ++t) answers.emplace(run.topics[t], t);

  const bool by_name = options.ties == trec_ties::by_name;
  const bool by_rank = options.ties == trec_ties::by_rank;
  const auto precedes = [&](std::size_t a, std::size_t b) {
    const double x = by_name ? static_cast<double>(static_cast<float>(run.scores[a])) : run.scores[a];
    const double y = by_name ? static_cast<double>(static_cast<float>(run.scores[b])) : run.scores[b];
    if (x != y) return x > y;
    if (!by_rank) return run.documents[a] > run.documents[b];
    for (const std::size_t i : {a, b})
      detail::require(run.ranks[i] >= 0, "ranks: none for document ", detail::quoted(run.documents[i]),
                      " of a score that another has, expected a whole number >= 0 for trec_ties::by_rank");
    return run.ranks[a] != run.ranks[b] ? run.ranks[a] < run.ranks[b] : a < b;
  };
  const auto graded = [&](Relevance y) {
    return y > 0 && static_cast<double>(y) >= options.relevance_level ? y : Relevance{0};
  };

  basic_trec_lists<Relevance> lists;
  const auto add = [&](double score, Relevance relevance, bool judged, bool missed) {
    lists.scores.push_back(score);
    lists.relevance.push_back(relevance);
    lists.weights.push_back(judged || relevance > 0 ? 1.0f : 0.0f);
    if (options.missing == trec_missing::appended) lists.missed.push_back(missed ? 1 : 0);
    return relevance > 0 ? std::size_t{1} : std::size_t{0};
  };
  std::vector<std::size_t> order;
  std::vector<detail::hashed_name> names;
  std::vector<char> is_retrieved;
  for (std::size_t t = 0; t < qrels.topics.size(); ++t) {
    const auto answer = answers.find(qrels.topics[t]);
    if (answer == answers.end()) ++lists.unanswered_topics;
    if (answer == answers.end() && options.topics == trec_topics::of_both) continue;
    const std::size_t begin = qrels.offsets[t];
    const std::size_t end = qrels.offsets[t + 1];
    order.clear();
    if (answer != answers.end())
      for (std::size_t i = run.offsets[answer->second]; i < run.offsets[answer->second + 1]; ++i)
        order.push_back(i);
    std::sort(order.begin(), order.end(), precedes);

    const detail::judged_documents<Relevance> judged(qrels, t, names);
    is_retrieved.assign(end - begin, 0);
    std::size_t retrieved = 0;
    std::size_t relevant = 0;
    for (const std::size_t i : order) {
      const std::size_t found = judged.find(run.documents[i]);
      const bool known = found < qrels.relevance.size() && qrels.relevance[found] >= 0;
      if (known) is_retrieved[found - begin] = 1;
      if (!known && options.judged_only) continue;
      const double score =
          options.ties == trec_ties::expected ? run.scores[i] : -static_cast<double>(retrieved);
      relevant += add(score,
                      known                            ? graded(qrels.relevance[found])
                      : found < qrels.relevance.size() ? Relevance{0}
                                                       : static_cast<Relevance>(options.unjudged),
                      known, false);
      ++retrieved;
    }
    for (std::size_t j = begin; j < end; ++j) {
      if (is_retrieved[j - begin] != 0 || qrels.relevance[j] < 0) continue;
      if (options.missing == trec_missing::appended)
        relevant += add(std::numeric_limits<double>::lowest(), graded(qrels.relevance[j]), true, true);
      else
        relevant += graded(qrels.relevance[j]) > 0 ? 1u : 0u;
    }
    lists.topics.push_back(qrels.topics[t]);
    lists.offsets.push_back(lists.scores.size());
    lists.retrieved.push_back(retrieved);
    lists.relevant.push_back(relevant);
    lists.depth = std::max({lists.depth, retrieved, relevant});
  }
  lists.unjudged_topics = run.topics.size() - (qrels.topics.size() - lists.unanswered_topics);
  return lists;
}

}  // namespace rankloss::inline RANKLOSS_ABI

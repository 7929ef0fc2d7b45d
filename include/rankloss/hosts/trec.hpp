// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/text/decimal.hpp>
#include <rankloss/detail/text/text.hpp>

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

/// trec_names: strings one after the other in one piece of memory.
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

/// What a judgement may be: a grade as trec_eval reads it, or a real number.
template <class Relevance>
concept trec_relevance = std::same_as<Relevance, std::int32_t> || std::same_as<Relevance, float> || std::same_as<Relevance, double>;

/// trec_qrels: which documents were judged for which topics. Topics in the order of their first lines, documents in that of their lines.
/// basic_trec_qrels<double> holds real-valued judgements.
template <trec_relevance Relevance>
struct basic_trec_qrels {
  trec_names topics;                    ///< [topics]
  std::vector<std::size_t> offsets{0};  ///< [topics + 1] topic t has the judgements offsets[t] to offsets[t + 1]
  trec_names documents;                 ///< [judgements]
  std::vector<Relevance> relevance;     ///< [judgements] as the file has it; below 0, which says that there is no judgement, too
};
using trec_qrels = basic_trec_qrels<std::int32_t>;

/// trec_run: which documents a system retrieved for which topics. Topics in the order of their first lines, documents in that of their lines.
struct trec_run {
  trec_names topics;                    ///< [topics]
  std::vector<std::size_t> offsets{0};  ///< [topics + 1] topic t has the documents offsets[t] to offsets[t + 1]
  trec_names documents;                 ///< [retrieved]
  std::vector<double> scores;           ///< [retrieved] finite
  std::vector<std::int64_t> ranks;      ///< [retrieved] the column of that name; -1 where that is no whole number >= 0
  std::string tag;                      ///< the last column of the first line
};

/// What becomes of a document that a file has again for the same topic.
enum class trec_repeats {
  refused,            ///< it is an error
  identical_dropped,  ///< the first counts, the others are dropped; another relevance or another score is an error still
};

/// How a file is read.
struct trec_read_options {
  trec_repeats repeats = trec_repeats::refused;  ///< documents that come again
};

/// What becomes of documents of equal score.
enum class trec_ties {
  expected,  ///< scores stay as they are: metrics give the expectation over the random order of equal ones
  by_name,   ///< scores become places, those that are equal as floats in descending order of their names as bytes: what trec_eval up to 9 and
             ///< pytrec_eval compute; trec_eval 10 compares doubles
  by_rank,   ///< scores become places, equal ones in ascending order of the file's ranks, of equal ranks in that of their lines
};

/// What becomes of judged documents that the run does not retrieve.
enum class trec_missing {
  appended,  ///< they stand last in their topic's list, as missed: they count, and have no rank
  left_out,  ///< they are not there: a metric is one of what was retrieved
};

/// Which topics are lists.
enum class trec_topics {
  of_both,   ///< those of the qrels that the run answers, as trec_eval without -c
  of_qrels,  ///< all of the qrels, as trec_eval -c: one without an answer has nothing retrieved, and counts as 0
};

/// How a run and its judgements become lists.
struct trec_join_options {
  trec_ties ties = trec_ties::expected;           ///< equal scores
  trec_missing missing = trec_missing::appended;  ///< judged documents that were not retrieved
  trec_topics topics = trec_topics::of_both;      ///< topics that were not answered
  std::int32_t unjudged = 0;                      ///< >= 0, the relevance of documents that were retrieved and not judged
  bool judged_only = false;                       ///< documents that were retrieved and not judged are left out, as by trec_eval -J
  double relevance_level = 0.0;                   ///< >= 0, finite; judgements below it become 0: trec_eval -l for what counts relevant documents
};

/// trec_lists: a run with its relevance, as metrics take it. Topics are in the order of the qrels; a list is in descending order of scores,
/// equal ones in descending order of names, or as trec_ties says; what was missed comes last.
template <trec_relevance Relevance>
struct basic_trec_lists {
  trec_names topics;                    ///< [lists]
  std::vector<std::size_t> offsets{0};  ///< [lists + 1] topic t is the items offsets[t] to offsets[t + 1]
  std::vector<double> scores;           ///< [items] of missed ones the lowest double, which nothing reads
  std::vector<Relevance> relevance;     ///< [items] >= 0; what the qrels have below 0 is 0
  std::vector<float> weights;           ///< [items] 1; 0 for documents without judgement whose relevance is 0: they take places, and are not judged
  std::vector<unsigned char> missed;    ///< [items] 1 for what was not retrieved; empty where that is left out
  std::vector<std::size_t> retrieved;   ///< [lists] the first so many items of a list were retrieved
  std::vector<std::size_t> relevant;    ///< [lists] documents of relevance > 0, retrieved or not
  std::size_t depth = 1;                ///< no list has more documents retrieved, or relevant: a metric with this cutoff sees them all
  std::size_t unjudged_topics = 0;      ///< topics of the run that the qrels lack: they are not among the lists
  std::size_t unanswered_topics = 0;    ///< topics of the qrels that the run lacks

  /// The lists as `evaluate` takes them; a view of this object.
  [[nodiscard]] list_batch<double, Relevance> batch() const RANKLOSS_LIFETIMEBOUND {
    return {.scores = scores, .relevance = relevance, .offsets = offsets, .item_weights = weights, .missed = missed};
  }
};
using trec_lists = basic_trec_lists<std::int32_t>;

namespace detail {

/// A line of a file, while its topic is not yet grouped.
template <class Value>
struct trec_line {
  std::size_t topic;
  std::string_view document;
  Value value;
  std::size_t number;
};

struct hashed_name {
  std::size_t hash;
  std::size_t item;
  friend bool operator<(const hashed_name& a, const hashed_name& b) noexcept { return a.hash != b.hash ? a.hash < b.hash : a.item < b.item; }
};

[[nodiscard]] inline std::size_t hash_of(std::string_view name) noexcept { return std::hash<std::string_view>{}(name); }

/// Numbers of names in the order of their first coming.
class name_numbers {
 public:
  std::size_t operator()(std::string_view name) {
    if (last_ < names_.size() && names_[last_] == name) return last_;  // lines of a topic mostly stand together
    last_ = numbers_.try_emplace(name, names_.size()).first->second;
    if (last_ == names_.size()) names_.push_back(name);
    return last_;
  }
  [[nodiscard]] const std::vector<std::string_view>& names() const noexcept { return names_; }

 private:
  std::unordered_map<std::string_view, std::size_t> numbers_;
  std::vector<std::string_view> names_;
  std::size_t last_ = 0;
};

/// Which columns a file has.
struct trec_columns {
  std::size_t count;
  std::size_t document;  ///< the topic is the first
  std::string_view names;
  bool header = false;  ///< whether the first line is that of the names
};

inline constexpr trec_columns qrels_columns{4, 2, "topic iteration document relevance"};
inline constexpr trec_columns beir_columns{3, 1, "query-id corpus-id score", true};
inline constexpr trec_columns run_columns{6, 2, "topic Q0 document rank score tag"};
inline constexpr std::size_t most_columns = 6;

/// The tokens of a line; those beyond the most that a file has are counted only.
struct trec_tokens {
  explicit trec_tokens(std::string_view line) noexcept {
    const char* const end = line.data() + line.size();
    for (const char* p = skip_blanks(line.data(), end); p != end; ++count) {
      const std::string_view token = token_at(p, end);
      if (count < most_columns) all[count] = token;
      p = skip_blanks(p + token.size(), end);
    }
  }
  [[nodiscard]] std::string_view operator[](std::size_t i) const noexcept { return all[i]; }

  std::array<std::string_view, most_columns> all;
  std::size_t count = 0;
};

/// Whether the first line that is not blank names BEIR's columns.
[[nodiscard]] inline bool has_beir_header(std::string_view text, std::string_view name) {
  for (text_lines lines(text, name); lines.next();) {
    const trec_tokens tokens(lines.line());
    if (tokens.count > 0) return tokens.count == 3 && tokens[0] == "query-id" && tokens[1] == "corpus-id" && tokens[2] == "score";
  }
  return false;
}

/// Reads lines of tokens; value(tokens, line number) is what the line says of its document in its topic. `out` receives topics, offsets and
/// documents; returned are the lines in that order.
template <class Value, class Read, class Out>
std::vector<trec_line<Value>> read_trec_lines(std::string_view text, std::string_view name, const trec_columns& columns, trec_repeats repeats,
                                              std::string_view value_name, Read value, Out& out) {
  std::vector<trec_line<Value>> all;
  all.reserve(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1);
  name_numbers topics;
  std::size_t bytes = 0;
  bool header = columns.header;
  for (text_lines lines(text, name); lines.next();) {
    const trec_tokens tokens(lines.line());
    if (tokens.count == 0) continue;
    if (tokens.count != columns.count)
      fail_at(name, lines.number(), "fields: ", tokens.count, ", expected ", columns.count, " (", columns.names, ")");
    if (std::exchange(header, false)) continue;
    const std::string_view document = tokens[columns.document];
    all.push_back({topics(tokens[0]), document, value(tokens, lines.number()), lines.number()});
    bytes += document.size();
  }

  // By the line where topics are equal. Not std::stable_sort, of which Clang says that libstdc++ 12 has it by way of deprecated functions.
  const auto before = [](const auto& a, const auto& b) { return a.topic != b.topic ? a.topic < b.topic : a.number < b.number; };
  if (!std::is_sorted(all.begin(), all.end(), before)) std::sort(all.begin(), all.end(), before);

  // Documents that come again in their topic.
  std::vector<char> dropped(all.size(), 0);
  std::vector<hashed_name> names;
  for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end) {
    names.clear();
    for (; end < all.size() && all[end].topic == all[begin].topic; ++end) names.push_back({hash_of(all[end].document), end});
    std::sort(names.begin(), names.end());
    for (std::size_t a = 0; a < names.size(); ++a) {
      const auto& first = all[names[a].item];
      if (dropped[names[a].item] != 0) continue;
      for (std::size_t b = a + 1; b < names.size() && names[b].hash == names[a].hash; ++b) {
        const auto& again = all[names[b].item];
        if (again.document != first.document) continue;
        const bool identical = again.value == first.value;
        if (repeats == trec_repeats::refused || !identical)
          fail_at(name, again.number, "document: ", quoted(again.document), " again for topic ", quoted(topics.names()[again.topic]),
                  repeats == trec_repeats::refused ? "" : " with another ", repeats == trec_repeats::refused ? "" : value_name,
                  ", expected once; first at line ", first.number);
        dropped[names[b].item] = 1;
      }
    }
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (dropped[i] == 0) all[kept++] = all[i];
  all.resize(kept);

  for (const std::string_view topic : topics.names()) out.topics.push_back(topic);
  out.documents.reserve(all.size(), bytes);
  for (std::size_t i = 0; i < all.size(); ++i) {
    out.documents.push_back(all[i].document);
    if (i + 1 == all.size() || all[i + 1].topic != all[i].topic) out.offsets.push_back(i + 1);
  }
  return all;
}

/// A decimal number in a field that is called `field`.
template <class T>
[[nodiscard]] T read_trec_number(std::string_view token, std::string_view field, std::string_view name, std::size_t number) {
  const char* const end = token.data() + token.size();
  double value = 0.0;
  if (read_decimal(token.data(), end, value) != end) fail_at(name, number, field, ": ", quoted(token), ", expected a finite number");
  if (!fits<T>(value)) fail_at(name, number, field, ": ", quoted(token), beyond<T>());
  return static_cast<T>(value);
}

/// The judgements of one topic, to be found by name.
template <class Relevance>
class judged_documents {
 public:
  judged_documents(const basic_trec_qrels<Relevance>& qrels, std::size_t topic, std::vector<hashed_name>& names) : qrels_(qrels), names_(names) {
    names_.clear();
    for (std::size_t i = qrels.offsets[topic]; i < qrels.offsets[topic + 1]; ++i) names_.push_back({hash_of(qrels.documents[i]), i});
    std::sort(names_.begin(), names_.end());
  }

  /// Number of the document's judgement; none: how many there are.
  [[nodiscard]] std::size_t find(std::string_view document) const {
    const std::size_t hash = hash_of(document);
    for (auto at = std::lower_bound(names_.begin(), names_.end(), hashed_name{hash, 0}); at != names_.end() && at->hash == hash; ++at)
      if (qrels_.documents[at->item] == document) return at->item;
    return qrels_.relevance.size();
  }

 private:
  const basic_trec_qrels<Relevance>& qrels_;
  std::vector<hashed_name>& names_;
};

/// What a line of a run says of its document; the rank does not make another of it.
struct trec_answer {
  double score;
  std::int64_t rank;
  friend bool operator==(const trec_answer& a, const trec_answer& b) noexcept { return a.score == b.score; }
};

}  // namespace detail

/// parse_trec_qrels: reads relevance judgements in TREC's form, one a line, the fields separated by blanks:
///
///     TOPIC ITERATION DOCUMENT RELEVANCE
///
/// or in BEIR's, which a first line of its names says: "query-id corpus-id score".
///
///     TOPIC DOCUMENT RELEVANCE
///
/// - The relevance is a whole number of 32 bits; parse_trec_qrels<double> (or float) reads any. The iteration is not looked at. Topics and
///   documents are any words; a topic's lines need not be together.
/// - Blank lines are skipped. Lines end in LF, CRLF or CR, the last one as it likes.
/// - Time O(n log n), memory O(bytes).
/// @throws std::runtime_error "NAME:LINE: field: what came, expected what"; a document judged twice for a topic is one, but for
/// trec_repeats::identical_dropped. Nothing half-read is returned.
template <trec_relevance Relevance = std::int32_t>
[[nodiscard]] basic_trec_qrels<Relevance> parse_trec_qrels(std::string_view text, std::string_view name = "text",
                                                           const trec_read_options& options = {}) {
  basic_trec_qrels<Relevance> qrels;
  const detail::trec_columns& columns = detail::has_beir_header(text, name) ? detail::beir_columns : detail::qrels_columns;
  const auto lines = detail::read_trec_lines<Relevance>(
      text, name, columns, options.repeats, "relevance",
      [&](const detail::trec_tokens& tokens, std::size_t number) {
        const std::string_view token = tokens[columns.count - 1];
        if constexpr (std::floating_point<Relevance>) {
          return detail::read_trec_number<Relevance>(token, "relevance", name, number);
        } else {
          double relevance = 0.5;  // "2.0" is a whole number too
          if (detail::read_decimal(token.data(), token.data() + token.size(), relevance) != token.data() + token.size()) relevance = 0.5;
          if (!(std::abs(relevance) <= 0x1p31) || relevance == 0x1p31 || relevance != std::trunc(relevance))
            detail::fail_at(name, number, "relevance: ", detail::quoted(token), ", expected a whole number of 32 bits");
          return static_cast<Relevance>(relevance);
        }
      },
      qrels);
  qrels.relevance.reserve(lines.size());
  for (const auto& line : lines) qrels.relevance.push_back(line.value);
  return qrels;
}

/// parse_trec_run: reads a run in TREC's form, one retrieved document a line, the fields separated by blanks:
///
///     TOPIC Q0 DOCUMENT RANK SCORE TAG
///
/// - The score is a decimal number, read as a double; NaN and infinity are errors. Q0 is not looked at, and the rank by trec_ties::by_rank
///   alone: the order is that of the scores, as in trec_eval. A topic's lines need not be together.
/// - Blank lines are skipped. Lines end in LF, CRLF or CR, the last one as it likes.
/// - Time O(n log n), memory O(bytes).
/// @throws std::runtime_error "NAME:LINE: field: what came, expected what"; a document retrieved twice for a topic is one, but for
/// trec_repeats::identical_dropped. Nothing half-read is returned.
[[nodiscard]] inline trec_run parse_trec_run(std::string_view text, std::string_view name = "text", const trec_read_options& options = {}) {
  trec_run run;
  const auto lines = detail::read_trec_lines<detail::trec_answer>(
      text, name, detail::run_columns, options.repeats, "score",
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

/// read_trec_qrels: parse_trec_qrels of a file, which is held in memory as a whole while it is read.
/// @throws as parse_trec_qrels; std::runtime_error naming a file that cannot be read.
template <trec_relevance Relevance = std::int32_t>
[[nodiscard]] basic_trec_qrels<Relevance> read_trec_qrels(const std::filesystem::path& path, const trec_read_options& options = {}) {
  return parse_trec_qrels<Relevance>(detail::read_text(path), path.string(), options);
}

/// read_trec_run: parse_trec_run of a file, which is held in memory as a whole while it is read.
/// @throws as parse_trec_run; std::runtime_error naming a file that cannot be read.
[[nodiscard]] inline trec_run read_trec_run(const std::filesystem::path& path, const trec_read_options& options = {}) {
  return parse_trec_run(detail::read_text(path), path.string(), options);
}

/// join: a run and the judgements of its documents become lists for metrics.
///
///     const trec_lists lists = join(read_trec_run(a), read_trec_qrels(b));
///     const double map = evaluate(metrics::average_precision{}, lists.batch());
///
/// Recall, average precision and the ideal DCG count relevant documents that were not retrieved. They are missed items of their lists: no
/// metric gives them a rank, whatever its cutoff, and one without a cutoff counts all that was retrieved and all that is relevant. Metrics
/// without a value for such items (first_rank, average_relevance_position, the correlations) refuse them; trec_missing::left_out is for these.
///
/// trec_eval's figures are those of trec_ties::by_name: map is average_precision, recip_rank reciprocal_rank, Rprec r_precision, bpref bpref,
/// P_k precision, recall_k recall, success_k hit, ndcg and ndcg_cut_k ndcg with gain::linear; with -l, all but ndcg, which has all grades there.
/// The values under trec_ties::expected are the means over the orders of ties.
///
/// - Topics of the run without judgements are left out and counted; so are, by trec_topics::of_both, topics that the run does not answer.
///   Names are equal byte by byte. What a topic's list is depends on that topic alone.
/// - A judgement below 0 is none: the document is one without judgement.
/// - A topic without relevant documents is a list of value 0, which reduction::mean_of_relevant leaves out.
/// - Time O(n log n). Memory O(retrieved and judged documents).
/// @throws std::invalid_argument naming the option that is out of its range; by trec_ties::by_rank, a document of equal score that has no rank.
template <trec_relevance Relevance>
[[nodiscard]] basic_trec_lists<Relevance> join(const trec_run& run, const basic_trec_qrels<Relevance>& qrels, const trec_join_options& options = {}) {
  detail::require(options.unjudged >= 0, "unjudged: ", options.unjudged, ", expected at least 0");
  detail::require(detail::is_finite(options.relevance_level) && options.relevance_level >= 0.0, "relevance_level: ", options.relevance_level,
                  ", expected a finite number >= 0");
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
  const auto graded = [&](Relevance y) { return y > 0 && static_cast<double>(y) >= options.relevance_level ? y : Relevance{0}; };

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
      for (std::size_t i = run.offsets[answer->second]; i < run.offsets[answer->second + 1]; ++i) order.push_back(i);
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
      const double score = options.ties == trec_ties::expected ? run.scores[i] : -static_cast<double>(retrieved);
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

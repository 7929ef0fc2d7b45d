// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/decimal.hpp>
#include <rankloss/detail/require.hpp>
#include <rankloss/detail/text.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <numeric>
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

/// trec_qrels: which documents were judged for which topics. Topics in the order of their first lines, documents in that of their lines.
struct trec_qrels {
  trec_names topics;                    ///< [topics]
  std::vector<std::size_t> offsets{0};  ///< [topics + 1] topic t has the judgements offsets[t] to offsets[t + 1]
  trec_names documents;                 ///< [judgements]
  std::vector<std::int32_t> relevance;  ///< [judgements] as the file has it; below 0 too
};

/// trec_run: which documents a system retrieved for which topics. Topics in the order of their first lines, documents in that of their lines.
struct trec_run {
  trec_names topics;                    ///< [topics]
  std::vector<std::size_t> offsets{0};  ///< [topics + 1] topic t has the documents offsets[t] to offsets[t + 1]
  trec_names documents;                 ///< [retrieved]
  std::vector<double> scores;           ///< [retrieved] finite
  std::string tag;                      ///< the last column of the first line
};

/// What becomes of documents of equal score.
enum class trec_ties {
  expected,  ///< scores stay as they are: metrics give the expectation over the random order of equal ones
  by_name,   ///< scores become places, equal ones in descending order of their names as bytes: what trec_eval computes
};

/// What becomes of relevant documents that the run does not retrieve.
enum class trec_missing {
  appended,  ///< they stand in their topic's list behind `depth` places, with score -infinity: a metric counts them as relevant and missed
  left_out,  ///< they are not there: a metric is one of what was retrieved
};

/// Which topics become lists.
enum class trec_topics {
  of_both,   ///< those of the qrels that the run answers, as trec_eval without -c
  of_qrels,  ///< all of the qrels, as trec_eval -c: one without an answer has nothing retrieved, and counts as 0
};

struct trec_join_options {
  trec_ties ties = trec_ties::expected;           ///< equal scores
  trec_missing missing = trec_missing::appended;  ///< relevant documents that were not retrieved
  trec_topics topics = trec_topics::of_both;      ///< topics that were not answered
  std::int32_t unjudged = 0;                      ///< >= 0, the relevance of documents that were retrieved and not judged
  std::size_t depth = 0;                          ///< the greatest cutoff of the metrics to come, where it is more than the longest list
};

/// trec_lists: a run with its relevance, as metrics take it. Topics are in the order of the qrels; a list is in descending order of scores,
/// equal ones in descending order of names: the order in which trec_eval counts, whatever the file's ranks say.
struct trec_lists {
  trec_names topics;                    ///< [lists]
  std::vector<std::size_t> offsets{0};  ///< [lists + 1] topic t is the items offsets[t] to offsets[t + 1]
  std::vector<double> scores;           ///< [items]
  std::vector<std::int32_t> relevance;  ///< [items] >= 0; what the qrels have below 0 is 0
  std::vector<std::size_t> retrieved;   ///< [lists] the first so many items of a list were retrieved
  std::vector<std::size_t> relevant;    ///< [lists] documents of relevance > 0, retrieved or not
  std::size_t depth = 0;                ///< a metric with this cutoff sees all that was retrieved, and nothing else
  std::size_t unjudged_topics = 0;      ///< topics of the run that the qrels lack: they are not among the lists
  std::size_t unanswered_topics = 0;    ///< topics of the qrels that the run lacks

  /// The lists as `evaluate` takes them; a view of this object.
  [[nodiscard]] list_batch<double, std::int32_t> batch() const { return {.scores = scores, .relevance = relevance, .offsets = offsets}; }
};

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

/// Reads lines of `fields` tokens; value(tokens, line number) is what the line says of its document, tokens[2], in its topic, tokens[0].
/// `out` receives topics, offsets and documents; returned are the lines in that order.
template <class Value, std::size_t fields, class Read, class Out>
std::vector<trec_line<Value>> read_trec_lines(std::string_view text, std::string_view name, std::string_view form, Read value, Out& out) {
  std::vector<trec_line<Value>> all;
  all.reserve(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1);
  name_numbers topics;
  std::size_t bytes = 0;
  for (text_lines lines(text, name); lines.next();) {
    const char* const end = lines.line().data() + lines.line().size();
    std::array<std::string_view, fields> tokens;
    std::size_t count = 0;
    for (const char* p = skip_blanks(lines.line().data(), end); p != end; ++count) {
      const std::string_view token = token_at(p, end);
      if (count < fields) tokens[count] = token;
      p = skip_blanks(p + token.size(), end);
    }
    if (count == 0) continue;
    if (count != fields) fail_at(name, lines.number(), "fields: ", count, ", expected ", fields, " (", form, ")");
    all.push_back({topics(tokens[0]), tokens[2], value(tokens, lines.number()), lines.number()});
    bytes += tokens[2].size();
  }

  const auto before = [](const auto& a, const auto& b) { return a.topic < b.topic; };
  if (!std::is_sorted(all.begin(), all.end(), before)) std::stable_sort(all.begin(), all.end(), before);
  for (const std::string_view topic : topics.names()) out.topics.push_back(topic);
  out.documents.reserve(all.size(), bytes);
  for (std::size_t i = 0; i < all.size(); ++i) {
    out.documents.push_back(all[i].document);
    if (i + 1 == all.size() || all[i + 1].topic != all[i].topic) out.offsets.push_back(i + 1);
  }

  std::vector<hashed_name> names;
  for (std::size_t t = 0; t < out.topics.size(); ++t) {
    names.clear();
    for (std::size_t i = out.offsets[t]; i < out.offsets[t + 1]; ++i) names.push_back({hash_of(all[i].document), i});
    std::sort(names.begin(), names.end());
    for (std::size_t a = 0; a < names.size(); ++a)
      for (std::size_t b = a + 1; b < names.size() && names[b].hash == names[a].hash; ++b)
        if (const auto& again = all[names[b].item]; again.document == all[names[a].item].document)
          fail_at(name, again.number, "document: ", quoted(again.document), " again for topic ", quoted(out.topics[t]),
                  ", expected once; first at line ", all[names[a].item].number);
  }
  return all;
}

/// The judgements of one topic, to be found by name.
class judged_documents {
 public:
  judged_documents(const trec_qrels& qrels, std::size_t topic, std::vector<hashed_name>& names) : qrels_(qrels), names_(names) {
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
  const trec_qrels& qrels_;
  std::vector<hashed_name>& names_;
};

}  // namespace detail

/// parse_trec_qrels: reads relevance judgements in TREC's form, one a line, the fields separated by blanks:
///
///     TOPIC ITERATION DOCUMENT RELEVANCE
///
/// - The relevance is a whole number. The iteration is not looked at. Topics and documents are any words; a topic's lines need not be together.
/// - Blank lines are skipped. Lines end in LF, CRLF or CR, the last one as it likes.
/// - Time O(n log n), memory O(bytes).
/// @throws std::runtime_error "NAME:LINE: field: what came, expected what"; a document judged twice for a topic is one. Nothing half-read is
/// returned.
[[nodiscard]] inline trec_qrels parse_trec_qrels(std::string_view text, std::string_view name = "text") {
  trec_qrels qrels;
  const auto lines = detail::read_trec_lines<std::int32_t, 4>(
      text, name, "topic iteration document relevance",
      [&](const auto& tokens, std::size_t number) {
        std::string_view digits = tokens[3];
        if (digits.size() > 1 && digits[0] == '+' && detail::is_digit(digits[1])) digits.remove_prefix(1);
        std::int32_t relevance = 0;
        const auto [after, error] = std::from_chars(digits.data(), digits.data() + digits.size(), relevance);
        if (error != std::errc{} || after != digits.data() + digits.size())
          detail::fail_at(name, number, "relevance: ", detail::quoted(tokens[3]), ", expected a whole number of 32 bits");
        return relevance;
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
/// - The score is a decimal number, read as a double; NaN and infinity are errors. Q0 and the rank are not looked at: the order is that of the
///   scores, as in trec_eval. A topic's lines need not be together.
/// - Blank lines are skipped. Lines end in LF, CRLF or CR, the last one as it likes.
/// - Time O(n log n), memory O(bytes).
/// @throws std::runtime_error "NAME:LINE: field: what came, expected what"; a document retrieved twice for a topic is one. Nothing half-read is
/// returned.
[[nodiscard]] inline trec_run parse_trec_run(std::string_view text, std::string_view name = "text") {
  trec_run run;
  const auto lines = detail::read_trec_lines<double, 6>(
      text, name, "topic Q0 document rank score tag",
      [&](const auto& tokens, std::size_t number) {
        const char* const end = tokens[4].data() + tokens[4].size();
        double score = 0.0;
        // The lowest double itself is what stands between the retrieved and the missing.
        if (detail::read_decimal(tokens[4].data(), end, score) != end || !(std::abs(score) < std::numeric_limits<double>::max()))
          detail::fail_at(name, number, "score: ", detail::quoted(tokens[4]), ", expected a finite number");
        if (run.tag.empty()) run.tag = tokens[5];
        return score;
      },
      run);
  run.scores.reserve(lines.size());
  for (const auto& line : lines) run.scores.push_back(line.value);
  return run;
}

/// read_trec_qrels: parse_trec_qrels of a file, which is held in memory as a whole while it is read.
/// @throws as parse_trec_qrels; std::runtime_error naming a file that cannot be read.
[[nodiscard]] inline trec_qrels read_trec_qrels(const std::filesystem::path& path) {
  return parse_trec_qrels(detail::read_text(path), path.string());
}

/// read_trec_run: parse_trec_run of a file, which is held in memory as a whole while it is read.
/// @throws as parse_trec_run; std::runtime_error naming a file that cannot be read.
[[nodiscard]] inline trec_run read_trec_run(const std::filesystem::path& path) { return parse_trec_run(detail::read_text(path), path.string()); }

/// join: a run and the judgements of its documents become lists for metrics.
///
///     const trec_lists lists = join(read_trec_run(a), read_trec_qrels(b));
///     const double map = evaluate(metrics::average_precision{.cutoff = lists.depth}, lists.batch());
///
/// Recall, average precision and the ideal DCG count relevant documents that were not retrieved. They are appended to their lists, behind
/// `depth` places: shorter lists that miss something are filled up to there with items of relevance 0 and the lowest finite score. A metric of
/// any cutoff k from 1 to `depth` has so the value that it has by the file; one without a cutoff would take the appended for retrieved.
///
/// trec_eval's figures are those of ties::by_name: map is average_precision at depth, recip_rank is reciprocal_rank at depth, P_k precision,
/// recall_k recall, success_k hit, ndcg_cut_k ndcg with gain::linear. The values under ties::expected are the means over the orders of ties.
///
/// - Topics of the run without judgements are left out and counted; so are, by trec_topics::of_both, topics that the run does not answer.
///   Names are equal byte by byte.
/// - A topic without relevant documents is a list of value 0, which reduction::mean_of_relevant leaves out.
/// - Time O(n log n). Memory O(items), of which `depth` a topic at most are filled up.
/// @throws std::invalid_argument naming the option that is out of its range.
[[nodiscard]] inline trec_lists join(const trec_run& run, const trec_qrels& qrels, const trec_join_options& options = {}) {
  detail::require(options.unjudged >= 0, "unjudged: ", options.unjudged, ", expected at least 0");
  std::unordered_map<std::string_view, std::size_t> answers;
  for (std::size_t t = 0; t < run.topics.size(); ++t) answers.emplace(run.topics[t], t);
  // The documents that the run retrieved for a topic of the qrels: from, to.
  const auto answer = [&](std::size_t topic) {
    const auto found = answers.find(qrels.topics[topic]);
    return found == answers.end() ? std::pair<std::size_t, std::size_t>{} : std::pair{run.offsets[found->second], run.offsets[found->second + 1]};
  };

  trec_lists lists;
  lists.depth = std::max<std::size_t>(options.depth, 1);  // a cutoff of 0 would be the whole list
  for (std::size_t t = 0; t < qrels.topics.size(); ++t) {
    const auto [first, last] = answer(t);
    lists.unanswered_topics += first == last ? 1 : 0;
    lists.depth = std::max(lists.depth, last - first);
  }
  lists.unjudged_topics = run.topics.size() - (qrels.topics.size() - lists.unanswered_topics);

  std::vector<std::size_t> order;
  std::vector<detail::hashed_name> names;
  std::vector<char> is_retrieved;
  for (std::size_t t = 0; t < qrels.topics.size(); ++t) {
    const auto [first, last] = answer(t);
    if (first == last && options.topics == trec_topics::of_both) continue;
    order.resize(last - first);
    std::iota(order.begin(), order.end(), first);
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return run.scores[a] != run.scores[b] ? run.scores[a] > run.scores[b] : run.documents[a] > run.documents[b];
    });

    const detail::judged_documents judged(qrels, t, names);
    const std::size_t judgements = qrels.offsets[t];
    is_retrieved.assign(qrels.offsets[t + 1] - judgements, 0);
    for (std::size_t place = 0; place < order.size(); ++place) {
      const std::size_t judgement = judged.find(run.documents[order[place]]);
      const bool known = judgement < qrels.relevance.size();
      if (known) is_retrieved[judgement - judgements] = 1;
      lists.scores.push_back(options.ties == trec_ties::by_name ? -static_cast<double>(place) : run.scores[order[place]]);
      lists.relevance.push_back(known ? std::max(qrels.relevance[judgement], 0) : options.unjudged);
    }

    std::size_t relevant = 0;
    std::size_t missing = 0;
    for (std::size_t i = lists.relevance.size() - order.size(); i < lists.relevance.size(); ++i) relevant += lists.relevance[i] > 0 ? 1 : 0;
    for (std::size_t j = 0; j < is_retrieved.size(); ++j) {
      if (is_retrieved[j] != 0 || qrels.relevance[judgements + j] <= 0) continue;
      ++relevant;
      if (options.missing == trec_missing::left_out) continue;
      if (missing++ == 0) {
        const std::size_t filled = lists.scores.size() + (lists.depth - order.size());
        lists.scores.resize(filled, std::numeric_limits<double>::lowest());
        lists.relevance.resize(filled, 0);
      }
      lists.scores.push_back(-std::numeric_limits<double>::infinity());
      lists.relevance.push_back(qrels.relevance[judgements + j]);
    }
    lists.topics.push_back(qrels.topics[t]);
    lists.offsets.push_back(lists.scores.size());
    lists.retrieved.push_back(order.size());
    lists.relevant.push_back(relevant);
  }
  return lists;
}

}  // namespace rankloss::inline RANKLOSS_ABI

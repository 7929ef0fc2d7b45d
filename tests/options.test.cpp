// SPDX-License-Identifier: BSL-1.0
#include <rankloss/hosts/lightgbm.hpp>
#include <rankloss/hosts/xgboost.hpp>
#include <rankloss/rankloss.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <regex>
#include <set>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace options_test {

namespace {

using rankloss::for_each_option;
namespace options = rankloss::options;

/// Calls visit(name, owner) for all that has options, by the names of the tables of docs/losses.md.
template <class Visit>
void for_each_owner(const Visit& visit) {
  using namespace rankloss;
  visit("sndcg", sndcg{});
  visit("approx_ndcg", approx_ndcg{});
  visit("smooth_metric", smooth_metric<metrics::ndcg>{});
  visit("soft_spearman", soft_spearman<>{});
  visit("neural_ndcg", neural_ndcg{});
  visit("neural_sort_cross_entropy", neural_sort_cross_entropy{});
  visit("pairwise", pairwise<>{});
  visit("pairs::logistic", pairs::logistic{});
  visit("pairs::soft_zero_one", pairs::soft_zero_one{});
  visit("pairs::hinge", pairs::hinge{});
  visit("pairs::squared_hinge", pairs::squared_hinge{});
  visit("pairs::exponential", pairs::exponential{});
  visit("pairs::quantile", pairs::quantile{});
  visit("pairs::relevance_difference", pairs::relevance_difference{});
  visit("pairs::delta_ndcg", pairs::delta_ndcg{});
  visit("pairs::ndcg_loss1", pairs::ndcg_loss1{});
  visit("pairs::ndcg_loss2", pairs::ndcg_loss2{});
  visit("pairs::ndcg_loss2_plus", pairs::ndcg_loss2_plus{});
  visit("softmax_cross_entropy", softmax_cross_entropy{});
  visit("listnet", listnet{});
  visit("xe_ndcg", xe_ndcg{});
  visit("listmle", listmle{});
  visit("unique_softmax", unique_softmax{});
  visit("pointwise", pointwise<>{});
  visit("item_functions::ordinal", item_functions::ordinal{});
  visit("item_functions::smooth_l1", item_functions::smooth_l1{});
  visit("weighted", weighted<sndcg>{});
  visit("stochastic", stochastic<sndcg>{});
  visit("bidirectional", bidirectional<sndcg>{});
  visit("triplet", triplet{});
  visit("fast_ap", fast_ap{});
  visit("info_nce", info_nce{});
  visit("siglip", siglip{});
  visit("multi_similarity", multi_similarity{});
  visit("circle", circle{});
  visit("contrastive", contrastive{});
  visit("nca", nca{});
  visit("cmpm", cmpm{});
  visit("cmpc", cmpc{});
  visit("bradley_terry", bradley_terry{});
  visit("margin_ranking", margin_ranking{});
  visit("rao_kupper", rao_kupper{});
  visit("davidson", davidson{});
  visit("plackett_luce", plackett_luce{});
  visit("gae", gae{});
  visit("ppo", ppo{});
  visit("critic", critic{});
  visit("lr2ppo", lr2ppo{});
  visit("plackett_luce_policy", plackett_luce_policy{});
  visit("xgboost::ndcg", xgboost::ndcg{});
  visit("xgboost::map", xgboost::map{});
  visit("xgboost::pairwise", xgboost::pairwise{});
  visit("lightgbm::lambdarank", lightgbm::lambdarank{});
  visit("lightgbm::rank_xendcg", lightgbm::rank_xendcg{});
  visit("ndcg", metrics::ndcg{});
  visit("dcg", metrics::dcg{});
  visit("average_precision", metrics::average_precision{});
  visit("reciprocal_rank", metrics::reciprocal_rank{});
  visit("expected_reciprocal_rank", metrics::expected_reciprocal_rank{});
  visit("rank_biased_precision", metrics::rank_biased_precision{});
  visit("precision", metrics::precision{});
  visit("recall", metrics::recall{});
  visit("hit", metrics::hit{});
  visit("pairwise_accuracy", metrics::pairwise_accuracy{});
  visit("kendall_tau", metrics::kendall_tau{});
  visit("retrieval", metrics::retrieval<>{});
  visit("sigmoid_ranks", sigmoid_ranks{});
  visit("laplace_ranks", laplace_ranks{});
  visit("projected_ranks", projected_ranks{});
  visit("hard_ranks", hard_ranks{});
  visit("neural_sort", neural_sort{});
  visit("sinkhorn", sinkhorn{});
  visit("soft_sort", soft_sort{});
  visit("sorting_network", sorting_network{});
  visit("projected_sort", projected_sort{});
  visit("soft_top_k", soft_top_k{});
}

/// The number of fields of an aggregate.
struct anything {
  template <class T>
  operator T() const;
};
template <class T, class... Fields>
consteval std::size_t field_count() {
  if constexpr (requires { T{Fields{}..., anything{}}; })
    return field_count<T, Fields..., anything>();
  else
    return sizeof...(Fields);
}

template <class Range>
concept is_each = requires(const Range& range) {
  range.shape;
  range.range;
};

template <class Range>
std::string words(const Range& range) {
  std::string text;
  range.append_to(text);
  return text;
}

/// Numbers just outside of a range.
std::vector<double> outside(const options::real& range) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> bad{std::numeric_limits<double>::quiet_NaN()};
  if (range.besides != options::besides::infinity) bad.push_back(infinity);
  if (range.besides != options::besides::minus_infinity) bad.push_back(-infinity);
  if (range.least > -options::real::largest)
    bad.push_back(range.open ? range.least : std::nextafter(range.least, -infinity));
  if (range.most < options::real::largest)
    bad.push_back(range.open ? range.most : std::nextafter(range.most, infinity));
  return bad;
}
std::vector<std::size_t> outside(const options::whole& range) {
  std::vector<std::size_t> bad;
  if (range.least > 0) bad.push_back(range.least - 1);
  if (range.most < options::whole::largest) bad.push_back(range.most + 1);
  return bad;
}
template <class Enum>
std::vector<Enum> outside(const options::choice<Enum>& range) {
  return {static_cast<Enum>(range.names.size()), static_cast<Enum>(-1)};
}

const std::filesystem::path root = RANKLOSS_ROOT;

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file);
  REQUIRE(in);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> matches(const std::string& text, const char* pattern) {
  const std::regex expression(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator m(text.begin(), text.end(), expression), end; m != end; ++m)
    found.push_back((*m)[1]);
  return found;
}

std::string without(std::string text, std::string_view letters) {
  std::erase_if(text, [&](char c) { return letters.find(c) != letters.npos; });
  return text;
}

/// What a table says of an option.
struct told {
  std::string standard;
  std::string range;
};
using options_told = std::map<std::string, told>;

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream in(line);
  std::string cell;
  std::getline(in, cell, '|');
  while (std::getline(in, cell, '|')) {
    const std::size_t from = cell.find_first_not_of(' ');
    const std::size_t to = cell.find_last_not_of(' ');
    cells.push_back(from == cell.npos ? "" : cell.substr(from, to - from + 1));
  }
  return cells;
}

/// The tables of docs/losses.md: by the name of what has the options, then by option.
std::map<std::string, options_told> tables() {
  std::map<std::string, options_told> all;
  std::istringstream page(content(root / "docs/losses.md"));
  std::string line;
  std::vector<std::string> names;
  enum class table { none, shared, own } here = table::none;
  while (std::getline(page, line)) {
    if (!line.starts_with("|")) here = table::none;
    if (line.starts_with("| option | range |")) here = table::shared;
    if (line.starts_with("| name | option |")) here = table::own;
    if (here == table::none || line.starts_with("|--") || line.starts_with("| option |") ||
        line.starts_with("| name |"))
      continue;
    std::vector<std::string> cells = cells_of(line);
    REQUIRE(cells.size() == (here == table::shared ? 3 : 5));
    if (here == table::shared) {
      all[""][without(cells[0], "`")] = {"", without(cells[1], "`")};
      continue;
    }
    if (!cells[0].empty()) names = matches(cells[0], "`([^`<]+)[^`]*`");
    const std::vector<std::string> fields = matches(cells[1], "`([^`]+)`");
    const std::string standards = without(cells[2], "`");
    std::istringstream defaults(standards);
    for (std::size_t f = 0; f < fields.size(); ++f) {
      std::string standard = standards;
      if (fields.size() > 1) std::getline(defaults >> std::ws, standard, ',');
      for (const std::string& name : names) {
        std::string range = without(cells[3], "`");
        if (range == "as above") range = all[""][fields[f]].range;
        if (!all[name].emplace(fields[f], told{standard, range}).second)
          FAIL_CHECK(name << ": " << fields[f] << " stands twice in the tables");
      }
    }
  }
  return all;
}

/// A number as the tables write it: 0.01, 2^20 or log 2.
double number(const std::string& text) {
  if (text.starts_with("log ")) return std::log(std::stod(text.substr(4)));
  const std::size_t power = text.find('^');
  return power == text.npos ? std::stod(text) : std::pow(std::stod(text), std::stod(text.substr(power + 1)));
}

/// Whether a table has the default of a field.
template <class Field>
bool is_default(const Field& field, const std::string& text) {
  if constexpr (std::is_enum_v<Field>) {
    return text == options::choice<Field>::names[static_cast<std::size_t>(field)];
  } else if constexpr (std::is_arithmetic_v<Field>) {
    return static_cast<double>(field) == number(text);
  } else {
    std::string listed;
    for (const auto& value : field) listed += (listed.empty() ? "" : ", ") + std::to_string(value);
    return text == (listed.empty() ? "empty" : listed);
  }
}

TEST_CASE("options: every field is an option, by its own name") {
  for_each_owner([]<class Owner>(const char* name, const Owner& owner) {
    INFO(name);
    std::size_t count = 0;
    std::vector<std::string> names;
    for_each_option(owner, [&](std::string_view option, const auto&, const auto&) {
      ++count;
      names.emplace_back(option);
    });
    CHECK(count == field_count<Owner>());
    std::ranges::sort(names);
    CHECK(std::ranges::adjacent_find(names) == names.end());
  });
}

TEST_CASE("options: defaults are in their ranges, and what is outside is refused by name") {
  for_each_owner([]<class Owner>(const char* name, const Owner& owner) {
    INFO(name);
    const auto refused = [&](std::string_view option, const Owner& wrong) {
      try {
        rankloss::validate(wrong);
        FAIL_CHECK(option << " is not refused");
      } catch (const std::invalid_argument& error) {
        CHECK_THAT(error.what(), Catch::StartsWith("rankloss: " + std::string(option) + ": "));
        CHECK_THAT(error.what(), Catch::Contains(", expected "));
      }
    };
    if constexpr (!std::same_as<Owner, rankloss::item_functions::ordinal>)  // whose thresholds must be given
      CHECK_NOTHROW(rankloss::validate(owner));
    for_each_option(owner, [&]<class Field, class Range>(std::string_view option, const Field& field,
                                                         const Range& range) {
      INFO(option);
      Owner wrong = owner;
      // Writes the field of that name, whatever its type.
      const auto set = [&](const Field& value) {
        for_each_option(wrong, [&](std::string_view other, auto& to, const auto&) {
          if constexpr (std::same_as<decltype(to), Field&>)
            if (other == option) to = value;
        });
      };
      if constexpr (std::same_as<Range, options::inner>) {
        rankloss::validate(field);
      } else if constexpr (is_each<Range>) {
        CHECK(range.accepts(field));
        for (const auto bad : outside(range.range)) {
          const std::vector<std::remove_const_t<decltype(bad)>> values{bad, bad, bad};
          if constexpr (std::is_constructible_v<Field, decltype(values)&>)
            set(Field(values));
          else
            set(Field{bad, bad, bad});
          refused(option, wrong);
        }
      } else if constexpr (!std::same_as<Range, options::bits>) {
        CHECK(range.accepts(field));
        for (const auto& bad : outside(range)) {
          set(bad);
          refused(option, wrong);
        }
      }
    });
  });
}

TEST_CASE("options: an inner loss is named by its path, whatever the depth") {
  using namespace rankloss;
  const weighted_sum sum{weighted{1.0, listnet{}},
                         weighted{1.0, stochastic<sndcg>{.loss = {.temperature = -1.0}}}};
  CHECK_THROWS_WITH(validate(sum), "rankloss: terms[1].loss.loss.temperature: -1, expected 1e-15 to 1e300");
  CHECK_THROWS_WITH(validate(pairwise<>{.function = {.logarithm = static_cast<pairs::logarithm>(2)}}),
                    "rankloss: function.logarithm: 2, expected natural or binary");
}

TEST_CASE("options: a field is written by its name, as bindings do") {
  rankloss::sndcg loss;
  for_each_option(loss, [](std::string_view name, auto& field, const auto& range) {
    if constexpr (std::same_as<decltype(field), double&>)
      if (name == "temperature") field = 0.5;
    if constexpr (std::is_enum_v<std::remove_reference_t<decltype(field)>>)
      for (std::size_t k = 0; k < range.names.size(); ++k)
        if (name == "gain" && range.names[k] == "linear")
          field = static_cast<std::remove_reference_t<decltype(field)>>(k);
  });
  CHECK(loss.temperature == 0.5);
  CHECK(loss.gain == rankloss::gain::linear);
  CHECK(loss.cutoff == 0);
}

TEST_CASE("options: ranges in words") {
  CHECK(words(options::temperature) == "1e-15 to 1e300");
  CHECK(words(options::any_finite) == "a finite number");
  CHECK(words(options::at_least_0) == "a finite number >= 0");
  CHECK(words(options::real{.most = 2.5}) == "a finite number <= 2.5");
  CHECK(words(options::real{.least = 0, .most = 1, .open = true}) == "between 0 and 1");
  CHECK(words(options::real{.least = 1, .open = true, .besides = options::besides::zero}) ==
        "a finite number > 1, or 0");
  CHECK(words(options::cutoff) == "0 or more");
  CHECK(words(options::whole{.least = 1, .most = 0xffffffffu}) == "1 to 2^32 - 1");
  CHECK(words(options::whole{.least = 2, .most = std::size_t{1} << 26}) == "2 to 2^26");
  CHECK(words(options::whole{.most = 1000000}) == "0 to 1000000");
  CHECK(words(options::choice<rankloss::gain>{}) == "exponential, linear or table");
  CHECK(words(options::gain_table) == "[grades], each 0 to 1e30");
}

TEST_CASE("options: numbers at the ends of a range are in it, and what is beside it is not") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(options::temperature.accepts(1e-15));
  CHECK(options::temperature.accepts(1e300));
  CHECK_FALSE(options::temperature.accepts(nan));
  CHECK(options::any_finite.accepts(-std::numeric_limits<double>::max()));
  CHECK_FALSE(options::any_finite.accepts(infinity));
  const options::real above_1{.least = 1, .open = true};
  CHECK_FALSE(above_1.accepts(1.0));
  CHECK(above_1.accepts(std::numeric_limits<double>::max()));  // it has no upper end
  const options::real or_none{.least = -1, .most = 1, .besides = options::besides::minus_infinity};
  CHECK(or_none.accepts(-infinity));
  CHECK_FALSE(or_none.accepts(infinity));
  CHECK_FALSE(or_none.accepts(nan));
  const options::each<options::real> rising{.shape = "[2]", .rising = true};
  CHECK(rising.accepts(std::vector<double>{1.0, 2.0}));
  CHECK_FALSE(rising.accepts(std::vector<double>{1.0, 1.0}));
  const std::vector<double> table{0.0, 1e30, 2e30};
  CHECK_THROWS_WITH(rankloss::validate(rankloss::sndcg{.gain = rankloss::gain::table, .gain_table = table}),
                    "rankloss: gain_table: 2e+30 at grade 2, expected 0 to 1e30");
  CHECK_THROWS_WITH(rising.refuse("thresholds", std::vector<double>{1.0, 1.0}),
                    "rankloss: thresholds: 1 at 1, expected more than 1");
  CHECK_THROWS_WITH(rising.refuse("thresholds", std::vector<double>{1.0, infinity}),
                    "rankloss: thresholds: inf at 1, expected a finite number");
}

// The names of enumerators stand twice in the headers: in the enum, and for programs that look them up.
TEST_CASE("options: names of enumerators are those of the enums") {
  std::size_t found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root / "include/rankloss")) {
    if (entry.path().extension() != ".hpp") continue;
    const std::string text = content(entry.path());
    const std::regex names_of(R"(enumerators\((\w+)\) noexcept \{\s*return \{([^}]*)\})");
    for (std::sregex_iterator m(text.begin(), text.end(), names_of), end; m != end; ++m) {
      const std::string name = (*m)[1];
      INFO(entry.path().filename() << ": " << name);
      std::smatch body;
      const std::regex pattern("enum class " + name + " \\{([^}]*)\\};");
      REQUIRE(std::regex_search(text, body, pattern));
      const std::string plain = std::regex_replace(body[1].str(), std::regex("//[^\n]*"), "");
      CHECK(matches((*m)[2], "\"(\\w+)\"") == matches(plain, "(\\w+)"));
      ++found;
    }
  }
  CHECK(found >= 30);
}

TEST_CASE("options: whatever lists its options is tested and told") {
  // Made of others, or of a template: tested and told by what they are made of, or by the names of their aliases.
  std::set<std::string> known{"weighted_sum", "value_without_relevance", "lambdamart"};
  for_each_owner([&](const std::string& name, const auto&) {
    const std::size_t colon = name.rfind(':');
    known.insert(colon == name.npos ? name : name.substr(colon + 1));
  });
  std::size_t found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root / "include/rankloss")) {
    if (entry.path().extension() != ".hpp" || entry.path().filename() == "options.hpp") continue;
    const std::string text = content(entry.path());
    const std::regex begins("\nstruct (\\w+)|struct (\\w+) \\{|constexpr void for_each_option\\(Self");
    std::string name;
    for (std::sregex_iterator m(text.begin(), text.end(), begins), end; m != end; ++m) {
      if ((*m)[1].matched) name = (*m)[1];
      if ((*m)[2].matched) name = (*m)[2];
      if ((*m)[1].matched || (*m)[2].matched) continue;
      INFO(entry.path().filename());
      if (!known.contains(name)) FAIL_CHECK(name << " has options and stands in no line of for_each_owner");
      ++found;
    }
  }
  CHECK(found >= 50);
}

TEST_CASE("options: the tables of docs/losses.md have every option, its default and its range") {
  std::map<std::string, options_told> told_of = tables();
  told_of.erase("");
  for_each_owner([&](const char* name, const auto& owner) {
    options_told& own = told_of[name];
    for_each_option(owner, [&]<class Field, class Range>(std::string_view option, const Field& field,
                                                         const Range& range) {
      const auto row = own.find(std::string(option));
      if (row == own.end()) {
        FAIL_CHECK(name << ": the tables have no option " << option << ", expected " << words(range));
        return;
      }
      if constexpr (!std::same_as<Range, options::inner>) {
        INFO(name << ": " << option);
        CHECK(row->second.range == words(range));
        INFO("default " << row->second.standard);
        CHECK(is_default(field, row->second.standard));
      }
      own.erase(row);
    });
    for (const auto& [option, row] : own)
      if (option.find('.') == option.npos) FAIL_CHECK(name << " has no option " << option);
    told_of.erase(name);
  });
  for (const auto& [name, own] : told_of) FAIL_CHECK("nothing is tested that is named " << name);
}

}  // namespace

}  // namespace options_test

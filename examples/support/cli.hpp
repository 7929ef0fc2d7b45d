// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "nearest.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace examples {

namespace detail {

/// Lines of words that end by `width`, all but the first indented.
[[nodiscard]] inline std::string wrapped(const std::string& text, std::size_t used, std::size_t indent,
                                         std::size_t width) {
  std::istringstream words(text);
  std::string out, word;
  std::size_t at = used;
  bool first = true;
  while (words >> word) {
    if (!first && at + 1 + word.size() > width) {
      out += '\n' + std::string(indent, ' ');
      at = indent;
      first = true;
    }
    out += (first ? "" : " ") + word;
    at += word.size() + (first ? 0 : 1);
    first = false;
  }
  return out;
}

/// "a, b or c".
[[nodiscard]] inline std::string either(const std::vector<std::string>& words) {
  std::string all;
  for (std::size_t w = 0; w < words.size(); ++w)
    all += (w == 0 ? "" : w + 1 == words.size() ? " or " : ", ") + words[w];
  return all;
}

}  // namespace detail

/// help_format: two columns. What an option may be, and what it is where it is not given, follow what it
/// does.
class help_format : public CLI::Formatter {
 public:
  static constexpr std::size_t column = 26;
  static constexpr std::size_t width = 90;

  /// Versions of CLI11 lay a help out in different ways; this is the same with all of them.
  [[nodiscard]] std::string make_help(const CLI::App* app, std::string /*name*/,
                                      CLI::AppFormatMode /*mode*/) const override {
    std::string help = detail::wrapped(app->get_description(), 0, 0, width) +
                       "\n\nUsage: " + app->get_name() + " [OPTIONS]\n";
    for (const std::string& group : app->get_groups()) {
      help += '\n' + group + ":\n";
      for (const CLI::Option* option : app->get_options())
        if (option->get_group() == group) help += make_option(option, false);
    }
    return help + '\n' + app->get_footer() + '\n';
  }

  [[nodiscard]] std::string make_option(const CLI::Option* option, bool /*positional*/) const override {
    std::string name = option->get_name(false, true);
    const std::string type = option->get_type_name();
    const std::size_t colon = type.find(':');
    if (option->get_type_size() != 0) name += ' ' + value_name(type.substr(0, colon));
    if (option->get_expected_max() > 1) name += " ...";

    std::string allowed = colon == std::string::npos ? "" : type.substr(colon + 1);
    std::string standard = option->get_default_str();
    if (!standard.empty() && standard.front() == '[') {
      standard = standard.substr(1, standard.size() - 2);
      std::replace(standard.begin(), standard.end(), ',', ' ');
    }
    if (!standard.empty()) allowed += (allowed.empty() ? "default " : "; default ") + standard;
    std::string what = option->get_description();
    if (!allowed.empty()) what += " (" + allowed + ")";

    std::string left = "  " + name;
    left +=
        left.size() + 2 > column ? '\n' + std::string(column, ' ') : std::string(column - left.size(), ' ');
    return left + detail::wrapped(what, column, column, width) + '\n';
  }

 private:
  static std::string value_name(const std::string& type) {
    if (type == "UINT" || type == "INT") return "N";
    if (type == "FLOAT") return "X";
    return type == "TEXT" ? "NAME" : type;
  }
};

/// What --help says before and after the options.
inline void describe(CLI::App& app, const std::string& name, const std::string& about,
                     const std::string& example, const std::string& data) {
  app.name(name);
  app.description(about);
  app.formatter(std::make_shared<help_format>());
  app.footer("Example:\n  " + example + "\n\nData:\n  " + detail::wrapped(data, 2, 2, help_format::width));
}

/// The heading in --help of the options that follow.
inline void section(CLI::App& app, const std::string& name) {
  app.option_defaults()->group(name);
  if (app.get_options().size() > 1) return;
  CLI::Option* help = app.get_help_ptr();  // stands first
  help->group(name);
  help->description("show this help");
}

/// A number of the type of the bounds, from the one to the other; neither infinite nor NaN.
template <class Number>
[[nodiscard]] CLI::Validator between(Number low, Number high) {
  using limits = std::numeric_limits<Number>;
  const bool all = std::is_signed_v<Number> && low == limits::lowest() && high == limits::max();
  const bool above = high == limits::max();
  std::ostringstream text_of_range;
  text_of_range << low << (above ? " or more" : " to ");
  if (!above) text_of_range << high;
  const std::string range = all ? "" : text_of_range.str();
  const std::string kind = std::is_integral_v<Number> ? "whole number" : "number";
  const std::string before_range = above ? ", " : " from ";
  const std::string expected = "', expected a " + kind + (all ? "" : before_range + range);
  return {[=](std::string& text) -> std::string {
            std::istringstream in(text);
            Number value{};
            // A sign before an unsigned number is read as its complement.
            const bool sign = text.find('-') != std::string::npos && std::is_unsigned_v<Number>;
            const bool read = !sign && in >> value && in.peek() == std::istringstream::traits_type::eof();
            return read && value >= low && value <= high ? std::string() : "'" + text + expected;
          },
          range};
}

/// Any number that is neither infinite nor NaN.
[[nodiscard]] inline CLI::Validator any_number() {
  return between(std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max());
}

/// Every number that a seed can be.
[[nodiscard]] inline CLI::Validator any_seed() {
  return between(std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max());
}

/// One of some names; of another, the nearest is said.
[[nodiscard]] inline CLI::Validator one_of(const std::vector<std::string>& names) {
  return {[names](std::string& text) -> std::string {
            if (std::find(names.begin(), names.end(), text) != names.end()) return {};
            return "'" + text + "' is not " + detail::either(names) + did_you_mean(text, names);
          },
          detail::either(names)};
}

/// An option that names a file to write.
inline CLI::Option* add_file(CLI::App& app, const std::string& option, std::string& path,
                             const std::string& what) {
  const CLI::Validator named(
      [](std::string& text) { return text.empty() ? std::string("expected the name of a file") : ""; }, "");
  return app.add_option(option, path, "write " + what + " to this file")->type_name("FILE")->check(named);
}

/// --csv and --picture, which are the same everywhere but for what they show.
inline void add_files(CLI::App& app, std::string& csv, const std::string& table, std::string& picture,
                      const std::string& drawing) {
  // Who names a picture expects one, and would find text in it.
  const CLI::Validator script(
      [](std::string& text) -> std::string {
        const std::filesystem::path path(text);
        const std::string ending = path.extension().string();
        for (const char* picture_ending : {".svg", ".png", ".pdf", ".jpg", ".eps"})
          if (ending == picture_ending)
            return "'" + text + "' would hold a gnuplot script that draws " + path.stem().string() +
                   ".svg; give the script another name, such as " + path.stem().string() + ".gp";
        return {};
      },
      "");
  add_file(app, "--csv", csv, table);
  add_file(app, "--picture", picture, "a gnuplot script, which draws " + drawing + ",")->check(script);
}

/// parse: reads the command line; false after --help, when there is nothing more to do.
/// @throws std::runtime_error saying what was expected.
inline bool parse(CLI::App& app, int argc, char** argv) {
  const std::string hint = " (--help lists the options)";
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError&) {
    const std::string given = app.remaining().front();
    if (given.empty() || given.front() != '-')
      throw std::runtime_error("'" + given + "' belongs to no option" + hint);
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options()) names.push_back(option->get_lnames().front());
    const std::string bare = given.substr(0, given.find('='));
    const std::size_t dashes = std::min(bare.find_first_not_of('-'), bare.size());
    const std::string meant = did_you_mean(bare.substr(dashes), names, "--");
    throw std::runtime_error("unknown option " + bare + (meant.empty() ? hint : meant));
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string what = error.what();
    const std::string option = what.substr(0, what.find(':'));
    if (what.find("missing") != std::string::npos)
      throw std::runtime_error(option + ": a value is missing" + hint);
    if (what.find("least") != std::string::npos)
      throw std::runtime_error(option + ": more values are expected" + hint);
    if (what.find("received") != std::string::npos)
      throw std::runtime_error(option + ": given more than once");
    throw std::runtime_error(what + hint);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0)
      throw std::runtime_error(error.what() + (std::string(error.what()).back() == '?' ? "" : hint));
    app.exit(error);
    return false;
  }
  return true;
}

}  // namespace examples

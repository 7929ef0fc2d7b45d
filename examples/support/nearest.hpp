// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace examples {

/// How many letters must be put in, taken out, replaced or exchanged with their neighbour to make one word of
/// the other. Capitals count as small letters.
[[nodiscard]] inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  const auto same = [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  };
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (same(a[i - 1], b[j - 1]) ? 0U : 1U)});
      if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
        now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(now);
  }
  return last[b.size()];
}

/// The word that was probably meant: the nearest by edit distance, if no more than a third of the letters are
/// wrong; else the first of which one is a part of the other; else none, which is empty.
[[nodiscard]] inline std::string nearest(std::string_view given, const std::vector<std::string>& words) {
  std::string best;
  std::size_t least = std::max<std::size_t>(1, given.size() / 3) + 1;
  for (const std::string& word : words) {
    const std::size_t distance = edit_distance(given, word);
    if (distance >= std::min(least, word.size())) continue;
    least = distance;
    best = word;
  }
  if (!best.empty()) return best;
  constexpr std::size_t shortest = 3;  // below it, too much is a part of something
  for (const std::string& word : words)
    if (std::min(word.size(), given.size()) >= shortest &&
        (word.find(given) != std::string::npos || given.find(word) != std::string_view::npos))
      return word;
  return {};
}

/// ", did you mean WORD?" where there is such a word, else nothing.
[[nodiscard]] inline std::string did_you_mean(std::string_view given, const std::vector<std::string>& words,
                                              const std::string& before_word = {}) {
  const std::string word = nearest(given, words);
  return word.empty() ? word : ", did you mean " + before_word + word + "?";
}

}  // namespace examples

// What was probably meant.
#include "cli/suggest.hpp"

#include <algorithm>

namespace zenith::cli {

size_t edit_distance(std::string_view a, std::string_view b) {
  // Row i holds the distances of a's first i letters to each prefix of b.
  std::vector<std::vector<size_t>> rows(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        rows[i][j] = i + j;
        continue;
      }
      const size_t change = rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      rows[i][j] = std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  }
  return rows[a.size()][b.size()];
}

std::string nearest(std::string_view typed, const std::vector<std::string>& words) {
  std::string best;
  // Half of the letters may be wrong, three at most.
  size_t best_distance = std::min<size_t>(3, (typed.size() + 1) / 2) + 1;
  for (const std::string& word : words) {
    const size_t distance = edit_distance(typed, word);
    if (distance >= best_distance) continue;
    best = word;
    best_distance = distance;
  }
  return best;
}

}  // namespace zenith::cli

// SPDX-License-Identifier: BSL-1.0
#include <catch2/catch.hpp>

#include "../cli.hpp"
#include "../nearest.hpp"
#include "../output_file.hpp"
#include "../program.hpp"
#include "../progress.hpp"

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace examples;
namespace fs = std::filesystem;

/// A folder that is gone after the test.
struct scratch {
  fs::path path = fs::temp_directory_path() / ("rankloss_support_" + std::to_string(getpid()));
  scratch() { fs::create_directories(path); }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() { fs::remove_all(path); }

  [[nodiscard]] std::string operator/(const std::string& name) const { return (path / name).string(); }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
  }
};

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

/// What a command line is refused with; empty: it is taken.
std::string complaint(std::vector<std::string> given) {
  CLI::App app;
  std::size_t epochs = 3;
  std::uint64_t seed = 1;
  double rate = 0.1;
  std::vector<double> scores{1.0, 2.0};
  std::string loss = "all", csv, picture;
  app.add_option("--epochs", epochs)->check(between(1, 100));
  app.add_option("--seed", seed)->check(any_seed());
  app.add_option("--rate", rate)->check(between(0.0, 10.0));
  app.add_option("--scores", scores)->expected(2, 10)->check(any_number());
  app.add_option("--loss", loss)->check(one_of({"triplet", "sndcg", "all"}));
  add_files(app, csv, "the table", picture, "the curve");
  given.insert(given.begin(), "program");
  std::vector<char*> arguments;
  arguments.reserve(given.size());
  for (std::string& g : given) arguments.push_back(g.data());
  try {
    return parse(app, static_cast<int>(arguments.size()), arguments.data()) ? "" : "help";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

TEST_CASE("the distance of two words is the number of slips between them") {
  REQUIRE(edit_distance("", "abc") == 3);
  REQUIRE(edit_distance("epochs", "epochs") == 0);
  REQUIRE(edit_distance("epocs", "epochs") == 1);
  REQUIRE(edit_distance("Epochs", "epochs") == 0);
  REQUIRE(edit_distance("epohcs", "epochs") == 1);
  REQUIRE(edit_distance("kitten", "sitting") == 3);
  REQUIRE(edit_distance("sitting", "kitten") == 3);
}

TEST_CASE("the nearest word is one that may have been meant, or none") {
  const std::vector<std::string> words{"epochs", "seed", "seeds", "rate", "hold-out", "loss"};
  REQUIRE(nearest("epocs", words) == "epochs");
  REQUIRE(nearest("seedss", words) == "seeds");
  REQUIRE(nearest("hold", words) == "hold-out");
  REQUIRE(nearest("learning-rate", words) == "rate");
  REQUIRE(nearest("nonsense", words).empty());
  REQUIRE(nearest("xy", words).empty());
  REQUIRE(nearest("", words).empty());
}

TEST_CASE("a wrong command line says what was expected") {
  REQUIRE(complaint({}).empty());
  REQUIRE(complaint({"--epochs", "5", "--rate=1e-3", "--loss", "sndcg", "--csv", "a.csv"}).empty());
  REQUIRE(complaint({"--epocs", "5"}) == "unknown option --epocs, did you mean --epochs?");
  REQUIRE(complaint({"--epocs=5"}) == "unknown option --epocs, did you mean --epochs?");
  REQUIRE(complaint({"-epochs", "5"}) == "unknown option -epochs, did you mean --epochs?");
  REQUIRE(complaint({"--nonsense"}) == "unknown option --nonsense (--help lists the options)");
  REQUIRE_THAT(complaint({"5"}), StartsWith("'5' belongs to no option"));
  REQUIRE_THAT(complaint({"--epochs", "many"}),
               StartsWith("--epochs: 'many', expected a whole number from 1 to 100"));
  for (const char* wrong : {"0", "101", "-1", "2.5", "3x", "", "99999999999999999999"})
    REQUIRE_THAT(complaint({"--epochs=" + std::string(wrong) + (*wrong == '\0' ? " " : "")}),
                 Contains("expected a whole number from 1 to 100"));
  for (const char* wrong : {"nan", "inf", "-0.1", "11", "1,5"})
    REQUIRE_THAT(complaint({"--rate", wrong}), Contains("expected a number from 0 to 10"));
  REQUIRE_THAT(complaint({"--seed", "-1"}), StartsWith("--seed: '-1', expected a whole number, 0 or more"));
  REQUIRE_THAT(complaint({"--scores", "1", "x"}), StartsWith("--scores: 'x', expected a number"));
  REQUIRE_THAT(complaint({"--scores", "1"}), StartsWith("--scores: more values"));
  REQUIRE_THAT(complaint({"--epochs"}), StartsWith("--epochs: a value is missing"));
  REQUIRE(complaint({"--epochs", "1", "--epochs", "2"}) == "--epochs: given more than once");
  REQUIRE(complaint({"--loss", "tripet"}) ==
          "--loss: 'tripet' is not triplet, sndcg or all, did you mean triplet?");
  REQUIRE_THAT(complaint({"--loss", "hinge"}), StartsWith("--loss: 'hinge' is not triplet, sndcg or all ("));
  REQUIRE_THAT(complaint({"--picture", "curve.svg"}), Contains("gnuplot script that draws curve.svg"));
}

TEST_CASE("the help has what an option may be, and what it is") {
  CLI::App app;
  std::size_t epochs = 3;
  std::vector<std::size_t> hidden{64, 32};
  describe(app, "trainer", "Trains.", "trainer --epochs 5", "none.");
  section(app, "Training");
  app.add_option("--epochs", epochs, "passes over the lists, of which there may be more than one to be made")
      ->check(between(1, 100))
      ->capture_default_str();
  app.add_option("--hidden", hidden, "units")->capture_default_str();
  const std::string help = app.help();
  REQUIRE_THAT(help, Contains("Usage: trainer"));
  REQUIRE_THAT(help, Contains("Training:\n  -h,--help"));
  REQUIRE_THAT(help, Contains("(1 to 100;") && Contains("default 3)"));
  REQUIRE_THAT(help, Contains("--hidden N ..."));
  REQUIRE_THAT(help, Contains("units (default 64 32)"));
  REQUIRE_THAT(help, Contains("Example:\n  trainer --epochs 5\n"));
  std::size_t longest = 0;
  for (std::size_t at = 0; at < help.size();) {
    const std::size_t end = std::min(help.find('\n', at), help.size());
    longest = std::max(longest, end - at);
    at = end + 1;
  }
  REQUIRE(longest <= help_format::width);
}

TEST_CASE("a file is there whole or not at all") {
  const scratch folder;
  const std::string path = folder / "table.csv";
  {
    output_file file(path);
    file.stream() << "half of it";
    REQUIRE_FALSE(fs::exists(path));
  }
  REQUIRE(folder.files() == 0);
  write(path, "old");
  {
    output_file file(path);
    file.stream() << "new";
    REQUIRE(text_of(path) == "old");
    file.keep();
    REQUIRE(text_of(path) == "new");
  }
  REQUIRE(text_of(path) == "new");
  REQUIRE(folder.files() == 1);
  output_file none("");
  REQUIRE_FALSE(none.wanted());
  none.stream() << "nothing";
  none.keep();
}

TEST_CASE("a file keeps its permissions and the links to it") {
  const scratch folder;
  const std::string path = folder / "table.csv", link = folder / "link.csv";
  write(path, "old");
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("table.csv", link);
  output_file file(link);
  file.stream() << "new";
  file.keep();
  REQUIRE(fs::is_symlink(link));
  REQUIRE(text_of(path) == "new");
  REQUIRE(fs::status(path).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("a place that cannot be written is refused at once") {
  const scratch folder;
  REQUIRE_THROWS_WITH(output_file(folder / "nowhere/table.csv"),
                      Contains("table.csv: cannot be written, there is no"));
  REQUIRE_THROWS_WITH(output_file(folder.path.string()), Contains("it is a folder"));
  const output_file first(folder / "table.csv");
  REQUIRE_THROWS_WITH(output_file(folder / "table.csv"), Contains("two files of this name"));
  if (geteuid() == 0) return;  // who may write everywhere
  fs::permissions(folder.path, fs::perms::owner_read | fs::perms::owner_exec);
  REQUIRE_THROWS_WITH(output_file(folder / "other.csv"), Contains("Permission denied"));
  fs::permissions(folder.path, fs::perms::owner_all);
}

TEST_CASE("a full disk is said, and devices stay what they are") {
  if (!fs::exists("/dev/full")) return;
  output_file file("/dev/full");
  file.stream() << "something";
  REQUIRE_THROWS_WITH(file.keep(), Contains("cannot be written to its end"));
  REQUIRE(fs::is_character_file("/dev/full"));
  output_file gone("/dev/null");
  gone.stream() << "something";
  gone.keep();
  REQUIRE(fs::is_character_file("/dev/null"));
}

TEST_CASE("a signal leaves no half-written file, and ends the program as ever") {
  for (const int signal : {SIGINT, SIGTERM}) {
    const scratch folder;
    const std::string path = folder / "table.csv";
    write(path, "old");
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      // The test's own handlers are not the program's.
      for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(s, SIG_DFL);
      undo_on_signals();
      output_file file(path);
      file.stream() << "half of it" << std::flush;
      raise(signal);
      _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(WTERMSIG(status) == signal);
    REQUIRE(folder.files() == 1);
    REQUIRE(text_of(path) == "old");
  }
}

TEST_CASE("a duration is said in the two largest units") {
  REQUIRE(duration_text(0.2) == "0 s");
  REQUIRE(duration_text(59.4) == "59 s");
  REQUIRE(duration_text(59.6) == "1 min");
  REQUIRE(duration_text(200.0) == "3 min 20 s");
  REQUIRE(duration_text(7500.0) == "2 h 5 min");
  REQUIRE(duration_text(-1.0) == "0 s");
}

TEST_CASE("what goes wrong becomes one line and a code") {
  REQUIRE(program("trainer", [] {}) == 0);
  REQUIRE(program("trainer", [] { throw std::runtime_error("this is meant to be seen"); }) == 1);
}

}  // namespace

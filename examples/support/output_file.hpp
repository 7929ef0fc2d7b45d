// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "interrupt.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace examples {

/// output_file: a file that is there whole or not at all.
///
///     output_file file(path);      refuses a place that cannot be written: before the work, not after it
///     file.stream() << ...;
///     file.keep();                 from here on it is there; without it, it never was
///
/// It is written under another name beside its own, PATH.part-PROCESS, and renamed by `keep`; what was there
/// before stays until then. An error or a signal (undo_on_signals) removes it. Devices and pipes are written
/// as they are. An empty path: nothing is wanted, and nothing is written. @throws std::runtime_error naming
/// the path.
class output_file {
 public:
  explicit output_file(const std::string& path) : path_(path) {
    namespace fs = std::filesystem;
    if (path.empty()) return;
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (fs::is_directory(status)) refuse("it is a folder, expected a file");
    const bool there = fs::exists(status);
    // A name such as /dev/stdout may lead to a plain file, which is still not ours to replace.
    if (path.rfind("/dev/", 0) == 0 || (there && !fs::is_regular_file(status))) {
      file_.open(path);
      if (!file_) refuse(std::strerror(errno));
      return;
    }
    if (there && access(path.c_str(), W_OK) != 0) refuse(std::strerror(errno));
    target_ = there ? fs::canonical(path) : fs::path(path);  // a link stays one
    const fs::path folder = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
    if (!fs::is_directory(folder, error)) refuse("there is no folder " + folder.string());
    part_ = target_.string() + ".part-" + std::to_string(getpid());
    name_ = &begun::file(part_);
    const int made = open(part_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (made < 0) {
      const int why = errno;
      begun::ended(*name_);
      part_.clear();
      if (why == EEXIST) refuse("two files of this name are asked for");
      refuse(folder.string() + ": " + std::strerror(why));
    }
    struct stat old {};
    if (there && stat(target_.c_str(), &old) == 0) static_cast<void>(fchmod(made, old.st_mode & 07777U));
    close(made);
    file_.open(part_);
  }
  output_file(const output_file&) = delete;
  output_file& operator=(const output_file&) = delete;
  ~output_file() { discard(); }

  [[nodiscard]] bool wanted() const { return !path_.empty(); }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::ostream& stream() { return file_; }

  /// Writes it to its end and gives it its name.
  void keep() {
    if (!wanted()) return;
    errno = 0;
    file_.close();
    if (!file_) {
      const std::string why = errno == 0 ? "" : std::string(" (") + std::strerror(errno) + ")";
      discard();
      throw std::runtime_error(path_ + ": cannot be written to its end" + why);
    }
    if (part_.empty()) return;
    if (std::rename(part_.c_str(), target_.c_str()) != 0) {
      const std::string why = std::strerror(errno);
      discard();
      refuse(why);
    }
    begun::ended(*name_);
    part_.clear();
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw std::runtime_error(path_ + ": cannot be written, " + why);
  }
  void discard() {
    if (part_.empty()) return;
    file_.close();
    unlink(part_.c_str());
    begun::ended(*name_);
    part_.clear();
  }

  std::string path_;
  std::filesystem::path target_;
  std::string part_;  ///< where it is while it grows; empty: written in place, or at an end
  begun_file* name_ = nullptr;
  std::ofstream file_;
};

/// Where a gnuplot script leaves its picture: in the folder where gnuplot runs, under the script's name.
[[nodiscard]] inline std::string picture_of(const std::string& script) {
  return std::filesystem::path(script).filename().replace_extension(".svg").string();
}

/// What to do with a script that is kept.
inline void say_how_to_draw(const output_file& script) {
  if (!script.wanted() || script.path().rfind("/dev/", 0) == 0) return;
  std::printf("\n'gnuplot %s' draws %s\n", script.path().c_str(), picture_of(script.path()).c_str());
}

}  // namespace examples

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>

namespace examples {

/// Said before the training, not after it.
/// @throws std::runtime_error when there can be no file of that name.
inline void expect_place(const std::string& path) {
  if (path.empty()) return;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if ((!folder.empty() && !std::filesystem::is_directory(folder)) || std::filesystem::is_directory(path))
    throw std::runtime_error(path + ": cannot be written, expected a place for a file");
}

/// write_whole: the file that write(stream) makes. It gets its name when it is complete, so that a program
/// that is stopped leaves no half of it.
/// @throws std::runtime_error when it cannot be written.
template <class Write>
void write_whole(const std::string& path, Write write) {
  const std::string partial = path + ".part";
  std::ofstream file(partial);
  if (file) write(file);
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(partial, path, error);
  if (!file || error) {
    std::filesystem::remove(partial, error);
    throw std::runtime_error(path + ": cannot be written, expected a place for a file");
  }
}

}  // namespace examples

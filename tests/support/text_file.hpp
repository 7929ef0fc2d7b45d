// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <system_error>

namespace support {

/// A file of its own that holds a text, gone with the object.
class text_file {
 public:
  text_file(std::string_view name, std::string_view text)
      : path_(std::filesystem::temp_directory_path() / unique(name)) {
    std::ofstream file(path_, std::ios::binary);
    file.write(text.data(), static_cast<std::streamsize>(text.size()));
  }
  text_file(const text_file&) = delete;
  text_file& operator=(const text_file&) = delete;
  ~text_file() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  /// Tests of one program may run side by side.
  static std::string unique(std::string_view name) {
    static const unsigned program = std::random_device{}();
    static std::atomic<unsigned> count{0};
    return "rankloss_" + std::string(name) + "_" + std::to_string(program) + "_" + std::to_string(count++);
  }

  std::filesystem::path path_;
};

}  // namespace support

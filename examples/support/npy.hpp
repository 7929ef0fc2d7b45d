// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <cctype>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace examples {

/// An array as NumPy saved it.
template <class T>
struct npy_array {
  std::vector<std::size_t> shape;
  std::vector<T> values;  ///< C order
};

namespace npy_detail {

/// The text after `'key':` in the header's dictionary, up to but without `end`.
inline std::string_view value_of(std::string_view header, std::string_view key, char end) {
  std::string label("'");
  label.append(key).append("':");
  const std::size_t at = header.find(label);
  if (at == std::string_view::npos) return {};
  const std::size_t from = header.find_first_not_of(' ', at + label.size());
  const std::size_t to = from == std::string_view::npos ? from : header.find(end, from);
  return to == std::string_view::npos ? std::string_view{} : header.substr(from, to - from);
}

inline std::string shape_text(const std::vector<std::size_t>& shape) {
  std::string text = "[";
  for (const std::size_t extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

/// The header's dictionary as text; the file then stands at its data.
inline std::string read_header(std::ifstream& file, const std::filesystem::path& path) {
  const auto fail = [&](const std::string& what) { throw std::runtime_error(path.string() + ": " + what); };
  if (!file) fail("cannot be read, expected a .npy file");
  char start[8]{};
  file.read(start, 8);
  if (!file || std::string_view(start, 6) != std::string_view("\x93NUMPY", 6))
    fail("does not begin with the .npy signature");
  const auto version = static_cast<unsigned>(static_cast<unsigned char>(start[6]));
  if (version < 1 || version > 3) fail("format version " + std::to_string(version) + ", expected 1, 2 or 3");
  std::uint32_t length = 0;
  file.read(reinterpret_cast<char*>(&length), version == 1 ? 2 : 4);
  if (!file || length > (1u << 20)) fail("the header is cut off or too long");
  std::string header(length, ' ');
  file.read(header.data(), static_cast<std::streamsize>(length));
  if (!file) fail("the header is cut off");
  return header;
}

inline std::string type_in(std::string_view header) {
  std::string type(value_of(header, "descr", ','));
  std::erase(type, '\'');
  return type;
}

}  // namespace npy_detail

/// The type of a .npy file's values as NumPy writes it: "<f4" is float32.
inline std::string npy_type(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return npy_detail::type_in(npy_detail::read_header(file, path));
}

/// read_npy: a little-endian .npy file (format 1, 2 or 3) of float32, int32 or int8, as T says. A matrix in
/// Fortran order is brought into C order.
/// @throws std::runtime_error naming the file, what was expected and what came.
template <class T>
requires std::same_as<T, float> || std::same_as<T, std::int32_t> || std::same_as<T, std::int8_t> npy_array<T>
read_npy(const std::filesystem::path& path) {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::string_view wanted = std::same_as<T, float>          ? "<f4"
                                      : std::same_as<T, std::int32_t> ? "<i4"
                                                                      : "|i1";
  const auto fail = [&](const std::string& what) { throw std::runtime_error(path.string() + ": " + what); };

  std::ifstream file(path, std::ios::binary);
  const std::string header = npy_detail::read_header(file, path);
  const std::string type = npy_detail::type_in(header);
  if (type != wanted) fail("holds type '" + type + "', expected '" + std::string(wanted) + "'");
  const std::string_view order = npy_detail::value_of(header, "fortran_order", ',');
  if (order != "False" && order != "True") fail("the header does not say whether it is in C order");

  npy_array<T> array;
  std::string shape(npy_detail::value_of(header, "shape", ')'));
  if (shape.empty() || shape[0] != '(') fail("the header has no shape");
  for (char& c : shape)
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) c = ' ';
  std::istringstream extents(shape);
  std::size_t count = 1;
  for (std::size_t extent = 0; extents >> extent;) {
    if (extent > 0 && count > (std::numeric_limits<std::size_t>::max() / sizeof(T)) / extent)
      fail("the shape is too large");
    count *= extent;
    array.shape.push_back(extent);
  }

  const auto begin = file.tellg();
  file.seekg(0, std::ios::end);
  const auto bytes = static_cast<std::size_t>(file.tellg() - begin);
  if (bytes != count * sizeof(T))
    fail("holds " + std::to_string(bytes) + " bytes of data, expected " + std::to_string(count * sizeof(T)) +
         " for shape " + npy_detail::shape_text(array.shape));
  file.seekg(begin);
  array.values.resize(count);
  file.read(reinterpret_cast<char*>(array.values.data()), static_cast<std::streamsize>(bytes));
  if (!file) fail("cannot be read to its end");
  if (order == "True" && array.shape.size() > 1) {
    if (array.shape.size() > 2) fail("is not in C order, expected it of more than 2 dimensions");
    const std::vector<T> by_columns = array.values;
    for (std::size_t r = 0; r < array.shape[0]; ++r)
      for (std::size_t c = 0; c < array.shape[1]; ++c)
        array.values[r * array.shape[1] + c] = by_columns[c * array.shape[0] + r];
  }
  return array;
}

}  // namespace examples

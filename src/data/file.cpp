#include "data/file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/fail.h"

namespace tapegrad::data {

std::string read_file(const char* op, const std::string& path) {
  // A pipe or a device has no size to believe, and a folder no bytes.
  std::error_code none;
  const auto status = std::filesystem::status(path, none);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    fail<FormatError>(op, "{}: is not a regular file", path);
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) fail<FormatError>(op, "{}: cannot be opened: {}", path, std::strerror(errno));
  std::string bytes(size_t(file.tellg()), '\0');
  file.seekg(0);
  if (!file.read(bytes.data(), std::streamsize(bytes.size())))
    fail<FormatError>(op, "{}: cannot be read to its end", path);
  if (bytes.starts_with("\x1f\x8b"))
    fail<FormatError>(op, "{}: is compressed with gzip. Hint: decompress it first, gunzip '{}'", path, path);
  return bytes;
}

}  // namespace tapegrad::data

#include "data/file.h"

#include "core/fail.h"
#include "io/file.h"

namespace tapegrad::data {

std::string read_file(const char* op, const std::string& path) {
  InputFile file(op, path);
  std::string bytes(size_t(file.size()), '\0');
  file.read(bytes.data(), bytes.size());
  if (bytes.starts_with("\x1f\x8b"))
    fail<FormatError>(op, "{}: is compressed with gzip. Hint: decompress it first, gunzip '{}'", path, path);
  return bytes;
}

}  // namespace tapegrad::data

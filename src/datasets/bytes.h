// What the readers share: a place in a file's bytes that never passes their end, and gzip.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <tapegrad/tensor.h>

#include "core/fail.h"

namespace tapegrad::datasets {

/// A place in bytes that are in memory. What goes wrong is a FormatError "op: path: byte N: reason".
class Reader {
 public:
  Reader(const char* op, std::string path, std::string_view bytes) : op_(op), path_(std::move(path)), bytes_(bytes) {}

  uint64_t at() const { return at_; }
  std::string_view rest() const { return bytes_.substr(at_); }
  /// The next `count` bytes, of which there must be as many.
  std::string_view take(uint64_t count, const char* what) {
    if (count > rest().size()) refuse("{} needs {} bytes, the file has {} more", what, count, rest().size());
    const std::string_view taken = bytes_.substr(at_, count);
    at_ += count;
    return taken;
  }
  /// Takes what comes behind byte `end` for what follows the end.
  void end_at(uint64_t end) { bytes_ = bytes_.substr(0, end); }
  /// The next `count` bytes as a number, the lowest byte first.
  uint64_t little(size_t count, const char* what) {
    const std::string_view taken = take(count, what);
    uint64_t word = 0;
    for (size_t i = count; i-- > 0;) word = word << 8 | static_cast<unsigned char>(taken[i]);
    return word;
  }
  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> text, Args&&... args) const {
    fail<FormatError>(op_, "{}: byte {}: {}", path_, at_, fmt::format(text, std::forward<Args>(args)...));
  }

 private:
  const char* op_;
  std::string path_;
  std::string_view bytes_;
  size_t at_ = 0;
};

/// The product of `sizes` and `item`, or more than any file has where 64 bits do not hold it.
uint64_t bytes_of(const Shape& sizes, uint64_t item);

/// All bytes of a file, decompressed if they are gzip: then at most `most`. Throws FormatError.
std::string read_whole(const char* op, const std::string& path, uint64_t most);

}  // namespace tapegrad::datasets

// gzip is decompressed by zlib into memory that grows with what comes out: the length at the end of a file is a claim.
#include "datasets/bytes.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "io/file.h"

namespace tapegrad::datasets {

namespace {

// The members of a gzip file, one after the other, which is what its bytes are.
std::string inflated(const char* op, const std::string& path, const std::string& bytes, uint64_t most) {
  struct Stream : z_stream {
    Stream() : z_stream() {}
    ~Stream() { inflateEnd(this); }
  } stream;
  if (inflateInit2(&stream, 15 + 16) != Z_OK) fail<FormatError>(op, "{}: zlib cannot begin", path);
  const auto refuse = [&](std::string_view reason) {
    fail<FormatError>(op, "{}: byte {}: {}", path, bytes.size() - stream.avail_in, reason);
  };
  if (bytes.size() > std::numeric_limits<uInt>::max()) refuse("a gzip file of 4 GiB is not read");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = uInt(bytes.size());
  std::string out, part(size_t(1) << 16, '\0');
  for (int status = Z_OK; status != Z_STREAM_END || stream.avail_in > 0;) {
    if (status == Z_STREAM_END) {
      if (inflateReset(&stream) != Z_OK) refuse("zlib cannot go on");
    }
    stream.next_out = reinterpret_cast<Bytef*>(part.data());
    stream.avail_out = uInt(part.size());
    status = inflate(&stream, Z_NO_FLUSH);
    const size_t made = part.size() - stream.avail_out;
    if (status != Z_OK && status != Z_STREAM_END)
      refuse(status == Z_BUF_ERROR ? "the gzip stream is cut short"
                                   : (stream.msg ? stream.msg : "no valid gzip stream"));
    if (made > most - out.size())
      refuse(fmt::format("more than {} bytes come out of the gzip stream. Hint: {{.most_bytes = ...}}", most));
    out.append(part, 0, made);
  }
  return out;
}

}  // namespace

uint64_t bytes_of(const Shape& sizes, uint64_t item) {
  constexpr uint64_t kTooMany = std::numeric_limits<uint64_t>::max();
  uint64_t bytes = item;
  bool none = false;
  for (int64_t size : sizes) {
    none = none || size == 0;  // also then no shape can have the other sizes if they overflow
    if (__builtin_mul_overflow(bytes, uint64_t(std::max<int64_t>(size, 1)), &bytes)) return kTooMany;
  }
  return bytes > uint64_t(INT64_MAX) ? kTooMany : none ? 0 : bytes;
}

std::string read_whole(const char* op, const std::string& path, uint64_t most) {
  InputFile file(op, path);
  std::string bytes(size_t(file.remaining()), '\0');
  file.read(bytes.data(), bytes.size());
  return bytes.starts_with("\x1f\x8b") ? inflated(op, path, bytes, most) : bytes;
}

}  // namespace tapegrad::datasets

// A record is its length, a checksum of that, the bytes, and a checksum of those. The bytes are a protocol buffer: each field is its
// number and kind in one varint, and then a varint, eight or four bytes, or a length and that many bytes.
#include <tapegrad/inspect/export.h>
#include <tapegrad/ops.h>

#include <array>
#include <bit>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "core/fail.h"
#include "inspect/values.h"

namespace tapegrad::inspect {

namespace {

// CRC-32 with a polynomial in reflected form: Castagnoli's for records, ISO's for PNG.
template <uint32_t polynomial>
uint32_t crc(const std::string& bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> out{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = c & 1 ? (c >> 1) ^ polynomial : c >> 1;
      out[i] = c;
    }
    return out;
  }();
  uint32_t c = ~0u;
  for (const char byte : bytes) c = table[(c ^ uint8_t(byte)) & 255] ^ (c >> 8);
  return ~c;
}

template <class T>
std::string little(T value) {
  std::string out(sizeof value, '\0');
  for (size_t i = 0; i < sizeof value; ++i) out[i] = char(value >> (8 * i) & 255);
  return out;
}
std::string big(uint32_t value) {
  const std::string bytes = little(value);
  return {bytes.rbegin(), bytes.rend()};
}
std::string masked_crc(const std::string& bytes) {
  const uint32_t c = crc<0x82f63b78>(bytes);
  return little(uint32_t(std::rotr(c, 15) + 0xa282ead8));
}

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 128; value >>= 7) out += char(value | 128);
  return out + char(value);
}
std::string integer(int field, int64_t value) { return varint(uint64_t(field) << 3) + varint(uint64_t(value)); }
std::string real(int field, double value) {
  return varint(uint64_t(field) << 3 | 1) + little(std::bit_cast<uint64_t>(value));
}
std::string real32(int field, double value) {
  return varint(uint64_t(field) << 3 | 5) + little(std::bit_cast<uint32_t>(float(value)));
}
std::string bytes(int field, const std::string& value) {
  return varint(uint64_t(field) << 3 | 2) + varint(value.size()) + value;
}
std::string reals(int field, const std::vector<double>& values) {
  std::string all;
  for (const double v : values) all += little(std::bit_cast<uint64_t>(v));
  return bytes(field, all);
}

// A PNG whose pixels are not compressed: the deflate format has blocks of stored bytes.
std::string png(const std::string& rows, int64_t width, int64_t height, int channels) {
  std::string packed = "\x78\x01";
  constexpr size_t kBlock = 65535;
  for (size_t at = 0; at < rows.size(); at += kBlock) {
    const size_t size = std::min(kBlock, rows.size() - at);
    packed += char(at + size == rows.size()) + little(uint16_t(size)) + little(uint16_t(~size)) + rows.substr(at, size);
  }
  uint32_t a = 1, b = 0;  // Adler's checksum
  for (const char c : rows) a = (a + uint8_t(c)) % 65521, b = (b + a) % 65521;
  packed += big(b << 16 | a);
  const auto chunk = [](const std::string& type, const std::string& data) {
    return big(uint32_t(data.size())) + type + data + big(crc<0xedb88320>(type + data));
  };
  const std::string head =
      big(uint32_t(width)) + big(uint32_t(height)) + '\x08' + char(channels == 3 ? 2 : 0) + std::string(3, '\0');
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", head) + chunk("IDAT", packed) + chunk("IEND", "");
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}  // namespace

EventFile::EventFile(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  // A second file of the same second gets a number of its own.
  for (int i = 0; i == 0 || std::filesystem::exists(path_); ++i)
    path_ = fmt::format("{}/events.out.tfevents.{:.0f}.tapegrad{}", folder, now(), i ? fmt::format(".{}", i) : "");
  file_ = std::fopen(path_.c_str(), "wb");
  if (!file_) fail<FormatError>("EventFile", "cannot write '{}'", path_);
  record(real(1, now()) + bytes(3, "brain.Event:2"));
}

EventFile::~EventFile() { std::fclose(file_); }

void EventFile::record(const std::string& event) {
  const std::string length = little(uint64_t(event.size()));
  const std::string all = length + masked_crc(length) + event + masked_crc(event);
  if (std::fwrite(all.data(), 1, all.size(), file_) != all.size() || std::fflush(file_) != 0)
    fail<FormatError>("EventFile", "cannot write '{}'", path_);
}

void EventFile::summary(const std::string& value, int64_t step) {
  record(real(1, now()) + integer(2, step) + bytes(5, bytes(1, value)));
}

void EventFile::scalar(const std::string& tag, double value, int64_t step) {
  summary(bytes(1, tag) + real32(2, value), step);
}

void EventFile::histogram(const std::string& tag, const Tensor& values, int64_t step) {
  histogram(tag, look(values, {.sample = std::numeric_limits<int64_t>::max(), .bins = 30}), step);
}

void EventFile::histogram(const std::string& tag, const Numbers& numbers, int64_t step) {
  std::vector<double> limits, counts;
  double n = 0;
  const double width = (numbers.max - numbers.min) / double(std::max<size_t>(1, numbers.counts.size()));
  for (size_t i = 0; i < numbers.counts.size(); ++i) {
    limits.push_back(numbers.min + width * double(i + 1));
    counts.push_back(double(numbers.counts[i]));
    n += counts.back();
  }
  const double squares = n * (numbers.std * numbers.std + numbers.mean * numbers.mean);
  summary(
      bytes(1, tag) + bytes(5, real(1, numbers.min) + real(2, numbers.max) + real(3, n) + real(4, n * numbers.mean) +
                                   real(5, squares) + reals(6, limits) + reals(7, counts)),
      step);
}

void EventFile::image(const std::string& tag, const Tensor& image, int64_t step) {
  if (image.dim() != 3 || (image.size(0) != 1 && image.size(0) != 3))
    fail<ShapeError>("EventFile", "image must be [1, H, W] or [3, H, W], got {}", image.shape());
  const int64_t channels = image.size(0), height = image.size(1), width = image.size(2);
  std::string rows;
  with_values(image.permute({1, 2, 0}), [&](auto values) {
    size_t at = 0;
    for (int64_t y = 0; y < height; ++y) {
      rows += '\0';  // a row's filter: none
      for (int64_t x = 0; x < width * channels; ++x)
        rows += char(uint8_t(std::lround(255 * std::clamp(double(values[at++]), 0.0, 1.0))));
    }
  });
  summary(bytes(1, tag) + bytes(4, integer(1, height) + integer(2, width) + integer(3, channels) +
                                       bytes(4, png(rows, width, height, int(channels)))),
          step);
}

void EventFile::text(const std::string& tag, const std::string& text, int64_t step) {
  constexpr int kString = 7;  // DT_STRING
  const std::string tensor = integer(1, kString) + bytes(2, bytes(2, integer(1, 1))) + bytes(8, text);
  summary(bytes(1, tag) + bytes(9, bytes(1, bytes(1, "text"))) + bytes(8, tensor), step);
}

}  // namespace tapegrad::inspect

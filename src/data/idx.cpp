// An IDX file: two zero bytes, the type of the elements, the number of axes, then a 32-bit size for each axis
// and the elements in row-major order, all with the highest byte first. The sizes are a claim that the file's
// length must confirm before memory is taken for them.
#include <tapegrad/data/idx.h>

#include <bit>
#include <optional>

#include "compute/elementwise.h"
#include "core/fail.h"
#include "data/file.h"

namespace tapegrad::data {

namespace {

enum Type : uint8_t { u8 = 0x08, i8 = 0x09, i16 = 0x0B, i32 = 0x0C, f32 = 0x0D, f64 = 0x0E };

size_t type_size(uint8_t type) {
  switch (type) {
    case u8:
    case i8: return 1;
    case i16: return 2;
    case i32:
    case f32: return 4;
    case f64: return 8;
    default: return 0;
  }
}

uint64_t big_endian(const char* from, size_t bytes) {
  uint64_t word = 0;
  for (size_t i = 0; i < bytes; ++i) word = word << 8 | static_cast<unsigned char>(from[i]);
  return word;
}

// One element; each type fits a double.
double decode(const char* from, uint8_t type) {
  const uint64_t word = big_endian(from, type_size(type));
  switch (type) {
    case u8: return uint8_t(word);
    case i8: return int8_t(word);
    case i16: return int16_t(word);
    case i32: return int32_t(word);
    case f32: return std::bit_cast<float>(uint32_t(word));
    default: return std::bit_cast<double>(word);
  }
}

Tensor read(const std::string& path, std::optional<Dtype> wanted, double scale) {
  const char* op = "idx";
  const std::string bytes = read_file(op, path);
  if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0)
    fail<FormatError>(
        op, "{}: is no IDX file: it must begin with two zero bytes, a type and a number of axes", path);
  const uint8_t type = uint8_t(bytes[2]), rank = uint8_t(bytes[3]);
  if (type_size(type) == 0) fail<FormatError>(op, "{}: byte 3: element type {:#04x} is unknown", path, type);
  if (rank < 1 || rank > Shape::max_dims)
    fail<FormatError>(op, "{}: byte 4: the number of axes must be in [1, {}], got {}", path, Shape::max_dims,
                      rank);
  const size_t header = 4 + 4 * size_t(rank);
  if (bytes.size() < header)
    fail<FormatError>(op, "{}: the header has {} bytes, the file {}", path, header, bytes.size());
  Shape shape;
  uint64_t expected = type_size(type);
  bool fits = true;
  for (size_t i = 0; i < rank; ++i) {
    const uint64_t size = big_endian(bytes.data() + 4 + 4 * i, 4);
    shape.push_back(int64_t(size));
    fits = fits && !__builtin_mul_overflow(expected, size, &expected);
  }
  if (!fits || expected != bytes.size() - header)
    fail<FormatError>(op, "{}: sizes {} do not fit the {} bytes after the header", path, shape,
                      bytes.size() - header);
  const bool real = type == f32 || type == f64;
  const Dtype dtype = wanted.value_or(type == f64 ? float64 : real ? float32 : int64);
  if (dtype == boolean || (real && dtype == int64))
    fail<DtypeError>(op, "{}: elements of type {:#04x} are not read as {}", path, type, dtype);
  const char* from = bytes.data() + header;
  return compute::generate(shape, dtype, [=, size = type_size(type)](int64_t i) {
    return decode(from + size_t(i) * size, type) * scale;
  });
}

}  // namespace

Tensor read_idx(const std::string& path) {
  return read(path, {}, 1);
}
Tensor read_idx(const std::string& path, Dtype dtype) {
  return read(path, dtype, 1);
}

TensorDataset idx(const std::string& images_path, const std::string& labels_path, IdxOptions options) {
  const Tensor y = read_idx(labels_path);
  if (y.dtype() != int64 || y.dim() != 1)
    fail<FormatError>("idx", "{}: labels must be integers in one axis, got {} {}", labels_path, y.dtype(),
                      y.shape());
  const Tensor x = read(images_path, float32, options.scale);
  if (x.size(0) != y.size(0))
    fail<FormatError>("idx", "{} has {} images, {} has {} labels", images_path, x.size(0), labels_path,
                      y.size(0));
  return {x, y};
}

}  // namespace tapegrad::data

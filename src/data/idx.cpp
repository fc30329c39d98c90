// An IDX file: two zero bytes, the type of the elements, the number of axes, then a 32-bit size for each axis
// and the elements in row-major order, all with the highest byte first. The sizes are a claim that the file's
// length must confirm before memory is taken for them.
#include <tapegrad/data/idx.h>

#include <algorithm>
#include <bit>

#include "compute/bytes.h"
#include "compute/elementwise.h"
#include "core/fail.h"
#include "data/idx_format.h"
#include "io/file.h"

namespace tapegrad::data {

namespace {

// A type of elements: its code in byte 3, its bytes, what it becomes by default, and the value of an element from
// the word that its bytes are. Each type fits a double.
struct Type {
  uint8_t code;
  size_t size;
  Dtype dtype;
  double (*value)(uint64_t word);
};
constexpr Type kTypes[] = {
    {0x08, 1, int64, [](uint64_t word) { return double(uint8_t(word)); }},
    {0x09, 1, int64, [](uint64_t word) { return double(int8_t(word)); }},
    {0x0B, 2, int64, [](uint64_t word) { return double(int16_t(word)); }},
    {0x0C, 4, int64, [](uint64_t word) { return double(int32_t(word)); }},
    {0x0D, 4, float32, [](uint64_t word) { return double(std::bit_cast<float>(uint32_t(word))); }},
    {0x0E, 8, float64, [](uint64_t word) { return std::bit_cast<double>(word); }},
};

uint64_t big_endian(const char* from, size_t bytes) {
  uint64_t word = 0;
  for (size_t i = 0; i < bytes; ++i) word = word << 8 | static_cast<unsigned char>(from[i]);
  return word;
}

}  // namespace

IdxHeader idx_header(const std::string& path, std::string_view begin, uint64_t bytes) {
  const char* op = "idx";
  if (begin.size() < 4 || begin[0] != 0 || begin[1] != 0)
    fail<FormatError>(op, "{}: is no IDX file: it must begin with two zero bytes, a type and a number of axes", path);
  const uint8_t code = uint8_t(begin[2]), rank = uint8_t(begin[3]);
  const Type* type = std::ranges::find(kTypes, code, &Type::code);
  if (type == std::end(kTypes)) fail<FormatError>(op, "{}: byte 3: element type {:#04x} is unknown", path, code);
  if (rank < 1 || rank > Shape::max_dims)
    fail<FormatError>(op, "{}: byte 4: the number of axes must be in [1, {}], got {}", path, Shape::max_dims, rank);
  IdxHeader header{code, type->size, 4 + 4 * uint64_t(rank), type->dtype, {}};
  if (begin.size() < header.size)
    fail<FormatError>(op, "{}: the header has {} bytes, the file {}", path, header.size, begin.size());
  uint64_t expected = type->size;
  bool fits = true;
  for (size_t i = 0; i < rank; ++i) {
    const uint64_t size = big_endian(begin.data() + 4 + 4 * i, 4);
    header.shape.push_back(int64_t(size));
    fits = fits && !__builtin_mul_overflow(expected, std::max<uint64_t>(size, 1), &expected);
  }
  if (std::ranges::count(header.shape, 0) > 0 && expected <= uint64_t(INT64_MAX)) expected = 0;
  if (!fits || expected != bytes - header.size)
    fail<FormatError>(op, "{}: sizes {} do not fit the {} bytes after the header", path, header.shape,
                      bytes - header.size);
  return header;
}

Tensor idx_elements(const std::string& path, const IdxHeader& header, const char* from, const Shape& shape,
                    std::optional<Dtype> wanted, double scale) {
  const Type& type = *std::ranges::find(kTypes, header.code, &Type::code);
  const Dtype dtype = wanted.value_or(type.dtype);
  if (dtype == boolean || (dtype == int64 && type.dtype != int64))
    fail<DtypeError>("idx", "{}: elements of type {:#04x} are not read as {}", path, header.code, dtype);
  if (type.code == 0x08 && dtype == float32)
    return compute::from_bytes(reinterpret_cast<const unsigned char*>(from), shape, scale);
  return compute::generate(shape, dtype, [=, &type](int64_t i) {
    return type.value(big_endian(from + size_t(i) * type.size, type.size)) * scale;
  });
}

void check_labels(const std::string& path, const Tensor& y) {
  if (y.dtype() != int64 || y.dim() != 1)
    fail<FormatError>("idx", "{}: labels must be integers in one axis, got {} {}", path, y.dtype(), y.shape());
}
void check_counts(const std::string& images, int64_t n, const std::string& labels, int64_t count) {
  if (n != count) fail<FormatError>("idx", "{} has {} images, {} has {} labels", images, n, labels, count);
}

namespace {

Tensor read(const std::string& path, std::optional<Dtype> wanted, double scale) {
  const std::string bytes = read_file("idx", path);
  const IdxHeader header = idx_header(path, bytes, bytes.size());
  return idx_elements(path, header, bytes.data() + header.size, header.shape, wanted, scale);
}

}  // namespace

Tensor read_idx(const std::string& path, std::optional<Dtype> dtype) { return read(path, dtype, 1); }

TensorDataset idx(const std::string& images_path, const std::string& labels_path, IdxOptions options) {
  const Tensor y = read_idx(labels_path);
  check_labels(labels_path, y);
  const Tensor x = read(images_path, float32, options.scale);
  check_counts(images_path, x.size(0), labels_path, y.size(0));
  return {x, y};
}

}  // namespace tapegrad::data

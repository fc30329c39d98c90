// A .npy file: "\x93NUMPY", the version in two bytes, the length of the header in two bytes (version 1) or four, the
// header, and the numbers.
//
//   {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }      then spaces and a line end
//
// The header is a dictionary as Python writes it. Only this one dictionary is read, not Python.
#include "datasets/npy.h"

#include <tapegrad/datasets/npy.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>

#include "compute/arrays.h"
#include "compute/elementwise.h"
#include "io/file.h"
#include "tensor/bytes.h"

namespace tapegrad::datasets {

static_assert(std::endian::native == std::endian::little, "numbers are read as they lie in memory");

namespace {

constexpr uint64_t kLargestHeader = 65536;

struct Type {
  std::string_view code;
  size_t size;
  Dtype dtype;
  bool is_signed = true;
};
constexpr Type kTypes[] = {{"f4", 4, float32},      {"f8", 8, float64},     {"i8", 8, int64}, {"b1", 1, boolean},
                           {"i4", 4, int64},        {"i2", 2, int64},       {"i1", 1, int64}, {"u4", 4, int64, false},
                           {"u2", 2, int64, false}, {"u1", 1, int64, false}};

struct Header {
  const Type* type = nullptr;
  bool big_endian = false;
  std::optional<bool> fortran;
  std::optional<Shape> shape;
};

class HeaderReader {
 public:
  explicit HeaderReader(Reader text) : text_(std::move(text)) {}

  Header read() {
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr" && !header_.type) {
        read_type();
      } else if (key == "fortran_order" && !header_.fortran) {
        header_.fortran = truth();
      } else if (key == "shape" && !header_.shape) {
        header_.shape = tuple();
      } else {
        text_.refuse("the key '{}' is unknown or comes twice", shown(key, 40));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (!header_.type || !header_.fortran || !header_.shape)
      text_.refuse("descr, fortran_order and shape are needed, one is missing");
    skip_spaces();
    if (text_.rest() != "\n") text_.refuse("the header must end in spaces and a line end");
    return header_;
  }

 private:
  void skip_spaces() {
    while (text_.rest().starts_with(' ')) text_.take(1, "");
  }
  bool accept(char c) {
    skip_spaces();
    if (!text_.rest().starts_with(c)) return false;
    text_.take(1, "");
    return true;
  }
  void expect(char c) {
    if (!accept(c)) text_.refuse("'{}' is expected in the header", c);
  }
  std::string_view quoted() {
    skip_spaces();
    const char quote = text_.rest().empty() ? '\0' : text_.rest()[0];
    if (quote != '\'' && quote != '"') text_.refuse("a text in quotes is expected in the header");
    const size_t end = text_.rest().find(quote, 1);
    if (end == std::string_view::npos) text_.refuse("a quote is not closed");
    return text_.take(end + 1, "").substr(1, end - 1);
  }
  bool truth() {
    skip_spaces();
    for (const std::string_view word : {"True", "False"})
      if (text_.rest().starts_with(word)) return text_.take(word.size(), "") == "True";
    text_.refuse("True or False is expected in the header");
  }
  Shape tuple() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      skip_spaces();
      const std::string_view rest = text_.rest();
      int64_t size = -1;
      const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), size);
      if (error != std::errc() || size < 0) text_.refuse("a size must be a whole number in [0, 2^63)");
      if (shape.size() == Shape::max_dims) text_.refuse("more than {} axes", Shape::max_dims);
      text_.take(uint64_t(end - rest.data()), "");
      shape.push_back(size);
      if (!accept(',')) {
        if (shape.size() == 1) text_.refuse("a shape must be a tuple, as in (3,)");
        expect(')');
        break;
      }
    }
    return shape;
  }
  void read_type() {
    skip_spaces();
    if (text_.rest().starts_with('[')) text_.refuse("records are not read, descr must be one type");
    const std::string_view text = quoted();
    const bool has_order = !text.empty() && std::string_view("<>|=").find(text[0]) != std::string_view::npos;
    const std::string_view code = text.substr(has_order ? 1 : 0);
    if (code.starts_with('O')) text_.refuse("an array of Python objects is a program that is run; it is not read");
    const Type* type = std::ranges::find(kTypes, code, &Type::code);
    if (!has_order || type == std::end(kTypes))
      text_.refuse(
          "the type must be float32, float64, an integer or bool, got '{}'. Hint: save "
          "x.astype('float32')",
          shown(text, 40));
    header_.type = type;
    header_.big_endian = text[0] == '>';
  }

  Reader text_;
  Header header_;
};

// The integer whose bytes these are.
int64_t integer(const char* from, const Type& type, bool big_endian) {
  uint64_t word = 0;
  for (size_t i = 0; i < type.size; ++i)
    word = word << 8 | static_cast<unsigned char>(from[big_endian ? i : type.size - 1 - i]);
  const int unused = 64 - 8 * int(type.size);
  return type.is_signed ? int64_t(word << unused) >> unused : int64_t(word);
}

Tensor elements(const Header& header, const Shape& shape, std::string_view bytes) {
  const Type& type = *header.type;
  if (type.size < item_size(type.dtype))
    return compute::generate(shape, type.dtype, [&](int64_t i) {
      return integer(bytes.data() + size_t(i) * type.size, type, header.big_endian);
    });
  Tensor x = empty(shape, {.dtype = type.dtype});
  const std::span<std::byte> to = tapegrad::detail::mutable_bytes_of(x);
  std::ranges::copy(std::as_bytes(std::span(bytes)), to.begin());
  if (header.big_endian)
    for (size_t i = 0; i < to.size(); i += type.size) std::ranges::reverse(to.subspan(i, type.size));
  return x;
}

}  // namespace

Tensor parse_npy(Reader reader) {
  if (!reader.rest().starts_with("\x93NUMPY")) reader.refuse("a .npy file begins with \\x93NUMPY");
  reader.take(6, "the name of the format");
  const uint64_t version = reader.little(1, "the version");
  const uint64_t minor = reader.little(1, "the version");
  if (version < 1 || version > 3 || minor != 0)
    reader.refuse("the version must be 1.0, 2.0 or 3.0, got {}.{}", version, minor);
  const uint64_t length = reader.little(version == 1 ? 2 : 4, "the length of the header");
  if (length > kLargestHeader) reader.refuse("the header must have at most {} bytes, got {}", kLargestHeader, length);
  Reader text = reader;  // counts from the file's first byte, and ends where the header does
  reader.take(length, "the header");
  text.end_at(reader.at());
  const Header header = HeaderReader(text).read();

  Shape shape = *header.shape;
  const uint64_t bytes = bytes_of(shape, header.type->size);
  if (bytes != reader.rest().size())
    reader.refuse("shape {} needs {} bytes, the file has {} more", shape, bytes, reader.rest().size());
  if (header.type->dtype == boolean)
    for (char byte : reader.rest())
      if (byte != 0 && byte != 1) reader.refuse("a bool must be 0 or 1");
  if (!*header.fortran) return elements(header, shape, reader.rest());
  std::reverse(shape.begin(), shape.end());
  Shape axes;
  for (int64_t i = int64_t(shape.size()); i-- > 0;) axes.push_back(i);
  return compute::permute(elements(header, shape, reader.rest()), axes).contiguous();
}

std::string npy_header(const Tensor& x) {
  std::string sizes;
  for (int64_t size : x.shape()) sizes += fmt::format("{}, ", size);
  if (x.dim() > 1) sizes.resize(sizes.size() - 2);
  if (x.dim() == 1) sizes.resize(sizes.size() - 1);  // (3,)
  const Type* type = std::ranges::find(kTypes, x.dtype(), &Type::dtype);
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                 x.dtype() == boolean ? '|' : '<', type->code, sizes);
  text.resize((text.size() + 10 + 1 + 63) / 64 * 64 - 10 - 1, ' ');  // the numbers begin at a multiple of 64
  text += '\n';
  std::string out("\x93NUMPY\1\0", 8);
  out += char(text.size() & 0xff);
  out += char(text.size() >> 8);
  return out + text;
}

Tensor load_npy(const std::string& path) {
  const std::string bytes = read_file("load_npy", path);
  return parse_npy(Reader("load_npy", path, bytes));
}

void save_npy(const std::string& path, const Tensor& x) {
  const Tensor whole = x.detach().contiguous();
  const std::string header = npy_header(whole);
  const std::span<const std::byte> numbers = tapegrad::detail::bytes_of(whole);
  OutputFile file("save_npy", path);
  file.write(header.data(), header.size());
  file.write(numbers.data(), numbers.size());
  file.commit();
}

}  // namespace tapegrad::datasets

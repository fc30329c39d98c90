// PGM and PPM: "P5", width, height and the highest sample in decimal digits, one space or line end, then the samples in
// bytes, or in pairs of bytes where the highest is over 255. P2 and P3 have the samples in decimal digits too.
//
// Source: the manual pages pgm(5) and ppm(5) of Netpbm.
#include "datasets/image.h"

#include <tapegrad/datasets/image.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "compute/elementwise.h"
#include "io/file.h"

namespace tapegrad::datasets {

namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// The next number, behind spaces and comments.
int64_t number(Reader& reader, int64_t low, int64_t high, const char* what) {
  for (;;) {
    const std::string_view rest = reader.rest();
    if (rest.starts_with('#')) {
      reader.take(std::min(rest.find('\n'), rest.size()), what);
    } else if (!rest.empty() && is_space(rest[0])) {
      reader.take(1, what);
    } else {
      break;
    }
  }
  const std::string_view rest = reader.rest();
  int64_t value = -1;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (error != std::errc() || value < low || value > high)
    reader.refuse("{} must be a whole number in [{}, {}], got '{}'", what, low, high, shown(rest, 20));
  reader.take(uint64_t(end - rest.data()), what);
  return value;
}

Pixels read_netpbm(Reader reader, uint64_t most) {
  const char kind = reader.take(2, "the name of the format")[1];
  Pixels image;
  image.channels = kind == '2' || kind == '5' ? 1 : 3;
  image.width = number(reader, 1, 1 << 20, "the width");
  image.height = number(reader, 1, 1 << 20, "the height");
  const int64_t highest = number(reader, 1, 65535, "the highest sample");
  image.highest = double(highest);
  image.wide = highest > 255;
  const uint64_t count = uint64_t(image.channels) * uint64_t(image.height) * uint64_t(image.width);
  const uint64_t bytes = count * (image.wide ? 2 : 1);
  if (bytes > most) reader.refuse("{} x {} pixels are more than {} bytes", image.height, image.width, most);
  if (kind >= '5') {
    if (reader.rest().empty() || !is_space(reader.rest()[0]))
      reader.refuse("one space or line end must stand before the samples");
    reader.take(1, "the space");
    if (reader.rest().size() != bytes)
      reader.refuse("{} x {} pixels need {} bytes, the file has {} more", image.height, image.width, bytes,
                    reader.rest().size());
    image.samples = reader.rest();
  } else {
    if (count > reader.rest().size() / 2)  // a space and a digit for each
      reader.refuse("{} x {} pixels need more than the {} bytes that follow", image.height, image.width,
                    reader.rest().size());
    image.samples.reserve(bytes);
    for (uint64_t i = 0; i < count; ++i) {
      const int64_t value = number(reader, 0, highest, "a sample");
      if (image.wide) image.samples += char(value >> 8);
      image.samples += char(value & 0xff);
    }
    if (!std::ranges::all_of(reader.rest(), is_space)) reader.refuse("something follows the last sample");
  }
  for (uint64_t i = 0; image.wide && i + 1 < image.samples.size(); i += 2)
    if ((uint8_t(image.samples[i]) << 8 | uint8_t(image.samples[i + 1])) > highest)
      reader.refuse("sample {} is over the highest, {}", i / 2, highest);
  if (!image.wide && highest < 255)
    for (uint64_t i = 0; i < image.samples.size(); ++i)
      if (uint8_t(image.samples[i]) > highest) reader.refuse("sample {} is over the highest, {}", i, highest);
  return image;
}

bool ends_in(const std::string& path, std::string_view ending) {
  return path.size() >= ending.size() &&
         std::equal(ending.begin(), ending.end(), path.end() - int64_t(ending.size()),
                    [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b - 'A' + 'a' : b); });
}

}  // namespace

Tensor load_image(const std::string& path, Limits limits) {
  const std::string bytes = read_file("load_image", path);
  Pixels image;
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) {
    image = read_png(path, bytes, limits.most_bytes);
  } else if (bytes.size() > 2 && bytes[0] == 'P' && std::string_view("2356").find(bytes[1]) != std::string::npos) {
    image = read_netpbm(Reader("load_image", path, bytes), limits.most_bytes);
  } else {
    fail<FormatError>("load_image", "{}: byte 0: neither PNG, PGM (P2, P5) nor PPM (P3, P6)", path);
  }
  const auto* from = reinterpret_cast<const unsigned char*>(image.samples.data());
  const int64_t pixels = image.height * image.width;
  return compute::generate({image.channels, image.height, image.width}, float32, [&](int64_t i) {
    const int64_t at = i % pixels * image.channels + i / pixels;
    const int sample = image.wide ? from[2 * at] << 8 | from[2 * at + 1] : from[at];
    return double(sample) / image.highest;
  });
}

void save_image(const std::string& path, const Tensor& x) {
  const Tensor whole = x.detach().to(float64).contiguous();
  compute::check_floating("save_image", x);
  const bool png = ends_in(path, ".png"), pgm = ends_in(path, ".pgm");
  if (!png && !pgm && !ends_in(path, ".ppm"))
    fail<ValueError>("save_image", "{}: the name must end in .png, .pgm or .ppm", path);
  const int64_t channels = x.dim() == 3 ? x.size(0) : 1;
  if (x.dim() < 2 || x.dim() > 3 || x.numel() == 0 || (png ? channels > 4 : channels != (pgm ? 1 : 3)))
    fail<ValueError>("save_image", "{}: x must be [H, W] or [{}, H, W], got {}", path,
                     png ? "1 to 4" : (pgm ? "1" : "3"), x.shape());
  Pixels image{channels, x.size(-2), x.size(-1), 255, {}};
  image.samples.resize(size_t(x.numel()));
  const int64_t pixels = image.height * image.width;
  const std::span<const double> from = whole.data<double>();
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double value = from[size_t(i)];
    if (!(value >= 0 && value <= 1))
      fail<ValueError>("save_image", "{}: samples must be in [0, 1], got {}. Hint: clamp(x, 0, 1)", path, value);
    image.samples[size_t(i % pixels * channels + i / pixels)] = char(std::lround(value * 255));
  }
  const std::string bytes =
      png ? png_bytes(path, image)
          : fmt::format("P{}\n{} {}\n255\n", pgm ? 5 : 6, image.width, image.height) + image.samples;
  OutputFile file("save_image", path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

}  // namespace tapegrad::datasets

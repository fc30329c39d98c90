// libpng reports an error by a jump out of its functions, so what runs between setjmp() and the jump has no destructors.
#include "datasets/image.h"

#ifndef TAPEGRAD_PNG

namespace tapegrad::datasets {

Pixels read_png(const std::string& path, std::string_view, uint64_t) {
  fail<FormatError>("load_image", "{}: tapegrad was built without libpng. Hint: save it as .pgm or .ppm", path);
}
std::string png_bytes(const std::string& path, const Pixels&) {
  fail<FormatError>("save_image", "{}: tapegrad was built without libpng. Hint: save it as .pgm or .ppm", path);
}

}  // namespace tapegrad::datasets

#else

#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <vector>

namespace tapegrad::datasets {

namespace {

// Bits of an image that a byte of a file can become, at most.
constexpr uint64_t kMostPixelsPerByte = 8 * 1032;

// What libpng's functions are given to work on.
struct Work {
  std::string_view in;
  std::string out;
  char error[160] = "";

  static void note(png_structp png, png_const_charp text) {
    Work* work = static_cast<Work*>(png_get_error_ptr(png));
    std::strncpy(work->error, text, sizeof work->error - 1);
    png_longjmp(png, 1);
  }
  static void ignore(png_structp, png_const_charp) {}
  static void read(png_structp png, png_bytep to, size_t bytes) {
    Work* work = static_cast<Work*>(png_get_io_ptr(png));
    if (bytes > work->in.size()) png_error(png, "the file is cut short");
    std::memcpy(to, work->in.data(), bytes);
    work->in.remove_prefix(bytes);
  }
  static void write(png_structp png, png_bytep from, size_t bytes) {
    static_cast<Work*>(png_get_io_ptr(png))->out.append(reinterpret_cast<char*>(from), bytes);
  }
  static void flush(png_structp) {}
};

struct Decoder : Work {
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, static_cast<Work*>(this), note, ignore);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }

  // Both return false after an error.
  bool read_header() {
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_user_limits(png, 1 << 20, 1 << 20);
    png_set_chunk_malloc_max(png, 1 << 22);
    png_set_chunk_cache_max(png, 64);
    png_set_read_fn(png, static_cast<Work*>(this), read);
    png_read_info(png, info);
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    return true;
  }
  bool read_rows(png_bytepp rows) {
    if (setjmp(png_jmpbuf(png))) return false;
    png_read_image(png, rows);
    png_read_end(png, nullptr);
    return true;
  }
};

struct Encoder : Work {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, static_cast<Work*>(this), note, ignore);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  ~Encoder() { png_destroy_write_struct(&png, &info); }

  bool write_all(const Pixels& image, png_bytepp rows) {
    constexpr int kTypes[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                              PNG_COLOR_TYPE_RGB_ALPHA};
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_write_fn(png, static_cast<Work*>(this), write, flush);
    png_set_IHDR(png, info, png_uint_32(image.width), png_uint_32(image.height), 8, kTypes[image.channels],
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    png_write_image(png, rows);
    png_write_end(png, nullptr);
    return true;
  }
};

std::vector<png_bytep> rows_of(const std::string& samples, int64_t height) {
  std::vector<png_bytep> rows;
  const size_t bytes = samples.size() / size_t(std::max<int64_t>(height, 1));
  for (int64_t y = 0; y < height; ++y)
    rows.push_back(reinterpret_cast<png_bytep>(const_cast<char*>(samples.data())) + size_t(y) * bytes);
  return rows;
}

}  // namespace

Pixels read_png(const std::string& path, std::string_view bytes, uint64_t most) {
  Decoder decoder;
  const auto refuse = [&](const std::string& reason) {
    fail<FormatError>("load_image", "{}: byte {}: {}", path, bytes.size() - decoder.in.size(), reason);
  };
  decoder.in = bytes;
  if (!decoder.info) refuse("libpng cannot begin");
  if (!decoder.read_header()) refuse(decoder.error);
  Pixels image{png_get_channels(decoder.png, decoder.info),
               png_get_image_height(decoder.png, decoder.info),
               png_get_image_width(decoder.png, decoder.info),
               255,
               {}};
  const uint64_t pixels = uint64_t(image.height) * uint64_t(image.width);
  if (pixels / kMostPixelsPerByte > bytes.size())
    refuse(fmt::format("{} x {} pixels do not come out of {} bytes", image.height, image.width, bytes.size()));
  if (pixels * uint64_t(image.channels) > most)
    refuse(fmt::format("{} x {} pixels are more than {} bytes. Hint: {{.most_bytes = ...}}", image.height, image.width,
                       most));
  image.samples.resize(pixels * uint64_t(image.channels));
  std::vector<png_bytep> rows = rows_of(image.samples, image.height);
  if (!decoder.read_rows(rows.data())) refuse(decoder.error);
  return image;
}

std::string png_bytes(const std::string& path, const Pixels& image) {
  Encoder encoder;
  std::vector<png_bytep> rows = rows_of(image.samples, image.height);
  if (!encoder.info || !encoder.write_all(image, rows.data()))
    fail<FormatError>("save_image", "{}: libpng: {}", path, encoder.error);
  return std::move(encoder.out);
}

}  // namespace tapegrad::datasets

#endif

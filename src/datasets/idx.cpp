#include <tapegrad/datasets/idx.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "data/idx_format.h"
#include "datasets/bytes.h"
#include "io/file.h"

namespace tapegrad::datasets {

namespace {

constexpr size_t kLongestHeader = 4 + 4 * size_t(Shape::max_dims);

Tensor read(const std::string& path, std::optional<Dtype> dtype, double scale, Limits limits) {
  const std::string bytes = read_whole("idx", path, limits.most_bytes);
  const data::IdxHeader header = data::idx_header(path, bytes, bytes.size());
  return data::idx_elements(path, header, bytes.data() + header.size, header.shape, dtype, scale);
}

Tensor read_labels(const std::string& path, Limits limits) {
  const Tensor y = read(path, {}, 1, limits);
  data::check_labels(path, y);
  return y;
}

}  // namespace

Tensor read_idx(const std::string& path, std::optional<Dtype> dtype, Limits limits) {
  return read(path, dtype, 1, limits);
}

data::TensorDataset idx(const std::string& images_path, const std::string& labels_path, data::IdxOptions options,
                        Limits limits) {
  const Tensor y = read_labels(labels_path, limits);
  const Tensor x = read(images_path, float32, options.scale, limits);
  data::check_counts(images_path, x.size(0), labels_path, y.size(0));
  return {x, y};
}

struct IdxFile::File {
  std::string path;
  int descriptor = -1;
  data::IdxHeader header;
  uint64_t sample = 0;  // bytes of one

  explicit File(const std::string& from) : path(from) {
    InputFile begin("idx", path);
    const uint64_t bytes = begin.remaining();
    std::string text(size_t(std::min<uint64_t>(bytes, kLongestHeader)), '\0');
    begin.read(text.data(), text.size());
    if (text.starts_with("\x1f\x8b"))
      fail<FormatError>("idx", "{}: is compressed with gzip. Hint: gunzip it, or read it whole with datasets::idx()",
                        path);
    header = data::idx_header(path, text, bytes);
    sample = header.shape[0] == 0 ? 0 : (bytes - header.size) / uint64_t(header.shape[0]);
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) fail<FormatError>("idx", "{}: cannot be opened: {}", path, std::strerror(errno));
  }
  ~File() {
    if (descriptor >= 0) ::close(descriptor);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void read(char* to, int64_t index) const {
    for (uint64_t at = 0; at < sample;) {
      const ssize_t got = ::pread(descriptor, to + at, sample - at, off_t(header.size + uint64_t(index) * sample + at));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) fail<FormatError>("idx", "{}: sample {} cannot be read, or the file became shorter", path, index);
      at += uint64_t(got);
    }
  }
};

IdxFile::IdxFile(const std::string& images_path, const std::string& labels_path, data::IdxOptions options)
    : images_(std::make_shared<File>(images_path)), y_(read_labels(labels_path, {})), scale_(options.scale) {
  data::check_counts(images_path, images_->header.shape[0], labels_path, y_.size(0));
}

data::Batch IdxFile::get(std::span<const int64_t> indices) const {
  for (int64_t index : indices)
    if (index < 0 || index >= size()) fail<IndexError>("IdxFile", "sample {} is outside [0, {})", index, size());
  std::string bytes(images_->sample * indices.size(), '\0');
  for (size_t i = 0; i < indices.size(); ++i) images_->read(bytes.data() + i * images_->sample, indices[i]);
  Shape shape = images_->header.shape;
  shape[0] = int64_t(indices.size());
  return {data::idx_elements(images_->path, images_->header, bytes.data(), shape, float32, scale_),
          data::detail::samples_of(y_, indices)};
}

}  // namespace tapegrad::datasets

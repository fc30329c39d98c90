#include <tapegrad/datasets/idx.h>

#include <fcntl.h>
#include <sys/mman.h>
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

// Mapped into memory: a call of the system for each sample would cost a small network a quarter of its speed.
struct IdxFile::File {
  std::string path;
  int descriptor = -1;
  data::IdxHeader header;
  uint64_t sample = 0, size = 0;  // bytes of one, of the file
  const char* bytes = nullptr;

  explicit File(const std::string& from) : path(from) {
    InputFile begin("idx", path);
    size = begin.remaining();
    std::string text(size_t(std::min<uint64_t>(size, kLongestHeader)), '\0');
    begin.read(text.data(), text.size());
    if (text.starts_with("\x1f\x8b"))
      fail<FormatError>("idx", "{}: is compressed with gzip. Hint: gunzip it, or read it whole with datasets::idx()",
                        path);
    header = data::idx_header(path, text, size);
    sample = header.shape[0] == 0 ? 0 : (size - header.size) / uint64_t(header.shape[0]);
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) fail<FormatError>("idx", "{}: cannot be opened: {}", path, std::strerror(errno));
    void* const place = ::mmap(nullptr, size_t(size), PROT_READ, MAP_SHARED, descriptor, 0);
    if (place == MAP_FAILED) {
      ::close(descriptor);
      fail<FormatError>("idx", "{}: cannot be mapped into memory: {}", path, std::strerror(errno));
    }
    bytes = static_cast<const char*>(place);
  }
  ~File() {
    ::munmap(const_cast<char*>(bytes), size_t(size));
    ::close(descriptor);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  std::string read(std::span<const int64_t> samples) const {
    struct stat now;
    // What is mapped beyond the end of a file cannot be touched.
    if (::fstat(descriptor, &now) != 0 || uint64_t(now.st_size) < size)
      fail<FormatError>("idx", "{}: became shorter while it was read", path);
    std::string text;
    text.reserve(sample * samples.size());
    for (const int64_t index : samples) text.append(bytes + header.size + uint64_t(index) * sample, sample);
    return text;
  }
};

IdxFile::IdxFile(const std::string& images_path, const std::string& labels_path, data::IdxOptions options)
    : images_(std::make_shared<File>(images_path)), y_(read_labels(labels_path, {})), scale_(options.scale) {
  data::check_counts(images_path, images_->header.shape[0], labels_path, y_.size(0));
}

data::Batch IdxFile::get(std::span<const int64_t> indices) const {
  for (int64_t index : indices)
    if (index < 0 || index >= size()) fail<IndexError>("IdxFile", "sample {} is outside [0, {})", index, size());
  const std::string bytes = images_->read(indices);
  Shape shape = images_->header.shape;
  shape[0] = int64_t(indices.size());
  return {data::idx_elements(images_->path, images_->header, bytes.data(), shape, float32, scale_),
          data::detail::samples_of(y_, indices)};
}

}  // namespace tapegrad::datasets

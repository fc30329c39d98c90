// Reading: the size is asked of the system first, and nothing beyond it is ever read.
//
// Writing: write, fsync, rename, fsync of the folder, in this order. Without the first fsync a power failure
// may leave the new name with no bytes behind it; without the second, the old name may come back.
#include "io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/fail.h"

namespace tapegrad {

InputFile::InputFile(const char* op, std::string path) : op_(op), path_(std::move(path)) {
  std::error_code none;
  // Asked before it is opened, since a pipe would be waited for.
  if (std::filesystem::exists(path_, none) && !std::filesystem::is_regular_file(path_, none))
    fail<FormatError>(op_, "{}: is not a regular file", path_);
  stream_.open(path_, std::ios::binary | std::ios::ate);
  if (!stream_) fail<FormatError>(op_, "{}: cannot be opened: {}", path_, std::strerror(errno));
  size_ = uint64_t(stream_.tellg());  // of the open file: its name may be another one's by now
  stream_.seekg(0);
}

void InputFile::read(void* to, uint64_t bytes) {
  if (bytes > remaining())
    fail<FormatError>(op_, "{}: {} bytes are expected at byte {}, the file has {} more", path_, bytes, position_,
                      remaining());
  if (!stream_.read(static_cast<char*>(to), std::streamsize(bytes)))
    fail<FormatError>(op_, "{}: cannot be read to its end, or became shorter", path_);
  position_ += bytes;
}

std::string read_file(const char* op, const std::string& path) {
  InputFile file(op, path);
  std::string bytes(size_t(file.remaining()), '\0');
  file.read(bytes.data(), bytes.size());
  if (bytes.starts_with("\x1f\x8b"))
    fail<FormatError>(op, "{}: is compressed with gzip. Hint: decompress it first, gunzip '{}'", path, path);
  return bytes;
}

std::string shown(std::string_view text, size_t longest) {
  std::string out(text.substr(0, longest));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return text.size() > longest ? out + "..." : out;
}

OutputFile::OutputFile(const char* op, const std::string& path) : op_(op), path_(path), target_(path) {
  // A link keeps pointing where it does: what it points to is replaced.
  std::error_code none;
  if (const auto real = std::filesystem::canonical(path, none); !real.empty()) target_ = real.string();
  struct stat old;
  const bool exists = ::stat(target_.c_str(), &old) == 0;
  if (exists && !S_ISREG(old.st_mode)) fail<FormatError>(op_, "{}: is not a regular file", path_);
  for (int attempt = 0; descriptor_ < 0; ++attempt) {
    temporary_ = fmt::format("{}.tmp.{}.{}", target_, ::getpid(), attempt);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && (errno != EEXIST || attempt == 100)) {
      temporary_.clear();
      fail_with("cannot be written");
    }
  }
  if (exists && ::fchmod(descriptor_, old.st_mode & 07777) != 0) errno = 0;  // not ours: then with our mode
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void OutputFile::fail_with(const char* what) const {
  fail<FormatError>(op_, "{}: {}: {}", path_, what, std::strerror(errno));
}

void OutputFile::write(const void* from, uint64_t bytes) {
  const char* in = static_cast<const char*>(from);
  while (bytes > 0) {
    const ssize_t put = ::write(descriptor_, in, size_t(std::min<uint64_t>(bytes, 1 << 30)));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_with("cannot be written");
    in += put;
    bytes -= uint64_t(put);
  }
}

void OutputFile::commit() {
  if (::fsync(descriptor_) != 0) fail_with("cannot be written");
  if (::close(std::exchange(descriptor_, -1)) != 0) fail_with("cannot be written");
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail_with("cannot be replaced");
  temporary_.clear();
  std::filesystem::path folder = std::filesystem::path(target_).parent_path();
  if (folder.empty()) folder = ".";
  // Some file systems cannot sync a folder; the file is complete either way.
  if (const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); descriptor >= 0) {
    ::fsync(descriptor);
    ::close(descriptor);
  }
}

}  // namespace tapegrad

// Files as the formats need them: one that is read within its real size, one that appears whole or not at all,
// and what a message shows of them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

namespace tapegrad {

/// A file to read from its beginning. What goes wrong is a FormatError "op: path: ...".
class InputFile {
 public:
  InputFile(const char* op, std::string path);

  uint64_t remaining() const { return size_ - position_; }
  /// Reads exactly `bytes`, of which there must be as many.
  void read(void* to, uint64_t bytes);
  const std::string& path() const { return path_; }

 private:
  const char* op_;
  std::string path_;
  std::ifstream stream_;
  uint64_t size_ = 0, position_ = 0;
};

/// All bytes of a file. Throws FormatError if it cannot be read, or is compressed with gzip.
std::string read_file(const char* op, const std::string& path);

/// The first `longest` bytes of a text from a file, on one line, for a message.
std::string shown(std::string_view text, size_t longest);

/// A file that is written beside its place and takes it in commit(); without that the old file stays.
class OutputFile {
 public:
  OutputFile(const char* op, const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(const void* from, uint64_t bytes);
  /// Waits for the disk, then gives the file its name.
  void commit();

 private:
  [[noreturn]] void fail_with(const char* what) const;
  const char* op_;
  std::string path_, target_, temporary_;
  int descriptor_ = -1;
};

}  // namespace tapegrad

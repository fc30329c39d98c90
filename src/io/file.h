// Files as the formats need them: one that is read within its real size, and one that appears whole or not at
// all.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace tapegrad {

/// A file to read from its beginning. What goes wrong is a FormatError "op: path: ...".
class InputFile {
 public:
  InputFile(const char* op, std::string path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  uint64_t size() const { return size_; }
  uint64_t remaining() const { return size_ - position_; }
  /// Reads exactly `bytes`, of which there must be as many.
  void read(void* to, uint64_t bytes);
  const std::string& path() const { return path_; }

 private:
  const char* op_;
  std::string path_;
  int descriptor_ = -1;
  uint64_t size_ = 0, position_ = 0;
};

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

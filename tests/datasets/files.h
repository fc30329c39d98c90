// Files of a test, and what may happen to a file.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tapegrad/error.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

namespace tapegrad::datasets {

/// A folder that goes away with the test.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / name()) { std::filesystem::create_directories(path_); }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path(const std::string& file = "") const { return (path_ / file).string(); }
  std::string write(const std::string& file, const std::string& bytes) const {
    std::ofstream(path_ / file, std::ios::binary) << bytes;
    return path(file);
  }
  std::string read(const std::string& file) const {
    std::ifstream in(path_ / file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  static std::string name() {
    static int count = 0;
    return "tapegrad_datasets_" + std::to_string(getpid()) + "_" + std::to_string(count++);
  }
  std::filesystem::path path_;
};

/// The text of the FormatError of read(path), which names the folder of the file, or "" where there is none. Anything else that is
/// thrown ends the test.
inline std::string refusal(const std::string& path, const std::function<void(const std::string&)>& read) {
  try {
    read(path);
    return "";
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(std::filesystem::path(path).parent_path()));
    return error.what();
  }
}

/// Reads every beginning of a file, which must be refused, and the file with each bit flipped, which must be refused or
/// read; `read` may check what it got. The file lies in `folder`, beside what it needs. Prints the counts.
inline void damage(const Folder& folder, const std::string& name, const std::string& bytes,
                   const std::function<void(const std::string&)>& read, bool beginnings_are_refused = true) {
  const std::string path = folder.write(name, bytes);
  size_t refused = 0;
  ASSERT_EQ(refusal(path, read), "");
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {  // in place: a new file for each would take seconds
    const auto put = [&](char byte) { file.seekp(std::streamoff(bit / 8)).put(byte).flush(); };
    put(char(bytes[bit / 8] ^ 1 << bit % 8));
    refused += refusal(path, read) != "";
    put(bytes[bit / 8]);
    if (testing::Test::HasFailure()) FAIL() << name << " with bit " << bit << " flipped";
  }
  for (size_t length = bytes.size(); length-- > 0;) {
    std::filesystem::resize_file(path, length);
    const bool no = refusal(path, read) != "";
    EXPECT_TRUE(no || !beginnings_are_refused) << name << " cut to " << length << " bytes";
    refused += no;
  }
  printf("[ %s ] %zu files, %zu refused\n", name.c_str(), 9 * bytes.size(), refused);
}

/// Reads a file with an integer of `width` bytes at `at` set to each extreme; none may be read, but the true value.
inline void extremes(const std::string& name, const std::string& bytes, size_t at, size_t width, bool big_endian,
                     const std::function<void(const std::string&)>& read) {
  const Folder folder;
  for (const uint64_t value :
       {uint64_t(0), uint64_t(1), uint64_t(127), uint64_t(255), uint64_t(1) << 15, (uint64_t(1) << 31) - 1,
        uint64_t(1) << 31, (uint64_t(1) << 32) - 1, (uint64_t(1) << 63) - 1, uint64_t(1) << 63, ~uint64_t(0)}) {
    std::string changed = bytes;
    for (size_t i = 0; i < width; ++i) changed[at + (big_endian ? width - 1 - i : i)] = char(value >> 8 * i & 0xff);
    if (changed == bytes) continue;
    EXPECT_NE(refusal(folder.write(name, changed), read), "") << name << ": " << value << " at byte " << at;
  }
}

}  // namespace tapegrad::datasets

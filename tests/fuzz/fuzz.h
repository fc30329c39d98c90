// A fuzz target says how a file is read: whatever its bytes are, it is read or refused with a FormatError. Anything else that
// is thrown ends the program, as a report of a sanitizer does.
#pragma once
#include <tapegrad/error.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace tapegrad {

/// A file with these bytes in the folder for temporary files, where scripts/fuzz has one in memory.
inline std::string file_of(const uint8_t* data, size_t size, const std::string& name = "input") {
  static const std::filesystem::path folder = [] {
    const std::filesystem::path own =
        std::filesystem::temp_directory_path() / ("tapegrad_fuzz_" + std::to_string(getpid()));
    std::filesystem::create_directories(own);
    return own;
  }();
  std::ofstream(folder / name, std::ios::binary).write(reinterpret_cast<const char*>(data), std::streamsize(size));
  return (folder / name).string();
}

}  // namespace tapegrad

#define TAPEGRAD_FUZZ(read)                                                 \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) { \
    try {                                                                   \
      (void)read(tapegrad::file_of(data, size));                            \
    } catch (const tapegrad::FormatError&) {                                \
    }                                                                       \
    return 0;                                                               \
  }

#pragma once
#include <string>

namespace tapegrad::data {

/// All bytes of a file. Throws FormatError if it cannot be read, or is compressed with gzip.
std::string read_file(const char* op, const std::string& path);

}  // namespace tapegrad::data

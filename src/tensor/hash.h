// A hash that tells whether a bit changed: a chain of xor, multiplication by an odd number and a shift back, each of which can be
// undone, so any change of one word changes it. It is no protection against intent.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>

namespace tapegrad::detail {

class Hash {
 public:
  void add(const void* data, size_t bytes) {
    const char* from = static_cast<const char*>(data);
    mix(bytes);
    for (; bytes > 0; from += std::min<size_t>(bytes, 8), bytes -= std::min<size_t>(bytes, 8)) {
      uint64_t word = 0;
      std::memcpy(&word, from, std::min<size_t>(bytes, 8));
      mix(word);
    }
  }
  uint64_t value() const { return value_; }

 private:
  void mix(uint64_t word) {
    value_ = (value_ ^ word) * 0x9E3779B97F4A7C15u;
    value_ ^= value_ >> 32;
  }
  uint64_t value_ = 0;
};

}  // namespace tapegrad::detail

#include "distributed/packed.h"

#include <cstring>

#include "distributed/transport.h"

namespace tapegrad::distributed {

namespace {

template <class T>
void put(std::string& to, const T& value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
T take(const char*& from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  from += sizeof value;
  return value;
}

// Not the tensor itself, whose version would rise.
Tensor copy_of(const Tensor& x) { return x.detach().clone(); }

}  // namespace

std::string pack(const StateDict& state) {
  std::string to;
  put(to, state.size());
  for (const auto& [name, value] : state) {
    put(to, name.size());
    to += name;
    put(to, value.dtype());
    put(to, value.dim());
    for (int64_t size : value.shape()) put(to, size);
    Tensor copy = copy_of(value);
    const std::span<const std::byte> bytes = bytes_of(copy);
    to.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return to;
}

StateDict unpack(const std::string& packed) {
  StateDict state;
  const char* from = packed.data();
  for (size_t left = take<size_t>(from); left > 0; --left) {
    const size_t length = take<size_t>(from);
    const std::string name(from, length);
    from += length;
    const Dtype dtype = take<Dtype>(from);
    Shape shape;
    for (int64_t axes = take<int64_t>(from); axes > 0; --axes) shape.push_back(take<int64_t>(from));
    Tensor value = empty(shape, {.dtype = dtype});
    const std::span<std::byte> bytes = bytes_of(value);
    if (!bytes.empty()) std::memcpy(bytes.data(), from, bytes.size());
    from += bytes.size();
    state[name] = value;
  }
  return state;
}

// FNV-1a on words, with a shift that brings the upper half down (each step can be undone).
uint64_t hash_of(const StateDict& state) {
  const std::string bytes = pack(state);
  uint64_t hash = 0xCBF29CE484222325u;
  for (size_t at = 0; at < bytes.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min<size_t>(8, bytes.size() - at));
    hash = (hash ^ word) * 0x100000001B3u;
    hash ^= hash >> 32;
  }
  return hash;
}

}  // namespace tapegrad::distributed

#include "distributed/packed.h"

#include <cstring>

#include "tensor/bytes.h"
#include "tensor/hash.h"

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
    const Tensor whole = value.detach().contiguous();
    const std::span<const std::byte> bytes = detail::bytes_of(whole);
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
    const std::span<std::byte> bytes = detail::mutable_bytes_of(value);
    if (!bytes.empty()) std::memcpy(bytes.data(), from, bytes.size());
    from += bytes.size();
    state[name] = value;
  }
  return state;
}

uint64_t hash_of(const StateDict& state) {
  const std::string bytes = pack(state);
  detail::Hash hash;
  hash.add(bytes.data(), bytes.size());
  return hash.value();
}

}  // namespace tapegrad::distributed

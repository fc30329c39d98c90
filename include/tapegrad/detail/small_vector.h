// A vector whose first N elements lie in the object itself; more come from the pool. For the short lists on
// the path of a training step (gradients of an operation, outputs of a split), which must not call malloc.
#pragma once
#include <cstddef>
#include <initializer_list>
#include <new>
#include <utility>

#include <tapegrad/memory.h>

namespace tapegrad::detail {

template <class T, size_t N>
class SmallVector {
 public:
  SmallVector() {}
  SmallVector(std::initializer_list<T> items) {
    reserve(items.size());
    for (const T& item : items) new (data_ + size_++) T(item);
  }
  SmallVector(const SmallVector& other) {
    reserve(other.size_);
    for (const T& item : other) new (data_ + size_++) T(item);
  }
  SmallVector(SmallVector&& other) noexcept {
    if (other.data_ != other.in_place()) {
      data_ = std::exchange(other.data_, other.in_place());
      capacity_ = std::exchange(other.capacity_, N);
      size_ = std::exchange(other.size_, 0);
      return;
    }
    for (T& item : other) new (data_ + size_++) T(std::move(item));
    other.clear();
  }
  SmallVector& operator=(SmallVector other) noexcept {
    this->~SmallVector();
    new (this) SmallVector(std::move(other));
    return *this;
  }
  ~SmallVector() {
    clear();
    if (data_ != in_place()) deallocate(data_, capacity_ * sizeof(T));
  }

  void push_back(T item) {
    if (size_ == capacity_) reserve(2 * capacity_);
    new (data_ + size_++) T(std::move(item));
  }
  void resize(size_t size) {
    reserve(size);
    while (size_ < size) new (data_ + size_++) T();
    while (size_ > size) data_[--size_].~T();
  }
  void clear() {
    while (size_ > 0) data_[--size_].~T();
  }
  void reserve(size_t capacity) {
    if (capacity <= capacity_) return;
    T* grown = static_cast<T*>(allocate(capacity * sizeof(T)));
    for (size_t i = 0; i < size_; ++i) {
      new (grown + i) T(std::move(data_[i]));
      data_[i].~T();
    }
    if (data_ != in_place()) deallocate(data_, capacity_ * sizeof(T));
    data_ = grown;
    capacity_ = capacity;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  const T* data() const { return data_; }
  T& back() { return data_[size_ - 1]; }

 private:
  T* in_place() { return reinterpret_cast<T*>(storage_); }

  T* data_ = in_place();
  size_t size_ = 0, capacity_ = N;
  alignas(T) std::byte storage_[N * sizeof(T)];
};

}  // namespace tapegrad::detail

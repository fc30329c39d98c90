// A vector whose first N elements lie in the object itself; more come from the pool. For the short lists on
// the path of a training step (gradients of an operation, outputs of a split), which must not call malloc.
#pragma once
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <utility>

#include <tapegrad/memory.h>

namespace tapegrad::detail {

template <class T, size_t N>
class SmallVector {
 public:
  SmallVector() {}
  SmallVector(std::initializer_list<T> items) : SmallVector(items.begin(), items.end()) {}
  /// Delegates first: an element that throws then leaves an object whose destructor gives the memory back.
  template <class Iterator>
  SmallVector(Iterator first, Iterator last) : SmallVector() {
    reserve(size_t(last - first));
    std::uninitialized_copy(first, last, data_);
    size_ = size_t(last - first);
  }
  SmallVector(const SmallVector& other) : SmallVector(other.begin(), other.end()) {}
  SmallVector(SmallVector&& other) noexcept {
    if (other.is_in_place()) {
      other.move_to(data_);
    } else {
      data_ = std::exchange(other.data_, other.in_place());
      capacity_ = std::exchange(other.capacity_, N);
    }
    size_ = std::exchange(other.size_, 0);
  }
  SmallVector& operator=(SmallVector other) noexcept {
    std::destroy_at(this);
    return *new (this) SmallVector(std::move(other));
  }
  ~SmallVector() {
    clear();
    free();
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
  void clear() { std::destroy_n(data_, std::exchange(size_, 0)); }
  void reserve(size_t capacity) {
    if (capacity <= capacity_) return;
    T* grown = static_cast<T*>(allocate(capacity * sizeof(T)));
    move_to(grown);
    free();
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
  bool is_in_place() { return data_ == in_place(); }
  void move_to(T* place) {
    std::uninitialized_move(begin(), end(), place);
    std::destroy(begin(), end());
  }
  void free() {
    if (!is_in_place()) deallocate(data_, capacity_ * sizeof(T));
  }

  T* data_ = in_place();
  size_t size_ = 0, capacity_ = N;
  alignas(T) std::byte storage_[N * sizeof(T)];
};

}  // namespace tapegrad::detail

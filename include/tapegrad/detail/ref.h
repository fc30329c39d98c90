// Intrusive reference counting.
//
// A count is changed by a plain instruction while the process has one thread and by an atomic one from then
// on. The C library knows which (__libc_single_threaded); an atomic count costs 7 ns where a plain one costs
// less than 1, and a tensor operation touches about ten of them.
#pragma once
#include <cstdint>
#include <utility>
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define TAPEGRAD_SINGLE_THREADED __libc_single_threaded
#else
#define TAPEGRAD_SINGLE_THREADED false
#endif

namespace tapegrad::detail {

/// What Refs count: how many of them own the object.
class Counted {
 public:
  void add_ref() {
    if (TAPEGRAD_SINGLE_THREADED)
      ++refs_;
    else
      __atomic_fetch_add(&refs_, 1, __ATOMIC_RELAXED);
  }
  /// True when this was the last one.
  bool drop_ref() {
    if (TAPEGRAD_SINGLE_THREADED) return --refs_ == 0;
    return __atomic_sub_fetch(&refs_, 1, __ATOMIC_ACQ_REL) == 0;
  }
  bool has_one_ref() const { return __atomic_load_n(&refs_, __ATOMIC_RELAXED) == 1; }

 private:
  int32_t refs_ = 1;
};

/// Owns one count of a T, which derives from Counted first; destroy(T*) is found by its argument.
template <class T>
class Ref {
 public:
  Ref() = default;
  /// Takes over the count that `object` was made with.
  static Ref adopt(T* object) {
    Ref ref;
    ref.object_ = object;
    return ref;
  }
  Ref(const Ref& other) : object_(other.object_) {
    if (object_) counted(object_)->add_ref();
  }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ && counted(object_)->drop_ref()) destroy(object_);
  }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  // T may be incomplete where a handle is copied; its count stands first (checked where T is defined).
  static Counted* counted(T* object) { return reinterpret_cast<Counted*>(object); }
  T* object_ = nullptr;
};

}  // namespace tapegrad::detail

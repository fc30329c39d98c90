// Leaves that are written to outside the operations: by an optimizer.
#pragma once
#include <tapegrad/tensor.h>

#include <string_view>

namespace tapegrad::detail {

/// While it lives, no tape of another thread can use the leaves that it took.
class Exclusive {
 public:
  explicit Exclusive(std::string_view op) : op_(op) {}
  ~Exclusive();
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;
  /// Throws AutogradError if another thread uses the leaf.
  void take(const Tensor& leaf);

 private:
  std::string_view op_;
  uint64_t serial_ = 0;  // as of a tape; 0 as long as this thread's tapes hold all of the leaves
};

}  // namespace tapegrad::detail

// Whether a tensor may be changed in place: by an operation, or by an optimizer.
#pragma once
#include <tapegrad/tensor.h>

#include <string_view>

namespace tapegrad::detail {

/// Throws AutogradError, saying what to write instead, if a live tape made x or would miss the change of this
/// leaf; ShapeError for an expanded view.
void check_writable(const char* op, const Tensor& x);
/// Throws AutogradError if a live tape would lose the gradient of y, which is to be written somewhere in place.
void check_written(const char* op, const Tensor& y);

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

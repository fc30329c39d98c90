// File: record.h
//
// How an operation gets onto the tape. Every operation hands its result through record(), with a function
// that turns the gradient of the output (dy) into the gradients of the inputs:
//
//   Tensor tanh(const Tensor& x) {
//     Tensor y = ...;
//     return record("tanh", y, {x}, [y = Saved(y)](const Tensor& dy) -> Gradients {
//       return {dy * (1.0 - y * y)};
//     });
//   }
//
// The function returns one gradient per input, in their order; undefined where there is none. The tape
// accumulates, sums over broadcast axes, and checks shape and dtype. It is written with operations, so that
// it can be recorded and differentiated itself; where that would be slow it calls a kernel, and replay() for
// second derivatives.
#pragma once
#include <functional>
#include <new>
#include <type_traits>
#include <utility>

#include <tapegrad/detail/small_vector.h>
#include <tapegrad/tape.h>

namespace tapegrad {

/// One tensor per input (or output) of an operation.
using Gradients = detail::SmallVector<Tensor, 4>;

/// What the tape asks of a backward function: the gradients of which inputs; it may skip the others.
struct Needs {
  uint64_t bits = ~uint64_t(0);
  /// Whether the function may be called again. If not, it may write its results to memory that it alone keeps.
  bool again = true;
  bool operator[](size_t input) const { return input >= 64 || (bits >> input & 1); }
};

/// A tensor kept for the backward pass. Reading it checks that nobody wrote to it since, so that a change in
/// place is an error and never a wrong gradient.
class Saved {
 public:
  Saved() = default;
  explicit Saved(const Tensor& tensor);
  /// Throws AutogradError if the memory was written to after it was saved.
  operator const Tensor&() const { return get(); }
  const Tensor& get() const {
    if (tensor_.defined() && version_ != tensor_.version()) [[unlikely]]
      changed();
    return tensor_;
  }
  bool defined() const { return tensor_.defined(); }

 private:
  [[noreturn]] void changed() const;
  Tensor tensor_;
  uint32_t version_ = 0;
};

namespace detail {

/// Inputs of a record without a copy of their handles; lives as long as the call.
struct TensorPointer {
  TensorPointer(const Tensor& tensor) : tensor(&tensor) {}
  const Tensor* tensor;
};
struct Inputs {
  Inputs(std::initializer_list<TensorPointer> list) : count(list.size()) { first = list.begin(); }
  Inputs(const SmallVector<TensorPointer, 8>& list) : first(list.data()), count(list.size()) {}
  const TensorPointer* first;
  size_t count;
};

/// A backward function in the tape's memory.
struct Vjp {
  void (*call)(Vjp*, const Gradients& dy, Needs, Gradients& dx);
  void (*destroy)(Vjp*);
};

template <class F>
struct VjpOf : Vjp {
  explicit VjpOf(F&& function) : f(std::move(function)) {
    call = [](Vjp* self, const Gradients& dy, Needs needs, Gradients& dx) {
      F& f = static_cast<VjpOf*>(self)->f;
      if constexpr (std::is_invocable_v<F&, const Tensor&, Needs>)
        dx = f(dy[0], needs);
      else if constexpr (std::is_invocable_v<F&, const Tensor&>)
        dx = f(dy[0]);
      else if constexpr (std::is_invocable_v<F&, const Gradients&, Needs>)
        dx = f(dy, needs);
      else
        dx = f(dy);
    };
    destroy = [](Vjp* self) { static_cast<VjpOf*>(self)->~VjpOf(); };
  }
  F f;
};

/// The tape if this operation has to be recorded (some input needs a gradient), else null. Throws
/// AutogradError for an input that belongs to an outer tape which is still alive.
TapeState* recording(const char* op, Inputs inputs);
/// Memory on the tape for a backward function.
void* vjp_memory(TapeState* tape, size_t bytes, size_t align);
void append(TapeState* tape, const char* op, std::span<Tensor> outputs, Inputs inputs, Vjp* vjp);
/// With check_finite: throws if an output is not finite though the inputs are.
void check_finite(const char* op, std::span<const Tensor> outputs, Inputs inputs);
extern thread_local bool checking_finite;

}  // namespace detail

/// Returns `y`, the result of the operation `op` on `inputs`, recorded with its backward function `vjp`:
/// (const Tensor& dy) -> Gradients, or (const Tensor& dy, Needs) -> Gradients. `op` must outlive the tape (a
/// literal).
template <class F>
Tensor record(const char* op, Tensor y, detail::Inputs inputs, F vjp) {
  if (detail::checking_finite) [[unlikely]]
    detail::check_finite(op, std::span(&y, 1), inputs);
  if (detail::TapeState* tape = detail::recording(op, inputs)) {
    auto* place = detail::vjp_memory(tape, sizeof(detail::VjpOf<F>), alignof(detail::VjpOf<F>));
    detail::append(tape, op, std::span(&y, 1), inputs, new (place) detail::VjpOf<F>(std::move(vjp)));
  }
  return y;
}

/// The same for an operation with several outputs: the backward function takes (const Gradients& dy[,
/// Needs]), where an output that the loss does not depend on has an undefined dy. Outputs that are not
/// floating get no gradient.
template <class F>
Gradients record(const char* op, Gradients outputs, detail::Inputs inputs, F vjp) {
  const std::span<Tensor> all(outputs.begin(), outputs.size());
  if (detail::checking_finite) [[unlikely]]
    detail::check_finite(op, all, inputs);
  if (detail::TapeState* tape = detail::recording(op, inputs)) {
    auto* place = detail::vjp_memory(tape, sizeof(detail::VjpOf<F>), alignof(detail::VjpOf<F>));
    detail::append(tape, op, all, inputs, new (place) detail::VjpOf<F>(std::move(vjp)));
  }
  return outputs;
}

/// Returns `y`, the result of an operation that has no gradient (comparisons, argmax, rounding): says so in
/// the code.
inline Tensor record_nondifferentiable(const char*, Tensor y) {
  return y;
}

/// Gradients of a fused operation in a form that can be differentiated again: runs `composed` (the same
/// operation made of simple ones) on `inputs` under the tape, and goes backward through it, recording. A
/// fused backward function calls it when is_recording().
Gradients replay(const std::function<Gradients(const Gradients&)>& composed, const Gradients& inputs,
                 const Gradients& dy);

/// An operation of one's own: `forward` makes the result (nothing in it is recorded), `vjp` turns dy into one
/// gradient per input. Check it with gradcheck() or EXPECT_GRADIENTS.
Tensor custom_op(const std::string& name, const std::vector<Tensor>& inputs,
                 const std::function<Tensor()>& forward, std::function<Gradients(const Tensor& dy)> vjp);

}  // namespace tapegrad

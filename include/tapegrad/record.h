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
#include <cstddef>
#include <functional>
#include <new>
#include <type_traits>
#include <utility>

#include <tapegrad/gradients.h>
#include <tapegrad/tape.h>

namespace tapegrad {

/// A tensor kept for the backward pass. Reading it checks that nobody wrote to it since, so that a change in
/// place is an error and never a wrong gradient.
class Saved {
 public:
  Saved() = default;
  explicit Saved(const Tensor& tensor);
  /// **Throws** AutogradError if the memory was written to after it was saved.
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

/// Inputs of a record without a copy of their handles; live as long as the call.
struct TensorPointer {
  TensorPointer(const Tensor& tensor) : tensor(&tensor) {}
  operator const Tensor&() const { return *tensor; }
  const Tensor* tensor;
};
using InputList = SmallVector<TensorPointer, 8>;
struct Inputs : std::span<const TensorPointer> {
  Inputs(std::initializer_list<TensorPointer> list) : span(list.begin(), list.size()) {}
  Inputs(const InputList& list) : span(list.begin(), list.size()) {}
};

/// The constants of an operation; live as long as the call.
using Attributes = std::initializer_list<Attribute>;

/// The results of an operation, one or several.
inline std::span<Tensor> outputs_of(Tensor& y) { return {&y, 1}; }
inline std::span<Tensor> outputs_of(Tensors& outputs) { return {outputs.begin(), outputs.size()}; }

/// A backward function in the tape's memory.
struct Vjp {
  virtual ~Vjp() = default;
  virtual Gradients operator()(const Tensors& dy, Needs needs) = 0;
};

template <class F>
struct VjpOf final : Vjp {
  explicit VjpOf(F&& function) : f(std::move(function)) {}
  Gradients operator()(const Tensors& dy, [[maybe_unused]] Needs needs) override {
    if constexpr (std::is_invocable_v<F&, const Tensor&, Needs>)
      return f(dy[0], needs);
    else if constexpr (std::is_invocable_v<F&, const Tensor&>)
      return f(dy[0]);
    else if constexpr (std::is_invocable_v<F&, const Tensors&, Needs>)
      return f(dy, needs);
    else
      return f(dy);
  }
  F f;
};

/// What the tapes of a thread have to know of it, together: one look-up of thread-local memory.
struct Thread {
  TapeState* current = nullptr;      // the tape that records; null outside and under NoGrad
  TapeState* innermost = nullptr;    // the innermost alive, recording or not
  TapeState* watched = nullptr;      // the innermost if it traces or has observers, who are to be told
  const char* running_op = nullptr;  // whose backward function runs, for messages
  size_t saved_bytes = 0;            // that Saved objects have taken since the last record; the next is theirs
};
extern constinit thread_local Thread this_thread;

/// The tape if this operation has to be recorded (some input needs a gradient), else null. Throws
/// AutogradError for an input that belongs to an outer tape which is still alive, and for a leaf that a tape
/// on another thread holds.
TapeState* recording(const char* op, Inputs inputs);
/// Memory on the tape for a record: `bytes` for its backward function, then its edges and outputs.
std::byte* record_memory(TapeState* tape, size_t bytes, size_t n_inputs, size_t n_outputs);
/// `vjp` lies at the beginning of that memory, and `rest` points behind it. It is null for an operation that needs
/// no gradient, which may have none at all.
void append(TapeState* tape, const char* op, std::span<Tensor> outputs, Inputs inputs, Attributes attributes, Vjp* vjp,
            std::byte* rest, bool has_gradient = true);
/// Tells the watched tape of an operation that needs no record.
void note(const char* op, std::span<Tensor> outputs, Inputs inputs, Attributes attributes, bool has_gradient);

}  // namespace detail

/// Returns `y`, the result of the operation `op` on `inputs`, recorded with its backward function `vjp`:
/// (const Tensor& dy) -> Gradients, or (const Tensor& dy, Needs) -> Gradients. `op` must outlive the tape (a
/// literal). `attributes` are its constants, {{"axis", 1}, {"eps", 1e-5}}; whoever looks at the record finds
/// them there.
///
/// An operation with several outputs returns Tensors, and its function takes (const Tensors& dy[, Needs]), where
/// an output that the loss does not depend on has an undefined dy. Outputs that are not floating get no gradient.
///
/// **Throws** AutogradError where an input belongs to an outer tape that is still alive, or is a leaf that
/// another thread uses.
template <class Y, class F>
[[nodiscard]] Y record(const char* op, Y y, detail::Inputs inputs, detail::Attributes attributes, F vjp) {
  using VjpOf = detail::VjpOf<F>;
  constexpr size_t align = alignof(std::max_align_t), bytes = (sizeof(VjpOf) + align - 1) / align * align;
  static_assert(alignof(VjpOf) <= align);
  const std::span<Tensor> outputs = detail::outputs_of(y);
  if (detail::TapeState* tape = detail::recording(op, inputs)) {
    std::byte* place = detail::record_memory(tape, bytes, inputs.size(), outputs.size());
    detail::append(tape, op, outputs, inputs, attributes, new (place) VjpOf(std::move(vjp)), place + bytes);
  } else if (detail::this_thread.watched) [[unlikely]] {
    detail::note(op, outputs, inputs, attributes, true);
  }
  return y;
}
template <class Y, class F>
[[nodiscard]] Y record(const char* op, Y y, detail::Inputs inputs, F vjp) {
  return record(op, std::move(y), inputs, {}, std::move(vjp));
}

/// Returns `y`, the result of an operation on `inputs` that has no gradient: a comparison, argmax, rounding.
[[nodiscard]] inline Tensor record_nondifferentiable(const char* op, Tensor y, detail::Inputs inputs,
                                                     detail::Attributes attributes = {}) {
  if (detail::this_thread.watched) [[unlikely]]
    detail::note(op, detail::outputs_of(y), inputs, attributes, false);
  return y;
}

/// Gradients of a fused operation in a form that can be differentiated again: runs `composed` (the same
/// operation made of simple ones) on `inputs` under the tape, and goes backward through it, recording.
/// fused() calls it when the backward pass is recorded.
Gradients replay(const std::function<Tensors(const Tensors&)>& composed, const Tensors& inputs, const Tensors& dy);

namespace detail {
/// In place of a derivative: fused() replays the composed form.
struct Replay {};
}  // namespace detail

/// An operation with a kernel of its own, for what would be slow as a composition of simple ones:
///
///   Tensor y = fused("layer_norm", {x, weight, bias}, {{"eps", eps}}, composed, kernel);
///
/// `composed`, (const Tensors& in) -> Tensor or Tensors, is the definition, made of recorded operations. It
/// runs in place of the kernel in reference_mode(), and through replay() where the backward pass is recorded.
/// `kernel` is an object that records nothing:
///
///   forward(const Tensors& in, Tensors* kept) const -> Tensor or Tensors
///   backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const -> Gradients
///
/// forward() puts into `kept` what backward() needs besides the inputs; it is null where nothing is recorded.
/// With several outputs, one that the loss does not depend on has an undefined dy.
///
/// A `derivative`, (const Tensors& dy, const Tensors& kept, Needs) -> Gradients, made of operations, stands
/// in for replay() where the gradient has a short formula. The inputs are then not saved, only what the kernel
/// kept (of softmax: y); and a kernel without backward() leaves all of the backward pass to it.
template <class Composed, class Kernel, class Derivative = detail::Replay>
[[nodiscard]] auto fused(const char* op, const Tensors& inputs, detail::Attributes attributes, Composed composed,
                         Kernel kernel, Derivative derivative = {}) {
  using Result = decltype(kernel.forward(inputs, nullptr));
  constexpr bool replays = std::is_same_v<Derivative, detail::Replay>;
  if (reference_mode()) return Result(composed(inputs));
  using SavedList = detail::SmallVector<Saved, 4>;
  const detail::InputList pointers(inputs.begin(), inputs.end());
  const bool recorded = detail::recording(op, pointers) != nullptr;
  Tensors kept;
  Result y = [&] {
    NoGrad no_grad;
    return kernel.forward(inputs, recorded ? &kept : nullptr);
  }();
  return record(op, std::move(y), pointers, attributes,
                [composed = std::move(composed), kernel = std::move(kernel), derivative = std::move(derivative),
                 in = SavedList(inputs.begin(), replays && recorded ? inputs.end() : inputs.begin()),
                 kept = SavedList(kept.begin(), kept.end())](const Tensors& dy, Needs needs) -> Gradients {
                  const Tensors x(in.begin(), in.end()), from(kept.begin(), kept.end());
                  if constexpr (requires { kernel.backward(dy, x, from, needs); })
                    if (!is_recording()) return kernel.backward(dy, x, from, needs);
                  if constexpr (replays)
                    return replay([&](const Tensors& in) -> Tensors { return {composed(in)}; }, x, dy);
                  else
                    return derivative(dy, from, needs);
                });
}

/// An operation of one's own: `forward` makes the result (nothing in it is recorded), `vjp` turns dy into one
/// gradient per input. Check it with gradcheck() or EXPECT_GRADIENTS. **Throws** ValueError if `forward`
/// returns an empty handle, and as record().
[[nodiscard]] Tensor custom_op(const std::string& name, const std::vector<Tensor>& inputs,
                               const std::function<Tensor()>& forward, std::function<Gradients(const Tensor& dy)> vjp);

}  // namespace tapegrad

// TapeObserver: a program that watches a tape, forward and backward, from outside. The tape's own finite check
// and profile are two of them.
//
//   struct Count : TapeObserver {
//     std::map<std::string, int> calls;
//     void on_forward(const OperationView& op, const Tensors&, const Tensors&) override { ++calls[op.name]; }
//   };
//   Count count;
//   Tape tape({.observers = {&count}});
#pragma once
#include <tapegrad/detail/scope.h>
#include <tapegrad/tape.h>

namespace tapegrad {

/// An operation as an observer is told of it. Valid during the call.
struct OperationView {
  const char* name;                            ///< "matmul"
  int64_t record = -1;                         ///< its number on the tape, tape[record]; -1 if it left none
  std::span<const Attribute> attributes = {};  ///< its constants, {"eps", 1e-5}
  bool has_gradient = true;                    ///< false for comparisons, argmax, rounding
  int64_t step = detail::current_step();       ///< time step of a recurrent loop, -1 outside
  const char* path = detail::current_path();   ///< as module() has it
  /// The path of the module that ran it, "encoder.norm1".
  std::string module() const { return path; }
};

/// Override what you want to be told of. The calls come on the tape's thread; what an observer computes is not
/// recorded and not told to anybody. A tensor that it keeps lives on, and must not be written to.
///
/// An observer that throws stops what the tape was doing and leaves tape and tensors as they were: an operation
/// leaves no record, and a backward pass has changed no grad() and freed no record. For that an observed tape
/// keeps its records until the backward pass has come to its end, and so needs more memory.
class TapeObserver {
 public:
  virtual ~TapeObserver() = default;
  /// After each operation that runs while the tape is this thread's innermost, recorded or not: also constants
  /// and what runs under NoGrad. Operations inside a backward function only where they are recorded.
  virtual void on_forward(const OperationView& operation, const Tensors& inputs, const Tensors& outputs);
  /// At the beginning of backward() and gradient(), with what they start from.
  virtual void on_loss(const Tensor& loss);
  /// After the backward function of each record. Gradients that do not exist or are not needed are undefined.
  virtual void on_backward(const OperationView& operation, const Tensors& dy, const Tensors& dx);
  /// In backward(), once for each leaf, when `gradient`, its gradient of this pass, is complete: every use of
  /// the leaf has been visited, and the pass goes on. It is added to leaf.grad() at the end of the pass.
  virtual void on_leaf(const Tensor& leaf, const Tensor& gradient);
};

}  // namespace tapegrad

// The tape: a flat array of records in the order in which operations ran. Going backward is one loop over it,
// from the loss down.
//
//   Tensor w = tensor(3.0, {.requires_grad = true});
//   Tape tape;                       // records on this thread until the end of its scope
//   Tensor loss = w * w;
//   tape.backward(loss);             // w.grad() is 6
//
// Outside a tape nothing is recorded. A tensor that an ended tape made is a plain value for the next one, so
// the hidden state of a recurrent network is carried from batch to batch with nothing to detach. Tapes nest;
// the innermost records, and a tensor of an outer tape that is still alive is an error there until it is
// detach()ed.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <tapegrad/tensor.h>

namespace tapegrad {

namespace detail {
struct TapeState;
}

class TapeObserver;

struct TapeOptions {
  /// Look for the first NaN or infinity made from finite values, forward and backward, and for the first NaN that
  /// came in with data or parameters.
  bool check_finite = false;
  /// Take times: see Tape::profile().
  bool profile = false;
  /// Keep a record of every operation, also of what needs no gradient: constants, comparisons, indices.
  bool trace = false;
  /// Told of every operation, in this order: see observer.h. They must outlive the tape.
  std::vector<TapeObserver*> observers = {};
};

struct BackwardOptions {
  Tensor gradient = {};       ///< dL/dy where y is not a scalar; default 1 for one element
  bool retain_graph = false;  ///< keep what backward needs, for another backward
};

struct GradientOptions {
  Tensor gradient = {};       ///< as in BackwardOptions
  bool retain_graph = false;  ///< as in BackwardOptions
  bool create_graph = false;  ///< record the backward pass too, for second derivatives; implies retain_graph
};

/// A constant of an operation: {"eps", 1e-5}. The tape keeps the name as a pointer (pass a literal). A text is
/// kept for the life of the program, so it is one of few: {"reduction", "mean"}.
struct Attribute {
  using Value = std::variant<bool, int64_t, double, std::string_view, Shape>;
  const char* name;
  Value value;
};

/// One record, as it can be looked at.
struct RecordInfo {
  std::string op;                     ///< "matmul"; "leaf" for a tensor with requires_grad
  std::string module;                 ///< path of the module that ran it, "encoder.norm1"
  std::vector<int64_t> inputs;        ///< records of the inputs; -1 for one that has no record
  std::vector<Shape> shapes;          ///< of the outputs
  Dtype dtype;                        ///< of the first output
  size_t saved_bytes;                 ///< kept for the backward pass
  double forward_ms, backward_ms;     ///< with {.profile = true}, else 0
  std::vector<Attribute> attributes;  ///< constants of the operation, on a tape that traces or is observed
};

/// Time of all records of one operation, from Tape::profile().
struct ProfileRow {
  std::string op;
  int64_t calls;
  double forward_ms, backward_ms;
};

/// Records the operations of this thread from here to the end of its scope.
class [[nodiscard]] Tape {
 public:
  explicit Tape(TapeOptions options = {});
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// Adds dloss/dleaf to grad() of every leaf that `loss` depends on, and frees what the records had saved.
  /// **Throws** AutogradError if this tape did not record `loss`, if it was used and freed before, if `loss` has
  /// more than one element and no gradient is given, or if a saved tensor was changed since.
  void backward(const Tensor& loss, const BackwardOptions& options = {});

  /// dy/dinput for each input (a leaf, or any tensor recorded here), without touching grad(). An input that
  /// `y` does not depend on gets zeros. With create_graph the results are recorded, so that they can be
  /// differentiated again. **Throws** AutogradError as backward() does, and for an input that is neither.
  [[nodiscard]] std::vector<Tensor> gradient(const Tensor& y, const std::vector<Tensor>& inputs,
                                             const GradientOptions& options = {});

  /// Number of records so far, leaves included.
  size_t size() const;
  /// The numbers of the records that are kept. As soon as an operation is recorded after a backward pass, those at the
  /// end that have gone backward and been freed, or were made from such, are dropped; not on a tape that traces or
  /// profiles. So a tape outside the training loop stays as long as one step.
  std::vector<size_t> kept_records() const;
  /// One record. **Throws** IndexError unless `record` is less than size() and kept.
  RecordInfo operator[](size_t record) const;
  /// The tensors with requires_grad that the recorded operations used, in the order of their first use.
  std::vector<Tensor> leaves() const;
  /// The sum of the bytes that the kept records saved for the backward pass; a tensor saved twice counts twice.
  size_t saved_bytes() const;
  /// The graph in Graphviz's language: tape.dot() > graph.dot, then `dot -Tsvg graph.dot`.
  std::string dot() const;
  /// Times by operation, the longest first, of a tape with {.profile = true}. The time of a record runs from
  /// the record before it, forward and backward, so it includes what the program did between them. Throws
  /// ValueError on another tape.
  std::vector<ProfileRow> profile() const;

 private:
  detail::TapeState* state_;
};

/// A table: number, operation, inputs, shape, saved bytes, module.
std::string to_string(const Tape& tape);
template <>
inline constexpr bool is_printable<Tape> = true;

/// Nothing is recorded from here to the end of the scope, though a tape is alive: to evaluate in the middle
/// of a step.
class [[nodiscard]] NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  detail::TapeState* before_;
};

/// Whether operations on this thread are being recorded.
bool is_recording();

/// Whether fused operations run as compositions of simple ones: TAPEGRAD_REFERENCE=1 in the environment.
/// Slower, with the same results up to rounding; to debug, to teach, and to test the one against the other.
bool reference_mode();

}  // namespace tapegrad

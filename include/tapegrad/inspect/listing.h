// Listing: an observer that keeps what a tape did as rows that outlive the tape: to be folded, compared with those of another run,
// summed up by module, or drawn against time.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <tapegrad/nn/module.h>
#include <tapegrad/observer.h>

namespace tapegrad::inspect {

/// One operation.
struct Row {
  std::string op;                        ///< "linear"
  std::string module;                    ///< path of the module that ran it
  int64_t step = -1;                     ///< time step of a recurrent loop
  int64_t record = -1;                   ///< its number on the tape, -1 for what left none
  std::vector<int64_t> inputs = {};      ///< rows that made the inputs; -1 for what none of them made
  std::vector<Shape> input_shapes = {};  ///< [] for one that is not given
  std::vector<Shape> shapes = {};        ///< of the outputs
  double flops = 0;        ///< of the forward pass, counted from the shapes: an addition or a multiplication is one
  size_t bytes = 0;        ///< of the outputs
  size_t saved_bytes = 0;  ///< kept for the backward pass
  double start_ms = 0, forward_ms = 0, backward_start_ms = 0,
         backward_ms = 0;                                ///< since the listing was made
  std::vector<uint64_t> input_hashes = {}, hashes = {};  ///< of the values, with {.hash = true}
  double norm = 0;                                       ///< of the first output, with {.hash = true}
};

struct ListingOptions {
  bool hash = false;  ///< keep a hash of every input and output, and the norm of each output
};

/// Keeps a row for each operation, recorded or not.
///
///     inspect::Listing listing;
///     Tape tape({.observers = {&listing}});
///     tape.backward(cross_entropy(model(x), y));
///     fmt::print("{}", listing.fold());
///
/// Differs from a tape's own table: rows stay when the tape ends, and say of each operation how many floating-point operations
/// its shapes mean. The time of a row runs from the end of the row before, without what observers took.
class Listing : public TapeObserver {
 public:
  explicit Listing(ListingOptions options = {}) : options_(options), start_(Clock::now()), last_(start_) {}
  const std::vector<Row>& rows() const { return rows_; }
  /// Forgets all rows; the next tape's begin at 0.
  void clear();

  /// The rows with runs of the same operations in one line: those of the time steps of a recurrent network, and equal layers one after the other.
  ///
  ///     100 x { linear, sigmoid 3, tanh 2, mul 3, add }   cell   [8, 32]   1.2 MFLOP
  std::string fold() const;
  /// Writes the rows, with their hashes, as JSON lines. **Throws** FormatError where that cannot be done.
  void save(const std::string& path) const;
  /// Reads what save() wrote. **Throws** FormatError.
  static Listing load(const std::string& path);

  void on_forward(const OperationView& operation, const Tensors& inputs, const Tensors& outputs) override;
  void on_loss(const Tensor& loss) override;
  void on_backward(const OperationView& operation, const Tensors& dy, const Tensors& dx) override;

 private:
  friend class Microscope;
  using Clock = std::chrono::steady_clock;
  double now() const { return std::chrono::duration<double, std::milli>(Clock::now() - start_).count(); }
  double since_last(double* start);
  Row* row_of(const OperationView& operation);

  ListingOptions options_;
  Clock::time_point start_, last_;
  std::vector<Row> rows_;
  std::vector<int64_t> by_record_;  // the row of each record, -1
};

/// Where two runs part.
struct Difference {
  bool found = false;
  int64_t row = -1;          ///< the first row that differs
  std::string what;          ///< "operation", "module", "shape", "values" or "length"
  bool inputs_equal = true;  ///< its inputs were the same: it is the origin, not a consequence
  std::string text;          ///< a sentence that says all this
};

/// Compares two listings row by row, also those of two processes: save() and load(). Values are compared where both have
/// hashes; rows that only gave values on are not the origin, so the first difference with equal inputs is named if there is one.
Difference diff(const Listing& a, const Listing& b);

struct SummaryOptions {
  int64_t depth = 8;  ///< levels of modules that are shown
};

/// The model as a table: for each module its output, parameters, FLOPs of the forward pass, bytes of outputs and bytes that a
/// backward pass would need. `forward` runs the model once: [&] { model(x); }. Nothing in the model changes but running statistics.
///
///     fmt::print("{}", inspect::summary(model, [&] { model(x); }));
std::string summary(const nn::ModuleBase& model, const std::function<void()>& forward, SummaryOptions options = {});
template <class Derived, class... Inputs>
std::string summary(const nn::Module<Derived>& model, const Tensor& x, const Inputs&... inputs) {
  return summary(model, [&] { model(x, inputs...); });
}

/// A row of the table of layers: all rows of a listing that ran in one module, its children left out.
struct LayerRow {
  std::string module, type;
  std::string shape;       ///< of its last output
  int64_t calls = 0;       ///< operations
  int64_t parameters = 0;  ///< of its own, children left out
  double flops = 0, ms = 0;
  size_t bytes = 0, saved_bytes = 0;
};
std::vector<LayerRow> layers(const nn::ModuleBase& model, const Listing& listing);

/// Floating-point operations of a forward pass, from the shapes: 2 m n k for products, also those in attention, convolutions and
/// recurrent layers; some per element for the rest; 0 for views and copies.
double flops(std::string_view op, const std::vector<Shape>& inputs, const std::vector<Shape>& outputs);

}  // namespace tapegrad::inspect

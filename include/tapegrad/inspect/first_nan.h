// FirstNan: who made the first NaN, not who passed it on.
#pragma once
#include <string>
#include <vector>

#include <tapegrad/nn/module.h>
#include <tapegrad/observer.h>

namespace tapegrad::inspect {

/// What is known of the first value that is not finite.
struct NanOrigin {
  std::string op = {};                   ///< the operation that made it
  std::string module = {};               ///< path of the module that ran it
  int64_t step = -1;                     ///< time step, also in a fused recurrent layer
  bool backward = false;                 ///< it is in the gradient that the operation's backward function made
  bool from_outside = false;             ///< it came in with data or a parameter; `op` is the first that met it
  bool infinite = false;                 ///< an infinity, which became NaN later or reached the loss
  std::string where = {};                ///< index of the first one: "[17, 3]"
  std::vector<std::string> inputs = {};  ///< for each input its shape, range, and where it is not finite or extreme
  std::vector<std::string> chain = {};   ///< from the leaf to the operation: "fc1.weight", "linear (fc1)", "log"
  std::string hint = {};                 ///< the cure, where one is known
};

std::string to_string(const NanOrigin& origin);

/// Looks at every value, forward and backward, and throws where the first NaN is made:
///
///     inspect::FirstNan nan(model);
///     for (...) {
///       Tape tape({.observers = {&nan}});
///       ...
///     }
///
///     log in head at forward: made -inf at [3, 0] from input 0 [8, 10] in [0, 0.9] (0 at [3, 0]); from fc.weight > linear (head) > log
///
/// An infinity alone is no error, for it may be meant (a mask) or harmless (1 / inf): it is remembered, and named where a NaN or a loss
/// that is not finite comes of it. Values that where() and masked_fill() put in are meant.
///
/// **Throws** AutogradError, whose text is to_string(origin()). What the tape was doing is undone, as with every observer.
class FirstNan : public TapeObserver {
 public:
  FirstNan() = default;
  /// With the names of the model's parameters in the chain.
  explicit FirstNan(const nn::ModuleBase& model);
  /// What was found, after the error.
  const NanOrigin& origin() const { return origin_; }

  void on_forward(const OperationView& operation, const Tensors& inputs, const Tensors& outputs) override;
  void on_loss(const Tensor& loss) override;
  void on_backward(const OperationView& operation, const Tensors& dy, const Tensors& dx) override;
  void on_leaf(const Tensor& leaf, const Tensor& gradient) override;

 private:
  struct Entry {
    const char* name = "leaf";
    const char* path = "";
    int64_t step = -1;
    bool infinite = false;  // its inputs or outputs
    tapegrad::detail::SmallVector<int64_t, 6> inputs = {};
    const void* leaf = nullptr;
  };
  Entry& entry(int64_t record);
  std::vector<std::string> chain(int64_t record) const;
  bool comes_from_suspect(int64_t record) const;
  [[noreturn]] void found(NanOrigin origin);

  std::vector<std::pair<std::string, Tensor>> parameters_;
  std::vector<Entry> entries_;
  NanOrigin origin_, suspect_, suspect_backward_;  // the first infinities, of op "" where there is none
  int64_t suspect_record_ = -1;
};

}  // namespace tapegrad::inspect

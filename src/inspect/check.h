// The watcher behind check(): what it sees in the operations, and what becomes of the parameters.
#pragma once
#include <tapegrad/inspect/check.h>
#include <tapegrad/observer.h>

#include <map>
#include <set>
#include <string_view>

namespace tapegrad::inspect {

/// Sees the operations of the steps and keeps the mistakes, each name and place once.
class Watcher : public TapeObserver {
 public:
  Watcher(const nn::ModuleBase& model, bool fresh);

  void begin(int64_t step);
  void on_forward(const OperationView& operation, const Tensors& inputs, const Tensors& outputs) override;
  void on_loss(const Tensor& loss) override;
  void on_leaf(const Tensor& leaf, const Tensor& gradient) override;
  void say(std::string name, std::string where, std::string text, std::string cure);

  struct Parameter {
    std::string name;
    Tensor tensor;
    uint32_t version = 0;        // at the beginning of the step
    std::vector<double> before;  // its values then
    bool reached = false, moved = false, copies = false;
    double gradient_norm = 0, largest_gradient = 0, ratio = 0;
    uint32_t writes = 0;  // in the step
  };

  nn::ModuleBase model;
  bool fresh, evaluating = false;
  int64_t step = 0;
  std::vector<Parameter> parameters;
  std::map<const void*, size_t> parameter_of;
  std::vector<double> losses;                // the first of each step
  std::vector<std::vector<int64_t>> labels;  // of each step
  std::vector<Mistake> mistakes;

 private:
  struct Made {
    std::string op, module;
    int64_t from = -1;      // the record of its first input
    Shape weight = {};      // of a linear
    std::string bias = {};  // its name, of a linear or convolution that has one
  };
  /// What made a record's value, views left out; null for a leaf and what came from outside.
  const Made* made(int64_t record) const;
  std::string name_of(const Tensor& parameter) const;
  void look_at_loss(const OperationView& operation, const Tensors& inputs, const Tensors& outputs);
  void look_at_layer(const OperationView& operation, const Tensors& inputs, const Tensors& outputs);
  void look_at_activation(const OperationView& operation, const Tensors& inputs, const Tensors& outputs);

  std::map<int64_t, Made> made_;
  std::map<std::string, std::string> type_of_;  // of the module at a path
  std::set<std::string> said_;
  bool seen_input_ = false;
  double classes_loss_ = -1;  // ln(classes)
};

}  // namespace tapegrad::inspect

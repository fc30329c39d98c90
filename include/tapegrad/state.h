// What a run is saved and continued from: the state of each of its parts, tensors by name.
//
//   StateGroup run{{"model", model}, {"optimizer", optimizer}, {"schedule", schedule},
//                  {"loader", loader}, {"random", default_generator()}};
//   save("run.safetensors", run.state_dict());
//   ...
//   run.load_state_dict(load("run.safetensors"));     // goes on with the same bits
#pragma once
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include <tapegrad/tensor.h>

namespace tapegrad {

/// Tensors by name, in the order of the names: what save() writes and load() reads.
using StateDict = std::map<std::string, Tensor>;

/// Whatever has a state: modules, optimizers, schedules, loaders, generators, meters, and classes of one's own.
class Stateful {
 public:
  virtual ~Stateful() = default;
  /// All that the next steps depend on. The tensors of a module share memory with it; others are copies.
  virtual StateDict state_dict() const = 0;
  /// Goes on from a state. **Throws** ValueError that lists every name that is missing, unknown or does not fit,
  /// and then changes nothing.
  virtual void load_state_dict(const StateDict& state) = 0;
};

/// A part of a run and the name that goes in front of the names of its state.
struct StatePart {
  std::string name;
  Stateful& object;
};

/// Several parts as one: the entry "fc.weight" of the part "model" is called "model.fc.weight". The parts must
/// outlive it.
class StateGroup : public Stateful {
 public:
  /// **Throws** ValueError where a name is empty, has a dot or is given twice.
  StateGroup(std::initializer_list<StatePart> parts);
  StateDict state_dict() const override;
  /// Loads the parts in their order. Where one refuses its state, those before it are put back. Throws
  /// ValueError where a part gets nothing or none has that name, and what the part threw.
  void load_state_dict(const StateDict& state) override;

 private:
  std::vector<StatePart> parts_;
};

}  // namespace tapegrad

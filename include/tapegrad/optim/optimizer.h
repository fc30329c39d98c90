// What all optimizers share: parameters in groups, step(), state that can be saved.
//
//   optim::Adam optimizer(model.parameters(), {.lr = 1e-3});
//   ...
//   optimizer.zero_grad();
//   tape.backward(loss);
//   optimizer.step();
//
// Groups have a learning rate and a weight decay of their own; what a group does not say is taken from the
// options of all:
//
//   optim::AdamW optimizer({{.params = weights}, {.params = biases, .weight_decay = 0}}, {.lr = 1e-3});
#pragma once
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tapegrad/state.h>

namespace tapegrad::optim {

/// Parameters to optimize, with the names that messages and state_dict() use: those of named_parameters(), or
/// their numbers.
class ParameterList {
 public:
  ParameterList(const std::vector<Tensor>& parameters);
  ParameterList(std::initializer_list<Tensor> parameters) : ParameterList(std::vector<Tensor>(parameters)) {}
  ParameterList(std::vector<std::pair<std::string, Tensor>> named_parameters) : entries_(std::move(named_parameters)) {}
  /// Several lists as one, each name behind that of its list: "encoder.fc1.weight".
  ///
  ///     Adam optimizer(ParameterList::join({{"encoder", encoder.named_parameters()}, {"decoder", decoder.named_parameters()}}));
  static ParameterList join(std::initializer_list<std::pair<std::string, ParameterList>> lists);

  /// The name is empty where none was given.
  const std::vector<std::pair<std::string, Tensor>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<std::string, Tensor>> entries_;
};

/// Parameters with a learning rate and a weight decay of their own.
struct Group {
  ParameterList params;
  std::optional<double> lr = {};            ///< unset: that of the options
  std::optional<double> weight_decay = {};  ///< unset: that of the options
};

using tapegrad::StateDict;

/// What all optimizers share: groups, step(), the check of the gradients, and the state.
class Optimizer : public Stateful {
 public:
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Changes every parameter that has a gradient, once; the gradients stay as they are. May be called while
  /// the tape lives.
  ///
  /// Where any gradient is NaN or infinite nothing at all is changed: the step counts in skipped_steps(), and
  /// last_skipped() names the parameter.
  ///
  /// **Returns** whether the step was taken.
  /// **Throws** AutogradError where no parameter has a gradient; Error at the tenth skipped step in a row.
  bool step();
  /// Drops all gradients: grad() is undefined until the next backward.
  void zero_grad();

  /// The learning rate of a group. Throws IndexError if there is no such group.
  double lr(size_t group = 0) const;
  /// Sets the learning rate of all groups, or of one. Throws ValueError unless it is finite and not negative.
  void set_lr(double lr);
  void set_group_lr(size_t group, double lr);
  size_t groups() const { return lr_.size(); }

  /// Steps left out because a gradient was not finite.
  int64_t skipped_steps() const { return skipped_; }
  /// The parameter whose gradient was the first not finite, at the last skipped step; empty before one.
  const std::string& last_skipped() const { return last_skipped_; }

  /// Copies of all that the next steps depend on besides the parameters: "NAME.step" and the moments
  /// ("NAME.exp_avg") of each parameter, "lr.GROUP", "skipped". With these and the parameters loaded,
  /// training goes on with the same bits.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

  static constexpr size_t max_moments = 3;
  /// What is kept of a parameter.
  struct Slot {
    std::string name;
    Tensor parameter;
    size_t group;
    int64_t steps = 0;            ///< taken, the one being taken included
    Tensor moments[max_moments];  ///< of the parameter's shape; undefined before the first step
  };

 protected:
  explicit Optimizer(const char* name) : name_(name) {}
  /// Adds a group. Throws ValueError where it is empty, or a parameter is held already or is called as
  /// another; DtypeError, AutogradError or ShapeError unless each is a floating, contiguous leaf.
  void add_parameters(const ParameterList& parameters, double lr);
  const std::vector<Slot>& slots() const { return slots_; }
  /// Whether all gradients are finite; if not, the step counts as skipped. Throws as step().
  bool gradients_are_finite();

 private:
  /// Names of the moments, at first zeros, that parameters of a group have, at most max_moments.
  virtual std::vector<std::string> moment_names(size_t group) const = 0;
  /// Changes the parameter and its moments, given its gradient, contiguous and finite. Nothing in it is recorded.
  virtual void update(Slot& slot, const Tensor& gradient) = 0;

  struct Ready {
    Slot* slot;
    Tensor gradient;
  };
  void skip(const std::string& parameter);

  const char* name_;
  std::vector<Slot> slots_;
  std::vector<double> lr_;
  std::vector<Ready> ready_;  // of the running step; a member so that its memory is used again
  int64_t skipped_ = 0, skipped_in_a_row_ = 0;
  std::string last_skipped_;
};

/// An optimizer that is a formula of its Options, which have lr, weight_decay, and the formula:
///
///     static constexpr const char* name = "SGD";
///     void check() const;                                                 // throws ValueError
///     std::vector<std::string> moment_names() const;
///     void update(Optimizer::Slot& slot, const Tensor& gradient) const;   // lr is that of the step
template <class Options>
class OptimizerOf : public Optimizer {
 public:
  /// One group. Throws ValueError for an option outside its range, and what add_parameters() throws.
  OptimizerOf(const ParameterList& parameters, const Options& options = {}) : Optimizer(Options::name) {
    add_group(parameters, options);
  }
  /// Several groups; `options` are those of all, but for what a group says itself.
  OptimizerOf(const std::vector<Group>& groups, const Options& options = {}) : Optimizer(Options::name) {
    for (const Group& group : groups) {
      Options own = options;
      own.lr = group.lr.value_or(options.lr);
      own.weight_decay = group.weight_decay.value_or(options.weight_decay);
      add_group(group.params, own);
    }
  }
  /// A further group, with all options of its own.
  void add_group(const ParameterList& parameters, const Options& options) {
    options.check();
    add_parameters(parameters, options.lr);
    options_.push_back(options);
  }

 private:
  std::vector<std::string> moment_names(size_t group) const override { return options_[group].moment_names(); }
  void update(Slot& slot, const Tensor& gradient) override {
    Options now = options_[slot.group];
    now.lr = lr(slot.group);
    now.update(slot, gradient);
  }

  std::vector<Options> options_;  // of each group
};

}  // namespace tapegrad::optim

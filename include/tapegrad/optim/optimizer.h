// File: optim/optimizer.h
//
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
  ParameterList(std::initializer_list<Tensor> parameters);
  ParameterList(std::vector<std::pair<std::string, Tensor>> named_parameters)
      : entries_(std::move(named_parameters)) {}

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

  /// Learning rate of a group, and of all or one to be set; finite and not negative, else ValueError.
  double lr(size_t group = 0) const;
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
  /// Throws ValueError naming every entry that is missing, unknown, or of another shape, dtype or range; then
  /// nothing is changed.
  void load_state_dict(const StateDict& state) override;

 protected:
  static constexpr size_t max_moments = 3;
  struct Slot {
    std::string name;
    Tensor parameter;
    size_t group;
    int64_t steps = 0;            // taken, the one being taken included
    Tensor moments[max_moments];  // undefined before the first step
  };

  explicit Optimizer(const char* name) : name_(name) {}
  /// Adds a group. Throws where it is empty or a parameter is not a floating, contiguous leaf or held
  /// already.
  void add_parameters(const ParameterList& parameters, double lr);
  /// Throws ValueError unless low <= value < high or <= high.
  void check_option(const char* option, double value, double low, double high) const;
  void check_not_negative(const char* option, double value) const;
  [[noreturn]] void reject(const std::string& message) const;

 private:
  /// Names of the moments that parameters of a group have.
  virtual std::vector<std::string> moment_names(size_t group) const = 0;
  virtual double initial_moment(size_t) const { return 0; }
  /// Changes the parameter and its moments, given its gradient, contiguous and finite.
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

}  // namespace tapegrad::optim

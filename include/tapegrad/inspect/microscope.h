// Microscope: what happens to the numbers in a network while it learns, module by module, every so many steps.
#pragma once
#include <chrono>
#include <cstdio>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tapegrad/inspect/listing.h>
#include <tapegrad/nn/module.h>
#include <tapegrad/observer.h>
#include <tapegrad/optim/optimizer.h>

namespace tapegrad::inspect {

struct MicroscopeOptions {
  std::string log = {};   ///< file of JSON lines, from which write_report() makes the report; empty: none
  int64_t every = 100;    ///< steps from one look to the next, >= 1
  int64_t sample = 1024;  ///< elements of a tensor that are looked at, at equal distances, >= 1
  int64_t bins = 24;      ///< of a histogram, >= 1
  std::string name = {};  ///< of the run; empty: that of the log
  std::vector<std::pair<std::string, std::string>> config = {};  ///< what the report shows of the settings
};

/// Some numbers as a whole.
struct Numbers {
  double mean = 0, std = 0, min = 0, max = 0;
  std::vector<int64_t> counts;  ///< histogram, bins of equal width from min to max
};

/// What an operation put out, and the gradient that came back to it.
struct SiteView {
  std::string op;
  Numbers activation = {}, gradient = {};
  double gradient_norm = std::numeric_limits<double>::quiet_NaN();
  double saturated = std::numeric_limits<double>::quiet_NaN();  ///< share of gates, sigmoid and tanh, near their ends
  double dead = std::numeric_limits<double>::quiet_NaN();  ///< share of units that a relu put out as 0 for every row
  /// For each time step of a recurrent layer: deviation of the state, norm of the gradient that reached the summed inputs of
  /// its gates, share of saturated gates.
  std::vector<double> std_at = {}, gradient_at = {}, saturated_at = {};
};

struct ParameterView {
  Numbers value, gradient;
  double norm = 0, gradient_norm = 0;
  double update_ratio = 0;  ///< length of the step / length of the parameter, of the elements that are looked at
};

/// One look.
struct Look {
  int64_t step = -1;
  std::vector<std::pair<std::string, SiteView>> sites;            ///< in the order in which they ran
  std::vector<std::pair<std::string, ParameterView>> parameters;  ///< as named_parameters()
};

/// Looks at a model every `every` steps; in between nothing is observed at all.
///
///     inspect::Microscope scope(model, optimizer, {.log = "run.jsonl"});
///     for (...) {
///       Tape tape(scope.watch());                         // begins a step
///       ...                                               // forward, zero_grad, backward, optimizer.step()
///       scope.step(loss.item(), {{"accuracy", accuracy}});
///     }
///
/// A site is an operation of a layer (linear, conv, norm, lstm ...) or an activation, named by module and operation: "fc1 linear";
/// a second one of a module is "relu#2". What a layer calls in a loop over time counts as the time steps of one site. Gates that a
/// fused lstm or gru does not show are computed again from its inputs and states.
///
/// The log has one line a step and is flushed ten times a second, so that a crash leaves what was before it.
/// **Throws** ValueError for options out of range, FormatError where the log cannot be written.
class Microscope : public TapeObserver {
 public:
  struct Metric {
    const char* name;
    double value;
  };
  Microscope(const nn::ModuleBase& model, const optim::Optimizer& optimizer, MicroscopeOptions options = {});
  ~Microscope() override;
  Microscope(const Microscope&) = delete;
  Microscope& operator=(const Microscope&) = delete;

  /// Begins a step: the options for its tape, with the microscope among the observers where this step is looked at.
  TapeOptions watch(TapeOptions options = {});
  /// Ends a step, after the optimizer's.
  void step(double loss, std::initializer_list<Metric> metrics = {});
  /// A line for the report that belongs to no step: a mistake found, a finding.
  void note(const std::string& text);

  int64_t steps() const { return steps_; }
  /// The last look; its step is -1 before the first.
  const Look& last() const { return look_; }
  /// What ran in the first step that was looked at.
  const Listing& listing() const { return listing_; }

  void on_forward(const OperationView& operation, const Tensors& inputs, const Tensors& outputs) override;
  void on_loss(const Tensor& loss) override;
  void on_backward(const OperationView& operation, const Tensors& dy, const Tensors& dx) override;
  void on_leaf(const Tensor& leaf, const Tensor& gradient) override;

 private:
  struct Parameter {
    std::string name;
    Tensor tensor;
    std::vector<double> before;  // of the elements that are looked at
  };
  struct Place {
    size_t site;
    int64_t time;  // -1: not in a loop
  };
  std::vector<double> sampled(const Tensor& x) const;
  size_t site_of(const OperationView& operation, int64_t* time);
  void write_head();
  void write(const std::string& line);

  nn::ModuleBase model_;
  const optim::Optimizer& optimizer_;
  MicroscopeOptions options_;
  std::FILE* file_ = nullptr;
  std::chrono::steady_clock::time_point start_, flushed_;
  std::vector<Parameter> parameters_;
  std::map<const void*, size_t> parameter_of_;  // by the tensor's identity
  std::map<std::string, bool> is_leaf_;         // of each module's path: has no children
  int64_t steps_ = 0;
  bool looking_ = false;
  Look look_;
  Listing listing_;
  std::map<std::string, int64_t> calls_;   // of each module and operation, in this step
  std::map<std::string, size_t> site_at_;  // of each site, in this step
  std::map<int64_t, Place> place_;         // of each record
};

}  // namespace tapegrad::inspect

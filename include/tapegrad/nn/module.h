// Module: a part of a model, with parameters, buffers and child modules.
//
//   struct Mlp : nn::Module<Mlp> {
//     nn::Linear fc1 = add("fc1", nn::Linear(64, 128));
//     nn::Linear fc2 = add("fc2", nn::Linear(128, 10));
//     Tensor forward(const Tensor& x) { return fc2(relu(fc1(x))); }
//   };
//
// Parameters are what an optimizer changes (weight, bias). Buffers belong to the state but are not trained
// (running means). Both, and children, are registered where they are made, by add_parameter(), add_buffer()
// and add(), so none can be forgotten. A module is a handle: a copy shares its parameters, clone() has its
// own.
#pragma once
#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tapegrad/detail/scope.h>
#include <tapegrad/nn/parameter.h>
#include <tapegrad/state.h>
#include <tapegrad/tape.h>

namespace tapegrad::nn {

struct LoadOptions {
  bool strict = true;  ///< every name must be on both sides; else only the common ones are loaded
};

/// What load_state_dict(state, {.strict = false}) did not load.
struct LoadReport {
  std::vector<std::string> missing;     ///< names that the module has and the state has not
  std::vector<std::string> unexpected;  ///< names that the state has and the module has not
};

/// What all modules can do; Module<Derived> adds the call.
class ModuleBase : public Stateful {
 public:
  ModuleBase(const ModuleBase& other);
  ModuleBase(ModuleBase&& other) noexcept;
  /// The handle changes over to `other`. Where this module is a child, its parent has the new one from then on;
  /// throws ValueError where a copy of the child, or of the parent, would go on with the old one.
  ModuleBase& operator=(const ModuleBase& other);
  ~ModuleBase() override;

  /// All parameters, of this module and then of its children, in the order in which they were registered; one
  /// that is shared comes once.
  std::vector<Tensor> parameters() const;
  /// The same with their names: "fc1.weight".
  std::vector<std::pair<std::string, Tensor>> named_parameters() const;
  /// All buffers, in the same way.
  std::vector<Tensor> buffers() const;
  std::vector<std::pair<std::string, Tensor>> named_buffers() const;
  /// The number of elements of all parameters.
  int64_t parameter_count() const;

  /// This module and all below it, each once, parents before children: handles that share their parameters.
  std::vector<ModuleBase> modules() const;
  /// The same with their paths: "" for this module, then "encoder", "encoder.norm1". A layer made of cells
  /// (LSTM) counts as one module.
  std::vector<std::pair<std::string, ModuleBase>> named_modules() const;
  /// Calls f(path, type, module) for each of named_modules(): f("encoder.norm1", "LayerNorm", module). PyTorch's apply():
  ///
  ///     model.visit([](auto&, auto& type, auto& m) { if (type == "Linear") init::zeros(m.parameters()[1]); });
  template <class F>
  void visit(F&& f) const {
    for (const auto& [path, module] : named_modules()) f(path, module.type(), module);
  }
  /// The name of the module's class: "LayerNorm".
  const std::string& type() const;

  /// Parameters and buffers by name; the tensors share memory with the module.
  StateDict state_dict() const override;
  /// Copies the values in.
  void load_state_dict(const StateDict& state) override { load_state_dict(state, LoadOptions{}); }
  /// The same; with strict = false the names that are on one side only are left alone and returned.
  LoadReport load_state_dict(const StateDict& state, LoadOptions options);

  /// Training mode, for this module and its children: dropout drops, batch norm uses and collects batch
  /// statistics.
  void train(bool on = true);
  /// Evaluation mode.
  void eval() { train(false); }
  bool is_training() const;

  /// Converts parameters and floating buffers to float32 or float64; drops gradients. Throws DtypeError for
  /// another dtype.
  void to(Dtype dtype);
  /// Drops all gradients.
  void zero_grad();

  friend std::string to_string(const ModuleBase& module);

 protected:
  explicit ModuleBase(std::string_view type);

  /// Registers a child under `name` and returns it. Throws ValueError if the name is taken, empty or has a
  /// dot.
  template <class M>
  M add(const std::string& name, M child) {
    add_child(name, child);
    return child;
  }
  /// Registers a child whose parameters are named as this module's own, with `suffix` behind: how the layers
  /// of an LSTM give weight_ih_l0.
  template <class M>
  M add_flat(const std::string& suffix, M child) {
    add_child(suffix, child, true);
    return child;
  }
  /// Registers a parameter, sets requires_grad, and returns it. An undefined tensor (a bias that was not
  /// wanted) is returned as it is and not registered. Throws as add().
  Parameter add_parameter(const std::string& name, Tensor value);
  /// The same for a buffer, which keeps its requires_grad.
  Buffer add_buffer(const std::string& name, const Tensor& value);
  /// The text between the parentheses when the module is printed: "in_features=64, out_features=128".
  void describe(std::string text);

  /// What a call notes; see ModuleScope.
  tapegrad::detail::ScopeName& scope_name() const;

 private:
  explicit ModuleBase(std::shared_ptr<detail::ModuleState> state) : state_(std::move(state)) {}
  void add_child(const std::string& name, const ModuleBase& child, bool flat = false);
  Parameter add_entry(const std::string& name, const Tensor& value, std::vector<std::shared_ptr<detail::Entry>>& list);
  std::shared_ptr<detail::ModuleState> state_;
};

/// The module as a tree, with the number of parameters of each part.
std::string to_string(const ModuleBase& module);

namespace detail {

/// While one lives on this thread, copies of modules and of their parameters are new ones.
class CloneContext {
 public:
  CloneContext();
  /// The new tensors are those of `state`, by name, and the module's own for the rest. Throws ValueError for a name that
  /// the module has not, or a tensor of another shape or dtype.
  CloneContext(const ModuleBase& module, const StateDict& state);
  ~CloneContext();
  /// Ends it. Throws ValueError if one of the new tensors is held by no Parameter.
  void finish();

 private:
  friend class nn::Parameter;
  friend class nn::ModuleBase;
  struct Clones;
  CloneContext* outer_;
  std::unique_ptr<Clones> clones_;
};

/// "LayerNorm" for tapegrad::nn::LayerNorm.
template <class T>
constexpr std::string_view type_name() {
  std::string_view text = __PRETTY_FUNCTION__;
  text = text.substr(text.find("T = ") + 4);
  text = text.substr(0, text.find_first_of(";]"));
  const size_t template_begin = text.find('<');
  const std::string_view head = text.substr(0, template_begin);
  const size_t colon = head.rfind(':');
  return colon == std::string_view::npos ? head : head.substr(colon + 1);
}

}  // namespace detail

template <class Derived>
class Module : public ModuleBase {
 public:
  /// Calls forward(args...), noting the module's path for errors, the tape and its profile. A module is a
  /// handle, so a const one can be called too.
  template <class... Args>
  decltype(auto) operator()(Args&&... args) const {
    const tapegrad::detail::ModuleScope scope(scope_name());
    return const_cast<Derived&>(static_cast<const Derived&>(*this)).forward(std::forward<Args>(args)...);
  }

  /// A copy with parameters and buffers of its own; those that two modules share are shared in it too.
  /// Throws ValueError if one is held by a member that is no Parameter.
  Derived clone() const {
    detail::CloneContext context;
    Derived copy(static_cast<const Derived&>(*this));
    context.finish();
    return copy;
  }

 protected:
  /// For a class template between this one and Derived.
  struct Between {};
  explicit Module(Between) : Module() {}

 private:
  // Private, so that `struct B : Module<A>` does not compile: a call of B would run the forward() of an A.
  friend Derived;
  Module() : ModuleBase(detail::type_name<Derived>()) {}
};

/// module(inputs...) with other parameters and buffers, by name; those that `state` does not name are the module's. The
/// module is left as it is, and gradients flow to the tensors in `state`: how one differentiates through a step of training.
/// **Throws** ValueError for a name that the module has not or a tensor that does not fit, and as clone().
///
///     StateDict fast;
///     for (auto& [name, p] : net.named_parameters()) fast[name] = p - 0.1 * gradient_of[name];
///     Tensor loss = mse_loss(nn::functional_call(net, fast, x), y);
template <class Derived, class... Inputs>
auto functional_call(const Module<Derived>& module, const StateDict& state, Inputs&&... inputs) {
  detail::CloneContext context(module, state);
  const Derived copy(static_cast<const Derived&>(module));
  context.finish();
  return copy(std::forward<Inputs>(inputs)...);
}

/// The leaves that the tape recorded and `module` does not hold: parameters that no optimizer of
/// module.parameters() would ever change. Empty in a correct model whose inputs do not require gradients.
std::vector<Tensor> unregistered_leaves(const Tape& tape, const ModuleBase& module);

}  // namespace tapegrad::nn

namespace tapegrad {
template <class T>
requires std::derived_from<T, nn::ModuleBase>
inline constexpr bool is_printable<T> = true;
}  // namespace tapegrad

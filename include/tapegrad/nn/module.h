// File: nn/module.h
//
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
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tapegrad/detail/scope.h>
#include <tapegrad/tape.h>
#include <tapegrad/tensor.h>

namespace tapegrad::nn {

struct LoadOptions {
  bool strict = true;  ///< every name must be on both sides; else only the common ones are loaded
};

namespace detail {
struct ModuleState;
class CloneContext;
}  // namespace detail

/// What all modules can do; Module<Derived> adds the call.
class ModuleBase {
 public:
  ModuleBase(const ModuleBase& other);
  ModuleBase(ModuleBase&& other) noexcept;
  ModuleBase& operator=(const ModuleBase& other);
  ModuleBase& operator=(ModuleBase&& other) noexcept;
  ~ModuleBase();

  /// All parameters, of this module and then of its children, in the order in which they were registered; one
  /// that is shared comes once.
  std::vector<Tensor> parameters() const;
  /// The same with their names: "fc1.weight".
  std::vector<std::pair<std::string, Tensor>> named_parameters() const;
  std::vector<Tensor> buffers() const;
  std::vector<std::pair<std::string, Tensor>> named_buffers() const;
  /// The number of elements of all parameters.
  int64_t parameter_count() const;

  /// Parameters and buffers by name; the tensors share memory with the module.
  std::map<std::string, Tensor> state_dict() const;
  /// Copies the values in. Throws ValueError that lists every missing, unexpected or unfitting name at once,
  /// and then changes nothing.
  void load_state_dict(const std::map<std::string, Tensor>& state, LoadOptions options = {});

  /// Training mode, for this module and its children: dropout drops, batch norm uses and collects batch
  /// statistics.
  void train(bool on = true);
  /// Evaluation mode.
  void eval() { train(false); }
  bool is_training() const;

  /// Converts parameters and floating buffers to float32 or float64; drops gradients.
  void to(Dtype dtype);
  void zero_grad();

  friend std::string to_string(const ModuleBase& module);

 protected:
  ModuleBase(std::string_view type, size_t size);

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
  /// wanted) is returned as it is and not registered.
  Tensor add_parameter(const std::string& name, Tensor value);
  Tensor add_buffer(const std::string& name, Tensor value);
  /// The text between the parentheses when the module is printed: "in_features=64, out_features=128".
  void describe(std::string text);

  tapegrad::detail::ScopeName& scope_name() const;

 private:
  friend class detail::CloneContext;
  void add_child(const std::string& name, const ModuleBase& child, bool flat = false);
  std::shared_ptr<detail::ModuleState> state_;
};

/// The module as a tree, with the number of parameters of each part.
std::string to_string(const ModuleBase& module);

namespace detail {

/// While one lives on this thread, copies of modules get parameters of their own.
class CloneContext {
 public:
  CloneContext();
  ~CloneContext();
  /// Puts the new parameters into the members of the copies. Throws if a parameter is not a member of its
  /// module.
  void rebind();

  static CloneContext* current();
  void copied(ModuleBase* copy, const ModuleBase& from);
  void moved(ModuleBase* to, const ModuleBase* from);
  void destroyed(const ModuleBase* copy);

 private:
  std::shared_ptr<ModuleState> clone_of(const std::shared_ptr<ModuleState>& from);
  std::map<const ModuleState*, std::shared_ptr<ModuleState>> clones_;
  std::map<ModuleBase*, std::shared_ptr<ModuleState>> copies_;  // a copy, and the state it was copied from
};

/// "LayerNorm" for tapegrad::nn::LayerNorm.
template <class T>
constexpr std::string_view type_name() {
#if defined(_MSC_VER)
  std::string_view text = __FUNCSIG__;
  text = text.substr(text.find("type_name<") + 10);
  text = text.substr(0, text.rfind(">("));
#else
  std::string_view text = __PRETTY_FUNCTION__;
  text = text.substr(text.find("T = ") + 4);
  text = text.substr(0, text.find_first_of(";]"));
#endif
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

  /// A copy with parameters and buffers of its own.
  Derived clone() const {
    detail::CloneContext context;
    Derived copy(static_cast<const Derived&>(*this));
    context.rebind();
    return copy;
  }

 protected:
  Module() : ModuleBase(detail::type_name<Derived>(), sizeof(Derived)) {}
};

/// The leaves that the tape recorded and `module` does not hold: parameters that no optimizer of
/// module.parameters() would ever change. Empty in a correct model whose inputs do not require gradients.
std::vector<Tensor> unregistered_leaves(const Tape& tape, const ModuleBase& module);

}  // namespace tapegrad::nn

namespace tapegrad {
template <class T>
requires std::derived_from<T, nn::ModuleBase>
inline constexpr bool is_printable<T> = true;
}  // namespace tapegrad

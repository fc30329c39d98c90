// The registry behind modules: names, walks over the tree, and state.
#include <tapegrad/nn/module.h>

#include <set>

#include "autograd/writable.h"
#include "core/fail.h"
#include "nn/module_state.h"

namespace tapegrad::nn {

namespace detail {

namespace {

void take_name(ModuleState& state, const std::string& name) {
  if (name.empty() || name.find('.') != std::string::npos)
    fail<ValueError>(state.scope.type, "a name must not be empty or contain a dot, got '{}'", name);
  if (!state.names.insert(name).second) fail<ValueError>(state.scope.type, "the name '{}' is taken", name);
}

// Calls f(state, prefix, suffix) for the module and then its children, each state once. A name of the module
// is prefix + name + suffix; only flat children have a suffix.
template <class F>
void walk(const std::shared_ptr<ModuleState>& state, const std::string& prefix, const std::string& suffix,
          std::set<const ModuleState*>& seen, F&& f) {
  if (!seen.insert(state.get()).second) return;
  f(state, prefix, suffix);
  for (const Child& child : state->children)
    if (child.flat)
      walk(child.state, prefix, suffix + child.name, seen, f);
    else
      walk(child.state, prefix + child.name + suffix + ".", "", seen, f);
}
template <class F>
void walk(const std::shared_ptr<ModuleState>& root, F&& f) {
  std::set<const ModuleState*> seen;
  walk(root, "", "", seen, f);
}

std::vector<std::pair<std::string, Tensor>> named(const std::shared_ptr<ModuleState>& root,
                                                  Entries ModuleState::*list) {
  std::vector<std::pair<std::string, Tensor>> out;
  std::set<const void*> seen;
  walk(root, [&](const auto& state, const std::string& prefix, const std::string& suffix) {
    for (const auto& entry : (*state).*list)
      if (seen.insert(entry->tensor.impl()).second) out.emplace_back(prefix + entry->name + suffix, entry->tensor);
  });
  return out;
}

template <class T>
std::vector<T> without_names(const std::vector<std::pair<std::string, T>>& named) {
  std::vector<T> out;
  for (const auto& [name, value] : named) out.push_back(value);
  return out;
}

}  // namespace

}  // namespace detail

ModuleBase::ModuleBase(std::string_view type) : state_(std::make_shared<detail::ModuleState>()) {
  state_->scope.type = type;
}

tapegrad::detail::ScopeName& ModuleBase::scope_name() const { return state_->scope; }

void ModuleBase::add_child(const std::string& name, const ModuleBase& child, bool flat) {
  detail::take_name(*state_, name);
  child.state_->scope.name = name;
  child.state_->parent = state_;
  state_->children.push_back({name, child.state_, flat});
}

Parameter ModuleBase::add_parameter(const std::string& name, Tensor value) {
  Parameter parameter = add_entry(name, value, state_->parameters);
  if (value.defined()) value.set_requires_grad();
  return parameter;
}
Buffer ModuleBase::add_buffer(const std::string& name, const Tensor& value) {
  return add_entry(name, value, state_->buffers);
}

Parameter ModuleBase::add_entry(const std::string& name, const Tensor& value, detail::Entries& list) {
  detail::take_name(*state_, name);
  auto entry = std::make_shared<detail::Entry>(detail::Entry{name, value, state_});
  if (value.defined()) list.push_back(entry);
  return {value, std::move(entry)};
}

void ModuleBase::describe(std::string text) { state_->description = std::move(text); }

std::vector<std::pair<std::string, Tensor>> ModuleBase::named_parameters() const {
  return detail::named(state_, &detail::ModuleState::parameters);
}
std::vector<std::pair<std::string, Tensor>> ModuleBase::named_buffers() const {
  return detail::named(state_, &detail::ModuleState::buffers);
}
std::vector<Tensor> ModuleBase::parameters() const { return detail::without_names(named_parameters()); }
std::vector<Tensor> ModuleBase::buffers() const { return detail::without_names(named_buffers()); }

std::vector<std::pair<std::string, ModuleBase>> ModuleBase::named_modules() const {
  std::vector<std::pair<std::string, ModuleBase>> out;
  detail::walk(state_, [&](const auto& state, const std::string& prefix, const std::string& suffix) {
    if (suffix.empty()) out.emplace_back(prefix.substr(0, prefix.rfind('.')), ModuleBase(state));
  });
  return out;
}
std::vector<ModuleBase> ModuleBase::modules() const { return detail::without_names(named_modules()); }
const std::string& ModuleBase::type() const { return state_->scope.type; }

int64_t ModuleBase::parameter_count() const {
  int64_t count = 0;
  for (const Tensor& parameter : parameters()) count += parameter.numel();
  return count;
}

StateDict ModuleBase::state_dict() const {
  StateDict out;
  for (const auto& [name, tensor] : named_parameters()) out[name] = tensor.detach();
  for (const auto& [name, tensor] : named_buffers()) out[name] = tensor.detach();
  return out;
}

LoadReport ModuleBase::load_state_dict(const StateDict& state, LoadOptions options) {
  const StateDict mine = state_dict();
  LoadReport report;
  std::string differences;
  for (const auto& [name, tensor] : mine) {
    const auto at = state.find(name);
    if (at == state.end() || !at->second.defined()) {
      report.missing.push_back(name);
      if (options.strict) differences += fmt::format("; missing '{}' {}", name, tensor.shape());
    } else if (at->second.shape() != tensor.shape() || at->second.dtype() != tensor.dtype()) {
      differences += fmt::format("; '{}' is {} {} here and {} {} in what is loaded", name, tensor.dtype(),
                                 tensor.shape(), at->second.dtype(), at->second.shape());
    }
  }
  for (const auto& [name, tensor] : state) {
    if (!tensor.defined() || mine.contains(name)) continue;
    report.unexpected.push_back(name);
    if (options.strict) differences += fmt::format("; unexpected '{}' {}", name, tensor.shape());
  }
  if (!differences.empty())
    fail<ValueError>("load_state_dict", "the state does not fit {}: {}", state_->scope.type, differences.substr(2));
  NoGrad no_grad;
  for (auto [name, tensor] : mine)
    if (const auto at = state.find(name); at != state.end() && at->second.defined()) tensor.copy_(at->second);
  return report;
}

void ModuleBase::train(bool on) {
  detail::walk(state_, [on](const auto& state, const auto&, const auto&) { state->training = on; });
}

bool ModuleBase::is_training() const { return state_->training; }

void ModuleBase::to(Dtype dtype) {
  if (!is_floating(dtype)) fail<DtypeError>("to", "a module's parameters must be float32 or float64, got {}", dtype);
  NoGrad no_grad;
  for (const auto& list : {parameters(), buffers()})
    for (Tensor tensor : list)
      if (is_floating(tensor.dtype())) tensor.set_data(tensor.to(dtype));
}

void ModuleBase::zero_grad() {
  const std::vector<Tensor> all = parameters();
  tapegrad::detail::Exclusive exclusive("zero_grad");
  for (const Tensor& parameter : all) exclusive.take(parameter);
  for (Tensor parameter : all) parameter.zero_grad();
}

namespace {

std::string thousands(int64_t number) {
  std::string digits = std::to_string(number);
  for (int64_t at = int64_t(digits.size()) - 3; at > 0; at -= 3) digits.insert(size_t(at), ",");
  return digits;
}

int64_t count_of(const detail::ModuleState& state) {
  int64_t count = 0;
  for (const auto& entry : state.parameters) count += entry->tensor.numel();
  for (const detail::Child& child : state.children) count += count_of(*child.state);
  return count;
}

void print_tree(const detail::ModuleState& state, const std::string& name, const std::string& indent,
                std::string& out) {
  out += indent + (name.empty() ? "" : name + ": ") + state.scope.type + "(" + state.description + ")";
  if (const int64_t count = count_of(state)) out += "  " + thousands(count) + " parameters";
  out += "\n";
  for (const detail::Child& child : state.children) print_tree(*child.state, child.name, indent + "  ", out);
}

}  // namespace

std::string to_string(const ModuleBase& module) {
  std::string out;
  print_tree(*module.state_, "", "", out);
  return out;
}

std::vector<Tensor> unregistered_leaves(const Tape& tape, const ModuleBase& module) {
  std::vector<Tensor> leaves = tape.leaves();
  for (const Tensor& known : module.parameters())
    std::erase_if(leaves, [&](const Tensor& leaf) { return leaf.impl() == known.impl(); });
  return leaves;
}

}  // namespace tapegrad::nn

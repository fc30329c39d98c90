// The registry behind modules: names, walks over the tree, state, and deep copies.
#include <tapegrad/nn/module.h>

#include <algorithm>
#include <set>

#include "core/fail.h"

namespace tapegrad::nn {

namespace detail {

struct Entry {
  std::string name;
  Tensor tensor;
  ptrdiff_t offset;  // of the member that holds it, from the ModuleBase of its object; see CloneContext
};

struct ModuleState;

struct Child {
  std::string name;
  std::shared_ptr<ModuleState> state;
  bool flat;  // its names are this module's, with `name` behind
};

struct ModuleState {
  tapegrad::detail::ScopeName scope;
  std::string description;
  size_t size;  // of the object of the derived class
  bool training = true;
  std::vector<Entry> parameters, buffers;
  std::vector<Child> children;
};

namespace {

void check_name(const ModuleState& state, const std::string& name) {
  const auto same = [&](const auto& known) { return known.name == name; };
  if (name.empty() || name.find('.') != std::string::npos)
    fail<ValueError>(state.scope.type, "a name must not be empty or contain a dot, got '{}'", name);
  if (std::any_of(state.parameters.begin(), state.parameters.end(), same) ||
      std::any_of(state.buffers.begin(), state.buffers.end(), same) ||
      std::any_of(state.children.begin(), state.children.end(), same))
    fail<ValueError>(state.scope.type, "the name '{}' is taken", name);
}

// Calls f(state, prefix, suffix) for the module and then its children, each state once. A name of the module
// is prefix + name + suffix.
template <class F>
void walk(ModuleState& state, const std::string& prefix, const std::string& suffix,
          std::set<const ModuleState*>& seen, F&& f) {
  if (!seen.insert(&state).second) return;
  f(state, prefix, suffix);
  for (Child& child : state.children)
    if (child.flat)
      walk(*child.state, prefix, suffix + child.name, seen, f);
    else
      walk(*child.state, prefix + child.name + suffix + ".", "", seen, f);
}

std::vector<std::pair<std::string, Tensor>> named(ModuleState& root, std::vector<Entry> ModuleState::*list) {
  std::vector<std::pair<std::string, Tensor>> out;
  std::set<const void*> seen_tensors;
  std::set<const ModuleState*> seen;
  walk(root, "", "", seen, [&](ModuleState& state, const std::string& prefix, const std::string& suffix) {
    for (const Entry& entry : state.*list)
      if (seen_tensors.insert(entry.tensor.impl()).second)
        out.emplace_back(prefix + entry.name + suffix, entry.tensor);
  });
  return out;
}

std::vector<Tensor> without_names(const std::vector<std::pair<std::string, Tensor>>& named) {
  std::vector<Tensor> out;
  for (const auto& [name, tensor] : named) out.push_back(tensor);
  return out;
}

thread_local CloneContext* cloning = nullptr;

}  // namespace

// How clone() finds the members. add_parameter() returns the tensor straight into the member that it
// initializes, so the address of the returned object is the member's, and its distance from the ModuleBase is
// the same in every object of the class. A copy made under a CloneContext notes where it is; rebind() then
// visits those members. What was not a member (add_parameter into a local variable) is found out and is an
// error, never silently shared.

CloneContext::CloneContext() {
  cloning = this;
}
CloneContext::~CloneContext() {
  cloning = nullptr;
}
CloneContext* CloneContext::current() {
  return cloning;
}

std::shared_ptr<ModuleState> CloneContext::clone_of(const std::shared_ptr<ModuleState>& from) {
  std::shared_ptr<ModuleState>& to = clones_[from.get()];
  if (to) return to;
  to = std::make_shared<ModuleState>(*from);
  NoGrad no_grad;
  for (auto* list : {&to->parameters, &to->buffers})
    for (Entry& entry : *list) {
      const bool requires_grad = entry.tensor.requires_grad();
      entry.tensor = entry.tensor.clone();
      entry.tensor.set_requires_grad(requires_grad);
    }
  const std::shared_ptr<ModuleState> result = to;  // the map may move its entries from here on
  for (Child& child : result->children) child.state = clone_of(child.state);
  return result;
}

void CloneContext::copied(ModuleBase* copy, const ModuleBase& from) {
  copies_[copy] = from.state_;
  copy->state_ = clone_of(from.state_);
}

void CloneContext::moved(ModuleBase* to, const ModuleBase* from) {
  auto at = copies_.find(const_cast<ModuleBase*>(from));
  if (at == copies_.end()) return;
  copies_[to] = at->second;
  copies_.erase(at);
}

void CloneContext::destroyed(const ModuleBase* copy) {
  copies_.erase(const_cast<ModuleBase*>(copy));
}

void CloneContext::rebind() {
  for (auto& [copy, from] : copies_) {
    ModuleState& state = *copy->state_;
    for (auto list : {&ModuleState::parameters, &ModuleState::buffers})
      for (size_t i = 0; i < (state.*list).size(); ++i) {
        const Entry& entry = (state.*list)[i];
        auto* member = reinterpret_cast<Tensor*>(reinterpret_cast<std::byte*>(copy) + entry.offset);
        const bool inside = entry.offset >= 0 && size_t(entry.offset) + sizeof(Tensor) <= state.size;
        if (!inside || member->impl() != ((*from).*list)[i].tensor.impl())
          fail<ValueError>(
              "clone",
              "'{}' of {} is not held by the member that add_parameter() or add_buffer() initialized. "
              "Hint: write Tensor {} = add_parameter(...) as a member",
              entry.name, state.scope.type, entry.name);
        *member = entry.tensor;
      }
  }
  copies_.clear();
}

}  // namespace detail

using detail::CloneContext;

ModuleBase::ModuleBase(std::string_view type, size_t size) : state_(std::make_shared<detail::ModuleState>()) {
  state_->scope.type = type;
  state_->size = size;
}
ModuleBase::ModuleBase(const ModuleBase& other) : state_(other.state_) {
  if (CloneContext* context = CloneContext::current()) context->copied(this, other);
}
ModuleBase::ModuleBase(ModuleBase&& other) noexcept : state_(other.state_) {
  if (CloneContext* context = CloneContext::current()) context->moved(this, &other);
}
ModuleBase& ModuleBase::operator=(const ModuleBase& other) = default;
ModuleBase& ModuleBase::operator=(ModuleBase&& other) noexcept = default;
ModuleBase::~ModuleBase() {
  if (CloneContext* context = CloneContext::current()) context->destroyed(this);
}

tapegrad::detail::ScopeName& ModuleBase::scope_name() const {
  return state_->scope;
}

void ModuleBase::add_child(const std::string& name, const ModuleBase& child, bool flat) {
  detail::check_name(*state_, name);
  child.state_->scope.name = name;
  state_->children.push_back({name, child.state_, flat});
}

Tensor ModuleBase::add_parameter(const std::string& name, Tensor value) {
  detail::check_name(*state_, name);
  Tensor member = value.defined() ? value.set_requires_grad() : value;
  const ptrdiff_t offset = reinterpret_cast<std::byte*>(&member) - reinterpret_cast<std::byte*>(this);
  if (value.defined()) state_->parameters.push_back({name, value, offset});
  return member;
}

Tensor ModuleBase::add_buffer(const std::string& name, Tensor value) {
  detail::check_name(*state_, name);
  Tensor member = value;
  const ptrdiff_t offset = reinterpret_cast<std::byte*>(&member) - reinterpret_cast<std::byte*>(this);
  if (value.defined()) state_->buffers.push_back({name, value, offset});
  return member;
}

void ModuleBase::describe(std::string text) {
  state_->description = std::move(text);
}

std::vector<std::pair<std::string, Tensor>> ModuleBase::named_parameters() const {
  return detail::named(*state_, &detail::ModuleState::parameters);
}
std::vector<std::pair<std::string, Tensor>> ModuleBase::named_buffers() const {
  return detail::named(*state_, &detail::ModuleState::buffers);
}
std::vector<Tensor> ModuleBase::parameters() const {
  return detail::without_names(named_parameters());
}
std::vector<Tensor> ModuleBase::buffers() const {
  return detail::without_names(named_buffers());
}

int64_t ModuleBase::parameter_count() const {
  int64_t count = 0;
  for (const Tensor& parameter : parameters()) count += parameter.numel();
  return count;
}

std::map<std::string, Tensor> ModuleBase::state_dict() const {
  std::map<std::string, Tensor> out;
  for (const auto& [name, tensor] : named_parameters()) out[name] = tensor.detach();
  for (const auto& [name, tensor] : named_buffers()) out[name] = tensor.detach();
  return out;
}

void ModuleBase::load_state_dict(const std::map<std::string, Tensor>& state, LoadOptions options) {
  const std::map<std::string, Tensor> mine = state_dict();
  std::string differences;
  for (const auto& [name, tensor] : mine) {
    const auto at = state.find(name);
    if (at == state.end()) {
      if (options.strict) differences += fmt::format("; missing '{}' {}", name, tensor.shape());
    } else if (at->second.shape() != tensor.shape() || at->second.dtype() != tensor.dtype()) {
      differences += fmt::format("; '{}' is {} {} here and {} {} in what is loaded", name, tensor.dtype(),
                                 tensor.shape(), at->second.dtype(), at->second.shape());
    }
  }
  for (const auto& [name, tensor] : state)
    if (options.strict && !mine.contains(name))
      differences += fmt::format("; unexpected '{}' {}", name, tensor.shape());
  if (!differences.empty())
    fail<ValueError>("load_state_dict", "the state does not fit {}: {}", state_->scope.type,
                     differences.substr(2));
  NoGrad no_grad;
  for (auto [name, tensor] : mine)
    if (const auto at = state.find(name); at != state.end()) tensor.copy_(at->second);
}

void ModuleBase::train(bool on) {
  std::set<const detail::ModuleState*> seen;
  detail::walk(
      *state_, "", "", seen,
      [on](detail::ModuleState& state, const std::string&, const std::string&) { state.training = on; });
}

bool ModuleBase::is_training() const {
  return state_->training;
}

void ModuleBase::to(Dtype dtype) {
  if (!is_floating(dtype))
    fail<DtypeError>("to", "a module's parameters must be float32 or float64, got {}", dtype);
  NoGrad no_grad;
  for (const auto& list : {parameters(), buffers()})
    for (Tensor tensor : list)
      if (is_floating(tensor.dtype())) tensor.set_data(tensor.to(dtype));
}

void ModuleBase::zero_grad() {
  for (Tensor parameter : parameters()) parameter.zero_grad();
}

namespace {

std::string thousands(int64_t number) {
  std::string digits = std::to_string(number);
  for (int64_t at = int64_t(digits.size()) - 3; at > 0; at -= 3) digits.insert(size_t(at), ",");
  return digits;
}

int64_t count_of(const detail::ModuleState& state) {
  int64_t count = 0;
  for (const detail::Entry& entry : state.parameters) count += entry.tensor.numel();
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
  const std::vector<Tensor> known = module.parameters();
  std::vector<Tensor> out;
  for (const Tensor& leaf : tape.leaves())
    if (std::none_of(known.begin(), known.end(), [&](const Tensor& p) { return p.impl() == leaf.impl(); }))
      out.push_back(leaf);
  return out;
}

}  // namespace tapegrad::nn

// Copies and assignments of modules and parameters.
//
// A module is a handle, so a copy of it shares its state and its tensors. clone() is such a copy, made while a
// CloneContext lives: each ModuleBase that is copied asks it for the new state, and each Parameter for the new
// entry. What is left unasked is held by something else than a Parameter, and is an error.
//
// `model.fc = Linear(...)` registers the new child in place of the old one, and `decoder.weight = embed.weight`
// the tensor. Members of copies would stay what they were, and nothing would train them: so what is copied can
// not be assigned.
//
// `model = other` assigns members too, but these must not change what the old model registered, since copies of
// it may live. The base class is assigned first: it notes the successor of its state, and a member whose owner
// gives way to the owner of what it is assigned is left alone.
#include <tapegrad/nn/parameter.h>

#include <algorithm>
#include <map>

#include "core/fail.h"
#include "nn/module_state.h"

namespace tapegrad::nn {

namespace detail {

// The clones, by their originals.
struct CloneContext::Clones {
  std::map<const ModuleState*, std::shared_ptr<ModuleState>> states;
  std::map<const Entry*, std::shared_ptr<Entry>> entries;
  std::map<const void*, Tensor> tensors;

  std::shared_ptr<Entry> of(const Entry& from, const Tensor& tensor, const std::shared_ptr<ModuleState>& owner) {
    std::shared_ptr<Entry>& to = entries[&from];
    if (!to) to = std::make_shared<Entry>(Entry{from.name, tensor, owner});
    return to;
  }

  std::shared_ptr<ModuleState> of(const std::shared_ptr<ModuleState>& from) {
    std::shared_ptr<ModuleState>& to = states[from.get()];
    if (to) return to;
    to = std::make_shared<ModuleState>(*from);
    to->parent.reset();
    to->successor.reset();
    const NoGrad no_grad;
    for (Entries* list : {&to->parameters, &to->buffers})
      for (std::shared_ptr<Entry>& entry : *list) {
        Tensor& tensor = tensors[entry->tensor.impl()];
        if (!tensor.defined()) tensor = entry->tensor.clone().set_requires_grad(entry->tensor.requires_grad());
        entry = of(*entry, tensor, to);
      }
    for (Child& child : to->children) {
      child.state = of(child.state);
      child.state->parent = to;
    }
    return to;
  }
};

namespace {

thread_local CloneContext* innermost = nullptr;

// Whether the owner of a member gives way to `to` as a whole: then its members are assigned too, and keep what
// they registered.
bool gives_way(const ModuleState& from, const std::shared_ptr<ModuleState>& to) {
  return to && from.successor.lock() == to;
}

void check_not_copied(bool copied, const ModuleState& owner, const std::string& name) {
  if (copied)
    fail<ValueError>(owner.scope.type,
                     "'{}' can not be assigned: a copy of it, or of the whole module, would go on with the old "
                     "one. Hint: assign before it is copied, or make the copy with clone()",
                     name);
}

}  // namespace

CloneContext::CloneContext() : outer_(innermost), clones_(std::make_unique<Clones>()) { innermost = this; }
CloneContext::CloneContext(const ModuleBase& module, const StateDict& state) : CloneContext() {
  StateDict rest = state;
  std::string differences;
  for (const auto& list : {module.named_parameters(), module.named_buffers()})
    for (const auto& [name, own] : list) {
      const auto given = rest.extract(name);
      const Tensor& next = clones_->tensors[own.impl()] = given ? given.mapped() : own;
      if (!next.defined() || next.shape() != own.shape() || next.dtype() != own.dtype())
        differences += fmt::format("; '{}' must be {} {}", name, own.dtype(), own.shape());
    }
  for (const auto& [name, tensor] : rest) differences += fmt::format("; there is no '{}'", name);
  if (differences.empty()) return;
  fail<ValueError>("functional_call", "the state does not fit {}: {}", module.type(), differences.substr(2));
}
CloneContext::~CloneContext() { innermost = outer_; }

void CloneContext::finish() {
  innermost = outer_;
  for (const auto& [from, to] : clones_->states)
    for (const Entries* list : {&to->parameters, &to->buffers})
      for (const std::shared_ptr<Entry>& entry : *list)
        if (entry.use_count() == 2)  // by the module's state and here
          fail<ValueError>("clone",
                           "'{}' of {} is held by no member of type Parameter, so the clone would go on with "
                           "the old one. Hint: write nn::Parameter {} = add_parameter(...), or nn::Buffer {} "
                           "= add_buffer(...), as a member",
                           entry->name, to->scope.type, entry->name, entry->name);
}

}  // namespace detail

Parameter::Parameter(const Parameter& other) : Tensor(other), entry_(other.entry_) {
  if (!detail::innermost) return;
  auto& [states, entries, tensors] = *detail::innermost->clones_;
  if (const auto to = tensors.find(impl()); to != tensors.end()) Tensor::operator=(to->second);
  if (const auto to = states.find(owner().get()); to != states.end())
    entry_ = detail::innermost->clones_->of(*entry_, *this, to->second);
}

std::shared_ptr<detail::ModuleState> Parameter::owner() const { return entry_ ? entry_->owner.lock() : nullptr; }

Parameter& Parameter::operator=(Parameter other) {
  const auto module = owner();
  if (!module || detail::gives_way(*module, other.owner())) {
    entry_ = other.entry_;
  } else if (impl() != other.impl()) {
    if (!defined() || !other.defined())
      fail<ValueError>(module->scope.type,
                       "a parameter can not become empty by assignment, nor an empty one be filled. Hint: make "
                       "a module with other options");
    detail::check_not_copied(entry_.use_count() > 2, *module,
                             entry_->name);  // by the module's state and here
    entry_->tensor = other;
  }
  Tensor::operator=(std::move(other));
  return *this;
}

ModuleBase::ModuleBase(const ModuleBase& other)
    : state_(detail::innermost ? detail::innermost->clones_->of(other.state_) : other.state_) {}
ModuleBase::ModuleBase(ModuleBase&& other) noexcept : state_(other.state_) {}

ModuleBase& ModuleBase::operator=(const ModuleBase& other) {
  const auto next = ModuleBase(other).state_;  // a copy, which a clone in progress is asked for
  if (state_ == next) return *this;
  const auto parent = state_->parent.lock();
  if (parent && !detail::gives_way(*parent, next->parent.lock())) {
    const auto is_this = [&](const detail::Child& child) { return child.state == state_; };
    const auto places = std::count_if(parent->children.begin(), parent->children.end(), is_this);
    for (detail::Child& child : parent->children) {
      if (!is_this(child)) continue;
      detail::check_not_copied(state_.use_count() > 1 + places, *parent, child.name);
      child.state = next;
      next->parent = parent;
      next->scope.name = child.name;
    }
  }
  state_->successor = next;
  state_ = next;
  return *this;
}
ModuleBase::~ModuleBase() = default;

}  // namespace tapegrad::nn

// Copies and assignments of modules and parameters.
//
// A module is a handle, so a copy of it shares its state and its tensors. clone() is such a copy, made while a
// CloneContext lives: each ModuleBase that is copied asks it for the new state, and each Parameter for the new
// tensor. What is left unasked is held by something else than a Parameter, and is an error.
//
// `model.fc = Linear(...)` registers the new child in place of the old one, and `decoder.weight = embed.weight`
// the tensor. `model = other` assigns members too, but these must not change what the old model registered,
// since copies of it may live. The base class is assigned first: it notes the successor of its state, and a
// member whose owner gives way to the owner of what it is assigned is left alone.
#include <tapegrad/nn/parameter.h>

#include "core/fail.h"
#include "nn/module_state.h"

namespace tapegrad::nn {

namespace detail {

namespace {
thread_local CloneContext* innermost = nullptr;
}  // namespace

CloneContext::CloneContext() : outer_(innermost) {
  innermost = this;
}
CloneContext::~CloneContext() {
  innermost = outer_;
}
CloneContext* CloneContext::current() {
  return innermost;
}

std::shared_ptr<ModuleState> CloneContext::clone_of(const std::shared_ptr<ModuleState>& from) {
  if (const auto known = states_.find(from.get()); known != states_.end()) return known->second;
  const auto to = std::make_shared<ModuleState>(*from);
  states_[from.get()] = to;
  to->parent.reset();
  to->successor.reset();
  const NoGrad no_grad;
  for (auto* list : {&to->parameters, &to->buffers})
    for (Entry& entry : *list) {
      Clone& clone = tensors_[entry.tensor.impl()];
      if (!clone.tensor.defined()) {
        clone.tensor = entry.tensor.clone();
        clone.tensor.set_requires_grad(entry.tensor.requires_grad());
      }
      entry.tensor = clone.tensor;
    }
  for (Child& child : to->children) {
    child.state = clone_of(child.state);
    child.state->parent = to;
  }
  return to;
}

void CloneContext::copied(Parameter& copy) {
  if (const auto owner = states_.find(copy.owner_.lock().get()); owner != states_.end())
    copy.owner_ = owner->second;
  const auto at = tensors_.find(copy.impl());
  if (at == tensors_.end()) return;
  at->second.asked_for = true;
  static_cast<Tensor&>(copy) = at->second.tensor;
}

void CloneContext::finish() {
  innermost = outer_;
  for (const auto& [from, to] : states_)
    for (const auto* list : {&from->parameters, &from->buffers})
      for (const Entry& entry : *list)
        if (!tensors_[entry.tensor.impl()].asked_for)
          fail<ValueError>("clone",
                           "'{}' of {} is held by no member of type Parameter, so the clone would go on with "
                           "the old one. Hint: write nn::Parameter {} = add_parameter(...), or nn::Buffer {} "
                           "= add_buffer(...), as a member",
                           entry.name, from->scope.type, entry.name, entry.name);
}

}  // namespace detail

using detail::CloneContext;

Parameter::Parameter(const Parameter& other) : Tensor(other), owner_(other.owner_) {
  if (CloneContext* context = CloneContext::current()) context->copied(*this);
}

Parameter& Parameter::operator=(Parameter other) {
  const auto owner = owner_.lock();
  if (impl() == other.impl() || !owner || detail::gives_way(owner, other.owner_.lock())) {
    owner_ = other.owner_;
  } else {
    if (!defined() || !other.defined())
      fail<ValueError>(
          owner->scope.type,
          "a parameter can not become empty by assignment, nor an empty one be filled. Hint: make "
          "a module with other options");
    for (auto* list : {&owner->parameters, &owner->buffers})
      for (detail::Entry& entry : *list)
        if (entry.tensor.impl() == impl()) entry.tensor = other;
  }
  Tensor::operator=(std::move(other));
  return *this;
}

ModuleBase::ModuleBase(const ModuleBase& other) {
  CloneContext* context = CloneContext::current();
  state_ = context ? context->clone_of(other.state_) : other.state_;
}
ModuleBase::ModuleBase(ModuleBase&& other) noexcept : state_(other.state_) {}

ModuleBase& ModuleBase::operator=(const ModuleBase& other) {
  const auto next = ModuleBase(other).state_;  // a copy, which a clone in progress is asked for
  if (state_ == next) return *this;
  const auto parent = state_->parent.lock();
  if (parent && !detail::gives_way(parent, next->parent.lock()))
    for (detail::Child& child : parent->children)
      if (child.state == state_) {
        child.state = next;
        next->parent = parent;
        next->scope.name = child.name;
      }
  state_->successor = next;
  state_ = next;
  return *this;
}
ModuleBase::~ModuleBase() = default;

}  // namespace tapegrad::nn

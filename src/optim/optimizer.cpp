// What optimizers share. step() looks at every gradient before it changes anything, so that a NaN in the last
// one does not leave half of the model moved: a read pass over the gradients, which backward left in the
// cache.
#include <tapegrad/optim/optimizer.h>
#include <tapegrad/tape.h>

#include "autograd/writable.h"
#include "compute/arrays.h"
#include "optim/require.h"
#include "system/denormals.h"
#include "tensor/impl.h"
#include "tensor/state_reader.h"

namespace tapegrad::optim {

ParameterList::ParameterList(const std::vector<Tensor>& parameters) {
  for (const Tensor& parameter : parameters) entries_.emplace_back(std::string(), parameter);
}

ParameterList ParameterList::join(std::initializer_list<std::pair<std::string, ParameterList>> lists) {
  std::vector<std::pair<std::string, Tensor>> all;
  for (const auto& [prefix, list] : lists)
    for (size_t i = 0; i < list.entries().size(); ++i) {
      const auto& [name, parameter] = list.entries()[i];
      all.emplace_back(prefix + "." + (name.empty() ? std::to_string(i) : name), parameter);
    }
  return all;
}

void Optimizer::add_parameters(const ParameterList& parameters, double lr) {
  require(lr >= 0, name_, "lr must be finite and not negative", lr);
  if (parameters.entries().empty())
    fail<ValueError>(name_, "there are no parameters to optimize. Hint: are the modules registered with add()?");
  std::vector<Slot> added;
  for (const auto& [given_name, parameter] : parameters.entries()) {
    const size_t number = slots_.size() + added.size();
    const std::string name = given_name.empty() ? std::to_string(number) : given_name;
    if (!parameter.defined()) fail<ValueError>(name_, "parameter '{}' is an empty handle", name);
    if (!is_floating(parameter.dtype()))
      fail<DtypeError>(name_, "parameter '{}' must be float32 or float64, got {}", name, parameter.dtype());
    if (parameter.is_recorded())
      fail<AutogradError>(name_,
                          "parameter '{}' was made by an operation on a live tape and is no leaf. Hint: give "
                          "the tensor it was made from, or make it outside the tape",
                          name);
    if (!parameter.is_contiguous())
      fail<ShapeError>(name_, "parameter '{}' is a strided view. Hint: give a clone()", name);
    for (const std::vector<Slot>* slots : {&slots_, &added})
      for (const Slot& slot : *slots) {
        if (slot.parameter.impl() == parameter.impl() ||
            (parameter.numel() > 0 && slot.parameter.impl()->data == parameter.impl()->data))
          fail<ValueError>(name_, "parameter '{}' is given twice, first as '{}'", name, slot.name);
        if (slot.name == name) fail<ValueError>(name_, "two parameters are called '{}'", name);
      }
    added.push_back({name, parameter, lr_.size(), 0, {}});
  }
  for (Slot& slot : added) slots_.push_back(std::move(slot));
  lr_.push_back(lr);
  ready_.reserve(slots_.size());
}

double Optimizer::lr(size_t group) const {
  if (group >= lr_.size()) fail<IndexError>(name_, "group {} of {} does not exist", group, lr_.size());
  return lr_[group];
}

void Optimizer::set_lr(double lr) {
  for (size_t group = 0; group < lr_.size(); ++group) set_group_lr(group, lr);
}

void Optimizer::set_group_lr(size_t group, double rate) {
  require(rate >= 0, name_, "lr must be finite and not negative", rate);
  lr(group);  // checks that there is such a group
  lr_[group] = rate;
}

void Optimizer::zero_grad() {
  detail::Exclusive exclusive(name_);
  for (const Slot& slot : slots_) exclusive.take(slot.parameter);
  for (Slot& slot : slots_) slot.parameter.zero_grad();
}

bool Optimizer::gradients_are_finite() {
  bool any = false;
  for (const Slot& slot : slots_) {
    const Tensor gradient = slot.parameter.grad();
    if (!gradient.defined()) continue;
    any = true;
    if (compute::all_finite(gradient)) continue;
    skip(slot.name);
    return false;
  }
  if (!any)
    fail<AutogradError>(name_,
                        "step() found no gradient on any of {} parameters. Hint: call tape.backward(loss) after "
                        "zero_grad() and before step(), with a loss that depends on them",
                        slots_.size());
  skipped_in_a_row_ = 0;
  return true;
}

bool Optimizer::step() {
  detail::Exclusive exclusive(name_);
  for (const Slot& slot : slots_) exclusive.take(slot.parameter);
  const NoGrad no_grad;
  const FlushDenormals flush;  // moments decay into numbers that no step feels
  if (!gradients_are_finite()) return false;
  ready_.clear();
  for (Slot& slot : slots_) {
    Tensor gradient = slot.parameter.grad();
    if (!gradient.defined()) continue;
    if (!gradient.is_contiguous()) gradient = gradient.detach().contiguous();
    ready_.push_back({&slot, std::move(gradient)});
    if (slot.steps > 0 && slot.moments[0].defined() && slot.moments[0].dtype() != slot.parameter.dtype())
      fail<DtypeError>(name_,
                       "parameter '{}' is {} and its moments are {}, as it was at the last step. Hint: call "
                       "to() before the optimizer is made",
                       slot.name, slot.parameter.dtype(), slot.moments[0].dtype());
    if (slot.steps > 0) continue;
    const size_t count = moment_names(slot.group).size();
    for (size_t i = 0; i < count; ++i)
      slot.moments[i] = zeros(slot.parameter.shape(), {.dtype = slot.parameter.dtype()});
  }
  for (const Ready& ready : ready_) {
    ++ready.slot->steps;
    update(*ready.slot, ready.gradient);
  }
  ready_.clear();
  return true;
}

void Optimizer::skip(const std::string& parameter) {
  ++skipped_;
  ++skipped_in_a_row_;
  last_skipped_ = parameter;
  if (skipped_in_a_row_ >= 10)
    fail<Error>(name_,
                "{} steps in a row were skipped because a gradient was NaN or infinite, now that of parameter "
                "'{}'. Hint: lower lr (it is {}), clip_grad_norm, or find the operation, or the data that came with "
                "NaN, "
                "with Tape tape({{.check_finite = true}})",
                skipped_in_a_row_, parameter, lr_[0]);
}

StateDict Optimizer::state_dict() const {
  StateDict state;
  for (const Slot& slot : slots_) {
    state[slot.name + ".step"] = integers({slot.steps});
    if (slot.steps == 0) continue;
    const auto names = moment_names(slot.group);
    for (size_t i = 0; i < names.size(); ++i)
      state[slot.name + "." + names[i]] = detail::contiguous_copy(slot.moments[i]);
  }
  for (size_t group = 0; group < lr_.size(); ++group) state["lr." + std::to_string(group)] = numbers({lr_[group]});
  state["skipped"] = integers({skipped_, skipped_in_a_row_});
  return state;
}

void Optimizer::load_state_dict(const StateDict& state) {
  StateReader reader(name_, state);
  std::vector<Slot> slots = slots_;
  for (Slot& slot : slots) {
    slot.steps = reader.counts(slot.name + ".step")[0];
    if (slot.steps == 0) continue;
    size_t i = 0;
    for (const std::string& name : moment_names(slot.group)) {
      const Tensor moment = reader.take(slot.name + "." + name, slot.parameter.shape(), slot.parameter.dtype());
      if (moment.defined()) slot.moments[i++] = detail::contiguous_copy(moment);
    }
  }
  std::vector<double> rates;
  for (size_t group = 0; group < lr_.size(); ++group) rates.push_back(reader.rates("lr." + std::to_string(group))[0]);
  const std::vector<int64_t> skipped = reader.counts("skipped", 2);
  reader.finish();

  slots_ = std::move(slots);
  lr_ = std::move(rates);
  skipped_ = skipped[0];
  skipped_in_a_row_ = skipped[1];
}

}  // namespace tapegrad::optim

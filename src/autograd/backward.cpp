// Going backward: one loop over the records, from the loss down.
//
// Each record's function turns the gradients of its outputs into those of its inputs, which are added up in a
// slot for every output on the tape. Records stand in the order in which they ran, so when the loop reaches a
// record all of its uses have been visited and its slots are complete. No recursion, however long the chain.
#include <algorithm>

#include "autograd/state.h"
#include "compute/arrays.h"
#include "core/fail.h"
#include "system/denormals.h"

namespace tapegrad {

namespace detail {

namespace {

void add_to_leaf(Tensor leaf, Tensor gradient) {
  Tensor sum = leaf.grad();
  if (sum.defined() && sum.is_contiguous()) return compute::accumulate(sum, gradient);
  if (sum.defined()) gradient = sum_of(sum, gradient);
  leaf.set_grad(is_exclusive(gradient) ? std::move(gradient) : contiguous_copy(gradient));
}

/// The loop itself, down to the record at position `floor`.
class Backward {
 public:
  Backward(TapeState& tape, size_t floor) : tape_(tape), floor_(floor), first_slot_(tape.records[floor].first_slot) {
    slots_.resize(tape.n_slots - first_slot_);
  }

  bool free_records = false;     // release what the records saved
  bool create_graph = false;     // record the backward pass
  bool to_leaves = false;        // add to grad() of the leaves
  std::span<const Edge> wanted;  // keep the slots of these outputs

  /// The gradient of an output on the tape, from `floor` on.
  Tensor& slot(const Record& record, uint32_t output) { return slots_[record.first_slot - first_slot_ + output]; }
  Tensor& slot(Edge edge) { return slot(tape_.record(edge.record), edge.output); }

  /// Whether this loop makes a gradient of it.
  bool needs(Edge edge) const { return edge.needs_gradient() && tape_.position_of(edge.record) >= floor_; }

  void run(Edge from, const Tensor& seed) {
    slot(from) = seed;
    RecordOn scope(create_graph ? &tape_ : nullptr);
    FlushDenormals flush;
    if (free_records) tape_.went_backward = true;
    const size_t size_before = tape_.records.size(), end = tape_.position_of(from.record) + 1;
    try {
      for (size_t position = end; position-- > floor_;) visit(position);
    } catch (...) {
      if (observed_) truncate(tape_, size_before);
      throw;
    }
    if (observed_)
      for (size_t position = end; position-- > floor_;) finish(tape_.records[position]);
  }

 private:
  void visit(size_t position) {
    Record* record = &tape_.records[position];  // until something is recorded: that may move the array
    Tensors dy;
    const uint32_t number = tape_.number_of(position);
    bool reached = false;
    for (uint32_t i = 0; i < record->outputs.size(); ++i) {
      Tensor& gradient = slot(*record, i);
      reached = reached || gradient.defined();
      dy.push_back(is_wanted(number, i) ? gradient : std::move(gradient));
    }
    record->reached = reached;
    if (!reached) return;
    if (record->state == RecordState::leaf) return visit_leaf(*record, std::move(dy[0]));
    if (record->state == RecordState::freed)
      fail<AutogradError>("backward",
                          "record {} ({}) was used by an earlier backward and freed. Hint: run the forward "
                          "pass again, or pass {{.retain_graph = true}} to the first",
                          record->operation.record, record->operation.name);
    this_thread.running_op = record->operation.name;
    Gradients dx = (*record->vjp)(dy, needs_of(*record));
    record = &tape_.records[position];
    if (dx.size() != record->inputs.size())
      fail<AutogradError>(record->operation.name,
                          "the backward function must return one gradient per input ({}), got {}",
                          record->inputs.size(), dx.size());
    if (observed_) tell_backward(tape_, record->operation, dy, dx);
    for (uint32_t i = 0; i < dx.size(); ++i)
      if (dx[i].defined() && needs(tape_.records[position].inputs[i]))
        accumulate(tape_.records[position], i, std::move(dx[i]));
    if (free_records && !observed_) release(tape_.records[position]);
  }

  void visit_leaf(const Record& record, Tensor gradient) {
    if (!to_leaves) return;
    const Tensor& leaf = record.leaf;
    if (!observed_) return add_to_leaf(leaf, std::move(gradient));
    Tensor& waiting = slot(record, 0) = std::move(gradient);
    tell(tape_, [&](TapeObserver& observer) { observer.on_leaf(leaf, waiting); });
  }

  // What waits, on an observed tape, until no observer can throw any more.
  void finish(Record& record) {
    if (!record.reached) return;
    if (record.state == RecordState::leaf && to_leaves) add_to_leaf(record.leaf, std::move(slot(record, 0)));
    if (record.state == RecordState::alive && free_records) release(record);
  }

  static void release(Record& record) {
    std::destroy_at(record.vjp);
    record.state = RecordState::freed;
  }

  bool is_wanted(uint32_t record, uint32_t output) const {
    for (const Edge& edge : wanted)
      if (edge.record == record && edge.output == output) return true;
    return false;
  }

  Needs needs_of(const Record& record) const {
    Needs needed{.bits = 0, .again = !free_records || observed_};
    for (size_t i = 0; i < record.inputs.size() && i < 64; ++i)
      if (needs(record.inputs[i])) needed.bits |= uint64_t(1) << i;
    return needed;
  }

  void accumulate(const Record& from, uint32_t input, Tensor gradient) {
    const Edge to = from.inputs[input];
    const OutputInfo& info = tape_.record(to.record).outputs[to.output];
    if (gradient.dtype() != info.dtype)
      fail<AutogradError>(from.operation.name, "the gradient of input {} must be {}, got {}", input, info.dtype,
                          gradient.dtype());
    if (info.shape != gradient.shape()) gradient = sum_to(from, input, gradient, info.shape);
    Tensor& sum = slot(to);
    if (!sum.defined())
      sum = std::move(gradient);
    else if (!create_graph && is_exclusive(sum))
      compute::accumulate(sum, gradient);
    else
      sum = sum_of(sum, gradient);
  }

  // A broadcast input was used many times: its gradient is the sum over the uses.
  static Tensor sum_to(const Record& from, uint32_t input, const Tensor& gradient, const Shape& shape) {
    bool fits = gradient.dim() >= shape.size();
    for (int64_t i = 1; fits && i <= shape.size(); ++i) {
      const int64_t mine = shape[shape.size() - i];
      fits = mine == 1 || mine == gradient.shape()[gradient.dim() - i];
    }
    if (!fits)
      fail<AutogradError>(from.operation.name,
                          "the gradient of input {} must have its shape {} or one that it broadcasts to, got {}", input,
                          shape, gradient.shape());
    return sum_to_shape(gradient, shape);
  }

  TapeState& tape_;
  size_t floor_;
  uint32_t first_slot_;
  const bool observed_ = !tape_.options.observers.empty();
  Tensors slots_;  // for every output on the tape from `floor` on
};

void add_part(Tensor& sum, const Tensor& part) {
  if (part.defined()) sum = sum.defined() ? sum_of(sum, part) : part;
}

/// The output where a backward pass from y begins, and the gradient that it begins with.
std::pair<Edge, Tensor> start(const char* op, TapeState* tape, const Tensor& y, Tensor gradient) {
  const TensorImpl* impl = y.impl();
  if (!impl) fail<AutogradError>(op, "the loss is an empty handle");
  if (!tape || !is_on_tape(*impl, tape->serial))
    fail<AutogradError>(op,
                        "{} the tensor {}. Hint: make the Tape before the forward pass, on the same thread, use a "
                        "parameter with requires_grad in it, and keep the tape alive until here; gradients are "
                        "recorded with {{.create_graph = true}}",
                        tape ? "this tape did not record" : "no live tape recorded", impl->shape);
  if (!gradient.defined() && y.numel() != 1)
    fail<AutogradError>(op, "loss must have one element, got shape {}. Hint: call mean() or pass a gradient",
                        y.shape());
  if (!gradient.defined()) gradient = ones_like(y);
  if (gradient.shape() != y.shape() || gradient.dtype() != y.dtype())
    fail<AutogradError>(op, "the gradient must have the loss's shape and dtype {} {}, got {} {}", y.shape(), y.dtype(),
                        gradient.shape(), gradient.dtype());
  tell(*tape, [&](TapeObserver& observer) { observer.on_loss(y); });
  return {edge_of(*tape, y), gradient};
}

void backward_to_leaves(TapeState* tape, const Tensor& loss, const BackwardOptions& options) {
  const auto [from, seed] = start("backward", tape, loss, options.gradient);
  Backward loop(*tape, 0);
  loop.free_records = !options.retain_graph;
  loop.to_leaves = true;
  loop.run(from, seed);
}

}  // namespace

}  // namespace detail

void Tape::backward(const Tensor& loss, const BackwardOptions& options) {
  detail::backward_to_leaves(state_, loss, options);
}

std::vector<Tensor> Tape::gradient(const Tensor& y, const std::vector<Tensor>& inputs, const GradientOptions& options) {
  using namespace detail;
  const auto [from, seed] = start("gradient", state_, y, options.gradient);
  std::vector<Edge> wanted;
  std::vector<size_t> owner;  // wanted[k] belongs to inputs[owner[k]]
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorImpl* impl = inputs[i].impl();
    const bool is_leaf = impl && impl->requires_grad;
    if (!is_leaf && !(impl && is_on_tape(*impl, state_->serial)))
      fail<AutogradError>("gradient",
                          "input {} was not recorded on this tape and is no leaf. Hint: set requires_grad "
                          "before the forward pass",
                          i);
    if (!is_leaf) wanted.push_back(edge_of(*state_, inputs[i]));
    // A leaf that an inner tape used in between was entered a second time: all of its records count.
    for (size_t at = 0; is_leaf && at < state_->records.size(); ++at)
      if (state_->records[at].leaf.impl() == impl) wanted.push_back({state_->number_of(at), 0});
    owner.resize(wanted.size(), i);
  }
  Backward loop(*state_, 0);
  loop.create_graph = options.create_graph;
  loop.free_records = !options.retain_graph && !options.create_graph;
  loop.wanted = wanted;
  loop.run(from, seed);
  std::vector<Tensor> out(inputs.size());
  for (size_t k = 0; k < wanted.size(); ++k) add_part(out[owner[k]], loop.slot(wanted[k]));
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!out[i].defined()) out[i] = zeros_like(inputs[i]);
  return out;
}

void Tensor::backward() const { detail::backward_to_leaves(detail::tape_that_made(*this), *this, {}); }

Gradients replay(const std::function<Tensors(const Tensors&)>& composed, const Tensors& inputs, const Tensors& dy) {
  using namespace detail;
  TapeState& tape = *this_thread.current;
  // Aliases stand for the inputs, so that the gradient stops at them even where one input was made from
  // another.
  const size_t floor = tape.records.size();
  Tensors aliases;
  std::vector<Edge> wanted;
  for (const Tensor& x : inputs) {
    Tensor alias = x;
    if (x.defined() && edge_of(tape, x).needs_gradient()) alias = alias_of(x);
    aliases.push_back(alias);
    wanted.push_back(x.defined() ? edge_of(tape, alias) : Edge{Edge::kNone, 0});
  }
  const Tensors outputs = composed(aliases);
  Gradients dx;
  dx.resize(inputs.size());
  for (size_t o = 0; o < outputs.size(); ++o) {
    if (!dy[o].defined() || !is_on_tape(*outputs[o].impl(), tape.serial)) continue;
    Backward loop(tape, floor);
    loop.create_graph = true;
    loop.wanted = wanted;
    loop.run(edge_of(tape, outputs[o]), dy[o]);
    for (size_t i = 0; i < inputs.size(); ++i)
      if (loop.needs(wanted[i])) add_part(dx[i], loop.slot(wanted[i]));
  }
  return dx;
}

}  // namespace tapegrad

// The gates of a fused recurrent layer. Its record shows inputs and states, and a gate depends on no more: all time steps are taken
// for rows of one batch, and the step that defines the layer runs once on them, on a tape that watches its sigmoids and tanhs.
#include "inspect/gates.h"

#include <tapegrad/ops.h>

#include "inspect/values.h"
#include "ops/recurrent/recurrent.h"

namespace tapegrad::inspect {

double saturated(std::string_view op, const Tensor& y, int64_t sample) {
  const double low = op == "sigmoid" ? 0.03 : -0.97;
  size_t count = 0, all = 0;
  with_values(y, [&](auto values) {
    for (size_t i = 0, by = stride_of(values.size(), sample); i < values.size(); i += by, ++all)
      count += values[i] < low || values[i] > 0.97;
  });
  return double(count) / double(all);
}

namespace {

RecurrentOptions options_of(const OperationView& operation) {
  RecurrentOptions out;
  out.cell = std::string_view(operation.name) == "lstm" ? RecurrentCell::lstm : RecurrentCell::gru;
  for (const Attribute& a : operation.attributes) {
    const std::string_view name = a.name;
    if (name == "norm")
      for (const Norm norm : {Norm::none, Norm::layer, Norm::rms})
        if (std::get<std::string_view>(a.value) == norm_name(norm)) out.norm = norm;
    if (name == "placement")
      out.placement = std::get<std::string_view>(a.value) == "sum" ? Placement::sum : Placement::separate;
    if (name == "eps") out.eps = std::get<double>(a.value);
    if (name == "reverse") out.reverse = std::get<bool>(a.value);
  }
  return out;
}

// Adds up, for each time step, the saturated elements of what sigmoids and tanhs give, [T B, H] or [T B, 2H].
struct Count : TapeObserver {
  std::vector<double> saturated;
  double elements = 0;
  bool candidate =
      false;  // its tanh was seen: another one, of an lstm, is that of the cell's state, which is not known here
  void on_forward(const OperationView& op, const Tensors&, const Tensors& outputs) override {
    const bool sigmoid = std::string_view(op.name) == "sigmoid";
    if (!sigmoid && (std::string_view(op.name) != "tanh" || std::exchange(candidate, true))) return;
    with_values(outputs[0], [&](auto values) {
      const size_t each = values.size() / saturated.size();
      elements += double(each);
      for (size_t i = 0; i < each * saturated.size(); ++i)
        saturated[i / each] += values[i] > 0.97 || values[i] < (sigmoid ? 0.03 : -0.97);
    });
  }
};

}  // namespace

std::vector<double> saturated_gates(const OperationView& operation, const Tensors& in, const Tensors& outputs) {
  const std::string_view op = operation.name;
  if ((op != "lstm" && op != "gru") || in.size() < 11 || in[10].defined() || outputs[0].numel() == 0) return {};
  const RecurrentOptions options = options_of(operation);
  const int64_t steps = outputs[0].size(0), rows = std::min<int64_t>(8, outputs[0].size(1)),
                hidden = outputs[0].size(2);
  const auto some = [&](const Tensor& x) { return narrow(x.detach(), 1, 0, rows); };
  const Tensor h0 = in[1].defined() ? narrow(in[1].detach(), 0, 0, rows).unsqueeze(0)
                                    : zeros({1, rows, hidden}, {.dtype = outputs[0].dtype()});
  const Tensor later = narrow(some(outputs[0]), 0, options.reverse ? 1 : 0, steps - 1);
  const Tensor h = concat(options.reverse ? Tensors{later, h0} : Tensors{h0, later}, 0).reshape({steps * rows, hidden});
  const auto value = [&](size_t i) { return in[i].defined() ? in[i].detach() : Tensor(); };
  const RecurrentParameters w{value(3), value(4), value(5), value(6), value(7), value(8), value(9)};
  Count count;
  count.saturated.resize(size_t(steps), 0);
  {
    Tape tape({.observers = {&count}});
    const Tensor p = some(in[0]).reshape({steps * rows, in[0].size(2)});
    (void)recurrent_update(p, linear(h, w.weight_hh), {h, zeros_like(h)}, w, options);
  }
  for (double& share : count.saturated) share /= count.elements;
  return count.saturated;
}

}  // namespace tapegrad::inspect

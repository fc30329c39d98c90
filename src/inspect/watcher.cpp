// What can be seen in the operations themselves: what stands before what, and numbers that are unlike those of a network that learns.
#include <tapegrad/ops.h>

#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "inspect/check.h"
#include "inspect/gates.h"
#include "inspect/values.h"

namespace tapegrad::inspect {

namespace {

bool is_one_of(std::string_view op, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), op) != names.end();
}
bool is_view(std::string_view op) {
  return is_one_of(op,
                   {"reshape", "view", "permute", "expand", "slice", "contiguous", "clone", "alias", "squeeze", "to"});
}
bool is_norm(std::string_view op) { return op.ends_with("_norm"); }

template <class T>
T attribute(const OperationView& operation, std::string_view name, T otherwise) {
  for (const Attribute& a : operation.attributes)
    if (a.name == name)
      if (const T* value = std::get_if<T>(&a.value)) return *value;
  return otherwise;
}

// [N, 1] beside [N]: all pairs are compared.
bool crosses(const Tensor& a, const Tensor& b) {
  return a.defined() && b.defined() && a.dim() == 2 && b.dim() == 1 && a.size(1) == 1 && a.size(0) == b.size(0) &&
         b.size(0) > 1;
}

}  // namespace

Watcher::Watcher(const nn::ModuleBase& m, bool is_fresh) : model(m), fresh(is_fresh) {
  for (const auto& [name, tensor] : model.named_parameters()) {
    parameter_of[tensor.impl()] = parameters.size();
    parameters.push_back({.name = name, .tensor = tensor, .before = {}});
  }
  model.visit([&](const std::string& path, const std::string& type, const nn::ModuleBase&) { type_of_[path] = type; });
}

void Watcher::begin(int64_t now) {
  step = now;
  made_.clear();
  seen_input_ = false;
  losses.resize(size_t(now) + 1, std::nan(""));
  labels.resize(size_t(now) + 1);
  for (Parameter& p : parameters) {
    p.version = p.tensor.version();
    p.before.clear();
    with_values(p.tensor, [&](auto values) { p.before.assign(values.begin(), values.end()); });
  }
}

void Watcher::say(std::string name, std::string where, std::string text, std::string cure) {
  if (said_.insert(name + "\n" + where).second)
    mistakes.push_back({std::move(name), std::move(where), std::move(text), std::move(cure)});
}

const Watcher::Made* Watcher::made(int64_t record) const {
  auto at = made_.find(record);
  while (at != made_.end() && is_view(at->second.op)) at = made_.find(at->second.from);
  return at == made_.end() ? nullptr : &at->second;
}

std::string Watcher::name_of(const Tensor& parameter) const {
  const auto found = parameter_of.find(parameter.impl());
  return found == parameter_of.end() ? "" : parameters[found->second].name;
}

void Watcher::on_forward(const OperationView& operation, const Tensors& inputs, const Tensors& outputs) {
  const std::string_view op = operation.name;
  if (evaluating) {
    if (op == "dropout" || (op == "batch_norm" && attribute(operation, "training", false)))
      say("evaluation in training mode", operation.module(), fmt::format("{} ran as in training", op),
          "call model.eval() before the evaluation and model.train() after it");
    return;
  }
  if (operation.record >= 0) {
    Made own{.op = operation.name, .module = operation.module()};
    if (!inputs.empty()) own.from = record_of(inputs[0], outputs[0]);
    if ((op == "linear" || op.starts_with("conv")) && inputs.size() > 2 && inputs[2].defined())
      own.bias = name_of(inputs[2]);
    if (op == "linear") own.weight = inputs[1].shape();
    made_[operation.record] = own;
  }
  look_at_loss(operation, inputs, outputs);
  look_at_layer(operation, inputs, outputs);
  look_at_activation(operation, inputs, outputs);
}

void Watcher::look_at_loss(const OperationView& operation, const Tensors& inputs, const Tensors& outputs) {
  const std::string_view op = operation.name;
  if (is_one_of(op, {"sub", "mul", "div"}) && inputs.size() == 2)
    if (crosses(inputs[0], inputs[1]) || crosses(inputs[1], inputs[0]))
      say("outputs and targets broadcast", operation.name,
          fmt::format("{} of {} and {} gives {}", op, inputs[0].shape(), inputs[1].shape(), outputs[0].shape()),
          "reshape one to the other's shape, output.squeeze(1), or use mse_loss(), which refuses it");
  if (op == "softplus") {
    const Made* minus = made(record_of(inputs[0], outputs[0]));
    const Made* before = minus && minus->op == "neg" ? made(minus->from) : nullptr;
    if (before && before->op == "sigmoid")
      say("sigmoid before bce_with_logits_loss", before->module, "the loss applies a sigmoid itself",
          "give it the logits");
  }
  if (op != "cross_entropy") return;
  const int64_t classes = inputs[0].size(-1);
  if (const Made* before = made(record_of(inputs[0], outputs[0]))) {
    const std::string name = before->op + " before cross_entropy";
    if (is_one_of(before->op, {"softmax", "log_softmax"}))
      say(name, before->module, "cross_entropy applies a softmax itself", "give it the logits");
    if (is_one_of(before->op, {"relu", "sigmoid", "tanh"}))
      say(name, before->module, "it bounds the logits, so that no class can be made unlikely enough",
          "end the model with the linear layer");
    if (is_norm(before->op))
      say("norm before cross_entropy", before->module,
          "it fixes the spread of the logits, so that the loss cannot become small",
          "leave out the norm after the last layer");
    if (before->op == "dropout")
      say(name, before->module, "it sets logits to zero at random", "put the dropout before the last layer");
  }
  if (inputs[1].dtype() == int64) {
    const auto now = inputs[1].to_vector<int64_t>();
    std::vector<int64_t>& all = labels[size_t(step)];
    all.insert(all.end(), now.begin(), now.end());
  }
  if (outputs[0].numel() == 1 && attribute<std::string_view>(operation, "reduction", "") == "mean" && classes > 1 &&
      classes_loss_ < 0) {
    classes_loss_ = std::log(double(classes));
    const double loss = outputs[0].item();
    if (fresh && std::isfinite(loss) && std::abs(loss - classes_loss_) > std::max(0.75, 0.35 * classes_loss_))
      say("first loss far from ln(classes)", "cross_entropy",
          fmt::format("the first loss is {:.3g}, and a model that knows nothing of {} classes has {:.3g}", loss,
                      classes, classes_loss_),
          "make the last layer's weights smaller at the start, and look at the inputs' scale");
  }
}

void Watcher::look_at_layer(const OperationView& operation, const Tensors& inputs, const Tensors& outputs) {
  const std::string_view op = operation.name;
  const std::string module = operation.module();
  if ((op == "linear" || op.starts_with("conv")) && !seen_input_ && record_of(inputs[0], outputs[0]) < 0) {
    seen_input_ = true;
    const Numbers x = look(inputs[0], {.sample = 1 << 16, .bins = 1});
    if (std::abs(x.mean) > 3 || x.std > 5 || (x.std < 0.01 && inputs[0].numel() > 1))
      say("inputs not normalized", module, fmt::format("they have mean {:.3g} and deviation {:.3g}", x.mean, x.std),
          "subtract the mean of the training data and divide by their deviation");
  }
  const Made* before = inputs.empty() || !inputs[0].defined() ? nullptr : made(record_of(inputs[0], outputs[0]));
  if (is_norm(op) && before && !before->bias.empty())
    say("bias before a norm", before->bias,
        op == "batch_norm" ? "the norm subtracts it again" : "the norm has a bias of its own",
        "make the layer with {.bias = false}");
  if ((op == "layer_norm" || op == "rms_norm") && attribute(operation, "normalized_shape", Shape{0, 0}).numel() == 1)
    say("norm of one feature", module, "the norm of a single number is its sign or 0, whatever it is",
        "normalize over more features, or leave it out");
  if (op == "batch_norm" && attribute(operation, "training", false) && inputs[0].numel() <= 2 * inputs[0].size(1))
    say("batch norm of two", module,
        fmt::format("its mean and variance are those of {} numbers", inputs[0].numel() / inputs[0].size(1)),
        "take larger batches, or layer norm");
  if (op == "linear" && before && before->op == "linear") {
    const auto type = [&](const std::string& path) {
      const auto found = type_of_.find(path);
      return found == type_of_.end() ? "" : found->second;
    };
    const Shape first = before->weight, second = inputs[1].shape();
    if (type(module) == "Linear" && type(before->module) == "Linear" && first[0] >= std::min(first[1], second[0]))
      say("linear after linear", module,
          fmt::format("nothing stands between it and {}: together they are one layer", before->module),
          "put an activation between them");
  }
  if (op == "dropout" && double(attribute(operation, "keep", int64_t(1) << 32)) < 0.15 * 0x1p32)
    say("dropout of nearly all", module, "it drops more than 85 %", "p is the probability to drop, not to keep");
}

void Watcher::look_at_activation(const OperationView& operation, const Tensors& inputs, const Tensors& outputs) {
  const std::string_view op = operation.name;
  const Made* before = inputs.empty() || !inputs[0].defined() ? nullptr : made(record_of(inputs[0], outputs[0]));
  if (op == "relu" && before && is_one_of(before->op, {"relu", "sigmoid", "softmax"}))
    say("relu without effect", operation.module(), fmt::format("what {} gives is not negative", before->op),
        "leave out one of the two");
  if (op == "relu" && outputs[0].dim() >= 2 && outputs[0].size(0) >= 4) {
    double zeros = 0;
    with_values(outputs[0], [&](auto values) {
      for (const auto v : values) zeros += v == 0;
    });
    if (zeros > 0.95 * double(outputs[0].numel()))
      say("dead relu", operation.module(),
          fmt::format("{:.0f} % of what it gives is 0", 100 * zeros / double(outputs[0].numel())),
          "a smaller learning rate, a bias that begins at 0, inputs of mean 0; or leaky_relu");
  }
  if (!fresh || step > 0) return;
  double share = 0;
  if ((op == "sigmoid" || op == "tanh") && outputs[0].numel() > 0) share = saturated(op, outputs[0], 1 << 16);
  if (const std::vector<double> gates = saturated_gates(operation, inputs, outputs); !gates.empty()) {
    for (const double at : gates) share += at / double(gates.size());
  }
  if (share > 0.5)
    say("saturated gates", operation.module(),
        fmt::format("{:.0f} % of what {} gives is near its ends, where its derivative is almost 0", 100 * share, op),
        "smaller weights at the start, normalized inputs, or a norm before it");
}

void Watcher::on_loss(const Tensor& loss) {
  if (!std::isnan(losses[size_t(step)])) return;
  losses[size_t(step)] = loss.numel() == 1 ? loss.item() : std::nan("");
  size_t kept = 0;
  for (const Parameter& p : parameters) {
    kept += p.tensor.grad().defined() && length(p.tensor.grad()) > 0;
    if (p.tensor.version() != p.version)
      say("step before backward", p.name, "the optimizer stepped with the gradient of the step before",
          "the order is zero_grad(), backward(), step()");
  }
  if (step > 0 && kept > 0)
    say("gradients not zeroed", fmt::format("{} parameters", kept),
        "backward() adds to the gradient of the step before", "call optimizer.zero_grad() in every step");
  model.visit([&](const std::string& path, const std::string& type, const nn::ModuleBase& module) {
    if (!module.is_training() && (type.starts_with("Dropout") || type.starts_with("BatchNorm")))
      say("training in evaluation mode", path, fmt::format("{} does not act as in training", type),
          "call model.train() before the loop");
  });
}

void Watcher::on_leaf(const Tensor& leaf, const Tensor& gradient) {
  const auto found = parameter_of.find(leaf.impl());
  if (found == parameter_of.end()) {
    say("not registered", to_string(leaf.shape()),
        "a tensor with requires_grad gets a gradient, and the model does not know it",
        "make it with add_parameter(), and children with add()");
    return;
  }
  Parameter& p = parameters[found->second];
  p.reached = true;
  p.gradient_norm = length(gradient);
  p.largest_gradient = std::max(p.largest_gradient, p.gradient_norm);
  const auto rows_equal = [](const Tensor& x) {
    bool equal = x.dim() >= 2 && x.size(0) > 1;
    with_values(x, [&](auto values) {
      const size_t each = values.size() / size_t(std::max<int64_t>(1, x.size(0)));
      for (size_t i = each; equal && i < values.size(); ++i) equal = values[i] == values[i - each];
    });
    return equal;
  };
  if (step == 0) p.copies = rows_equal(leaf) && rows_equal(gradient);
}

}  // namespace tapegrad::inspect

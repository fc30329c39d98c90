// A value that is not finite is judged by what it was made from. NaN from finite inputs: here is the producer. NaN from an infinity: whoever
// made that, if somebody on this tape did. NaN from NaN that was never seen: data or a parameter. Each operation's inputs are kept as
// numbers of records, so that the way from a leaf can be told afterwards.
#include <tapegrad/inspect/first_nan.h>

#include "compute/arrays.h"
#include "core/fail.h"
#include "inspect/values.h"

namespace tapegrad::inspect {

namespace {

struct Bad {
  int64_t nans = 0, infinities = 0, first = -1;
  double value = 0;
};
Bad bad(const Tensor& x) {
  Bad out;
  with_values(x, [&](auto values) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (std::isfinite(values[i])) continue;
      ++(std::isnan(values[i]) ? out.nans : out.infinities);
      if (out.first < 0) out.first = int64_t(i), out.value = double(values[i]);
    }
  });
  return out;
}

std::string index_text(int64_t at, const Tensor& x) { return to_string(tapegrad::detail::index_of(at, x.shape())); }

// "[8, 10] in [0, 0.9], 0 at [3, 0]": zeros and the largest magnitude are what functions break at.
std::string describe(const Tensor& x) {
  if (!x.defined()) return "none";
  std::string text = fmt::format("{} in {}", x.shape(), compute::range_text(x));
  const Bad odd = bad(x);
  if (odd.first >= 0)
    return text +
           fmt::format(", {} NaN and {} infinite, the first at {}", odd.nans, odd.infinities, index_text(odd.first, x));
  int64_t zero = -1, largest = -1;
  double most = 1e4;
  with_values(x, [&](auto values) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (zero < 0 && values[i] == 0) zero = int64_t(i);
      if (std::abs(double(values[i])) > most) largest = int64_t(i), most = std::abs(double(values[i]));
    }
  });
  if (largest >= 0) text += fmt::format(", {:.3g} at {}", most, index_text(largest, x));
  if (zero >= 0) text += ", 0 at " + index_text(zero, x);
  return text;
}

// Whether x is a view of what was looked at already.
bool is_view_of(const Tensor& x, const Tensors& of) {
  for (const Tensor& y : of)
    if (y.defined() && x.impl()->storage.get() == y.impl()->storage.get()) return true;
  return false;
}

bool is_meant(std::string_view op) { return op == "where" || op == "expand" || op == "scaled_dot_product_attention"; }

// The time step of a sequence [T, B, ...] at whose first or last bad value it all began.
int64_t time_of(std::string_view op, const Tensor& x, bool last) {
  if ((op != "lstm" && op != "gru" && op != "rnn") || x.dim() != 3) return -1;
  int64_t t = -1;
  with_values(x, [&](auto values) {
    const size_t each = values.size() / size_t(x.size(0));
    for (size_t i = 0; i < values.size(); ++i)
      if (!std::isfinite(values[i]) && (t < 0 || last)) t = int64_t(i / each);
  });
  return t;
}

std::string hint_of(const NanOrigin& o, double largest) {
  if (o.from_outside) return "no operation on this tape made it: look for it in the data and in the parameters";
  if (o.op == "log" && !o.backward)
    return "add a small number under the logarithm, or use log_softmax and losses that take logits";
  if (o.op == "div") return "a division by zero: add eps to the denominator, or mask it with where()";
  if (o.op == "exp" && !o.backward)
    return "exp overflows beyond 88 in float32: subtract the largest value first, as softmax and logsumexp "
           "do";
  if ((o.op == "sqrt" || o.op == "norm" || o.op == "pow" || o.op == "rsqrt" || o.op == "std") && o.backward)
    return "the derivative of a root is infinite at 0: add eps under the root";
  if (o.op == "sqrt" || o.op == "rsqrt")
    return "a root of a negative number, or one over a root of 0: add eps under the root";
  if (o.op.ends_with("norm")) return "a row without variance and an eps of 0: use an eps > 0";
  if (o.op.find("softmax") != std::string::npos || o.op.find("attention") != std::string::npos)
    return "a row in which everything is masked has no softmax: leave at least one element, or drop the row";
  if (largest > 1e15) return "the numbers have grown without bound: lower the learning rate, or clip the gradient";
  return "";
}

}  // namespace

std::string to_string(const NanOrigin& o) {
  std::string text = o.op;
  if (!o.module.empty()) text += " in " + o.module;
  if (o.step >= 0) text += fmt::format(" at time step {}", o.step);
  text += o.backward ? ", backward: " : ", forward: ";
  text += o.from_outside ? "met NaN that came in" : o.infinite ? "made an infinity" : "made NaN";
  if (!o.where.empty()) text += " at " + o.where;
  for (size_t i = 0; i < o.inputs.size(); ++i)
    text +=
        fmt::format("{}{} {}", i == 0 ? "; " : ", ", o.backward ? "gradient" : fmt::format("input {}", i), o.inputs[i]);
  std::string way;
  for (const std::string& part : o.chain) way += (way.empty() ? "" : " > ") + part;
  if (!way.empty()) text += "; from " + way;
  return text + (o.hint.empty() ? "" : ". Hint: " + o.hint);
}

FirstNan::FirstNan(const nn::ModuleBase& model) : parameters_(model.named_parameters()) {}

FirstNan::Entry& FirstNan::entry(int64_t record) {
  if (record >= int64_t(entries_.size())) entries_.resize(size_t(record) + 1);
  return entries_[size_t(record)];
}

std::vector<std::string> FirstNan::chain(int64_t record) const {
  std::vector<std::string> out;
  while (record >= 0 && record < int64_t(entries_.size())) {
    const Entry& e = entries_[size_t(record)];
    std::string text = e.name;
    if (e.leaf) {
      text = "a leaf";
      for (const auto& [name, tensor] : parameters_)
        if (tensor.impl() == e.leaf) text = name;
    } else if (*e.path) {
      text += fmt::format(" ({})", e.path);
    }
    if (out.empty() || out.back() != text) out.push_back(text);
    // Along the values rather than into a weight, as far as that goes.
    int64_t next = -1;
    for (const int64_t input : e.inputs)
      if (input >= 0 && (next < 0 || (entries_[size_t(next)].leaf && !entries_[size_t(input)].leaf))) next = input;
    record = next;
  }
  constexpr size_t kMost = 12;
  if (out.size() > kMost) {
    out[kMost - 2] = "...";
    out.erase(out.begin() + kMost - 1, out.end() - 1);
  }
  return {out.rbegin(), out.rend()};
}

bool FirstNan::comes_from_suspect(int64_t of) const {
  if (suspect_.op.empty() || suspect_record_ < 0) return !suspect_.op.empty();
  if (of < 0) return false;
  const int64_t record = suspect_record_;
  std::vector<int64_t> left{of};
  std::vector<bool> seen(size_t(of) + 1, false);
  while (!left.empty()) {
    const int64_t at = left.back();
    left.pop_back();
    if (at == record) return true;
    for (const int64_t input : entries_[size_t(at)].inputs)
      if (input >= record && input <= of && !seen[size_t(input)]) seen[size_t(input)] = true, left.push_back(input);
  }
  return false;
}

void FirstNan::found(NanOrigin origin) {
  origin_ = std::move(origin);
  suspect_ = suspect_backward_ = {};
  entries_.clear();
  throw AutogradError(to_string(origin_));
}

void FirstNan::on_forward(const OperationView& operation, const Tensors& inputs, const Tensors& outputs) {
  const int64_t record = operation.record;
  if (record >= 0) {
    if (record < int64_t(entries_.size())) {  // another tape
      entries_.clear();
      suspect_ = suspect_backward_ = {};
    }
    Entry own{.name = operation.name, .path = operation.path, .step = operation.step};
    for (const Tensor& x : inputs) {
      const int64_t from = record_of(x, outputs[0]);
      own.inputs.push_back(from < record ? from : -1);
      if (from >= 0 && from < record && x.requires_grad()) entry(from).leaf = x.impl();
    }
    entry(record) = std::move(own);
  }
  bool finite = true;
  for (const Tensor& y : outputs) finite = finite && (is_view_of(y, inputs) || compute::all_finite(y));
  if (finite) {
    // What is not finite in the inputs and vanished comes back in the gradient.
    if (record >= 0 && !suspect_.op.empty())
      for (const int64_t input : entry(record).inputs)
        if (input >= 0 && entries_[size_t(input)].infinite) entry(record).infinite = true;
    return;
  }
  if (record >= 0) entry(record).infinite = true;
  Bad of_output, of_inputs;
  size_t which = 0;
  NanOrigin origin{.op = operation.name, .module = operation.module(), .step = operation.step};
  double largest = 0;
  for (size_t i = outputs.size(); i-- > 0;)
    if (const Bad b = bad(outputs[i]); b.first >= 0 && (b.nans > 0 || of_output.nans == 0)) of_output = b, which = i;
  origin.where = index_text(of_output.first, outputs[which]);
  if (const int64_t t = time_of(operation.name, outputs[0], false); t >= 0) origin.step = t;
  const Tensor* outside = nullptr;
  for (const Tensor& x : inputs) {
    const Bad b = bad(x);
    of_inputs.nans += b.nans, of_inputs.infinities += b.infinities;
    if (b.nans > 0 && !outside) outside = &x;
    origin.inputs.push_back(describe(x));
    with_values(x, [&](auto values) {
      for (const auto v : values)
        if (std::isfinite(v)) largest = std::max(largest, std::abs(double(v)));
    });
  }
  origin.chain = record >= 0 ? chain(record) : std::vector<std::string>();
  origin.infinite = of_output.nans == 0;
  if (of_inputs.nans > 0) {  // never seen before, or this would not run
    origin.from_outside = true;
    origin.where = index_text(bad(*outside).first, *outside);
    origin.hint = hint_of(origin, largest);
    found(std::move(origin));
  }
  origin.hint = hint_of(origin, largest);
  const bool from_infinity = of_inputs.infinities > 0;
  if (of_output.nans > 0) {
    if (from_infinity && comes_from_suspect(record)) found(suspect_);
    found(std::move(origin));
  }
  if (from_infinity || !suspect_.op.empty() || is_meant(operation.name)) return;
  suspect_ = std::move(origin);
  suspect_record_ = record;
}

void FirstNan::on_loss(const Tensor& loss) {
  if (compute::all_finite(loss)) return;
  if (!suspect_.op.empty()) found(suspect_);
  found({.op = "loss",
         .module = "",
         .from_outside = true,
         .where = "",
         .inputs = {},
         .chain = {},
         .hint = "no operation on this tape made it: look for an infinity in the data and in the parameters"});
}

void FirstNan::on_backward(const OperationView& operation, const Tensors& dy, const Tensors& dx) {
  bool finite = true;
  for (const Tensor& x : dx) finite = finite && (!x.defined() || is_view_of(x, dy) || compute::all_finite(x));
  if (finite) return;
  NanOrigin origin{.op = operation.name, .module = operation.module(), .step = operation.step, .backward = true};
  Bad from;
  double largest = 0;
  for (const Tensor& x : dy) {
    if (!x.defined()) continue;
    const Bad b = bad(x);
    from.nans += b.nans, from.infinities += b.infinities;
    origin.inputs.push_back(describe(x));
  }
  Bad to;
  size_t which = 0;
  for (size_t i = dx.size(); i-- > 0;)
    if (const Bad b = bad(dx[i]); b.first >= 0 && (b.nans > 0 || to.nans == 0)) to = b, which = i;
  origin.where = fmt::format("{} of the gradient of input {}", index_text(to.first, dx[which]), which);
  if (const int64_t t = time_of(operation.name, dx[0].defined() ? dx[0] : dx[which], true); t >= 0) origin.step = t;
  origin.infinite = to.nans == 0;
  origin.chain = chain(operation.record);
  origin.hint = hint_of(origin, largest);
  const Entry& own = entry(operation.record);
  const bool forward = own.infinite && comes_from_suspect(operation.record);
  if (to.nans > 0) {
    if (from.infinities > 0 && !suspect_backward_.op.empty()) found(suspect_backward_);
    found(forward ? suspect_ : std::move(origin));
  }
  if (suspect_backward_.op.empty() && from.infinities == 0) suspect_backward_ = forward ? suspect_ : std::move(origin);
}

void FirstNan::on_leaf(const Tensor&, const Tensor& gradient) {
  if (!suspect_backward_.op.empty() && !compute::all_finite(gradient)) found(suspect_backward_);
}

}  // namespace tapegrad::inspect

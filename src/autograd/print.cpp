// The tape as a table and as a graph.
#include <algorithm>
#include <map>

#include "autograd/state.h"
#include "core/fail.h"

namespace tapegrad {

size_t Tape::size() const {
  return state_->records.size();
}

RecordInfo Tape::operator[](size_t index) const {
  if (index >= size()) fail<IndexError>("tape", "record must be less than {}, got {}", size(), index);
  const detail::Record& record = state_->records[index];
  RecordInfo info{.op = record.op,
                  .module = path_text(record.path),
                  .inputs = {},
                  .shapes = {},
                  .dtype = record.outputs[0].dtype,
                  .saved_bytes = record.saved_bytes,
                  .forward_ms = state_->profile.forward_ms(index),
                  .backward_ms = state_->profile.backward_ms(index),
                  .attributes = {record.attributes, record.attributes + record.n_attributes}};
  for (uint32_t i = 0; i < record.n_inputs; ++i) {
    const uint32_t made_by = record.inputs[i].record;
    info.inputs.push_back(made_by == detail::Edge::kNone ? -1 : int64_t(made_by & ~detail::kConstantRecord));
  }
  for (int i = 0; i < record.n_outputs; ++i) info.shapes.push_back(record.outputs[i].shape());
  return info;
}

std::vector<Tensor> Tape::leaves() const {
  std::vector<Tensor> out;
  for (size_t i = 0; i < size(); ++i) {
    detail::TensorImpl* leaf = state_->records[i].leaf;
    const auto is_leaf = [&](const Tensor& known) { return known.impl() == leaf; };
    if (!leaf || std::any_of(out.begin(), out.end(), is_leaf)) continue;
    leaf->refs.add();
    out.emplace_back(detail::Ref<detail::TensorImpl>::adopt(leaf));
  }
  return out;
}

size_t Tape::saved_bytes() const {
  size_t total = 0;
  for (size_t i = 0; i < size(); ++i) total += state_->records[i].saved_bytes;
  return total;
}

namespace {

std::string shapes_text(const RecordInfo& record) {
  std::string text;
  for (const Shape& shape : record.shapes) text += (text.empty() ? "" : " ") + to_string(shape);
  return text;
}

std::string inputs_text(const RecordInfo& record) {
  std::string text;
  for (int64_t input : record.inputs)
    text += (text.empty() ? "" : " ") + (input < 0 ? std::string("-") : std::to_string(input));
  return text;
}

}  // namespace

std::string to_string(const Tape& tape) {
  // More rows than a screen has are left out in the middle.
  constexpr size_t kHead = 60, kTail = 20;
  size_t op_width = 9, inputs_width = 6, shape_width = 5;
  const auto shown = [&](size_t i) {
    return tape.size() <= kHead + kTail || i < kHead || i >= tape.size() - kTail;
  };
  std::vector<RecordInfo> rows;
  for (size_t i = 0; i < tape.size(); ++i) {
    if (!shown(i)) continue;
    rows.push_back(tape[i]);
    op_width = std::max(op_width, rows.back().op.size());
    inputs_width = std::max(inputs_width, inputs_text(rows.back()).size());
    shape_width = std::max(shape_width, shapes_text(rows.back()).size());
  }
  std::string out = fmt::format("{:>6}  {:<{}}  {:<{}}  {:<{}}  {:>9}  {}\n", "#", "operation", op_width,
                                "inputs", inputs_width, "shape", shape_width, "saved", "module");
  size_t row = 0;
  for (size_t i = 0; i < tape.size(); ++i) {
    if (!shown(i)) {
      if (i == kHead) out += fmt::format("{:>6}\n", "...");
      continue;
    }
    const RecordInfo& r = rows[row++];
    std::string line =
        fmt::format("{:>6}  {:<{}}  {:<{}}  {:<{}}  {:>9}  {}", i, r.op, op_width, inputs_text(r),
                    inputs_width, shapes_text(r), shape_width, r.saved_bytes, r.module);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out + fmt::format("{} records, {} bytes saved\n", tape.size(), tape.saved_bytes());
}

std::string Tape::dot() const {
  std::string out = "digraph tape {\n  node [shape=box, fontname=\"Helvetica\"];\n";
  std::map<std::string, std::string> modules;  // nodes of each module, drawn in a box of their own
  std::string edges;
  for (size_t i = 0; i < size(); ++i) {
    const RecordInfo r = (*this)[i];
    const char* style = r.op == "leaf" ? ", style=filled, fillcolor=\"#e8f0fe\"" : "";
    modules[r.module] += fmt::format("  n{} [label=\"{} {}\\n{}\"{}];\n", i, i, r.op, shapes_text(r), style);
    for (int64_t input : r.inputs)
      if (input >= 0) edges += fmt::format("  n{} -> n{};\n", input, i);
  }
  size_t cluster = 0;
  for (const auto& [module, nodes] : modules) {
    if (module.empty())
      out += nodes;
    else
      out += fmt::format("  subgraph cluster{} {{\n  label=\"{}\";\n{}  }}\n", cluster++, module, nodes);
  }
  return out + edges + "}\n";
}

}  // namespace tapegrad

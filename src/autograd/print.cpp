// What a tape shows of itself: its records, one by one, as a table and as a graph, and their times.
#include <algorithm>
#include <array>
#include <map>

#include "autograd/state.h"
#include "core/fail.h"

namespace tapegrad {

size_t Tape::size() const { return state_->next_number(); }

std::vector<size_t> Tape::kept_records() const {
  std::vector<size_t> out;
  for (size_t i = 0; i < state_->records.size(); ++i) out.push_back(state_->number_of(i));
  return out;
}

RecordInfo Tape::operator[](size_t index) const {
  if (index >= size()) fail<IndexError>("tape", "record must be less than {}, got {}", size(), index);
  const size_t position = state_->position_of(uint32_t(index));
  if (position == state_->records.size())
    fail<IndexError>("tape",
                     "record {} went backward and was dropped. Hint: Tape tape({{.trace = true}}) keeps all "
                     "records",
                     index);
  const detail::Record& record = state_->records[position];
  const auto [forward_ms, backward_ms] = state_->profile[index];
  const auto& attributes = record.operation.attributes;
  RecordInfo info{.op = record.operation.name,
                  .module = record.operation.path,
                  .inputs = {},
                  .shapes = {},
                  .dtype = record.outputs[0].dtype,
                  .saved_bytes = record.saved_bytes,
                  .forward_ms = forward_ms,
                  .backward_ms = backward_ms,
                  .attributes = {attributes.begin(), attributes.end()}};
  for (const auto& [from, output] : record.inputs)
    info.inputs.push_back(from == detail::Edge::kNone ? -1 : int64_t(from & ~detail::kConstantRecord));
  for (const detail::OutputInfo& output : record.outputs) info.shapes.push_back(output.shape);
  return info;
}

std::vector<Tensor> Tape::leaves() const {
  std::vector<Tensor> out = state_->past_leaves;
  for (const detail::Record& record : state_->records)
    if (record.leaf.defined()) detail::note_leaf(out, record.leaf);
  return out;
}

size_t Tape::saved_bytes() const {
  size_t total = 0;
  for (const detail::Record& record : state_->records) total += record.saved_bytes;
  return total;
}

std::vector<ProfileRow> Tape::profile() const {
  if (!state_->options.profile)
    fail<ValueError>("profile", "this tape takes no times. Hint: make it with Tape tape({{.profile = true}})");
  std::map<std::string, ProfileRow> by_op;
  for (size_t i = 0; i < state_->records.size(); ++i) {
    const auto [forward_ms, backward_ms] = state_->profile[i];
    ProfileRow& row = by_op[state_->records[i].operation.name];
    ++row.calls;
    row.forward_ms += forward_ms;
    row.backward_ms += backward_ms;
  }
  std::vector<ProfileRow> rows;
  for (auto& [op, row] : by_op) rows.emplace_back(row).op = op;
  std::sort(rows.begin(), rows.end(), [](const ProfileRow& a, const ProfileRow& b) {
    return a.forward_ms + a.backward_ms > b.forward_ms + b.backward_ms;
  });
  return rows;
}

namespace {

template <class List, class F>
std::string spaced(const List& list, F text) {
  std::string out;
  for (const auto& item : list) out += (out.empty() ? "" : " ") + text(item);
  return out;
}

std::string shapes_text(const RecordInfo& record) {
  return spaced(record.shapes, [](const Shape& shape) { return to_string(shape); });
}

}  // namespace

std::string to_string(const Tape& tape) {
  // More rows than a screen has are left out in the middle.
  constexpr size_t kHead = 60, kTail = 20;
  std::vector<std::array<std::string, 6>> rows{{"#", "operation", "inputs", "shape", "saved", "module"}};
  const std::vector<size_t> kept = tape.kept_records();
  for (size_t i = 0; i < kept.size(); ++i) {
    if (i == kHead && kept.size() > kHead + kTail) {
      rows.push_back({"..."});
      i = kept.size() - kTail;
    }
    const RecordInfo r = tape[kept[i]];
    const auto input_text = [](int64_t input) { return input < 0 ? "-" : std::to_string(input); };
    rows.push_back({std::to_string(kept[i]), r.op, spaced(r.inputs, input_text), shapes_text(r),
                    std::to_string(r.saved_bytes), r.module});
  }
  std::array<size_t, 6> width{6, 0, 0, 0, 9, 0};
  for (const auto& row : rows)
    for (const size_t column : {1, 2, 3}) width[column] = std::max(width[column], row[column].size());
  std::string out;
  for (const auto& row : rows) {
    out += fmt::format("{:>{}}  {:<{}}  {:<{}}  {:<{}}  {:>{}}  {}", row[0], width[0], row[1], width[1], row[2],
                       width[2], row[3], width[3], row[4], width[4], row[5]);
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  const size_t dropped = tape.size() - kept.size();
  return out + fmt::format("{} records{}, {} bytes saved\n", tape.size(),
                           dropped > 0 ? fmt::format(" ({} dropped)", dropped) : "", tape.saved_bytes());
}

std::string Tape::dot() const {
  std::string out = "digraph tape {\n  node [shape=box, fontname=\"Helvetica\"];\n";
  std::map<std::string, std::string> modules;  // nodes of each module, drawn in a box of their own
  std::string edges;
  for (const size_t i : kept_records()) {
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

// Rows of what a tape did, and the difference of two such listings.
#include <tapegrad/inspect/listing.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "autograd/state.h"
#include "core/fail.h"
#include "inspect/values.h"

namespace tapegrad::inspect {

void Listing::clear() {
  rows_.clear();
  by_record_.clear();
  start_ = last_ = Clock::now();
}

double Listing::since_last(double* start) {
  *start = std::chrono::duration<double, std::milli>(last_ - start_).count();
  return now() - *start;
}

Row* Listing::row_of(const OperationView& operation) {
  const size_t record = size_t(operation.record);
  return operation.record >= 0 && record < by_record_.size() && by_record_[record] >= 0
             ? &rows_[size_t(by_record_[record])]
             : nullptr;
}

void Listing::on_forward(const OperationView& operation, const Tensors& inputs, const Tensors& outputs) {
  Row row{.op = operation.name, .module = operation.module(), .step = operation.step, .record = operation.record};
  row.forward_ms = since_last(&row.start_ms);
  for (const Tensor& x : inputs) {
    const int64_t record = record_of(x, outputs[0]);
    row.inputs.push_back(record >= 0 && record < int64_t(by_record_.size()) ? by_record_[size_t(record)] : -1);
    row.input_shapes.push_back(x.defined() ? x.shape() : Shape());
    if (options_.hash) row.input_hashes.push_back(hash_of(x));
  }
  for (const Tensor& y : outputs) {
    row.shapes.push_back(y.shape());
    row.bytes += size_t(y.numel()) * item_size(y.dtype());
    if (options_.hash) row.hashes.push_back(hash_of(y));
  }
  if (options_.hash) row.norm = length(outputs[0]);
  row.flops = flops(row.op, row.input_shapes, row.shapes);
  if (operation.record >= 0) {
    row.saved_bytes = tapegrad::detail::this_thread.innermost->record(uint32_t(operation.record)).saved_bytes;
    by_record_.resize(std::max(by_record_.size(), size_t(operation.record) + 1), -1);
    by_record_[size_t(operation.record)] = int64_t(rows_.size());
  }
  rows_.push_back(std::move(row));
  last_ = Clock::now();
}

void Listing::on_loss(const Tensor&) { last_ = Clock::now(); }

void Listing::on_backward(const OperationView& operation, const Tensors&, const Tensors&) {
  if (Row* row = row_of(operation)) row->backward_ms = since_last(&row->backward_start_ms);
  last_ = Clock::now();
}

namespace {

using nlohmann::json;

json shapes_json(const std::vector<Shape>& shapes) {
  json out = json::array();
  for (const Shape& shape : shapes) out.push_back(std::vector<int64_t>(shape.begin(), shape.end()));
  return out;
}
std::vector<Shape> shapes_from(const json& list) {
  std::vector<Shape> out;
  for (const json& sizes : list) {
    const auto values = sizes.get<std::vector<int64_t>>();
    out.emplace_back(std::span<const int64_t>(values));
  }
  return out;
}

std::string where(const Row& row) {
  std::string text = row.op;
  if (!row.module.empty()) text += " in " + row.module;
  if (row.step >= 0) text += fmt::format(" at time step {}", row.step);
  return text;
}

// "" where the rows do the same.
std::string what_differs(const Row& a, const Row& b) {
  if (a.op != b.op) return "operation";
  if (a.module != b.module || a.step != b.step) return "module";
  if (a.shapes != b.shapes) return "shape";
  if (!a.hashes.empty() && !b.hashes.empty() && a.hashes != b.hashes) return "values";
  return "";
}

}  // namespace

void Listing::save(const std::string& path) const {
  std::ofstream file(path);
  for (const Row& r : rows_)
    file << json{{"op", r.op},         {"module", r.module},
                 {"step", r.step},     {"inputs", r.inputs},
                 {"hashes", r.hashes}, {"input_hashes", r.input_hashes},
                 {"norm", r.norm},     {"shapes", shapes_json(r.shapes)},
                 {"record", r.record}, {"input_shapes", shapes_json(r.input_shapes)}}
                .dump()
         << '\n';
  if (!file.flush()) fail<FormatError>("Listing", "cannot write '{}'", path);
}

Listing Listing::load(const std::string& path) {
  std::ifstream file(path);
  if (!file) fail<FormatError>("Listing", "cannot read '{}'", path);
  Listing out;
  try {
    for (std::string line; std::getline(file, line);) {
      const json j = json::parse(line);
      Row row{.op = j.at("op"), .module = j.at("module"), .step = j.at("step"), .record = j.at("record")};
      row.inputs = j.at("inputs").get<std::vector<int64_t>>();
      row.hashes = j.at("hashes").get<std::vector<uint64_t>>();
      row.input_hashes = j.at("input_hashes").get<std::vector<uint64_t>>();
      row.norm = j.at("norm").is_number() ? double(j.at("norm")) : std::nan("");
      row.shapes = shapes_from(j.at("shapes"));
      row.input_shapes = shapes_from(j.at("input_shapes"));
      out.rows_.push_back(std::move(row));
    }
  } catch (const json::exception& error) {
    fail<FormatError>("Listing", "'{}' is no listing: row {}: {}", path, out.rows_.size(), error.what());
  }
  return out;
}

Difference diff(const Listing& a, const Listing& b) {
  Difference first;
  const size_t n = std::min(a.rows().size(), b.rows().size());
  for (size_t i = 0; i < n; ++i) {
    const Row &x = a.rows()[i], &y = b.rows()[i];
    const std::string what = what_differs(x, y);
    if (what.empty()) continue;
    const bool equal = x.input_shapes == y.input_shapes && x.input_hashes == y.input_hashes;
    if (first.found && !equal) continue;
    Difference here{.found = true, .row = int64_t(i), .what = what, .inputs_equal = equal, .text = {}};
    if (what == "operation" || what == "module")
      here.text = fmt::format("row {}: {} is {} in the other", i, where(x), where(y));
    else if (what == "shape")
      here.text = fmt::format("row {}: {} gives {} and {} in the other", i, where(x), x.shapes[0], y.shapes[0]);
    else
      here.text = fmt::format("row {}: {} gives other values, of norm {:.9g} and {:.9g}", i, where(x), x.norm, y.norm);
    here.text += equal ? ", from equal inputs: it is the origin"
                       : ", from inputs that differ already: data, parameters or what was not observed";
    if (!first.found || equal) first = here;
    if (equal || what != "values") return first;  // what follows another operation is not the same program
  }
  if (!first.found && a.rows().size() != b.rows().size())
    first = {.found = true,
             .row = int64_t(n),
             .what = "length",
             .inputs_equal = true,
             .text = fmt::format("one has {} rows and the other {}", a.rows().size(), b.rows().size())};
  if (!first.found) first.text = "no difference";
  return first;
}

}  // namespace tapegrad::inspect

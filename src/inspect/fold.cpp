// Runs of rows that repeat, in one line, and the table of the modules.
#include <tapegrad/inspect/listing.h>

#include <functional>
#include <map>
#include <set>

#include "core/fail.h"

namespace tapegrad::inspect {

double flops(std::string_view op, const std::vector<Shape>& in, const std::vector<Shape>& out) {
  const auto size = [](const Shape& shape) { return double(shape.numel()); };
  const double n = out.empty() ? 0 : size(out[0]);
  const auto last = [&](size_t i) { return i < in.size() && !in[i].empty() ? double(in[i].back()) : 1; };
  if (op == "linear") return 2 * n * last(0);  // a bias adds as much as the first product does not
  if (op == "matmul") return 2 * n * last(0);
  if (op.starts_with("conv") && in.size() > 1 && in[1].size() > 2) return 2 * n * size(in[1]) / double(in[1][0]);
  if ((op == "lstm" || op == "gru" || op == "rnn") && in.size() > 3) {
    // The product with W_hh, and some ten operations for each gate.
    const double gates = size(in[0]), hidden = double(in[3].back());
    return gates * (2 * hidden + 10);
  }
  if (op.find("attention") != std::string_view::npos && in.size() > 2 && in[0].size() > 1)
    return 2 * size(in[0]) * double(in[1][in[1].size() - 2]) + 2 * n * double(in[1][in[1].size() - 2]);
  for (const char* free :
       {"view",  "reshape", "permute",    "transpose", "expand", "slice",   "narrow",    "select",       "alias",
        "leaf",  "clone",   "contiguous", "to",        "concat", "stack",   "embedding", "index_select", "gather",
        "place", "pad",     "one_hot",    "unfold",    "flip",   "squeeze", "unsqueeze", "flatten",      "unbind"})
    if (op == free) return 0;
  if (op.ends_with("norm")) return 8 * n;
  if (op == "softmax" || op == "log_softmax") return 5 * n;
  for (const char* over : {"sum", "mean", "var", "amax", "amin", "logsumexp", "cross_entropy", "prod", "cumsum"})
    if (op == over && !in.empty()) return size(in[0]) * (op == "cross_entropy" ? 5 : 1);
  if (op == "sigmoid" || op == "tanh" || op == "exp" || op == "gelu" || op == "silu" || op == "log") return 10 * n;
  return n;
}

namespace {

std::string scaled(double x, const char* unit) {
  const char* const prefix[] = {"", "k", "M", "G", "T"};
  int i = 0;
  for (; x >= 1000 && i < 4; ++i) x /= 1000;
  return i == 0 ? fmt::format("{:.0f} {}", x, unit) : fmt::format("{:.3g} {}{}", x, prefix[i], unit);
}

/// A run of rows that was found `times` times, one after the other.
struct Run {
  size_t begin, length, times;
};

bool same(const Row& a, const Row& b) { return a.op == b.op && a.module == b.module && a.shapes == b.shapes; }

// The longest stretch from `begin` that repeats a period of at most 64 rows at least three times, or one row.
Run run_at(const std::vector<Row>& rows, size_t begin) {
  Run best{begin, 1, 1};
  for (size_t period = 1; period <= 64 && begin + 2 * period <= rows.size(); ++period) {
    size_t end = begin + period;
    while (end < rows.size() && same(rows[end], rows[end - period])) ++end;
    const size_t times = (end - begin) / period;
    if (times >= 3 && times * period > best.length * best.times) best = {begin, period, times};
  }
  return best;
}

}  // namespace

std::string Listing::fold() const {
  std::string out;
  size_t lines = 0;
  for (size_t i = 0; i < rows_.size();) {
    const Run run = run_at(rows_, i);
    const size_t end = i + run.length * run.times;
    // Rows of one module that follow each other share a line too.
    size_t stop = end;
    if (run.times == 1)
      while (stop < rows_.size() && rows_[stop].module == rows_[i].module && run_at(rows_, stop).times == 1) ++stop;
    double work = 0, saved = 0;
    for (size_t k = i; k < stop; ++k) work += rows_[k].flops, saved += double(rows_[k].saved_bytes);
    std::vector<std::pair<std::string, size_t>> names;
    for (size_t k = i; k < (run.times == 1 ? stop : i + run.length); ++k) {
      if (names.empty() || names.back().first != rows_[k].op) names.emplace_back(rows_[k].op, 0);
      ++names.back().second;
    }
    std::string list;
    for (const auto& [name, count] : names)
      list += (list.empty() ? "" : ", ") + name + (count > 1 ? fmt::format(" x{}", count) : "");
    const Row& row = rows_[run.times == 1 ? stop - 1 : i + run.length - 1];
    out += fmt::format("{:<24}  {}{}{}  {}  {}, {} saved\n", row.module.empty() ? "(model)" : row.module,
                       run.times > 1 ? fmt::format("{} x {{ ", run.times) : "", list, run.times > 1 ? " }" : "",
                       row.shapes[0], scaled(work, "FLOP"), scaled(saved, "B"));
    ++lines;
    i = stop;
  }
  return out + fmt::format("{} operations in {} lines\n", rows_.size(), lines);
}

std::vector<LayerRow> layers(const nn::ModuleBase& model, const Listing& listing) {
  std::vector<LayerRow> out;
  std::map<std::string, size_t> at;
  const auto named = model.named_parameters();
  model.visit([&](const std::string& path, const std::string& type, const nn::ModuleBase&) {
    at[path] = out.size();
    out.push_back({.module = path, .type = type, .shape = {}});
  });
  // A parameter belongs to the deepest module whose path is the beginning of its name.
  for (const auto& [name, tensor] : named) {
    std::string path = name;
    do {
      const size_t dot = path.rfind('.');
      path = dot == std::string::npos ? "" : path.substr(0, dot);
    } while (!path.empty() && !at.contains(path));
    if (at.contains(path)) out[at[path]].parameters += tensor.numel();
  }
  std::set<std::string> recurrent_layers;
  for (const Row& row : listing.rows()) {
    const auto found = at.find(row.module);
    if (found == at.end()) continue;
    LayerRow& layer = out[found->second];
    ++layer.calls;
    // The last one's, but of a recurrent layer its output rather than the states that are put together behind it.
    const bool recurrent = row.op == "lstm" || row.op == "gru" || row.op == "rnn";
    if (recurrent) recurrent_layers.insert(row.module);
    if (recurrent || !recurrent_layers.contains(row.module)) layer.shape = to_string(row.shapes[0]);
    layer.flops += row.flops;
    layer.ms += row.forward_ms + row.backward_ms;
    layer.bytes += row.bytes;
    layer.saved_bytes += row.saved_bytes;
  }
  return out;
}

std::string summary(const nn::ModuleBase& model, const std::function<void()>& forward, SummaryOptions options) {
  Listing listing;
  size_t saved = 0;
  {
    Tape tape({.observers = {&listing}});
    forward();
    saved = tape.saved_bytes();
  }
  const std::vector<LayerRow> rows = layers(model, listing);
  std::vector<std::vector<std::string>> table{{"module", "type", "output", "parameters", "FLOPs", "bytes"}};
  double work = 0;
  for (const LayerRow& row : rows) {
    const auto depth = std::count(row.module.begin(), row.module.end(), '.') + (row.module.empty() ? 0 : 1);
    work += row.flops;
    if (depth > options.depth) continue;
    const std::string name = row.module.empty() ? "(model)" : row.module.substr(row.module.rfind('.') + 1);
    table.push_back({std::string(size_t(2 * depth), ' ') + name, row.type, row.shape,
                     row.parameters ? fmt::format("{}", row.parameters) : "", row.calls ? scaled(row.flops, "") : "",
                     row.calls ? scaled(double(row.bytes), "B") : ""});
  }
  std::vector<size_t> width(6, 0);
  for (const auto& row : table)
    for (size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  std::string out;
  for (const auto& row : table) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c)
      line += c < 3 ? fmt::format("{:<{}}  ", row[c], width[c]) : fmt::format("{:>{}}  ", row[c], width[c]);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out + fmt::format("{} parameters, {} forward, {} kept for backward\n", model.parameter_count(),
                           scaled(work, "FLOP"), scaled(double(saved), "B"));
}

}  // namespace tapegrad::inspect

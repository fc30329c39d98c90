#include <tapegrad/inspect/microscope.h>
#include <tapegrad/ops.h>
#include <tapegrad/random.h>

#include <ctime>
#include <filesystem>
#include <fstream>

#include "core/fail.h"
#include "inspect/gates.h"
#include "inspect/json.h"
#include "inspect/values.h"

namespace tapegrad::inspect {

Numbers look(const Tensor& x, const MicroscopeOptions& options) {
  Numbers out;
  with_values(x, [&](auto values) {
    const size_t by = stride_of(values.size(), options.sample);
    double sum = 0, squares = 0, n = 0;
    double low = std::numeric_limits<double>::infinity(), high = -low;
    const auto each = [&](auto f) {
      for (size_t i = 0; i < values.size(); i += by)
        if (const double v = double(values[i]); std::isfinite(v)) f(v);
    };
    each([&](double v) { sum += v, n += 1, low = std::min(low, v), high = std::max(high, v); });
    if (n == 0) return;
    out.mean = sum / n;
    out.min = low, out.max = high;
    out.counts.resize(size_t(options.bins), 0);
    const double bins = double(options.bins), scale = high > low ? bins / (high - low) : 0;
    each([&](double v) {
      squares += (v - out.mean) * (v - out.mean);
      ++out.counts[size_t(std::min(bins - 1, (v - low) * scale))];
    });
    out.std = std::sqrt(squares / n);
  });
  return out;
}

namespace {

bool is_activation(std::string_view op) {
  for (const char* name : {"relu", "leaky_relu", "elu", "prelu", "sigmoid", "tanh", "gelu", "silu", "softplus", "mish"})
    if (op == name) return true;
  return false;
}
bool is_layer(std::string_view op) {
  for (const char* name :
       {"linear", "matmul", "lstm", "gru", "rnn", "embedding", "scaled_dot_product_attention", "softmax"})
    if (op == name) return true;
  return op.starts_with("conv") || op.ends_with("_norm");
}

// The share of units that are 0 in every row: of the last axis, or of the channels of an image.
double dead_share(const Tensor& y) {
  if (y.dim() < 2 || y.numel() == 0) return std::nan("");
  const Tensor rows = y.dim() == 4 ? y.permute({0, 2, 3, 1}) : y;
  const int64_t units = rows.size(-1);
  std::vector<bool> alive(size_t(units), false);
  with_values(rows, [&](auto values) {
    const size_t by = stride_of(values.size() / size_t(units), 256);
    for (size_t row = 0; row < values.size() / size_t(units); row += by)
      for (size_t i = 0; i < size_t(units); ++i)
        if (values[row * size_t(units) + i] != 0) alive[i] = true;
  });
  return double(std::count(alive.begin(), alive.end(), false)) / double(units);
}

// Lengths of the entries of the first axis.
std::vector<double> lengths_along(const Tensor& x, bool deviation) {
  std::vector<double> out;
  with_values(x, [&](auto values) {
    const size_t n = size_t(x.size(0)), each = n ? values.size() / n : 0;
    for (size_t t = 0; t < n; ++t) {
      double sum = 0, squares = 0;
      for (size_t i = t * each; i < (t + 1) * each; ++i)
        sum += double(values[i]), squares += double(values[i]) * double(values[i]);
      const double mean = sum / double(each);
      out.push_back(deviation ? std::sqrt(std::max(0.0, squares / double(each) - mean * mean)) : std::sqrt(squares));
    }
  });
  return out;
}

std::string text_of(const Numbers& n) {
  return fmt::format("[{},{},{},{},{}]", number(n.mean), number(n.std), number(n.min), number(n.max),
                     numbers(n.counts));
}

// What the product of two matrices reaches here, in floating-point operations a second: the machine's limit for layers.
double peak_flops() {
  const int64_t n = 320;
  const Tensor a = full({n, n}, 0.5), b = full({n, n}, 0.25);
  double best = 1e9;
  for (int i = 0; i < 4; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const Tensor c = matmul(a, b);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return 2.0 * double(n) * double(n) * double(n) / best;
}

std::string command_line() {
  std::ifstream file("/proc/self/cmdline");
  std::string out;
  for (std::string word; std::getline(file, word, '\0');) out += (out.empty() ? "" : " ") + word;
  return out;
}

}  // namespace

Microscope::Microscope(const nn::ModuleBase& model, const optim::Optimizer& optimizer, MicroscopeOptions options)
    : model_(model), optimizer_(optimizer), options_(std::move(options)), start_(std::chrono::steady_clock::now()) {
  for (const auto& [name, value] :
       {std::pair{"every", options_.every}, {"sample", options_.sample}, {"bins", options_.bins}})
    if (value < 1) fail<ValueError>("Microscope", "{} must be at least 1, got {}", name, value);
  for (const auto& [name, tensor] : model_.named_parameters()) {
    parameter_of_[tensor.impl()] = parameters_.size();
    parameters_.push_back({name, tensor, {}});
  }
  model_.visit([&](const std::string& path, const std::string& type, const nn::ModuleBase&) {
    // What runs an operation several times in one call has several sites of it, no time steps.
    is_leaf_[path] = type != "LSTM" && type != "GRU" && type != "RNN" && type != "MultiheadAttention";
    for (auto& [other, leaf] : is_leaf_)
      if (other.empty() ? !path.empty() : path.starts_with(other + ".")) leaf = false;
  });
  if (options_.log.empty()) return;
  file_ = std::fopen(options_.log.c_str(), "w");
  if (!file_) fail<FormatError>("Microscope", "cannot write '{}'. Hint: does its folder exist?", options_.log);
  write_head();
}

Microscope::~Microscope() {
  if (file_) std::fclose(file_);
}

void Microscope::write(const std::string& line) {
  if (!file_) return;
  std::fputs((line + "\n").c_str(), file_);
  const auto now = std::chrono::steady_clock::now();
  if (now - flushed_ < std::chrono::milliseconds(100)) return;
  std::fflush(file_);
  flushed_ = now;
}

void Microscope::note(const std::string& text) { write("{\"note\":" + json_text(text) + "}"); }

void Microscope::write_head() {
  std::string config;
  for (const auto& [name, value] : options_.config)
    config += (config.empty() ? "" : ",") + fmt::format("[{},{}]", json_text(name), json_text(value));
  const std::time_t now = std::time(nullptr);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S UTC", std::gmtime(&now));
  const std::string name = options_.name.empty() ? std::filesystem::path(options_.log).stem().string() : options_.name;
  write(
      fmt::format("{{\"run\":{{\"name\":{},\"date\":{},\"command\":{},\"seed\":{},\"tapegrad\":{},\"compiler\":{},"
                  "\"model\":{},\"parameters\":{},\"every\":{},\"config\":[{}]}}}}",
                  json_text(name), json_text(date), json_text(command_line()), default_generator().seed,
                  json_text(TAPEGRAD_VERSION), json_text(__VERSION__), json_text(to_string(model_)),
                  model_.parameter_count(), options_.every, config));
}

std::vector<double> Microscope::sampled(const Tensor& x) const {
  std::vector<double> out;
  with_values(x, [&](auto values) {
    for (size_t i = 0, by = stride_of(values.size(), options_.sample); i < values.size(); i += by)
      out.push_back(double(values[i]));
  });
  return out;
}

TapeOptions Microscope::watch(TapeOptions options) {
  looking_ = steps_ % options_.every == 0;
  if (!looking_) return options;
  look_ = {.step = steps_, .sites = {}, .parameters = {}};
  calls_.clear();
  site_at_.clear();
  place_.clear();
  for (Parameter& p : parameters_) {
    p.before = sampled(p.tensor);
    look_.parameters.emplace_back(p.name, ParameterView());
  }
  if (steps_ == 0) listing_.clear();
  options.observers.push_back(this);
  return options;
}

size_t Microscope::site_of(const OperationView& operation, int64_t* time) {
  std::string name = operation.module();
  const auto leaf = is_leaf_.find(name);
  name += (name.empty() ? "" : " ") + std::string(operation.name);
  const std::string counter = name + fmt::format("@{}", operation.step);
  const int64_t call = calls_[counter]++;
  *time = operation.step;
  if (operation.step < 0 && leaf != is_leaf_.end() && leaf->second && !leaf->first.empty())
    *time = call;
  else if (call > 0)
    name += fmt::format("#{}", call + 1);
  const auto [at, is_new] = site_at_.try_emplace(name, look_.sites.size());
  if (is_new) look_.sites.emplace_back(name, SiteView{.op = operation.name, .activation = {}, .gradient = {}});
  return at->second;
}

void Microscope::on_forward(const OperationView& operation, const Tensors& inputs, const Tensors& outputs) {
  if (steps_ == 0) listing_.on_forward(operation, inputs, outputs);
  const std::string_view op = operation.name;
  if (operation.record >= 0 && (is_layer(op) || is_activation(op))) {
    int64_t time = -1;
    const size_t at = site_of(operation, &time);
    SiteView& site = look_.sites[at].second;
    place_[operation.record] = {at, time};
    const bool recurrent = op == "lstm" || op == "gru" || op == "rnn";
    site.activation = look(outputs[0], options_);
    const auto put = [&](std::vector<double>& list, double value) {
      list.resize(std::max(list.size(), size_t(time) + 1), std::nan(""));
      list[size_t(time)] = value;
    };
    if (op == "relu") site.dead = dead_share(outputs[0]);
    if (op == "sigmoid" || op == "tanh") site.saturated = saturated(op, outputs[0], options_.sample);
    if (recurrent && outputs[0].size(0) > 1) {
      site.std_at = lengths_along(outputs[0], true);
      site.saturated_at = saturated_gates(operation, inputs, outputs);
      double sum = 0;
      for (const double share : site.saturated_at) sum += share;
      if (!site.saturated_at.empty()) site.saturated = sum / double(site.saturated_at.size());
    } else if (time >= 0) {
      put(site.std_at, site.activation.std);
      if (!std::isnan(site.saturated)) put(site.saturated_at, site.saturated);
    }
  }
  listing_.last_ = Listing::Clock::now();
}

void Microscope::on_loss(const Tensor&) { listing_.last_ = Listing::Clock::now(); }

void Microscope::on_backward(const OperationView& operation, const Tensors& dy, const Tensors& dx) {
  if (steps_ == 0) listing_.on_backward(operation, dy, dx);
  if (const auto found = place_.find(operation.record); found != place_.end()) {
    const auto [at, time] = found->second;
    SiteView& site = look_.sites[at].second;
    const std::string_view op = operation.name;
    const bool recurrent = (op == "lstm" || op == "gru" || op == "rnn") && dx[0].defined() && dx[0].size(0) > 1;
    const Tensor gradient = recurrent ? dx[0] : dy[0];
    if (gradient.defined()) {
      const double size = length(gradient);
      if (std::isnan(site.gradient_norm)) site.gradient = look(gradient, options_);
      site.gradient_norm = std::isnan(site.gradient_norm) ? size : std::hypot(site.gradient_norm, size);
      if (recurrent) {
        site.gradient_at = lengths_along(gradient, false);
      } else if (time >= 0) {
        site.gradient_at.resize(std::max(site.gradient_at.size(), size_t(time) + 1), std::nan(""));
        site.gradient_at[size_t(time)] = size;
      }
    }
  }
  listing_.last_ = Listing::Clock::now();
}

void Microscope::on_leaf(const Tensor& leaf, const Tensor& gradient) {
  const auto found = parameter_of_.find(leaf.impl());
  if (found == parameter_of_.end()) return;
  ParameterView& view = look_.parameters[found->second].second;
  view.gradient = look(gradient, options_);
  view.gradient_norm = length(gradient);
}

void Microscope::step(double loss, std::initializer_list<Metric> metrics) {
  std::string fields;
  for (const Metric& metric : metrics)
    fields += (fields.empty() ? "" : ",") + json_text(metric.name) + ":" + number(metric.value, 7);
  if (file_)
    write(fmt::format("{{\"step\":{},\"s\":{:.3f},\"loss\":{},\"lr\":{},\"skipped\":{},\"metrics\":{{{}}}}}", steps_,
                      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(), number(loss, 7),
                      number(optimizer_.lr()), optimizer_.skipped_steps(), fields));
  if (looking_) {
    std::string sites, parameters;
    for (auto& [name, site] : look_.sites) {
      if (site.std_at.size() < 2) site.std_at.clear(), site.gradient_at.clear(), site.saturated_at.clear();
      sites += (sites.empty() ? "" : ",") +
               fmt::format("{}:{{\"op\":{},\"a\":{},\"g\":{},\"norm\":{},\"sat\":{},\"dead\":{}", json_text(name),
                           json_text(site.op), text_of(site.activation), text_of(site.gradient),
                           number(site.gradient_norm), number(site.saturated), number(site.dead));
      if (!site.std_at.empty())
        sites += fmt::format(",\"t\":[{},{},{}]", numbers(site.std_at), numbers(site.gradient_at),
                             numbers(site.saturated_at));
      sites += "}";
    }
    for (size_t i = 0; i < parameters_.size(); ++i) {
      const Parameter& p = parameters_[i];
      ParameterView& view = look_.parameters[i].second;
      view.value = look(p.tensor, options_);
      view.norm = length(p.tensor);
      const std::vector<double> after = sampled(p.tensor);
      double moved = 0, was = 0;
      for (size_t k = 0; k < std::min(after.size(), p.before.size()); ++k)
        moved += (after[k] - p.before[k]) * (after[k] - p.before[k]), was += p.before[k] * p.before[k];
      view.update_ratio = std::sqrt(moved / was);
      parameters += (parameters.empty() ? "" : ",") +
                    fmt::format("{}:{{\"v\":{},\"g\":{},\"norm\":{},\"gnorm\":{},\"ratio\":{}}}", json_text(p.name),
                                text_of(view.value), text_of(view.gradient), number(view.norm),
                                number(view.gradient_norm), number(view.update_ratio));
    }
    if (file_ && steps_ == 0) {
      std::string rows;
      for (const LayerRow& r : layers(model_, listing_))
        rows += (rows.empty() ? "" : ",") +
                fmt::format(
                    "{{\"module\":{},\"type\":{},\"shape\":{},\"calls\":{},\"parameters\":{},\"flops\":{},"
                    "\"ms\":{},\"bytes\":{},\"saved\":{}}}",
                    json_text(r.module), json_text(r.type), json_text(r.shape), r.calls, r.parameters, number(r.flops),
                    number(r.ms), r.bytes, r.saved_bytes);
      write(fmt::format("{{\"layers\":[{}],\"fold\":{},\"peak\":{}}}", rows, json_text(listing_.fold()),
                        number(peak_flops())));
    }
    if (file_) write(fmt::format("{{\"look\":{},\"sites\":{{{}}},\"parameters\":{{{}}}}}", steps_, sites, parameters));
  }
  looking_ = false;
  ++steps_;
}

}  // namespace tapegrad::inspect

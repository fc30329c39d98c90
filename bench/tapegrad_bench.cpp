// The standard workloads, one a run: tapegrad_bench WORK [--key value]...
//
// Prints one JSON line: the least and the median time of a step in milliseconds. A step is everything between
// the two clock reads; data and parameters are made before, and three steps of warm-up are not counted. With --save it
// measures nothing: it takes exactly --steps steps and writes what they leave, so that machines can be compared.
#include <fmt/format.h>
#include <tapegrad/tapegrad.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "images.h"
#include "kernels/gemm/gemm.h"

namespace tg = tapegrad;
using tg::Tensor;

namespace {

constexpr const char* kUsage = R"(usage: tapegrad_bench WORK [--key value]...

  chain    size 1, depth 300                                    y = tanh(y * w + b), depth times; sum; backward
  norm     kind layer|batch, rows 4096, cols 1024               forward and backward of one norm
  mlp      sizes 784,1000,1000,10, batch 128, norm none|layer|batch, opt adam|sgd
  rnn      cell rnn|lstm|gru, norm none|layer|rms, in 28, hidden 128, layers 1, seq 100, batch 32, opt, ragged 0|1
  charlm   cell lstm, norm, vocab 96, hidden 256, layers 1, seq 64, batch 32, opt
  gpt      vocab 96, d 128, heads 4, layers 4, seq 128, batch 16, opt      pre-LN transformer, causal, GELU
  cnn      batch 64, norm none|batch|layer, opt                 two convolutions with pooling, on 28 x 28
  resnet   depth 20, batch 16, norm batch|group, opt            residual network, on 32 x 32
  gemm     n 1024                                               C = A B, the machine's limit

With all: --threads 1, --seconds 3 (how long to repeat), --steps 5 (at least so many), --profile 1 (times by operation),
--save FILE (no times: exactly --steps steps, then parameters and gradients as .safetensors), --exact 1 (set_exact)
)";

struct Arguments {
  std::map<std::string, std::string> values;
  mutable std::map<std::string, bool> used;

  std::string text(const std::string& key, const std::string& otherwise) const {
    used[key] = true;
    const auto at = values.find(key);
    return at == values.end() ? otherwise : at->second;
  }
  int64_t number(const std::string& key, int64_t otherwise) const {
    const std::string value = text(key, std::to_string(otherwise));
    try {
      size_t read = 0;
      const int64_t n = std::stoll(value, &read);
      if (read == value.size()) return n;
    } catch (const std::exception&) {
    }
    throw tg::ValueError(fmt::format("--{} takes a whole number, got '{}'", key, value));
  }
  std::vector<int64_t> list(const std::string& key, const std::string& otherwise) const {
    std::vector<int64_t> out;
    const std::string all = text(key, otherwise) + ",";
    for (size_t from = 0, to; (to = all.find(',', from)) != std::string::npos; from = to + 1)
      out.push_back(std::stoll(all.substr(from, to - from)));
    return out;
  }
  std::string choice(const std::string& key, const std::vector<std::string>& allowed) const {
    const std::string value = text(key, allowed[0]);
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end())
      throw tg::ValueError(fmt::format("--{} takes one of {}, got '{}'", key, fmt::join(allowed, ", "), value));
    return value;
  }
};

using Step = std::function<void()>;
using Parameters = std::vector<Tensor>;

struct Work {
  Step step;
  Parameters parameters;
};

bool profiling = false;
std::map<std::string, tg::ProfileRow> profile;

// A tape for one step; with --profile its times are added up.
class StepTape {
 public:
  StepTape() : tape_({.profile = profiling}) {}
  ~StepTape() {
    if (!profiling) return;
    for (const tg::ProfileRow& row : tape_.profile()) {
      tg::ProfileRow& sum = profile.try_emplace(row.op, tg::ProfileRow{row.op, 0, 0, 0}).first->second;
      sum.calls += row.calls;
      sum.forward_ms += row.forward_ms;
      sum.backward_ms += row.backward_ms;
    }
  }
  tg::Tape* operator->() { return &tape_; }

 private:
  tg::Tape tape_;
};

class AnyOptimizer {
 public:
  AnyOptimizer(const std::string& kind, const Parameters& parameters) {
    if (kind == "adam") {
      auto adam = std::make_shared<tg::optim::Adam>(parameters, tg::optim::AdamOptions{.lr = 1e-3});
      zero = [adam] { adam->zero_grad(); };
      step = [adam] { adam->step(); };
    } else {
      auto sgd = std::make_shared<tg::optim::SGD>(parameters, tg::optim::SGDOptions{.lr = 0.01, .momentum = 0.9});
      zero = [sgd] { sgd->zero_grad(); };
      step = [sgd] { sgd->step(); };
    }
  }
  Step zero, step;
};

Work chain(const Arguments& a) {
  const int64_t size = a.number("size", 1), depth = a.number("depth", 300);
  Tensor x = tg::randn({size}, {.requires_grad = true}), w = tg::randn({size}, {.requires_grad = true}),
         b = tg::randn({size}, {.requires_grad = true});
  const Step step = [=]() mutable {
    x.zero_grad();
    w.zero_grad();
    b.zero_grad();
    StepTape tape;
    Tensor y = x;
    for (int64_t i = 0; i < depth; ++i) y = tanh(y * w + b);
    tape->backward(sum(y));
  };
  return {step, {x, w, b}};
}

Work norm(const Arguments& a) {
  const int64_t rows = a.number("rows", 4096), cols = a.number("cols", 1024);
  const bool layer = a.choice("kind", {"layer", "batch"}) == "layer";
  Tensor x = tg::randn({rows, cols}, {.requires_grad = true});
  const Tensor dy = tg::randn({rows, cols});
  tg::nn::LayerNorm layer_norm(cols);
  tg::nn::BatchNorm1d batch_norm(cols);
  Parameters parameters = layer ? layer_norm.parameters() : batch_norm.parameters();
  parameters.push_back(x);
  const Step step = [=]() mutable {
    x.zero_grad();
    layer_norm.zero_grad();
    batch_norm.zero_grad();
    StepTape tape;
    tape->backward(layer ? layer_norm(x) : batch_norm(x), {.gradient = dy});
  };
  return {step, parameters};
}

// Training steps of a network that puts random inputs into classes.
template <class Net>
Work classifier(const Arguments& a, const Net& net, const tg::Shape& inputs, int64_t classes) {
  AnyOptimizer optimizer(a.choice("opt", {"adam", "sgd"}), net.parameters());
  const Tensor x = tg::randn(inputs), y = tg::randint(0, classes, {inputs[0]});
  const Step step = [=]() mutable {
    optimizer.zero();
    StepTape tape;
    tape->backward(cross_entropy(net(x), y));
    optimizer.step();
  };
  return {step, net.parameters()};
}

Work mlp(const Arguments& a) {
  const std::vector<int64_t> sizes = a.list("sizes", "784,1000,1000,10");
  const int64_t batch = a.number("batch", 128);
  const std::string norm = a.choice("norm", {"none", "layer", "batch"});
  tg::nn::Sequential net;
  for (size_t i = 0; i + 1 < sizes.size(); ++i) {
    net.push_back(tg::nn::Linear(sizes[i], sizes[i + 1]));
    if (i + 2 == sizes.size()) break;
    if (norm == "layer") net.push_back(tg::nn::LayerNorm(sizes[i + 1]));
    if (norm == "batch") net.push_back(tg::nn::BatchNorm1d(sizes[i + 1]));
    net.push_back(tg::nn::ReLU());
  }
  return classifier(a, net, {batch, sizes.front()}, sizes.back());
}

// A recurrent layer of any cell as a function from the sequence to its outputs.
struct Recurrent {
  std::function<Tensor(const Tensor&, const Tensor& lengths)> forward;
  Parameters parameters;
};

Recurrent recurrent(const Arguments& a, int64_t in, int64_t hidden, const std::string& default_cell) {
  const std::string cell = a.choice("cell", default_cell == "lstm" ? std::vector<std::string>{"lstm", "rnn", "gru"}
                                                                   : std::vector<std::string>{"rnn", "lstm", "gru"});
  const std::string norm_name = a.choice("norm", {"none", "layer", "rms"});
  const auto norm = norm_name == "none"  ? tg::nn::Norm::none
                    : norm_name == "rms" ? tg::nn::Norm::rms
                                         : tg::nn::Norm::layer;
  const int64_t layers = a.number("layers", 1);
  const auto wrap = [](auto net) {
    return Recurrent{[net](const Tensor& x, const Tensor& lengths) { return net(x, {}, {.lengths = lengths}).output; },
                     net.parameters()};
  };
  if (cell == "lstm") return wrap(tg::nn::LSTM(in, hidden, {.num_layers = layers, .norm = norm}));
  if (cell == "gru") return wrap(tg::nn::GRU(in, hidden, {.num_layers = layers, .norm = norm}));
  return wrap(tg::nn::RNN(in, hidden, {.num_layers = layers, .norm = norm}));
}

Work rnn(const Arguments& a) {
  const int64_t in = a.number("in", 28), batch = a.number("batch", 32), seq = a.number("seq", 100),
                hidden = a.number("hidden", 128);
  const bool ragged = a.number("ragged", 0) != 0;  // lengths from seq / 2 to seq, not sorted
  Recurrent net = recurrent(a, in, hidden, "lstm");
  tg::nn::Linear head(hidden, 10);
  for (const Tensor& p : head.parameters()) net.parameters.push_back(p);
  AnyOptimizer optimizer(a.choice("opt", {"adam", "sgd"}), net.parameters);
  const Tensor x = tg::randn({seq, batch, in}), y = tg::randint(0, 10, {batch});
  const Tensor lengths = ragged ? tg::randint(seq / 2, seq + 1, {batch}) : Tensor();
  const Step step = [=]() mutable {
    optimizer.zero();
    StepTape tape;
    tape->backward(cross_entropy(head(net.forward(x, lengths)[-1]), y));
    optimizer.step();
  };
  return {step, net.parameters};
}

Work charlm(const Arguments& a) {
  const int64_t vocab = a.number("vocab", 96), batch = a.number("batch", 32), seq = a.number("seq", 64),
                hidden = a.number("hidden", 256);
  tg::nn::Embedding embed(vocab, hidden);
  Recurrent net = recurrent(a, hidden, hidden, "lstm");
  tg::nn::Linear head(hidden, vocab);
  Parameters parameters = embed.parameters();
  for (const Tensor& p : net.parameters) parameters.push_back(p);
  for (const Tensor& p : head.parameters()) parameters.push_back(p);
  AnyOptimizer optimizer(a.choice("opt", {"adam", "sgd"}), parameters);
  const Tensor x = tg::randint(0, vocab, {seq, batch}), y = tg::randint(0, vocab, {seq * batch});
  const Step step = [=]() mutable {
    optimizer.zero();
    StepTape tape;
    tape->backward(cross_entropy(head(net.forward(embed(x), {})).reshape({seq * batch, vocab}), y));
    tg::clip_grad_norm(parameters, 1.0);
    optimizer.step();
  };
  return {step, parameters};
}

Work gpt(const Arguments& a) {
  const int64_t vocab = a.number("vocab", 96), d = a.number("d", 128), seq = a.number("seq", 128),
                batch = a.number("batch", 16);
  tg::nn::Embedding tokens(vocab, d);
  tg::nn::LearnedPositions positions(seq, d);
  tg::nn::TransformerEncoder blocks(d, a.number("heads", 4), a.number("layers", 4),
                                    {.dim_feedforward = 4 * d,
                                     .dropout = 0,
                                     .activation = tg::nn::Activation::gelu,
                                     .batch_first = true,
                                     .norm_first = true,
                                     .final_norm = true});
  tg::nn::Linear head(d, vocab);
  Parameters parameters = tokens.parameters();
  for (const Parameters& more : {positions.parameters(), blocks.parameters(), head.parameters()})
    parameters.insert(parameters.end(), more.begin(), more.end());
  AnyOptimizer optimizer(a.choice("opt", {"adam", "sgd"}), parameters);
  const Tensor x = tg::randint(0, vocab, {batch, seq}), y = tg::randint(0, vocab, {batch * seq});
  const Step step = [=]() mutable {
    optimizer.zero();
    StepTape tape;
    const Tensor logits = head(blocks(positions(tokens(x)), {.is_causal = true}));
    tape->backward(cross_entropy(logits.reshape({batch * seq, vocab}), y));
    optimizer.step();
  };
  return {step, parameters};
}

Work cnn(const Arguments& a) {
  return classifier(a, images::Cnn(a.choice("norm", {"none", "batch", "layer"})), {a.number("batch", 64), 1, 28, 28},
                    10);
}

Work resnet(const Arguments& a) {
  return classifier(a, images::ResNet(a.number("depth", 20), a.choice("norm", {"batch", "group"})),
                    {a.number("batch", 16), 3, 32, 32}, 10);
}

Work gemm(const Arguments& a) {
  const int64_t n = a.number("n", 1024);
  const Tensor x = tg::randn({n, n}), y = tg::randn({n, n});
  Tensor z = tg::empty({n, n});
  const Step step = [=]() mutable {
    tg::kernels::gemm<float>(false, false, n, n, n, 1, x.data<float>().data(), n, y.data<float>().data(), n, 0,
                             z.mutable_data<float>().data(), n);
  };
  return {step, {z}};
}

void save(const std::string& file, const Work& work, int64_t steps) {
  for (int64_t i = 0; i < steps; ++i) work.step();
  std::map<std::string, Tensor> tensors;
  for (size_t i = 0; i < work.parameters.size(); ++i) {
    const Tensor& parameter = work.parameters[i];
    tensors[fmt::format("{}.value", i)] = parameter.detach();
    if (parameter.grad().defined()) tensors[fmt::format("{}.grad", i)] = parameter.grad();
  }
  tg::save(file, tensors);
}

void measure(const std::string& label, const Arguments& a, const Step& step) {
  using clock = std::chrono::steady_clock;
  const double seconds = std::stod(a.text("seconds", "3"));
  const int64_t least = a.number("steps", 5);
  for (int i = 0; i < 3; ++i) step();
  profile.clear();
  std::vector<double> times;
  const auto begin = clock::now();
  while (int64_t(times.size()) < least || std::chrono::duration<double>(clock::now() - begin).count() < seconds) {
    const auto from = clock::now();
    step();
    times.push_back(std::chrono::duration<double, std::milli>(clock::now() - from).count());
  }
  std::sort(times.begin(), times.end());
  fmt::print(
      "{{\"peer\":\"tapegrad\",\"work\":\"{}\",\"threads\":{},\"ms_min\":{:.5f},\"ms_median\":{:.5f},"
      "\"steps\":{}}}\n",
      label, tg::get_num_threads(), times.front(), times[times.size() / 2], times.size());
  if (!profiling) return;
  std::vector<tg::ProfileRow> rows;
  for (const auto& [op, row] : profile) rows.push_back(row);
  std::sort(rows.begin(), rows.end(),
            [](const auto& x, const auto& y) { return x.forward_ms + x.backward_ms > y.forward_ms + y.backward_ms; });
  const double steps = double(times.size());
  fmt::print(stderr, "{:<16} {:>8} {:>12} {:>12}\n", "operation", "calls", "forward ms", "backward ms");
  for (const tg::ProfileRow& row : rows)
    fmt::print(stderr, "{:<16} {:>8.1f} {:>12.4f} {:>12.4f}\n", row.op, double(row.calls) / steps,
               row.forward_ms / steps, row.backward_ms / steps);
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string work = argc > 1 ? argv[1] : "--help";
  if (work == "--help" || work == "-h") return fmt::print("{}", kUsage), 0;
  Arguments a;
  for (int i = 2; i < argc; i += 2) {
    const std::string key = argv[i];
    if (!key.starts_with("--") || i + 1 == argc) throw tg::ValueError("arguments are --key value, got '" + key + "'");
    a.values[key.substr(2)] = argv[i + 1];
  }
  const std::map<std::string, std::function<Work(const Arguments&)>> works = {
      {"chain", chain}, {"norm", norm}, {"mlp", mlp},       {"rnn", rnn},  {"charlm", charlm},
      {"gpt", gpt},     {"cnn", cnn},   {"resnet", resnet}, {"gemm", gemm}};
  const auto make = works.find(work);
  if (make == works.end()) throw tg::ValueError("no workload '" + work + "'; see --help");
  tg::set_num_threads(int(a.number("threads", 1)));
  tg::manual_seed(0);
  if (a.number("exact", 0) != 0) tg::set_exact(true);
  profiling = a.number("profile", 0) != 0;
  std::string label = work;
  for (const auto& [key, value] : a.values)
    if (key != "threads" && key != "seconds" && key != "steps" && key != "profile" && key != "save")
      label += " --" + key + " " + value;
  const Work made = make->second(a);
  a.text("seconds", "");
  const int64_t steps = a.number("steps", 5);
  const std::string file = a.text("save", "");
  for (const auto& [key, value] : a.values)
    if (!a.used[key]) throw tg::ValueError("--" + key + " does not belong to " + work + "; see --help");
  if (file.empty())
    measure(label, a, made.step);
  else
    save(file, made, steps);
} catch (const std::exception& error) {
  fmt::print(stderr, "tapegrad_bench: {}\n", error.what());
  return 2;
}

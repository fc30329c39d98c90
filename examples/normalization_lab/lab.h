// What the experiments share: the digits, networks with a choice of norm, a grid of runs over norms, settings and seeds, and how its
// numbers are shown.
#pragma once
#include <tapegrad/inspect/draw.h>
#include <tapegrad/tapegrad.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "../arguments.h"

namespace lab {

using namespace tapegrad;

struct Lab {
  data::Split digits;
  bool quick = false;
  int64_t seeds = 5;
  std::string out = ".";
  std::shared_ptr<std::string> page = std::make_shared<std::string>();  // what report.html shows
};

/// The digits that ship with the examples, or those of a folder with the IDX files of MNIST or Fashion-MNIST, of which `cases` are
/// trained on. **Throws** FormatError where files are missing.
data::Split digits(const std::string& folder, int64_t cases);

/// Pixels along one side of a digit.
inline int64_t side_of(const Lab& lab) { return std::lround(std::sqrt(double(lab.digits.train.x()[0].numel()))); }

/// A layer that normalizes [N, D], or none: "none", "batch", "layer" or "rms".
inline void add_norm(nn::Sequential& net, const std::string& norm, int64_t features) {
  if (norm == "batch") net.push_back(nn::BatchNorm1d(features));
  if (norm == "layer") net.push_back(nn::LayerNorm(features));
  if (norm == "rms") net.push_back(nn::RMSNorm(features));
}

/// The pixels, `depth` hidden layers of `width` relu units with a norm before each relu, ten classes. He's initialization.
inline nn::Sequential mlp(const Lab& lab, const std::string& norm, int64_t depth, int64_t width) {
  nn::Sequential net;
  for (int64_t i = 0; i < depth; ++i) {
    nn::Linear linear(i == 0 ? side_of(lab) * side_of(lab) : width, width, {.bias = norm == "none"});
    nn::init::kaiming_normal(linear.weight);
    net.push_back(linear);
    add_norm(net, norm, width);
    net.push_back(nn::ReLU());
  }
  net.push_back(nn::Linear(width, 10));
  return net;
}

/// One number for each norm, setting and seed.
struct Grid {
  std::vector<std::string> norms;
  std::vector<double> settings;
  std::vector<std::vector<std::vector<double>>> values;  // [norm][setting][seed]

  std::vector<double>& at(const std::string& norm, double setting) {
    const auto n = std::find(norms.begin(), norms.end(), norm) - norms.begin();
    const auto s = std::find(settings.begin(), settings.end(), setting) - settings.begin();
    return values[size_t(n)][size_t(s)];
  }
};

inline double median(std::vector<double> x) {
  std::sort(x.begin(), x.end());
  return x.empty() ? std::nan("") : (x[(x.size() - 1) / 2] + x[x.size() / 2]) / 2;
}
inline double smallest(const std::vector<double>& x) { return *std::min_element(x.begin(), x.end()); }
inline double largest(const std::vector<double>& x) { return *std::max_element(x.begin(), x.end()); }

/// a / b, seed by seed.
inline std::vector<double> ratio(std::vector<double> a, const std::vector<double>& b) {
  for (size_t seed = 0; seed < a.size(); ++seed) a[seed] /= b[seed];
  return a;
}
/// In how many seeds a is less than b.
inline size_t ahead(const std::vector<double>& a, const std::vector<double>& b) {
  size_t count = 0;
  for (size_t seed = 0; seed < a.size(); ++seed) count += a[seed] < b[seed];
  return count;
}

/// "0.91 (0.89 to 0.93)": the median and the range over seeds.
inline std::string spread(const std::vector<double>& x) {
  return fmt::format("{:.3g} ({:.3g} to {:.3g})", median(x), smallest(x), largest(x));
}

/// Runs f(norm, setting) for each seed, and prints the table of medians and ranges.
inline Grid run_grid(const Lab& lab, const std::string& name, const std::string& setting,
                     std::vector<std::string> norms, std::vector<double> settings,
                     const std::function<double(const std::string&, double)>& f) {
  Grid grid{std::move(norms), std::move(settings), {}};
  {
    train::Progress progress(int64_t(grid.norms.size() * grid.settings.size()) * lab.seeds, {.label = name});
    for (const std::string& norm : grid.norms) {
      auto& row = grid.values.emplace_back();
      for (const double s : grid.settings) {
        auto& cell = row.emplace_back();
        for (int64_t seed = 0; seed < lab.seeds; ++seed) {
          manual_seed(uint64_t(seed));
          cell.push_back(f(norm, s));
          progress.step({{norm.c_str(), cell.back()}});
        }
      }
    }
    progress.clear();
  }
  fmt::print("{:<14}", setting);
  for (const std::string& norm : grid.norms) fmt::print("{:<28}", norm);
  fmt::print("\n");
  for (size_t s = 0; s < grid.settings.size(); ++s) {
    fmt::print("{:<14.4g}", grid.settings[s]);
    for (size_t n = 0; n < grid.norms.size(); ++n) fmt::print("{:<28}", spread(grid.values[n][s]));
    fmt::print("\n");
  }
  return grid;
}

/// Runs f(norm) for each seed, which gives some quantities at every x: a grid of norms and x for each quantity.
inline std::vector<Grid> run_curves(const Lab& lab, const std::string& name, std::vector<std::string> norms,
                                    const std::vector<double>& x, size_t quantities,
                                    const std::function<std::vector<std::vector<double>>(const std::string&)>& f) {
  std::vector<std::vector<std::vector<double>>> rows(norms.size(), std::vector<std::vector<double>>(x.size()));
  std::vector<Grid> grids(quantities, Grid{norms, x, rows});
  train::Progress progress(int64_t(norms.size()) * lab.seeds, {.label = name});
  for (size_t n = 0; n < norms.size(); ++n)
    for (int64_t seed = 0; seed < lab.seeds; ++seed, progress.step()) {
      manual_seed(uint64_t(seed));
      const std::vector<std::vector<double>> values = f(norms[n]);
      for (size_t q = 0; q < quantities; ++q)
        for (size_t i = 0; i < x.size(); ++i) grids[q].values[n][i].push_back(values[q][i]);
    }
  progress.clear();
  return grids;
}

/// Writes a picture to a file of its own and to the page.
inline void show(const Lab& lab, const std::string& file, const std::string& svg) {
  const std::string path = lab.out + "/" + file + ".svg";
  inspect::write_svg(path, svg);
  *lab.page += "<div class=\"card\">" + svg + "</div>\n";
  fmt::print("picture: {}\n", path);
}

/// A picture of the grid, a curve for each norm with a band over the seeds.
inline void draw(const Lab& lab, const std::string& file, inspect::Plot plot, const Grid& grid) {
  std::vector<inspect::Curve> curves;
  for (size_t n = 0; n < grid.norms.size(); ++n) {
    inspect::Curve c{.name = grid.norms[n], .x = grid.settings, .y = {}};
    for (const auto& cell : grid.values[n]) {
      c.y.push_back(median(cell));
      c.low.push_back(smallest(cell));
      c.high.push_back(largest(cell));
    }
    curves.push_back(std::move(c));
  }
  show(lab, file, inspect::line_plot(plot, curves));
}

/// The last line of an experiment. In findings.txt it takes the place of the line of an earlier run.
inline void finding(const Lab& lab, const std::string& name, bool holds, const std::string& sentence) {
  const std::string text = (holds ? "" : "the claim does NOT hold here: ") + sentence, path = lab.out + "/findings.txt";
  fmt::print("Finding: {}\n", text);
  *lab.page += "<p><b>Finding</b>: " + text + "</p>\n";
  std::string kept, line;
  bool found = false;
  for (std::ifstream before(path); std::getline(before, line); kept += line + '\n')
    if (line.starts_with(name + ": ")) {
      line = name + ": " + text;
      found = true;
    }
  std::ofstream(path) << kept << (found ? "" : name + ": " + text + '\n');
}

struct Training {
  int64_t batch = 32, epochs = 5;
  double lr = 1e-3, scale = 1;  // of the inputs
  bool sgd = false;
  int64_t max_steps = 1 << 30;
  int64_t warmup = 0;                     // steps in which the rate rises to lr
  double decay = 0;                       // of the weights, with SGD
  std::function<void()> after_step = {};  // where given
};

struct Outcome {
  double accuracy = 0, loss = 0;  // on the digits that were held back
  int64_t steps_to_half = -1;     // until the running mean of the training loss is below 0.5
};

/// Trains on the digits; a loss that is not finite ends it, with an accuracy of 0.1 and a loss of ln(10).
template <class Model>
Outcome fit(const Lab& lab, Model model, const Training& how) {
  const Tensor test = lab.digits.test.x() * how.scale;
  std::unique_ptr<optim::Optimizer> optimizer;
  if (how.sgd)
    optimizer =
        std::make_unique<optim::SGD>(model.parameters(), optim::SGDOptions{.lr = how.lr, .weight_decay = how.decay});
  else
    optimizer = std::make_unique<optim::Adam>(model.parameters(), optim::AdamOptions{.lr = how.lr});
  data::DataLoader loader(lab.digits.train, {.batch_size = how.batch, .shuffle = true, .drop_last = true});
  Outcome out;
  double mean = std::log(10.0);
  int64_t step = 0;
  const auto lost = [&] {
    return Outcome{.accuracy = 0.1, .loss = std::log(10.0), .steps_to_half = out.steps_to_half};
  };
  for (int64_t epoch = 0; epoch < how.epochs; ++epoch)
    for (auto [x, y] : loader) {
      if (step++ >= how.max_steps) break;
      if (how.warmup > 0) optimizer->set_lr(how.lr * std::min(1.0, double(step) / double(how.warmup)));
      Tape tape;
      const Tensor loss = cross_entropy(model(x * how.scale), y);
      if (!std::isfinite(loss.item())) return lost();
      optimizer->zero_grad();
      tape.backward(loss);
      if (!optimizer->step()) return lost();
      if (how.after_step) how.after_step();
      mean += 0.05 * (loss.item() - mean);
      if (out.steps_to_half < 0 && mean < 0.5) out.steps_to_half = step;
    }
  model.eval();
  const Tensor logits = model(test);
  out.loss = cross_entropy(logits, lab.digits.test.y()).item();
  out.accuracy = train::accuracy(logits, lab.digits.test.y());
  return std::isfinite(out.loss) ? out : lost();
}

// The experiments.
void batch_size(const Lab& lab);
void input_scale(const Lab& lab);
void weight_scale(const Lab& lab);
void rnn_convergence(const Lab& lab);
void depth(const Lab& lab);
void learning_rate(const Lab& lab);
void pre_post_ln(const Lab& lab);
void cnn(const Lab& lab);
void covariate_shift(const Lab& lab);
void gain_bias(const Lab& lab);
void online(const Lab& lab);
void effective_rate(const Lab& lab);
void rnn_gradient(const Lab& lab);
void rnn_long(const Lab& lab);
void sequence_length(const Lab& lab);
void depth_gradient(const Lab& lab);

}  // namespace lab

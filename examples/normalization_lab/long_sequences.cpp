// Recurrent networks and time: what layer norm does over hundreds of steps, and what becomes of a norm's statistics on sequences that are
// longer than those of training.
#include <tapegrad/inspect/microscope.h>

#include "../adding_problem.h"
#include "../recurrent.h"
#include "lab.h"

namespace lab {

namespace {

// An LSTM that begins by remembering over 1 to `memory` steps, and a layer on each of its outputs.
struct Reader : nn::Module<Reader> {
  Reader(int64_t inputs, int64_t hidden, int64_t outputs, double memory, const nn::LSTMOptions& options)
      : lstm(add("lstm", nn::LSTM(inputs, hidden, options))), head(add("head", nn::Linear(hidden, outputs))) {
    remember_up_to(lstm, memory);
  }
  Tensor forward(const Tensor& x) { return head(lstm(x).output); }

  nn::LSTM lstm;
  nn::Linear head;
};

// The norm stands on the sum of the two products, as in 09_adding_problem.cpp; each step's batch norm on each of the two, as Cooijmans
// et al. 2016, arXiv:1603.09025, have it, with statistics of its own for every step of training.
nn::LSTMOptions lstm_options(const std::string& norm, int64_t steps) {
  if (norm.starts_with("batch")) return {.norm = nn::Norm::batch, .max_steps = steps};
  if (norm == "layer") return {.norm = nn::Norm::layer, .placement = nn::Placement::sum};
  return {};
}

struct Task {
  std::function<data::Batch(int64_t)> batch;                 // of so many sequences
  std::function<Tensor(const Tensor&, const Tensor&)> loss;  // of the outputs [T, B, D]
  double memoryless;                                         // its value for one who remembers nothing
};

Task adding(int64_t length) {
  return {[=](int64_t n) { return adding_sequences(length, n, default_generator()); },
          [](const Tensor& y, const Tensor& target) { return mse_loss(y[-1], target); }, adding_memoryless};
}

// The rate falls to 0, gradients are clipped at 1, each step has new sequences; each(loss) is called after it.
void learn(
    const Reader& model, optim::Optimizer& optimizer, const Task& task, int64_t steps,
    const std::function<void(double)>& each = [](double) {}) {
  optim::CosineAnnealingLR schedule(optimizer, {.T_max = steps});
  for (int64_t step = 0; step < steps; ++step) {
    const auto [x, y] = task.batch(32);
    Tape tape;
    const Tensor loss = task.loss(model(x), y);
    optimizer.zero_grad();
    tape.backward(loss);
    clip_grad_norm(model.parameters(), 1.0);
    optimizer.step();
    schedule.step();
    each(loss.item());
  }
}

// The loss on new sequences, as a part of that without memory.
double left_over(const Reader& model, const Task& task) {
  const auto [x, y] = task.batch(200);
  return task.loss(model(x), y).item() / task.memoryless;
}

// The norm of the gradient at each time step of one batch, as the microscope sees it.
std::vector<double> gradient_at(Reader& model, const Task& task) {
  optim::SGD still(model.parameters(), {.lr = 0});
  inspect::Microscope scope(model, still, {.every = 1});
  const auto [x, y] = task.batch(32);
  {
    Tape tape(scope.watch());
    const Tensor loss = task.loss(model(x), y);
    still.zero_grad();
    tape.backward(loss);
    still.step();
    scope.step(loss.item());
  }
  for (const auto& [name, site] : scope.last().sites)
    if (!site.gradient_at.empty()) return site.gradient_at;
  return {};
}

}  // namespace

void rnn_gradient(const Lab& lab) {
  constexpr int64_t length = 400;
  std::vector<double> times;
  for (int64_t t = 8; t <= length; t += 8) times.push_back(double(t));
  Grid gradient = run_curves(lab, "rnn-gradient", {"none", "layer"}, times, 1, [&](const std::string& norm) {
    Reader model(2, 32, 1, double(length), lstm_options(norm, length));
    const std::vector<double> size = gradient_at(model, adding(length));
    std::vector<double> out;
    for (const double t : times) out.push_back(size[size_t(t) - 1]);
    return std::vector<std::vector<double>>{out};
  })[0];
  draw(lab, "rnn_gradient",
       {.title = fmt::format("norm of the gradient at each of {} time steps before training, an LSTM", length),
        .x_name = "time step",
        .log_y = true},
       gradient);
  const auto reach = [&](const std::string& norm) {  // of the gradient, from the last step to the first that is drawn
    std::vector<double> out = gradient.at(norm, times.front());
    for (size_t seed = 0; seed < out.size(); ++seed) out[seed] /= gradient.at(norm, times.back())[seed];
    return out;
  };
  const std::vector<double> plain = reach("none"), layer = reach("layer");
  const auto off = [](double ratio) { return std::abs(std::log(ratio)); };  // from 1, in either direction
  size_t nearer = 0;
  for (size_t seed = 0; seed < plain.size(); ++seed) nearer += off(layer[seed]) < off(plain[seed]);
  finding(
      lab, "rnn-gradient", nearer == plain.size(),
      fmt::format("over {} steps the gradient at step {:g} is {} times that at the last step with layer norm, {} times "
                  "without a norm; with layer norm it stays nearer to what it was in {} of {} seeds.",
                  length, times.front(), spread(layer), spread(plain), nearer, plain.size()));
}

// Hidden size, rate and steps as in 09_adding_problem.cpp, of which this is a shorter form.
void rnn_long(const Lab& lab) {
  Grid left = run_grid(lab, "rnn-long", "steps", {"none", "layer"},
                       lab.quick ? std::vector<double>{50, 100} : std::vector<double>{100, 400},
                       [&](const std::string& norm, double length) {
                         Reader model(2, 32, 1, length, lstm_options(norm, int64_t(length)));
                         optim::Adam optimizer(model.parameters(), {.lr = 5e-3});
                         learn(model, optimizer, adding(int64_t(length)), lab.quick ? 150 : 1000);
                         return left_over(model, adding(int64_t(length)));
                       });
  draw(lab, "rnn_long",
       {.title = "adding problem, after 1,000 batches: error / error without memory",
        .x_name = "steps of a sequence",
        .log_x = true,
        .log_y = true},
       left);
  const double longest = left.settings.back(), shortest = left.settings.front();
  size_t ahead = 0;
  for (size_t seed = 0; seed < size_t(lab.seeds); ++seed)
    ahead += left.at("layer", longest)[seed] < left.at("none", longest)[seed];
  finding(
      lab, "rnn-long", ahead == size_t(lab.seeds),
      fmt::format("an LSTM with layer norm leaves {} of the error without memory over {:g} steps, one without a "
                  "norm {}; over {:g} steps {} and {}. Over {:g} steps layer norm is ahead in {} of {} seeds.",
                  spread(left.at("layer", longest)), longest, spread(left.at("none", longest)), shortest,
                  spread(left.at("layer", shortest)), spread(left.at("none", shortest)), longest, ahead, lab.seeds));
}

void sequence_length(const Lab& lab) {
  const std::vector<double> lengths{20, 25, 30, 40, 60, 80, 100};  // the first one is that of training
  const auto trained = int64_t(lengths.front());
  Grid left = run_curves(lab, "sequence-length", {"none", "batch", "batch, own statistics", "layer"}, lengths, 1,
                         [&](const std::string& norm) {
                           Reader model(2, 32, 1, lengths.front(), lstm_options(norm, trained));
                           optim::Adam optimizer(model.parameters(), {.lr = 5e-3});
                           learn(model, optimizer, adding(trained), lab.quick ? 300 : 1200);
                           model.train(norm.ends_with("own statistics"));
                           std::vector<double> out;
                           for (const double n : lengths) out.push_back(left_over(model, adding(int64_t(n))));
                           return std::vector<std::vector<double>>{out};
                         })[0];
  draw(lab, "sequence_length",
       {.title = fmt::format("adding problem, trained on {} steps: error / error without memory", trained),
        .x_name = "steps of a sequence",
        .log_x = true,
        .log_y = true},
       left);
  const auto at = [&](const std::string& norm, double n) { return spread(left.at(norm, n)); };
  size_t ahead = 0;
  for (size_t seed = 0; seed < size_t(lab.seeds); ++seed)
    ahead += left.at("layer", 40)[seed] < left.at("batch", 40)[seed];
  finding(lab, "sequence-length", ahead == size_t(lab.seeds),
          fmt::format(
              "an LSTM trained on {} steps leaves {} of the error without memory with batch norm, {} with layer "
              "norm and {} without a norm; on 40 steps {}, {} and {}, and {} with batch norm by the statistics of the "
              "sequences that it is tested on. On 40 steps layer norm is ahead of batch norm in {} of {} seeds.",
              trained, at("batch", lengths[0]), at("layer", lengths[0]), at("none", lengths[0]), at("batch", 40),
              at("layer", 40), at("none", 40), at("batch, own statistics", 40), ahead, lab.seeds));
}

}  // namespace lab

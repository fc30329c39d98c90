// Recurrent networks and time: what layer norm does over hundreds of steps, and what becomes of a norm's statistics on sequences that are
// longer than those of training.
#include <tapegrad/inspect/microscope.h>

#include "../adding_problem.h"
#include "../recurrent.h"
#include "lab.h"

namespace lab {

namespace {

// An LSTM that begins by remembering over 1 to `memory` steps, and a layer on the last of its outputs: the sum of two numbers.
struct Reader : nn::Module<Reader> {
  Reader(double memory, const nn::LSTMOptions& options)
      : lstm(add("lstm", nn::LSTM(2, 32, options))), head(add("head", nn::Linear(32, 1))) {
    remember_up_to(lstm, memory);
  }
  Tensor forward(const Tensor& x) { return head(lstm(x).output)[-1]; }

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

// Learns the adding problem: the rate falls to 0, gradients are clipped at 1, each step has new sequences.
void learn(const Reader& model, optim::Optimizer& optimizer, int64_t length, int64_t steps) {
  optim::CosineAnnealingLR schedule(optimizer, {.T_max = steps});
  for (int64_t step = 0; step < steps; ++step) {
    const auto [x, y] = adding_sequences(length, 32, default_generator());
    Tape tape;
    const Tensor loss = mse_loss(model(x), y);
    optimizer.zero_grad();
    tape.backward(loss);
    clip_grad_norm(model.parameters(), 1.0);
    optimizer.step();
    schedule.step();
  }
}

// The loss on new sequences, as a part of that without memory.
double left_over(const Reader& model, int64_t length) {
  const auto [x, y] = adding_sequences(length, 200, default_generator());
  return mse_loss(model(x), y).item() / adding_memoryless;
}

// The norm of the gradient at each time step of one batch, as the microscope sees it.
std::vector<double> gradient_at(Reader& model, int64_t length) {
  optim::SGD still(model.parameters(), {.lr = 0});
  inspect::Microscope scope(model, still, {.every = 1});
  const auto [x, y] = adding_sequences(length, 32, default_generator());
  {
    Tape tape(scope.watch());
    const Tensor loss = mse_loss(model(x), y);
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
    Reader model(double(length), lstm_options(norm, length));
    const std::vector<double> size = gradient_at(model, length);
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
    return ratio(gradient.at(norm, times.front()), gradient.at(norm, times.back()));
  };
  const std::vector<double> plain = reach("none"), layer = reach("layer");
  const auto off = [](std::vector<double> ratios) {  // from 1, in either direction
    for (double& r : ratios) r = std::abs(std::log(r));
    return ratios;
  };
  const size_t nearer = ahead(off(layer), off(plain));
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
                         Reader model(length, lstm_options(norm, int64_t(length)));
                         optim::Adam optimizer(model.parameters(), {.lr = 5e-3});
                         learn(model, optimizer, int64_t(length), lab.quick ? 150 : 1000);
                         return left_over(model, int64_t(length));
                       });
  draw(lab, "rnn_long",
       {.title = "adding problem, after 1,000 batches: error / error without memory",
        .x_name = "steps of a sequence",
        .log_x = true,
        .log_y = true},
       left);
  const double longest = left.settings.back(), shortest = left.settings.front();
  const size_t better = ahead(left.at("layer", longest), left.at("none", longest));
  finding(
      lab, "rnn-long", better == size_t(lab.seeds),
      fmt::format("an LSTM with layer norm leaves {} of the error without memory over {:g} steps, one without a "
                  "norm {}; over {:g} steps {} and {}. Over {:g} steps layer norm is ahead in {} of {} seeds.",
                  spread(left.at("layer", longest)), longest, spread(left.at("none", longest)), shortest,
                  spread(left.at("layer", shortest)), spread(left.at("none", shortest)), longest, better, lab.seeds));
}

void sequence_length(const Lab& lab) {
  const std::vector<double> lengths{20, 25, 30, 40, 60, 80, 100};  // the first one is that of training
  const auto trained = int64_t(lengths.front());
  Grid left = run_curves(lab, "sequence-length", {"none", "batch", "batch, own statistics", "layer"}, lengths, 1,
                         [&](const std::string& norm) {
                           Reader model(lengths.front(), lstm_options(norm, trained));
                           optim::Adam optimizer(model.parameters(), {.lr = 5e-3});
                           learn(model, optimizer, trained, lab.quick ? 300 : 1200);
                           model.train(norm.ends_with("own statistics"));
                           std::vector<double> out;
                           for (const double n : lengths) out.push_back(left_over(model, int64_t(n)));
                           return std::vector<std::vector<double>>{out};
                         })[0];
  draw(lab, "sequence_length",
       {.title = fmt::format("adding problem, trained on {} steps: error / error without memory", trained),
        .x_name = "steps of a sequence",
        .log_x = true,
        .log_y = true},
       left);
  const auto at = [&](const std::string& norm, double n) { return spread(left.at(norm, n)); };
  const size_t better = ahead(left.at("layer", 40), left.at("batch", 40));
  finding(lab, "sequence-length", better == size_t(lab.seeds),
          fmt::format(
              "an LSTM trained on {} steps leaves {} of the error without memory with batch norm, {} with layer "
              "norm and {} without a norm; on 40 steps {}, {} and {}, and {} with batch norm by the statistics of the "
              "sequences that it is tested on. On 40 steps layer norm is ahead of batch norm in {} of {} seeds.",
              trained, at("batch", lengths[0]), at("layer", lengths[0]), at("none", lengths[0]), at("batch", 40),
              at("layer", 40), at("none", 40), at("batch, own statistics", 40), better, lab.seeds));
}

}  // namespace lab

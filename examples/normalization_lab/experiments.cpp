// The claims of Ba, Kiros and Hinton 2016, arXiv:1607.06450, and of those who wrote about them, tried out on small digits. An experiment
// is a grid of runs, a picture, and a sentence with its number; the sentence says so where the claim does not hold.
#include "lab.h"

namespace lab {

void batch_size(const Lab& lab) {
  // The same number of passes, so the same number of samples; the learning rate is one for all.
  const int64_t epochs = lab.quick ? 2 : 5;
  Grid loss =
      run_grid(lab, "batch-size", "batch size", {"none", "batch", "layer", "rms"}, {2, 4, 16, 64, 256},
               [&](const std::string& norm, double batch) {
                 return fit(lab, mlp(lab, norm, 2, 100), {.batch = int64_t(batch), .epochs = epochs, .lr = 1e-3}).loss;
               });
  draw(lab, "batch_size",
       {.title = "loss on held-back digits, by batch size", .x_name = "batch size", .log_x = true, .log_y = true},
       loss);
  const std::vector<double> batch_cost = ratio(loss.at("batch", 2), loss.at("batch", 16)),
                            layer_cost = ratio(loss.at("layer", 2), loss.at("layer", 16));
  const size_t better = ahead(layer_cost, batch_cost);
  finding(lab, "batch-size", better == size_t(lab.seeds),
          fmt::format("going from batches of 16 to 2 multiplies the loss with batch norm by {}, with layer "
                      "norm by {}; layer norm loses less in "
                      "{} of {} seeds.",
                      spread(batch_cost), spread(layer_cost), better, lab.seeds));
}

namespace {

// How far the losses of the settings from `from` on lie from that of setting 1, the worst of them, for each seed.
std::vector<double> deviation(Grid& grid, const std::string& norm, double from, double to) {
  std::vector<double> out(grid.at(norm, 1).size(), 0);
  for (const double s : grid.settings)
    for (size_t seed = 0; s >= from && s <= to && seed < out.size(); ++seed)
      out[seed] = std::max(out[seed], std::abs(grid.at(norm, s)[seed] - grid.at(norm, 1)[seed]));
  return out;
}

}  // namespace

void input_scale(const Lab& lab) {
  const int64_t steps = lab.quick ? 100 : 400;
  Grid loss = run_grid(lab, "input-scale", "scale", {"none", "batch", "layer", "rms"},
                       {1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000}, [&](const std::string& norm, double scale) {
                         return fit(lab, mlp(lab, norm, 2, 100),
                                    {.epochs = 100, .lr = 0.05, .scale = scale, .sgd = true, .max_steps = steps})
                             .loss;
                       });
  draw(lab, "input_scale",
       {.title = "loss on held-back digits, by the scale of the inputs",
        .x_name = "factor of all inputs",
        .log_x = true,
        .log_y = true},
       loss);
  const std::vector<double> plain = deviation(loss, "none", 0.1, 1000), layer = deviation(loss, "layer", 0.1, 1000),
                            end = deviation(loss, "layer", 1e-4, 1e-3);
  finding(lab, "input-scale", largest(layer) < 0.1 && smallest(plain) > 0.3,
          fmt::format("factors from 0.1 to 1000 change the loss with layer norm by at most {}, without a norm by "
                      "{}. The invariance ends where "
                      "eps is no longer small beside the variance: factors of 0.001 and less change it by {}.",
                      spread(layer), spread(plain), spread(end)));
}

void weight_scale(const Lab& lab) {
  const int64_t steps = lab.quick ? 100 : 400;
  Grid loss = run_grid(lab, "weight-scale", "scale", {"none", "batch", "layer", "rms"}, {0.01, 0.1, 1, 10, 100},
                       [&](const std::string& norm, double scale) {
                         nn::Sequential net = mlp(lab, norm, 2, 100);
                         for (Tensor p : net.parameters())
                           if (p.dim() == 2 && p.size(0) == 100) p.copy_(p * scale);
                         return fit(lab, net, {.epochs = 100, .lr = 0.05, .sgd = true, .max_steps = steps}).loss;
                       });
  draw(lab, "weight_scale",
       {.title = "loss on held-back digits, by the scale of the first weights",
        .x_name = "factor of hidden weights at the start",
        .log_x = true,
        .log_y = true},
       loss);
  const std::vector<double> plain = deviation(loss, "none", 0.01, 100), layer = deviation(loss, "layer", 0.01, 100);
  finding(lab, "weight-scale", median(layer) < median(plain),
          fmt::format("factors from 0.01 to 100 of the hidden weights change the loss with layer norm by {}, "
                      "without a norm by {}. The output "
                      "does not change, but the gradient does: it is divided by the factor, so large weights "
                      "learn slowly.",
                      spread(layer), spread(plain)));
}

namespace {

struct RowReader : nn::Module<RowReader> {
  RowReader(int64_t side, nn::Norm norm)
      : side(side), lstm(add("lstm", nn::LSTM(side, 64, {.norm = norm}))), head(add("head", nn::Linear(64, 10))) {}
  Tensor forward(const Tensor& x) { return head(lstm(x.reshape({-1, side, side}).transpose(0, 1)).output[-1]); }

  int64_t side;
  nn::LSTM lstm;
  nn::Linear head;
};

}  // namespace

void rnn_convergence(const Lab& lab) {
  Grid steps = run_grid(
      lab, "rnn-convergence", "batch size", {"none", "layer"}, {8, 64}, [&](const std::string& norm, double batch) {
        const Training how{.batch = int64_t(batch), .epochs = lab.quick ? 20 : 60, .lr = 1e-3};
        const int64_t n =
            fit(lab, RowReader(side_of(lab), norm == "layer" ? nn::Norm::layer : nn::Norm::none), how).steps_to_half;
        return n < 0 ? double(how.epochs * lab.digits.train.size()) / batch : double(n);
      });
  draw(lab, "rnn_convergence",
       {.title = "steps until the training loss is 0.5, an LSTM that reads rows",
        .x_name = "batch size",
        .log_x = true,
        .log_y = true},
       steps);
  std::vector<double> share;
  for (const double batch : steps.settings)
    for (const double r : ratio(steps.at("layer", batch), steps.at("none", batch))) share.push_back(r);
  finding(lab, "rnn-convergence", largest(share) < 1,
          fmt::format("with layer norm an LSTM needs {} of the steps that it needs without.", spread(share)));
}

void depth(const Lab& lab) {
  const int64_t epochs = lab.quick ? 3 : 10;
  Grid accuracy =
      run_grid(lab, "depth", "hidden layers", {"none", "batch", "layer", "rms"},
               lab.quick ? std::vector<double>{4, 16} : std::vector<double>{4, 8, 16, 32, 64},
               [&](const std::string& norm, double layers) {
                 return fit(lab, mlp(lab, norm, int64_t(layers), 64), {.epochs = epochs, .lr = 1e-3}).accuracy;
               });
  draw(lab, "depth", {.title = "accuracy on held-back digits, by depth", .x_name = "hidden layers", .log_x = true},
       accuracy);
  const double deepest = accuracy.settings.back();
  const std::vector<double> plain = accuracy.at("none", deepest), layer = accuracy.at("layer", deepest);
  finding(lab, "depth", smallest(layer) > largest(plain),
          fmt::format("with {:g} hidden layers a network with layer norm has {} of the digits right, with "
                      "batch norm {}, without a norm {}.",
                      deepest, spread(layer), spread(accuracy.at("batch", deepest)), spread(plain)));
}

void learning_rate(const Lab& lab) {
  const int64_t epochs = lab.quick ? 3 : 10;
  std::vector<double> rates;
  for (int i = -6; i <= 4; ++i) rates.push_back(std::pow(10, 0.5 * i));
  Grid accuracy = run_grid(lab, "learning-rate", "rate", {"none", "batch", "layer", "rms"}, rates,
                           [&](const std::string& norm, double lr) {
                             return fit(lab, mlp(lab, norm, 3, 64), {.epochs = epochs, .lr = lr, .sgd = true}).accuracy;
                           });
  draw(lab, "learning_rate",
       {.title = "accuracy on held-back digits, by learning rate (SGD)", .x_name = "learning rate", .log_x = true},
       accuracy);
  // Powers of ten between the smallest and the largest rate that gets 80 % right; neighbours are half a power apart.
  const auto width = [&](const std::string& norm) {
    std::vector<double> out(size_t(lab.seeds), 0);
    for (size_t seed = 0; seed < out.size(); ++seed)
      for (const double rate : rates) out[seed] += accuracy.at(norm, rate)[seed] >= 0.8 ? 0.5 : 0;
    return out;
  };
  const std::vector<double> plain = width("none"), layer = width("layer");
  const size_t wider = ahead(plain, layer);
  finding(lab, "learning-rate", wider == plain.size(),
          fmt::format("the learning rates that get 80 % right span {} powers of ten with layer norm, {} with "
                      "batch norm and {} without a "
                      "norm; with layer norm they span more in {} of {} seeds.",
                      spread(layer), spread(width("batch")), spread(plain), wider, plain.size()));
}

}  // namespace lab

// The gain and the bias behind a norm: what they learn, and what is lost without them.
#include "lab.h"

namespace lab {
namespace {

// "layer", "layer, gain only", "layer, neither", "batch" or "batch, neither", before each relu.
nn::Sequential network(const std::string& kind, int64_t pixels, int64_t depth) {
  const bool gain = !kind.ends_with("neither");
  nn::Sequential net;
  for (int64_t i = 0; i < depth; ++i) {
    nn::Linear linear(i == 0 ? pixels : 64, 64, {.bias = false});
    nn::init::kaiming_normal(linear.weight);
    net.push_back(linear);
    if (kind.starts_with("batch"))
      net.push_back(nn::BatchNorm1d(64, {.affine = gain}));
    else
      net.push_back(nn::LayerNorm(64, {.elementwise_affine = gain, .bias = kind == "layer"}));
    net.push_back(nn::ReLU());
  }
  net.push_back(nn::Linear(64, 10));
  return net;
}

// What a tenth, half and nine tenths of the numbers do not reach, a point of the curve.
void add_point(inspect::Curve& curve, double x, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto share = [&](double p) { return values[size_t(p * double(values.size() - 1))]; };
  curve.x.push_back(x);
  curve.low.push_back(share(0.1));
  curve.y.push_back(share(0.5));
  curve.high.push_back(share(0.9));
}

}  // namespace

void gain_bias(const Lab& lab) {
  const int64_t epochs = lab.quick ? 3 : 20;
  const std::vector<double> depths{1, 2, 4, 8};
  std::vector<std::vector<double>> gains(8), biases(8);  // of the deepest network with layer norm, by layer
  Grid loss = run_grid(lab, "gain-bias", "hidden layers",
                       {"layer", "layer, gain only", "layer, neither", "batch", "batch, neither"}, depths,
                       [&](const std::string& kind, double depth) {
                         nn::Sequential net = network(kind, lab.digits.train.x()[0].numel(), int64_t(depth));
                         const double out = fit(lab, net, {.epochs = epochs, .lr = 1e-3}).loss;
                         for (size_t i = 0; kind == "layer" && depth == depths.back() && i < gains.size(); ++i) {
                           const nn::LayerNorm& norm = net.at<nn::LayerNorm>(int64_t(3 * i + 1));
                           for (const double g : norm.weight.to_vector<float>()) gains[i].push_back(g);
                           for (const double b : norm.bias.to_vector<float>()) biases[i].push_back(b);
                         }
                         return out;
                       });
  draw(lab, "gain_bias",
       {.title = "loss on held-back digits, with and without gain and bias",
        .x_name = "hidden layers",
        .log_x = true,
        .log_y = true},
       loss);
  inspect::Curve gain{.name = "gain", .x = {}, .y = {}}, bias{.name = "bias", .x = {}, .y = {}};
  for (size_t i = 0; i < gains.size(); ++i) {
    add_point(gain, double(i + 1), gains[i]);
    add_point(bias, double(i + 1), biases[i]);
  }
  show(lab, "gain_bias_learned",
       inspect::line_plot(
           {.title = "gain and bias of layer norm after training: median and 80 % of the units", .x_name = "layer"},
           {gain, bias}));
  const auto cost = [&](const std::string& without, const std::string& with, double depth) {
    return ratio(loss.at(without, depth), loss.at(with, depth));
  };
  const std::vector<double> layer1 = cost("layer, neither", "layer", 1), layer8 = cost("layer, neither", "layer", 8),
                            batch1 = cost("batch, neither", "batch", 1), batch8 = cost("batch, neither", "batch", 8);
  finding(lab, "gain-bias", std::min({smallest(layer1), smallest(layer8), smallest(batch1), smallest(batch8)}) > 1,
          fmt::format(
              "leaving out gain and bias multiplies the loss with one hidden layer by {} with layer norm and {} with "
              "batch norm, with eight by {} and {}. Of the gains in the first of eight layers 80 % end from {:.2f} to "
              "{:.2f}, in the last from {:.2f} to {:.2f}.",
              spread(layer1), spread(batch1), spread(layer8), spread(batch8), gain.low[0], gain.high[0], gain.low[7],
              gain.high[7]));
}

}  // namespace lab

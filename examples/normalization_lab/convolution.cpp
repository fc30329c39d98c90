// Norms in a convolutional network, whose channels see much the same statistics at every place.
#include "lab.h"

namespace lab {
namespace {

void add_norm2d(nn::Sequential& net, const std::string& norm, int64_t channels) {
  if (norm == "batch") net.push_back(nn::BatchNorm2d(channels));
  if (norm == "layer") net.push_back(nn::GroupNorm(1, channels));  // over channels, height and width
  if (norm == "group") net.push_back(nn::GroupNorm(channels / 4, channels));
}

struct Image : nn::Module<Image> {
  explicit Image(int64_t side) : side(side) {}
  Tensor forward(const Tensor& x) { return x.reshape({-1, 1, side, side}); }
  int64_t side;
};

// Images of side x side pixels, three convolutions with a norm before each relu.
nn::Sequential convolutions(const std::string& norm, int64_t side) {
  nn::Sequential net(Image{side});
  int64_t in = 1;
  for (const int64_t out : {16, 32, 32}) {
    nn::Conv2d conv(in, out, 3, {.padding = 1, .bias = norm == "none"});
    nn::init::kaiming_normal(conv.weight);
    net.push_back(conv);
    add_norm2d(net, norm, out);
    net.push_back(nn::ReLU());
    if (out != in) net.push_back(nn::MaxPool2d(2));
    in = out;
  }
  net.push_back(nn::Flatten());
  net.push_back(nn::Linear(in * (side / 4) * (side / 4), 10));
  return net;
}

}  // namespace

void cnn(const Lab& lab) {
  // The same number of passes, so the same number of samples; the learning rate is one for all.
  const int64_t epochs = lab.quick ? 2 : 10;
  Grid loss = run_grid(
      lab, "cnn", "batch size", {"none", "batch", "layer", "group"},
      lab.quick ? std::vector<double>{2, 128} : std::vector<double>{2, 8, 32, 128},
      [&](const std::string& norm, double batch) {
        return fit(lab, convolutions(norm, side_of(lab)), {.batch = int64_t(batch), .epochs = epochs, .lr = 1e-3}).loss;
      });
  draw(lab, "cnn",
       {.title = "loss on held-back digits, a convolutional network, by batch size",
        .x_name = "batch size",
        .log_x = true,
        .log_y = true},
       loss);
  const auto batch_to = [&](const std::string& other, double batch) {
    return ratio(loss.at("batch", batch), loss.at(other, batch));
  };
  const std::vector<double> layer128 = batch_to("layer", 128), group128 = batch_to("group", 128),
                            layer2 = batch_to("layer", 2), group2 = batch_to("group", 2);
  finding(
      lab, "cnn",
      std::max(largest(layer128), largest(group128)) < 1 && std::min(smallest(layer2), smallest(group2)) > 1,
      fmt::format("at batches of 128 the loss with batch norm is {} of that with layer norm and {} of that with group "
                  "norm, at batches of 2 {} and {}.",
                  spread(layer128), spread(group128), spread(layer2), spread(group2)));
}

}  // namespace lab

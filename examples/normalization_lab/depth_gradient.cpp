// How the gradient fares on its way back through a deep network before it has learned anything.
#include "lab.h"

namespace lab {

void depth_gradient(const Lab& lab) {
  constexpr int64_t depth = 64, width = 64;
  std::vector<double> layers;
  for (int64_t i = 1; i <= depth; ++i) layers.push_back(double(i));
  Grid gradient =
      run_curves(lab, "depth-gradient", {"none", "batch", "layer", "rms"}, layers, 1, [&](const std::string& norm) {
        nn::Sequential net = mlp(lab, norm, depth, width);
        const auto [x, y] = *data::DataLoader(lab.digits.train, {.batch_size = 128, .shuffle = true}).begin();
        Tape tape;
        tape.backward(cross_entropy(net(x), y));
        std::vector<double> out;
        for (const Tensor& p : net.parameters())
          if (p.dim() == 2 && p.size(0) == width) out.push_back(tapegrad::norm(p.grad()).item());
        return std::vector<std::vector<double>>{out};
      })[0];
  draw(lab, "depth_gradient",
       {.title = fmt::format("norm of the gradient of each layer's weights before training, {} hidden layers", depth),
        .x_name = "layer, from the input",
        .log_y = true},
       gradient);
  const auto growth = [&](const std::string& norm) {  // from the last layer back to the first
    return ratio(gradient.at(norm, 1), gradient.at(norm, depth));
  };
  const std::vector<double> layer = growth("layer"), plain = growth("none");
  // Alike means within a factor of ten.
  finding(
      lab, "depth-gradient", largest(layer) < 10 && smallest(layer) > 0.1,
      fmt::format("with {} hidden layers the gradient of the first is {} times that of the last with layer norm, {} "
                  "times with rms norm, {} times with batch norm and {} times without a norm.",
                  depth, spread(layer), spread(growth("rms")), spread(growth("batch")), spread(plain)));
}

}  // namespace lab

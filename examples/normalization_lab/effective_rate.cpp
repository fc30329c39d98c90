// The norm as a falling learning rate. N(a W x) = N(W x) for a > 0, so the gradient with respect to W is orthogonal to W and goes with
// 1 / ||W||. A step of SGD makes W longer, ||W - lr g||^2 = ||W||^2 + lr^2 ||g||^2, and turns it by an angle that goes with the effective
// rate lr / ||W||^2. While ||g|| ||W|| stays what it is, ||W||^2 grows with lr sqrt(steps): the effective rate no longer knows lr. With a
// decay of the weights growth and decay balance where the angle is sqrt(2 lr decay).
// Sources: van Laarhoven 2017, arXiv:1706.05350; Arora, Li, Lyu 2018, arXiv:1812.03981; Wan et al. 2020, arXiv:2006.08419.
#include <map>
#include <utility>

#include "lab.h"

namespace lab {

namespace {

// The angle between two matrices.
double angle(const Tensor& a, const Tensor& b) {
  const Tensor between = a / norm(a) - b / norm(b);
  return 2 * std::asin(std::min(1.0, norm(between).item() / 2));
}

}  // namespace

void effective_rate(const Lab& lab) {
  constexpr double lr = 0.1, decay = 5e-3;
  const std::map<std::string, std::pair<double, double>> how{{"none", {1, 0}},
                                                             {"layer", {1, 0}},
                                                             {"layer, decay", {1, decay}},
                                                             {"layer, W / 10", {0.1, 0}},
                                                             {"layer, W / 100", {0.01, 0}}};  // factor of W and decay
  std::vector<std::string> names;
  for (const auto& [name, numbers] : how) names.push_back(name);
  const int64_t every = lab.quick ? 20 : 80, looks = 50;
  std::vector<double> steps;
  for (int64_t i = 1; i <= looks; ++i) steps.push_back(double(i * every));
  std::vector<Grid> grids = run_curves(lab, "effective-rate", names, steps, 2, [&](const std::string& name) {
    nn::Sequential net = mlp(lab, name.substr(0, name.find(',')), 2, 100);
    Tensor weight;
    for (const Tensor& p : net.parameters())
      if (p.shape() == Shape{100, 100}) weight = p;
    weight.copy_(weight * how.at(name).first);
    std::vector<std::vector<double>> out(2);
    Tensor before = weight.detach().to(float64).clone();
    double turned = 0;
    int64_t step = 0;
    fit(lab, net,
        {.epochs = 100,
         .lr = lr,
         .sgd = true,
         .max_steps = looks * every,
         .decay = how.at(name).second,
         .after_step = [&] {
           const Tensor now = weight.detach().to(float64).clone();
           turned += angle(before, now) / double(every);
           before = now;
           if (++step % every != 0) return;
           out[0].push_back(lr / (norm(now) * norm(now)).item());
           out[1].push_back(std::exchange(turned, 0));
         }});
    for (auto& values : out) values.resize(size_t(looks), std::nan(""));  // of a run that was lost
    return out;
  });
  draw(lab, "effective_rate", {.title = "lr / ||W||^2 of the second layer (SGD)", .x_name = "step", .log_y = true},
       grids[0]);
  draw(lab, "effective_rate_angle",
       {.title = "angle by which a step turns the second layer's weights (SGD)",
        .x_name = "step",
        .y_name = "radians",
        .log_y = true},
       grids[1]);
  const double first = steps.front(), last = steps.back();
  const auto fallen = [&](const std::string& name) { return ratio(grids[0].at(name, last), grids[0].at(name, first)); };
  const std::vector<double> apart = ratio(grids[0].at("layer, W / 10", last), grids[0].at("layer", last));
  std::vector<double> balance = grids[1].at("layer, decay", last);
  for (double& b : balance) b /= std::sqrt(2 * lr * decay);
  finding(
      lab, "effective-rate", largest(fallen("layer, W / 10")) < 0.5,
      fmt::format("with layer norm and weights that begin a tenth as long as He's, lr / ||W||^2 falls to {} of its "
                  "value from step {:g} to step {:g}, and is then {} times that of He's weights, of 100 at first. "
                  "He's weights are so long that theirs falls to {} only, without a norm to {}. With a decay of {} a "
                  "step turns the weights by {} of sqrt(2 lr decay) in the end.",
                  spread(fallen("layer, W / 10")), first, last, spread(apart), spread(fallen("layer")),
                  spread(fallen("none")), decay, spread(balance)));
}

}  // namespace lab

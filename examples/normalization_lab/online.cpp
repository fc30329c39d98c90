// One case at a time, each seen once: Ba, Kiros and Hinton 2016, arXiv:1607.06450, on why layer norm needs no batch.
#include "lab.h"

namespace lab {

void online(const Lab& lab) {
  // A batch of one has no variance, and the library says so.
  bool refuses = false;
  try {
    fit(lab, mlp(lab, "batch", 2, 100), {.batch = 1, .max_steps = 1});
  } catch (const ValueError& error) {
    refuses = true;
    fmt::print("batch norm: {}\n", error.what());
  }
  // Every norm at the rate that is best for it.
  std::vector<double> rates;
  for (int i = -6; i <= 0; ++i) rates.push_back(std::pow(10, 0.5 * i));
  const int64_t cases = lab.quick ? 500 : lab.digits.train.size();
  Grid loss = run_grid(lab, "online", "rate", {"none", "layer", "rms"}, rates, [&](const std::string& norm, double lr) {
    return fit(lab, mlp(lab, norm, 2, 100), {.batch = 1, .epochs = 1, .lr = lr, .sgd = true, .max_steps = cases}).loss;
  });
  draw(lab, "online",
       {.title = "loss on held-back digits after one pass, one case at a time (SGD)",
        .x_name = "learning rate",
        .log_x = true,
        .log_y = true},
       loss);
  const auto best = [&](const std::string& norm) {
    double rate = rates[0];
    for (const double r : rates)
      if (median(loss.at(norm, r)) < median(loss.at(norm, rate))) rate = r;
    return loss.at(norm, rate);
  };
  const std::vector<double> plain = best("none"), layer = best("layer"), rms = best("rms");
  const size_t better = ahead(layer, plain);
  finding(lab, "online", refuses && better == plain.size(),
          fmt::format("after one pass of one case at a time, each at its best rate, the loss is {} with layer norm, {} "
                      "with rms norm and {} without a norm; layer norm is ahead of none in {} of {} seeds. Batch norm "
                      "{} a batch of one.",
                      spread(layer), spread(rms), spread(plain), better, plain.size(), refuses ? "refuses" : "takes"));
}

}  // namespace lab

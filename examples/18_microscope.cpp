// What a recurrent network does while it learns: digits read row by row by an LSTM, with a layer norm or without, under the microscope; then
// the mistakes that a program of training may have, and a report to be opened in a browser.
#include <tapegrad/inspect.h>
#include <tapegrad/tapegrad.h>

#include "arguments.h"

using namespace tapegrad;

struct RowReader : nn::Module<RowReader> {
  explicit RowReader(nn::Norm norm)
      : lstm(add("lstm", nn::LSTM(8, 64, {.norm = norm}))), head(add("head", nn::Linear(64, 10))) {}
  // x [N, 64] becomes 8 steps of 8 pixels, [8, N, 8].
  Tensor forward(const Tensor& x) { return head(lstm(x.reshape({-1, 8, 8}).transpose(0, 1)).output[7]); }

  nn::LSTM lstm;
  nn::Linear head;
};

int main(int argc, char** argv) {
  Arguments arguments(argc, argv, "Shows an LSTM while it learns, and writes a report.");
  const int64_t epochs =
      arguments.integer("epochs", arguments.flag("quick", "two epochs") ? 2 : 10, "passes through the digits", {1});
  const std::string norm = arguments.choice("norm", "layer", {"layer", "none"}, "of the LSTM");
  const std::string log = arguments.text("log", "microscope.jsonl", "the log; the report stands beside it, .html");
  arguments.finish();

  const data::TensorDataset all = data::csv(std::string(TAPEGRAD_EXAMPLES_DIR) + "/data/digits.csv");
  const data::Split digits = data::TensorDataset(all.x() / 16.0, all.y()).split(0.8);
  manual_seed(0);
  RowReader model(norm == "layer" ? nn::Norm::layer : nn::Norm::none);
  optim::Adam optimizer(model.parameters(), {.lr = 2e-3});
  data::DataLoader loader(digits.train, {.batch_size = 32, .shuffle = true});

  const auto train = [&](const Tensor& x, const Tensor& y, const TapeOptions& options) {
    Tape tape(options);
    const Tensor loss = cross_entropy(model(x), y);
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
    return loss.item();
  };

  // Mistakes first: a few steps, after which everything is as before.
  inspect::Microscope scope(model, optimizer,
                            {.log = log, .every = 20, .config = {{"norm", norm}, {"lr", "0.002"}, {"batch", "32"}}});
  for (const inspect::Mistake& mistake : inspect::check(model, optimizer, [&](const TapeOptions& options) {
         for (auto [x, y] : data::DataLoader(digits.train, {.batch_size = 32, .shuffle = true})) {
           train(x, y, options);
           break;
         }
       }))
    scope.note(to_string(mistake)), fmt::print("{}\n", to_string(mistake));

  double accuracy = 0;
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    for (auto [x, y] : loader) scope.step(train(x, y, scope.watch()), {{"accuracy", accuracy}});
    accuracy = train::accuracy(model(digits.test.x()), digits.test.y());
    fmt::print("epoch {:2}: {:.1f} % of {} held-back digits right\n", epoch + 1, 100 * accuracy, digits.test.size());
  }
  for (const auto& [name, site] : scope.last().sites) {
    if (site.gradient_at.empty()) continue;
    fmt::print("gradient of {} at each time step:", name);
    for (const double size : site.gradient_at) fmt::print(" {:.2g}", size);
    fmt::print("\n");
  }
  const std::string report = log.substr(0, log.rfind('.')) + ".html";
  inspect::write_report({log}, report);
  fmt::print("{}\n", report);
  return accuracy > 0.5 ? 0 : 1;
}

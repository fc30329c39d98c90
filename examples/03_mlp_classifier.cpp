// A classifier: a multi-layer perceptron with layer normalization learns 8 x 8 handwritten digits.
//
// The data come in batches, in a new order each epoch; each batch is one step: run the model on a tape, go
// backward, let the optimizer change the parameters. What counts in the end are digits that the model has
// never seen.
#include <tapegrad/tapegrad.h>

#include "arguments.h"

namespace tg = tapegrad;

struct Mlp : tg::nn::Module<Mlp> {
  tg::nn::Linear fc1 = add("fc1", tg::nn::Linear(64, 128));
  tg::nn::LayerNorm norm = add("norm", tg::nn::LayerNorm(128));
  tg::nn::Linear fc2 = add("fc2", tg::nn::Linear(128, 10));

  tg::Tensor forward(const tg::Tensor& x) { return fc2(relu(norm(fc1(x)))); }
};

int main(int argc, char** argv) {
  return run(argc, argv, "Learns handwritten digits.", [](Arguments& arguments) {
    arguments.finish();
    tg::manual_seed(0);
    auto digits = tg::data::csv(data_file("digits.csv"), {.target_column = -1});
    auto [train, test] = digits.split(0.8);
    Mlp model;
    tg::optim::Adam optimizer(model.parameters(), {.lr = 1e-3});
    fmt::print("{}\n", model);

    double accuracy = 0;
    for (int epoch = 0; epoch < 10; ++epoch) {
      tg::train::Meter mean_loss;
      for (auto [x, y] : tg::data::DataLoader(train, {.batch_size = 32, .shuffle = true})) {
        tg::Tape tape;  // records while it lives; without one, nothing is recorded
        tg::Tensor loss = tg::cross_entropy(model(x), y);
        optimizer.zero_grad();
        tape.backward(loss);
        optimizer.step();
        mean_loss.add(loss.item());
      }
      accuracy = tg::train::accuracy(model(test.x()), test.y());
      fmt::print("epoch {:2}: loss {:.4f}, {:.1f} % of {} held-back digits right\n", epoch + 1, mean_loss.mean(),
                 100 * accuracy, test.size());
    }
    return accuracy >= 0.96 ? 0 : 1;
  });
}

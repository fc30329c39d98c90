// Handwritten digits read pixel by pixel: 64 steps of a single grey value each, and then the answer.
//
// The norm must stand on the sum of what comes from the pixel and what comes from the state. With a norm for
// each (Placement::separate) the layer-normalised projection of one number p is LN(w p) = sign(p) LN(w),
// whatever p is: the grey level is gone. --placement separate shows what that costs. Source: Le, Jaitly,
// Hinton 2015, arXiv:1504.00941, section 4.2, on smaller digits; Ba, Kiros, Hinton 2016, arXiv:1607.06450,
// equation 4.
#include <tapegrad/tapegrad.h>

#include "recurrent.h"

using namespace tapegrad;

template <class Layer>
struct PixelReader : nn::Module<PixelReader<Layer>> {
  PixelReader(const RecurrentArguments& net, nn::Placement placement)
      : rnn(this->add("rnn", recurrent_layer<Layer>(1, net.hidden, net.norm, placement))),
        head(this->add("head", nn::Linear(net.hidden, 10))) {}
  // x [N, 64] becomes 64 steps [64, N, 1].
  Tensor forward(const Tensor& x) { return head(last_h(rnn(x.transpose(0, 1).unsqueeze(2)).state)); }

  Layer rnn;
  nn::Linear head;
};

int main(int argc, char** argv) {
  return run(argc, argv, "Reads handwritten digits pixel by pixel.", [](Arguments& arguments) {
    const bool quick = arguments.flag("quick", "a small network, and a lower mark");
    const RecurrentArguments net = recurrent_arguments(arguments, "layer", quick ? 32 : 128);
    const int64_t epochs = arguments.integer("epochs", quick ? 25 : 60, "passes through the digits", {1});
    const double lr = arguments.number("lr", quick ? 1e-2 : 4e-3, "learning rate, the highest", {0, 10});
    const std::string placement =
        arguments.choice("placement", "sum", {"sum", "separate"}, "one norm for pixel and state, or two");
    arguments.finish();

    const data::TensorDataset all = data::csv(data_file("digits.csv"));
    const data::Split digits = data::TensorDataset(all.x() / 16.0, all.y()).split(0.8);
    double accuracy = 0;
    with_cell(net.cell, [&]<class Layer>() {
      manual_seed(uint64_t(net.seed));
      PixelReader<Layer> model(net, placement == "sum" ? nn::Placement::sum : nn::Placement::separate);
      fmt::print("{}\n", model);
      data::DataLoader loader(digits.train, {.batch_size = 32, .shuffle = true});
      const int64_t steps = epochs * loader.batches();
      optim::Adam optimizer(model.parameters(), {.lr = lr});
      optim::WarmupCosineLR schedule(optimizer, {.warmup_steps = steps / 20, .total_steps = steps});
      train::Progress progress(steps, {.label = fmt::format("{}, norm {}", net.cell, net.norm_name)});
      for (int64_t epoch = 0; epoch < epochs; ++epoch) {
        train::Meter recent;
        for (auto [x, y] : loader) {
          Tape tape;
          const Tensor loss = cross_entropy(model(x), y);
          optimizer.zero_grad();
          tape.backward(loss);
          clip_grad_norm(model.parameters(), 1.0);
          optimizer.step();
          schedule.step();
          recent.add(loss.item());
          progress.step({{"loss", recent.mean()}, {"accuracy", accuracy}});
        }
        accuracy = train::accuracy(model(digits.test.x()), digits.test.y());
        if ((epoch + 1) % std::max<int64_t>(1, epochs / 10) == 0) {
          progress.clear();
          fmt::print("epoch {:3}: loss {:.3f}, {:.1f} % of {} held-back digits right\n", epoch + 1, recent.mean(),
                     100 * accuracy, digits.test.size());
        }
      }
      progress.clear();
    });
    return accuracy >= (quick ? 0.6 : 0.9) ? 0 : 1;
  });
}

// The copy task: ten letters are shown, then nothing for T steps, then the letters are to be written down.
//
//   input    a c f b h g a d b e . . . ( T - 1 ) . . . ! . . . . . . . . . .       T + 20 steps
//   target   . . . . . . . . . . . . . ( T )     . . . a c f b h g a d b e
//
// with 8 letters, the dummy "." and the signal "!". A network that remembers nothing still knows when to
// write the dummy, and guesses among 8 letters ten times: 10 ln 8 / (T + 20) nats a step on average, the
// dashed line. Leaving it takes a memory of T steps, and cells that forget less from the beginning leave it
// earlier: the biases of an LSTM's forget gates are drawn so that they remember over 1 to 3 T / 2 steps
// (--forget standard: as usual).
//
// Sources: Arjovsky, Shah, Bengio 2016, arXiv:1511.06464, section 4.1; Tallec, Ollivier 2018,
// arXiv:1804.11188.
#include <tapegrad/tapegrad.h>

#include <cmath>

#include "plot.h"
#include "recurrent.h"

using namespace tapegrad;

constexpr int64_t letters = 8, shown = 10, dummy = 8, signal_letter = 9, symbols = 10;

// x and y int64 [T + 20, B]
data::Batch sequences(int64_t wait, int64_t batch_size, Generator& random) {
  const int64_t length = wait + 2 * shown;
  std::vector<int64_t> x(size_t(length * batch_size), dummy), y(x);
  for (int64_t b = 0; b < batch_size; ++b) {
    const auto at = [&](int64_t t) { return size_t(t * batch_size + b); };
    for (int64_t i = 0; i < shown; ++i) x[at(i)] = y[at(wait + shown + i)] = random.below(letters);
    x[at(shown + wait - 1)] = signal_letter;
  }
  return {from_vector(x, {length, batch_size}), from_vector(y, {length, batch_size})};
}

template <class Layer>
struct Copier : nn::Module<Copier<Layer>> {
  explicit Copier(const RecurrentArguments& net)
      : rnn(this->add("rnn", recurrent_layer<Layer>(symbols, net.hidden, net.norm))),
        head(this->add("head", nn::Linear(net.hidden, symbols))) {}
  Tensor forward(const Tensor& x) { return head(rnn(one_hot(x, symbols)).output); }

  Layer rnn;
  nn::Linear head;
};

int main(int argc, char** argv) {
  return run(argc, argv, "Learns to write down ten letters that were shown T steps ago.", [](Arguments& arguments) {
    const bool quick = arguments.flag("quick", "a short wait, for a few seconds");
    const RecurrentArguments net = recurrent_arguments(arguments, "layer", quick ? 64 : 128);
    const int64_t wait =
        arguments.integer("wait", quick ? 5 : 100, "steps between showing and writing, T", {1, 100000});
    const int64_t steps =
        arguments.integer("steps", quick ? 400 : 3000, "of training, each with 32 new sequences", {1});
    const double lr = arguments.number("lr", quick ? 1e-2 : 1e-3, "learning rate", {0, 10});
    const bool chrono =
        arguments.choice("forget", "chrono", {"standard", "chrono"}, "an LSTM's first biases") == "chrono";
    const std::string out = arguments.text("out", "", "write the curve to this file, as SVG");
    arguments.finish();

    const double memoryless = shown * std::log(double(letters)) / double(wait + 2 * shown);
    const std::string name =
        fmt::format("{}{}, norm {}", net.cell, chrono ? "" : " (standard forget gates)", net.norm_name);
    Plot plot{.title = fmt::format("Copy task, T = {}", wait),
              .x_name = "steps",
              .y_name = "nats a step",
              .curves = {{name, {}}},
              .levels = {{"without memory", memoryless}}};
    double nats = 0;
    with_cell(net.cell, [&]<class Layer>() {
      manual_seed(uint64_t(net.seed));
      Copier<Layer> model(net);
      if constexpr (std::is_same_v<Layer, nn::LSTM>)
        if (chrono) remember_up_to(model.rnn, 1.5 * double(wait + shown));
      optim::RMSprop optimizer(model.parameters(), {.lr = lr, .alpha = 0.9});
      train::Progress progress(steps, {.label = name});
      train::Meter recent;
      for (int64_t step = 1; step <= steps; ++step) {
        const auto [x, y] = sequences(wait, 32, default_generator());
        Tape tape;
        const Tensor loss = cross_entropy(model(x).flatten(0, 1), y.flatten(0, 1));
        optimizer.zero_grad();
        tape.backward(loss);
        clip_grad_norm(model.parameters(), 1.0);
        optimizer.step();
        recent.add(loss.item());
        progress.step({{"nats", recent.mean()}, {"without memory", memoryless}});
        if (step % std::max<int64_t>(1, steps / 64) == 0) {
          plot.curves[0].points.push_back({double(step), recent.mean()});
          recent.reset();
        }
      }
      progress.clear();
      const auto [x, y] = sequences(wait, 500, default_generator());
      nats = cross_entropy(model(x).flatten(0, 1), y.flatten(0, 1)).item();
    });

    plot.curves[0].points.erase(plot.curves[0].points.begin());  // ln 10 at first, far above the rest
    fmt::print("{}\n", text_plot(plot));
    fmt::print("nats a step on 500 new sequences: {:.5f}; without memory {:.5f}\n", nats, memoryless);
    if (!out.empty()) write_svg(out, plot);
    return nats < 0.95 * memoryless ? 0 : 1;
  });
}

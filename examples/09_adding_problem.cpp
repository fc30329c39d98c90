// The adding problem: can a recurrent network keep a number in mind for T steps?
//
// A sequence of T steps has two inputs: a number from U[0, 1), and a mark that is 1 at two steps, one in each
// half, and 0 elsewhere. The target is the sum of the two marked numbers. A network that remembers nothing
// can do no better than to answer 1, the mean of the sum; its squared error is the sum's variance, 2 / 12 =
// 1/6: the dashed line.
//
// The two features of a step are too few to be normalized by themselves (their projection keeps no
// magnitude), so the norm stands on the sum W_ih x + W_hh h. Source: Hochreiter, Schmidhuber 1997, "Long
// short-term memory", section 5.4, in the form of Le, Jaitly, Hinton 2015, arXiv:1504.00941, section 4.1. The
// forget gates of an LSTM begin so that they remember over 1 to T steps (--forget standard: as usual):
// Tallec, Ollivier 2018, arXiv:1804.11188.
#include <tapegrad/tapegrad.h>

#include "adding_problem.h"
#include "plot.h"
#include "recurrent.h"

using namespace tapegrad;

template <class Layer>
struct Adder : nn::Module<Adder<Layer>> {
  explicit Adder(const RecurrentArguments& net)
      : rnn(this->add("rnn", recurrent_layer<Layer>(2, net.hidden, net.norm, nn::Placement::sum))),
        head(this->add("head", nn::Linear(net.hidden, 1))) {}
  Tensor forward(const Tensor& x) { return head(last_h(rnn(x).state)); }

  Layer rnn;
  nn::Linear head;
};

int main(int argc, char** argv) {
  return run(argc, argv, "Learns to add two numbers that lie far apart in a sequence.", [](Arguments& arguments) {
    const bool quick = arguments.flag("quick", "short sequences, for a few seconds");
    const RecurrentArguments net = recurrent_arguments(arguments, "layer", quick ? 32 : 64);
    const int64_t length = arguments.integer("length", quick ? 20 : 100, "steps of a sequence, T", {2, 100000});
    const int64_t steps =
        arguments.integer("steps", quick ? 400 : 1500, "of training, each with 32 new sequences", {1});
    const double lr = arguments.number("lr", 5e-3, "learning rate", {0, 10});
    const bool chrono =
        arguments.choice("forget", "chrono", {"standard", "chrono"}, "an LSTM's first biases") == "chrono";
    const std::string out = arguments.text("out", "", "write the curve to this file, as SVG");
    arguments.finish();

    const std::string name = fmt::format("{}, norm {}", net.cell, net.norm_name);
    Plot plot{.title = fmt::format("Adding problem, T = {}", length),
              .x_name = "steps",
              .y_name = "mean squared error",
              .curves = {{name, {}}},
              .levels = {{"without memory", adding_memoryless}}};
    double error = 0;
    with_cell(net.cell, [&]<class Layer>() {
      manual_seed(uint64_t(net.seed));
      Adder<Layer> model(net);
      if (chrono) remember_up_to(model.rnn, double(length));
      optim::Adam optimizer(model.parameters(), {.lr = lr});
      optim::CosineAnnealingLR schedule(optimizer, {.T_max = steps});
      train::Progress progress(steps, {.label = name});
      train::Meter recent;
      for (int64_t step = 1; step <= steps; ++step) {
        const auto [x, y] = adding_sequences(length, 32, default_generator());
        Tape tape;
        const Tensor loss = mse_loss(model(x), y);
        optimizer.zero_grad();
        tape.backward(loss);
        clip_grad_norm(model.parameters(), 1.0);
        optimizer.step();
        schedule.step();
        recent.add(loss.item());
        progress.step({{"error", recent.mean()}, {"without memory", adding_memoryless}});
        if (step % std::max<int64_t>(1, steps / 64) == 0) {
          plot.curves[0].points.push_back({double(step), recent.mean()});
          recent.reset();
        }
      }
      progress.clear();
      const auto [x, y] = adding_sequences(length, 1000, default_generator());
      error = mse_loss(model(x), y).item();
    });

    fmt::print("{}\n", text_plot(plot));
    fmt::print("mean squared error on 1000 new sequences: {:.5f}; without memory {:.5f}\n", error, adding_memoryless);
    if (!out.empty()) write_svg(out, plot);
    return error < 0.3 * adding_memoryless ? 0 : 1;
  });
}

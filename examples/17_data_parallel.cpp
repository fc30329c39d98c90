// A small GPT learns a text on several processes, and gets the same numbers as on one.
//
//   17_data_parallel                         one rank
//   mpirun -n 4 17_data_parallel             four; the losses it prints are those of one rank, to the last digit
//   mpirun -n 4 17_data_parallel --shards 0  faster: a batch has one part a rank, so the numbers depend on the ranks
//   mpirun -n 4 17_data_parallel --folder run, then mpirun -n 2 with the same: goes on where the first was stopped
//
// What differs from a program for one process: the Context, DataParallel around the loss, and .shard of the loader.
#include <tapegrad/distributed.h>
#include <tapegrad/tapegrad.h>

#include <optional>

#include "arguments.h"

using namespace tapegrad;

constexpr int64_t kContext = 48, kWidth = 48;

struct Gpt : nn::Module<Gpt> {
  explicit Gpt(int64_t characters)
      : embed(add("embed", nn::Embedding(characters, kWidth))),
        positions(add("positions", nn::LearnedPositions(kContext, kWidth))),
        blocks(add("blocks", nn::TransformerEncoder(kWidth, 4, 2,
                                                    {.dim_feedforward = 4 * kWidth,
                                                     .dropout = 0.1,
                                                     .batch_first = true,
                                                     .norm_first = true,
                                                     .final_norm = true}))),
        head(add("head", nn::Linear(kWidth, characters))) {}

  // x [B, T] -> logits [B, T, characters]
  Tensor forward(const Tensor& x) { return head(blocks(positions(embed(x)), {.is_causal = true})); }

  nn::Embedding embed;
  nn::LearnedPositions positions;
  nn::TransformerEncoder blocks;
  nn::Linear head;
};

int main(int argc, char** argv) {
  return run(argc, argv, "Learns a text on as many processes as mpirun starts.", [&](Arguments& arguments) {
    const bool quick = arguments.flag("quick", "a few steps, and whether it learned anything");
    const int64_t steps = arguments.integer("steps", quick ? 60 : 1000, "to learn", {1});
    const int64_t batch_size = arguments.integer("batch", 32, "windows of text, of all ranks together", {8, 4096});
    const int64_t shards = arguments.integer("shards", 8, "parts of a batch; 0: one a rank", {0, 4096});
    const std::string folder = arguments.text("folder", "", "of checkpoints, to go on from");
    arguments.finish();

    distributed::Context mpi(argc, argv, {.shards = shards});
    manual_seed(1);
    const data::Text text = data::Text::read(TAPEGRAD_EXAMPLES_DIR "/05_char_rnn.cpp");
    Gpt net(text.vocabulary_size());
    distributed::DataParallel parallel(net, mpi);
    optim::AdamW optimizer(net.named_parameters(), {.lr = 3e-3});
    data::LoaderOf loader(data::TextWindows(text, kContext),
                          {.batch_size = batch_size, .shuffle = true, .seed = 1, .shard = mpi.shard()});
    std::optional<distributed::Checkpointer> checkpoints;
    if (!folder.empty())
      checkpoints.emplace(
          mpi, folder,
          std::initializer_list<StatePart>{
              {"model", net}, {"optimizer", optimizer}, {"loader", loader}, {"random", default_generator()}},
          train::CheckpointOptions{.every = 100});
    fmt::print("{} ranks, {} shards, {} parameters\n", mpi.ranks(), mpi.shards(), net.parameter_count());

    double first = 0, last = 0;
    for (int64_t step = checkpoints ? checkpoints->resume() : 0; step < steps;)
      for (auto [x, y] : loader) {
        Tape tape;
        const Tensor loss = parallel(
            [](auto& net, auto& x, auto& y) { return cross_entropy(net(x).flatten(0, 1), y.flatten(0, 1)); }, x, y);
        optimizer.zero_grad();
        tape.backward(loss);
        clip_grad_norm(net.parameters(), 1.0);
        optimizer.step();
        last = loss.item();
        if (first == 0) first = last;
        if (++step % 20 == 0) fmt::print("step {:4}: loss {:.9g}\n", step, last);
        if (checkpoints && !checkpoints->step(step)) return 1;
        if (step == steps) break;
      }
    return !quick || last < first - 0.5 ? 0 : 1;
  });
}

// Handwritten digits by convolution: LeNet, or a small residual network.
//
// Without --data the digits that ship with tapegrad are learned, 1797 images of 8 x 8 pixels. --data FOLDER takes the four
// files of MNIST (scripts/fetch_data mnist FOLDER; compressed or not): after four passes over them LeNet reads 99.4 % of the
// images that it has not seen. In training images are moved by up to two pixels: a digit is the same one wherever it stands,
// and the network has to learn it.
//
// Ctrl-C saves, and the same command goes on. What --run FOLDER keeps can be travelled back:
//
//   14_mnist_cnn --run runs/lenet
//   14_mnist_cnn --travel runs/lenet --step 200 --print features.1.grad
//
// mpirun -n 4 14_mnist_cnn trains on four ranks, and with the same numbers on two: see ranks.h.
//
// Source: LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, section II; He,
// Zhang, Ren, Sun 2015, arXiv:1512.03385, section 4.2.
#include <tapegrad/datasets.h>
#include <tapegrad/tapegrad.h>

#include "ranks.h"
#include "runs.h"

using namespace tapegrad;

// relu(x + two convolutions of x), each with a norm.
struct Block : nn::Module<Block> {
  Block(int64_t in, int64_t out, int64_t stride)
      : body(add("body", nn::Sequential(nn::Conv2d(in, out, 3, {.stride = stride, .padding = 1, .bias = false}),
                                        distributed::SyncBatchNorm(out), nn::ReLU(),
                                        nn::Conv2d(out, out, 3, {.padding = 1, .bias = false}),
                                        distributed::SyncBatchNorm(out)))),
        shortcut(add("shortcut", nn::Sequential())) {
    if (in != out) shortcut.push_back(nn::Conv2d(in, out, 1, {.stride = stride, .bias = false}));
  }
  Tensor forward(const Tensor& x) { return relu(body(x) + shortcut(x)); }

  nn::Sequential body, shortcut;
};

struct Net : nn::Module<Net> {
  Net(const std::string& kind, int64_t size)
      : features(add("features", nn::Sequential())), head(add("head", nn::Sequential())) {
    if (kind == "lenet") {
      features.push_back(nn::Conv2d(1, 16, 5, {.padding = 2}));
      features.push_back(nn::ReLU());
      features.push_back(nn::MaxPool2d(2));
      features.push_back(nn::Conv2d(16, 32, 5, {.padding = 2}));
      features.push_back(nn::ReLU());
      features.push_back(nn::MaxPool2d(2));
      head.push_back(nn::Linear(32 * (size / 4) * (size / 4), 128));
      head.push_back(nn::ReLU());
      head.push_back(nn::Dropout(0.3));
      head.push_back(nn::Linear(128, 10));
    } else {
      features.push_back(nn::Conv2d(1, 16, 3, {.padding = 1, .bias = false}));
      features.push_back(distributed::SyncBatchNorm(16));
      features.push_back(nn::ReLU());
      features.push_back(Block(16, 16, 1));
      features.push_back(Block(16, 32, 2));
      features.push_back(Block(32, 64, 2));
      features.push_back(nn::AdaptiveAvgPool2d(1));
      head.push_back(nn::Linear(64, 10));
    }
  }
  Tensor forward(const Tensor& x) { return head(features(x).flatten(1)); }

  nn::Sequential features, head;
};

// The batch moved by up to `most` pixels along each axis; zeros move in.
Tensor moved(const Tensor& x, int64_t most) {
  const int64_t down = randint(-most, most + 1, {}).item<int64_t>(),
                right = randint(-most, most + 1, {}).item<int64_t>();
  return pad(x, {right, -right, down, -down});
}

double test_accuracy(Net& net, const data::TensorDataset& test) {
  net.eval();
  train::Meter right;
  for (auto [x, y] : data::DataLoader(test, {.batch_size = 500}))
    right.add(train::accuracy(net(x.unsqueeze(1)), y), double(x.size(0)));
  net.train();
  return right.mean();
}

int main(int argc, char** argv) {
  return run(argc, argv, "Reads handwritten digits by convolution.", [&](Arguments& arguments) {
    const bool quick = arguments.flag("quick", "few epochs, and a lower mark");
    const std::string folder = arguments.text("data", "", "folder with the files of MNIST"),
                      kind = arguments.choice("net", "lenet", {"lenet", "resnet"}, "network");
    const int64_t epochs = arguments.integer("epochs",
                                             quick            ? 4
                                             : folder.empty() ? 30
                                                              : 12,
                                             "passes over the images", {1, 1000}),
                  batch = arguments.integer("batch", 64, "images in a step", {1, 10000}),
                  seed = arguments.integer("seed", 0, "of the random numbers", {0, 1e9});
    const double lr = arguments.number("lr", 3e-3, "learning rate, the highest", {0, 10});
    const int64_t shards = shards_argument(arguments);
    const Travel travel = travel_arguments(arguments);
    const RunFolder kept(arguments, "14_mnist_cnn");
    arguments.finish();

    distributed::Context mpi(argc, argv, {.shards = shards});
    manual_seed(uint64_t(seed));
    const data::Split digits = folder.empty() ? datasets::digits(data_file("")) : datasets::mnist(folder);
    const int64_t size = digits.train.x().size(-1), shift = size >= 28 ? 2 : 0;
    Net net(kind, size);
    distributed::DataParallel parallel(net, mpi);
    data::DataLoader loader(digits.train,
                            {.batch_size = batch, .shuffle = true, .drop_last = true, .shard = mpi.shard()});
    train::Batches batches(loader);
    const int64_t steps = epochs * loader.batches();
    optim::Adam optimizer(net.named_parameters(), {.lr = lr});
    optim::WarmupCosineLR schedule(optimizer, {.warmup_steps = steps / 20, .total_steps = steps});
    distributed::Recorder run(mpi, travel.folder.empty() ? kept.path() : travel.folder,
                              {{"net", net},
                               {"optimizer", optimizer},
                               {"schedule", schedule},
                               {"loader", loader},
                               {"random", default_generator()}},
                              [&](Tape& tape, int64_t) {
                                const auto [x, y] = batches.next();
                                const Tensor loss =
                                    parallel([](auto& net, auto& x, auto& y) { return cross_entropy(net(x), y); },
                                             moved(x.unsqueeze(1), shift), y);
                                optimizer.zero_grad();
                                tape.backward(loss);
                                optimizer.step();
                                schedule.step();
                                return loss;
                              });
    if (!travel.folder.empty()) {
      fmt::print("{}", run.answer(travel.question));
      return 0;
    }
    fmt::print("{}\n{} images of {} x {} to learn, {} to test\n", net, digits.train.size(), size, size,
               digits.test.size());
    train::Progress progress(steps, {.label = kind});
    train::Meter recent;
    double accuracy = 0;
    for (int64_t step = run.resume(); step < steps;) {
      if (!run.step(step++)) return 1;
      recent.add(run.loss());
      progress.set(step, {{"loss", recent.mean()}, {"accuracy", accuracy}});
      if (step % loader.batches() != 0) continue;
      const int64_t epoch = step / loader.batches();
      accuracy = test_accuracy(net, digits.test);
      progress.clear();
      if (epoch % std::max<int64_t>(1, epochs / 12) == 0)
        fmt::print("epoch {:3}: loss {:.4f}, {:.2f} % of {} test images right, {:.0f} s\n", epoch, recent.mean(),
                   100 * accuracy, digits.test.size(), progress.seconds());
      std::fflush(stdout);
      recent.reset();
    }
    if (mpi.is_root()) kept.finish();
    return accuracy >= (folder.empty() ? (quick ? 0.85 : 0.97) : quick ? 0.98 : 0.992) ? 0 : 1;
  });
}

// What it costs to read the samples from disk: a training loop whose batches come from IDX files, against the same loop with
// the data in memory. Short rounds take turns, so that all meet the same machine, and the best of each counts. The
// last column compares the work of all threads: what is left if no core is free for a worker.
//
//   build/release/bench/loader [--data FOLDER] [--rounds N]         FOLDER has MNIST, decompressed; else images are made up
#include <tapegrad/datasets.h>
#include <tapegrad/tapegrad.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>

using namespace tapegrad;

namespace {

constexpr int64_t kBatch = 64;

// Images of 28 x 28 bytes and labels that say nothing: it is time that is measured.
void make_up(const std::string& folder, int n) {
  const std::string count = {char(n >> 24), char(n >> 16), char(n >> 8), char(n)};
  std::string images = std::string("\0\0\x08\3", 4) + count + std::string("\0\0\0\x1c\0\0\0\x1c", 8);
  std::string labels = std::string("\0\0\x08\1", 4) + count;
  for (int i = 0; i < n * 784; ++i) images += char(i * 2654435761u >> 24);
  for (int i = 0; i < n; ++i) labels += char(i % 10);
  std::ofstream(folder + "/train-images-idx3-ubyte", std::ios::binary) << images;
  std::ofstream(folder + "/train-labels-idx1-ubyte", std::ios::binary) << labels;
}

nn::Sequential network(bool convolution) {
  manual_seed(1);
  if (!convolution) return nn::Sequential(nn::Flatten(), nn::Linear(784, 128), nn::ReLU(), nn::Linear(128, 10));
  return nn::Sequential(nn::Conv2d(1, 16, 5, {.padding = 2}), nn::ReLU(), nn::MaxPool2d(2),
                        nn::Conv2d(16, 32, 5, {.padding = 2}), nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(),
                        nn::Linear(32 * 7 * 7, 128), nn::ReLU(), nn::Linear(128, 10));
}

struct Speed {
  double wall = 0, cpu = 0;  // images in a second of the clock, and of all threads' work
};

// One pass over the first `batches` batches.
template <class Loader>
Speed speed(Loader& loader, bool convolution, int64_t batches) {
  nn::Sequential model = network(convolution);
  optim::Adam optimizer(model.parameters(), {.lr = 1e-3});
  const auto begin = std::chrono::steady_clock::now();
  const std::clock_t work = std::clock();
  int64_t done = 0;
  for (auto [x, y] : loader) {
    Tape tape;
    const Tensor loss = cross_entropy(model(x.unsqueeze(1)), y);
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
    if (++done == batches) break;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const double images = double(done * kBatch);
  return {images / seconds.count(), images * CLOCKS_PER_SEC / double(std::clock() - work)};
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder;
  int64_t rounds = 40;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string(argv[i]) == "--data") folder = argv[i + 1];
    if (std::string(argv[i]) == "--rounds") rounds = std::max(1, std::atoi(argv[i + 1]));
  }
  std::string made;
  if (folder.empty()) {
    folder = made = (std::filesystem::temp_directory_path() / "tapegrad_loader_bench").string();
    std::filesystem::create_directories(folder);
    make_up(folder, 60000);
  }
  const std::string images = folder + "/train-images-idx3-ubyte", labels = folder + "/train-labels-idx1-ubyte";
  const auto options = [](int64_t workers) {
    return data::DataLoaderOptions{
        .batch_size = kBatch, .shuffle = true, .drop_last = true, .seed = 1, .workers = workers};
  };
  data::DataLoader memory(data::idx(images, labels), options(0));
  const datasets::IdxFile file(images, labels);
  data::LoaderOf disk0(file, options(0)), disk1(file, options(1)), disk2(file, options(2));
  for (const bool convolution : {false, true}) {
    const int64_t batches = convolution ? 10 : 100;
    std::map<std::string, Speed> best;
    for (int64_t round = 0; round < rounds; ++round) {
      const auto keep = [&](const char* name, Speed now) {
        best[name] = {std::max(best[name].wall, now.wall), std::max(best[name].cpu, now.cpu)};
      };
      keep("memory", speed(memory, convolution, batches));
      keep("disk, 0 workers", speed(disk0, convolution, batches));
      keep("disk, 1 worker", speed(disk1, convolution, batches));
      keep("disk, 2 workers", speed(disk2, convolution, batches));
    }
    for (const char* name : {"memory", "disk, 0 workers", "disk, 1 worker", "disk, 2 workers"})
      fmt::print("{:<6} {:<16} {:>9.0f} images/s, {:.3f} of memory; of work {:.3f}\n", convolution ? "LeNet" : "MLP",
                 name, best[name].wall, best[name].wall / best["memory"].wall, best[name].cpu / best["memory"].cpu);
  }
  if (!made.empty()) std::filesystem::remove_all(made);
}

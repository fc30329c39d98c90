// Programs whose batches are more than an x and a y: sequences with lengths and masks, names of any length, labels that are text.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

namespace tapegrad {
namespace {

// A GRU with a linear layer on each of its outputs.
struct Reader : nn::Module<Reader> {
  Reader(int64_t in, int64_t hidden, int64_t out)
      : gru(add("gru", nn::GRU(in, hidden, {.batch_first = true}))), head(add("head", nn::Linear(hidden, out))) {}
  Tensor forward(const Tensor& x, const Tensor& lengths) { return head(gru(x, {}, {.lengths = lengths}).output); }
  nn::GRU gru;
  nn::Linear head;
};

// Waves of different lengths: what stands behind the end of one is padding, which the loss leaves out.
TEST(Datasets, AGruForecastsWavesOfDifferentLengths) {
  manual_seed(5);
  const int64_t steps = 24, n = 960;
  const Tensor t = arange(steps + 1).to(float32), phase = 6.28 * rand({n, 1}), pace = 0.3 + 0.3 * rand({n, 1});
  const Tensor wave = sin(pace * t + phase), lengths = randint(6, steps + 1, {n});
  const Tensor mask = arange(steps) < lengths.unsqueeze(1);
  const Tensor known = where(mask, narrow(wave, 1, 0, steps), NAN).unsqueeze(2);  // padding may be anything
  const data::TensorsDataset waves(known, lengths, mask, narrow(wave, 1, 1, steps));

  Reader model(1, 24, 1);
  optim::Adam optimizer(model.parameters(), {.lr = 1e-2});
  data::LoaderOf loader(waves, {.batch_size = 32, .shuffle = true});
  train::Meter error;
  for (int epoch = 0; epoch < 5; ++epoch) {
    error.reset();
    for (auto [x, lengths, mask, next] : loader) {
      Tape tape;
      const Tensor found = model(x, lengths).squeeze(2);
      const Tensor loss = sum(where(mask, square(found - next), 0.0)) / sum(mask.to(float32)).item();
      optimizer.zero_grad();
      tape.backward(loss);
      clip_grad_norm(model.parameters(), 1);
      optimizer.step();
      error.add(loss.item());
    }
  }
  EXPECT_LT(error.mean(), 0.05);
}

// makemore with a recurrent net: names of any length, put together with 0 as the dot at both ends and as padding.
TEST(Datasets, ARecurrentNetLearnsNames) {
  manual_seed(2147483647);
  const std::vector<std::string> names = {"emma",   "olivia", "ava",  "isabella", "sophia", "mia",
                                          "amelia", "harper", "luna", "mila",     "nora",   "hannah"};
  const auto sample = [&](int64_t i) {
    std::vector<int64_t> letters = {0};
    for (const char letter : names[size_t(i)]) letters.push_back(letter - 'a' + 1);
    return letters;
  };
  const auto pad = [](const std::vector<std::vector<int64_t>>& rows) {
    const int64_t n = int64_t(rows.size());
    size_t longest = 0;
    for (const auto& row : rows) longest = std::max(longest, row.size());
    Tensor x = zeros({n, int64_t(longest)}, {.dtype = int64});
    Tensor y = full({n, int64_t(longest)}, -100, {.dtype = int64});  // what cross_entropy() ignores
    for (int64_t i = 0; i < n; ++i) {
      const std::vector<int64_t>& row = rows[size_t(i)];
      const int64_t length = int64_t(row.size());
      narrow(x[i], 0, 0, length).copy_(from_vector(row, {length}));
      narrow(y[i], 0, 0, length).fill_(0);
      narrow(y[i], 0, 0, length - 1).copy_(narrow(x[i], 0, 1, length - 1));
    }
    return data::Batch{x, y};
  };
  data::LoaderOf loader(data::CollatedDataset(int64_t(names.size()), sample, pad), {.batch_size = 5, .shuffle = true});

  Reader model(27, 48, 27);
  const auto logits_of = [&](const Tensor& x) { return model(one_hot(x, 27), Tensor()); };
  optim::Adam optimizer(model.parameters(), {.lr = 1e-2});
  double first = 0, last = 0;
  for (int epoch = 0; epoch < 40; ++epoch)
    for (auto [x, y] : loader) {
      Tape tape;
      const Tensor loss = cross_entropy(logits_of(x).flatten(0, 1), y.flatten());
      optimizer.zero_grad();
      tape.backward(loss);
      optimizer.step();
      last = loss.item();
      if (first == 0) first = last;
    }
  EXPECT_NEAR(first, std::log(27), 0.3);
  EXPECT_LT(last, 0.5);

  // The likeliest letters after a dot and "isa" are those of the only name that goes on so.
  std::vector<int64_t> written = {0, 9, 19, 1};
  while (written.back() != 0 || written.size() == 1) {
    const Tensor x = from_vector(written, {1, int64_t(written.size())});
    written.push_back(int64_t(argmax(logits_of(x)[0][x.size(1) - 1]).item()));
    ASSERT_LT(written.size(), 20u);
  }
  EXPECT_EQ(written, (std::vector<int64_t>{0, 9, 19, 1, 2, 5, 12, 12, 1, 0}));
}

// A table like Fisher's irises: four lengths in centimetres, and the name of the kind.
TEST(Datasets, KindsOfFlowersAreToldApartByTheirNames) {
  const std::vector<std::pair<std::string, Tensor>> kinds = {{"virginica", tensor({6.6, 3.0, 5.6, 2.0})},
                                                             {"setosa", tensor({5.0, 3.4, 1.5, 0.2})},
                                                             {"versicolor", tensor({5.9, 2.8, 4.3, 1.3})}};
  data::NumpyRandom random(0);
  const auto path = std::filesystem::temp_directory_path() / fmt::format("tapegrad_flowers_{}.csv", ::getpid());
  {
    std::ofstream file(path);
    file << "sepal length,sepal width,petal length,petal width,kind\n";
    for (int i = 0; i < 50; ++i)
      for (const auto& [name, mean] : kinds) {
        const Tensor flower = mean + 0.25 * random.randn({4}).to(float32);
        for (const float length : flower.to_vector<float>()) file << length << ',';
        file << name << '\n';
      }
  }
  const auto [all, names] = data::labelled_csv(path.string());
  std::filesystem::remove(path);
  ASSERT_EQ(names, (std::vector<std::string>{"setosa", "versicolor", "virginica"}));
  EXPECT_EQ(names[size_t(all.y()[1].item())], "setosa");

  manual_seed(1);
  const Tensor x = (all.x() - mean(all.x(), 0)) / tapegrad::std(all.x(), 0);
  const auto [train, test] = data::TensorDataset(x, all.y()).split(0.8);
  nn::Sequential model(nn::Linear(4, 16), nn::Tanh(), nn::Linear(16, 3));
  optim::Adam optimizer(model.parameters(), {.lr = 1e-2});
  data::DataLoader loader(train, {.batch_size = 16, .shuffle = true});
  for (int epoch = 0; epoch < 60; ++epoch)
    for (auto [x, y] : loader) {
      Tape tape;
      const Tensor loss = cross_entropy(model(x), y);
      optimizer.zero_grad();
      tape.backward(loss);
      optimizer.step();
    }
  EXPECT_GE(train::accuracy(model(test.x()), test.y()), 0.95);
}

}  // namespace
}  // namespace tapegrad

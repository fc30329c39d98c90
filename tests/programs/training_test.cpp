// Training programs, whole: an MLP with batch norm, a character model with carried state, a run that is
// stopped and goes on.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <unistd.h>
#include <cmath>

#include <cstdlib>
#include <filesystem>
#include <thread>

using namespace tapegrad;
using ::testing::HasSubstr;

namespace {

struct Mlp : nn::Module<Mlp> {
  Mlp(int64_t inputs, int64_t hidden) : Mlp(inputs, hidden, 10) {}
  Mlp(int64_t inputs, int64_t hidden, int64_t classes)
      : fc1(add("fc1", nn::Linear(inputs, hidden))),
        norm(add("norm", nn::BatchNorm1d(hidden))),
        fc2(add("fc2", nn::Linear(hidden, classes))) {}
  Tensor forward(const Tensor& x) { return fc2(relu(norm(fc1(x)))); }
  nn::Linear fc1;
  nn::BatchNorm1d norm;
  nn::Linear fc2;
};

void fit(Mlp& model, const data::TensorDataset& set, int epochs, double lr) {
  optim::Adam optimizer(model.parameters(), {.lr = lr});
  for (int epoch = 0; epoch < epochs; ++epoch) {
    model.train();
    for (auto [x, y] : data::DataLoader(set, {.batch_size = 64, .shuffle = true, .drop_last = true})) {
      Tape tape;
      Tensor loss = cross_entropy(model(x), y);
      optimizer.zero_grad();
      tape.backward(loss);
      optimizer.step();
    }
  }
  model.eval();
}

data::TensorDataset mnist(const std::string& folder, const std::string& part) {
  const auto set = data::idx(folder + "/" + part + "-images-idx3-ubyte", folder + "/" + part + "-labels-idx1-ubyte");
  return {set.x().flatten(1), set.y()};
}

}  // namespace

TEST(Programs, AnMlpWithBatchNormLearnsDigits) {
  manual_seed(0);
  auto [digits, held_back] = data::csv(TAPEGRAD_DATA_DIR "/digits.csv").split(0.8);
  Mlp model(64, 128);
  fit(model, digits, 12, 3e-3);
  EXPECT_GE(train::accuracy(model(held_back.x()), held_back.y()), 0.97);
}

TEST(Programs, AnMlpWithBatchNormLearnsMnistInTwoEpochs) {
  const char* folder = std::getenv("TAPEGRAD_MNIST");
  if (!folder) GTEST_SKIP() << "TAPEGRAD_MNIST names no folder with MNIST's four files, decompressed";
  manual_seed(0);
  Mlp model(784, 256);
  fit(model, mnist(folder, "train"), 2, 2e-3);
  const data::TensorDataset test = mnist(folder, "t10k");
  EXPECT_GE(train::accuracy(model(test.x()), test.y()), 0.97);
}

TEST(Programs, EvaluationChangesNothing) {
  manual_seed(0);
  Mlp model(64, 16);
  const Tensor x = randn({8, 64}), before = model.norm.running_mean.clone();
  model.eval();
  const Tensor first = model(x);
  EXPECT_EQ(model(x).to_vector<float>(), first.to_vector<float>());
  EXPECT_EQ(model.norm.running_mean.to_vector<float>(), before.to_vector<float>());
  model.train();
  model(x);
  EXPECT_NE(model.norm.running_mean.to_vector<float>(), before.to_vector<float>());
  try {
    model(narrow(x, 0, 0, 1));
    FAIL() << "a batch of one passed";
  } catch (const ValueError& error) {
    EXPECT_THAT(error.what(), HasSubstr("norm (BatchNorm1d)"));
    EXPECT_THAT(error.what(), HasSubstr("drop_last"));
  }
}

namespace {

struct CharModel : nn::Module<CharModel> {
  explicit CharModel(int64_t characters)
      : embed(add("embed", nn::Embedding(characters, 16))),
        lstm(add("lstm", nn::LSTM(16, 64, {.norm = nn::Norm::layer}))),
        head(add("head", nn::Linear(64, characters))) {}
  nn::Embedding embed;
  nn::LSTM lstm;
  nn::Linear head;
};

std::string sample(const CharModel& model, const data::Text& corpus, std::string text, int length) {
  nn::LSTM::State state;
  Tensor x = corpus.encode(text).reshape({-1, 1});  // [T, 1]
  for (int i = 0; i < length; ++i) {
    auto [output, next] = model.lstm(model.embed(x), state);
    x = argmax(model.head(output[output.size(0) - 1]), -1).reshape({1, 1});
    text += corpus.decode(x);
    state = next;
  }
  return text;
}

}  // namespace

TEST(Programs, ACharacterModelCarriesItsState) {
  manual_seed(0);
  std::string song;
  for (int i = 0; i < 200; ++i) song += "one tape, two ends. ";
  const data::Text corpus(song);
  CharModel model(corpus.vocabulary_size());
  optim::Adam optimizer(model.parameters(), {.lr = 1e-2});
  double last = 0;
  for (int epoch = 0; epoch < 12; ++epoch) {
    nn::LSTM::State state;  // empty: zeros
    for (auto [x, y] : data::text_batches(corpus, {.batch_size = 8, .steps = 20})) {
      Tape tape;
      auto [output, next] = model.lstm(model.embed(x), state);
      Tensor loss = cross_entropy(model.head(output).flatten(0, 1), y.flatten(0, 1));
      optimizer.zero_grad();
      tape.backward(loss);
      clip_grad_norm(model.parameters(), 5.0);
      optimizer.step();
      state = next;  // the tape ends here, so the state is a value: nothing to detach
      last = loss.item();
    }
  }
  EXPECT_LT(last, 0.05);
  EXPECT_EQ(sample(model, corpus, "one tape,", 30), "one tape, two ends. one tape, two ends.");
}

namespace {

// Trains from step `from` to step `to` and returns the bits of the weights; the state is read from and left
// in files.
std::vector<float> run(const std::filesystem::path& folder, int from, int to) {
  manual_seed(5);
  struct Net : nn::Module<Net> {
    nn::Linear fc1 = add("fc1", nn::Linear(64, 32));
    nn::Dropout drop = add("drop", nn::Dropout(0.2));
    nn::Linear fc2 = add("fc2", nn::Linear(32, 10));
    Tensor forward(const Tensor& x) { return fc2(drop(relu(fc1(x)))); }
  };
  Net model;
  optim::Adam optimizer(model.parameters(), {.lr = 1e-3});
  data::DataLoader loader(data::csv(TAPEGRAD_DATA_DIR "/digits.csv"), {.batch_size = 100, .shuffle = true});
  const std::string weights = folder / "model.safetensors", moments = folder / "optimizer.safetensors";
  if (from > 0) {
    model.load_state_dict(load(weights));
    optimizer.load_state_dict(load(moments));
    const auto notes = load_metadata(weights);
    const auto number = [&](const char* key) { return std::stoll(notes.at(key)); };
    default_generator().position = uint64_t(number("generator"));
    loader.seek(number("epoch"), number("position"));
  }
  for (int step = from; step < to;)
    for (auto [x, y] : loader) {
      Tape tape;
      Tensor loss = cross_entropy(model(x), y);
      optimizer.zero_grad();
      tape.backward(loss);
      optimizer.step();
      if (++step == to) break;
    }
  save(weights, model.state_dict(),
       {{"generator", std::to_string(default_generator().position)},
        {"epoch", std::to_string(loader.epoch())},
        {"position", std::to_string(loader.position())}});
  save(moments, optimizer.state_dict());
  std::vector<float> bits;
  for (const Tensor& parameter : model.parameters())
    for (float value : parameter.to_vector<float>()) bits.push_back(value);
  return bits;
}

}  // namespace

TEST(Programs, AStoppedRunGoesOnWithTheSameBits) {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("tapegrad_stop_{}", ::getpid());
  std::filesystem::create_directory(folder);
  const std::vector<float> whole = run(folder, 0, 40);
  run(folder, 0, 25);
  std::vector<float> resumed;
  manual_seed(6);                                              // leaves seed 5 to the other thread
  std::thread([&] { resumed = run(folder, 25, 40); }).join();  // nothing of this thread's state is there
  std::filesystem::remove_all(folder);
  EXPECT_EQ(resumed, whole);
}

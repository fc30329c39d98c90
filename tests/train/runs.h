// Two runs that need every part of their state: an MLP with batch norm and dropout under Adam, and an LSTM with layer norm
// under momentum.
#pragma once
#include <tapegrad/tapegrad.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <unistd.h>

namespace tapegrad {

struct MlpModel : nn::Module<MlpModel> {
  nn::Linear fc1 = add("fc1", nn::Linear(6, 12));
  nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(12));
  nn::Dropout drop = add("drop", nn::Dropout(0.3));
  nn::Linear fc2 = add("fc2", nn::Linear(12, 3));
  Tensor forward(const Tensor& x) { return fc2(drop(relu(norm(fc1(x))))); }
};

struct LstmModel : nn::Module<LstmModel> {
  nn::LSTM rnn = add("rnn", nn::LSTM(1, 8, {.norm = nn::Norm::layer}));
  nn::Dropout drop = add("drop", nn::Dropout(0.2));
  nn::Linear head = add("head", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) {  // [B, 6] as six steps of one number
    return head(drop(mean(rnn(x.transpose(0, 1).unsqueeze(2)).output, 0)));
  }
};

/// What only one of the runs has.
struct MlpParts {
  using Model = MlpModel;
  using Optimizer = optim::Adam;
  static Optimizer optimizer(const Model& model) { return {model.named_parameters(), {.lr = 1e-2}}; }
};
struct LstmParts {
  using Model = LstmModel;
  using Optimizer = optim::SGD;
  static Optimizer optimizer(const Model& model) { return {model.named_parameters(), {.lr = 5e-2, .momentum = 0.9}}; }
};

template <class Kind>
struct TestRun {
  data::TensorDataset train_set = samples();  // and every run begins with the same random numbers
  typename Kind::Model model;
  data::DataLoader loader{train_set, {.batch_size = 8, .shuffle = true, .seed = 7}};
  typename Kind::Optimizer optimizer = Kind::optimizer(model);
  optim::CosineAnnealingLR schedule{optimizer, {.T_max = 600}};
  train::Meter meter;
  train::Batches<data::DataLoader> batches{loader};

  static data::TensorDataset samples() {
    manual_seed(11);
    const Tensor x = randn({50, 6});
    const Tensor y = randint(0, 3, {50});
    manual_seed(5);
    return {x, y};
  }
  Tensor step(Tape& tape, int64_t) {
    const auto [x, y] = batches.next();
    const Tensor loss = cross_entropy(model(x), y);
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
    schedule.step();
    meter.add(loss.item());
    return loss;
  }
  /// A Checkpointer, Recorder or StateGroup of all its parts.
  template <class T, class... Before>
  std::unique_ptr<T> of_parts(Before... before) {
    const std::initializer_list<StatePart> parts{{"model", model},       {"optimizer", optimizer},
                                                 {"schedule", schedule}, {"loader", loader},
                                                 {"meter", meter},       {"random", default_generator()}};
    if constexpr (std::is_same_v<T, StateGroup>)
      return std::make_unique<T>(parts);
    else if constexpr (std::is_same_v<T, train::Recorder>)
      return std::make_unique<T>(
          std::get<0>(std::tuple(before...)), parts, [this](Tape& tape, int64_t at) { return step(tape, at); },
          std::get<1>(std::tuple(before...)));
    else
      return std::make_unique<T>(std::get<0>(std::tuple(before...)), parts, std::get<1>(std::tuple(before...)));
  }
};

/// Whether two tensors have the same shape, dtype and bits.
inline bool same_bits(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined() || a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  const Tensor x = a.contiguous(), y = b.contiguous();
  const auto same = [&]<class T>(T) {
    return x.numel() == 0 || std::memcmp(x.data<T>().data(), y.data<T>().data(), x.data<T>().size_bytes()) == 0;
  };
  switch (a.dtype()) {
    case float32: return same(float());
    case float64: return same(double());
    case int64: return same(int64_t());
    case boolean: return same(bool());
  }
  return false;
}

/// The names of what differs.
inline std::vector<std::string> differences(const StateDict& a, const StateDict& b) {
  std::vector<std::string> out;
  for (const auto& [name, value] : a)
    if (const auto other = b.find(name); other == b.end() || !same_bits(value, other->second)) out.push_back(name);
  if (a.size() != b.size()) out.push_back("how many there are");
  return out;
}

/// A folder of the running test's own, empty at first and gone at its end.
class TestFolder {
 public:
  TestFolder() {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    std::string name = fmt::format("tapegrad_{}_{}_{}", info->test_suite_name(), info->name(), ::getpid());
    std::replace(name.begin(), name.end(), '/', '_');  // of a typed test
    path_ = (std::filesystem::temp_directory_path() / name).string();
    std::filesystem::remove_all(path_);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tapegrad

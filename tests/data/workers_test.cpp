// Batches that threads make ahead of the loop are those of the loop alone, in the same order, with the same bits.
#include <tapegrad/data.h>
#include <tapegrad/error.h>
#include <tapegrad/ops.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "support/message.h"

namespace tapegrad::data {
namespace {

// Sample i of epoch e is 1000 e + i; later batches are often ready before earlier ones.
struct Slow {
  int64_t n = 20;
  int64_t bad = -1;  // the sample that cannot be read
  std::shared_ptr<std::atomic<int64_t>> reads = std::make_shared<std::atomic<int64_t>>(0);

  int64_t size() const { return n; }
  Tensor get(std::span<const int64_t> indices, int64_t epoch) const {
    ++*reads;
    if (indices[0] % 2 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::vector<int64_t> values;
    for (int64_t i : indices) {
      if (i == bad) throw FormatError("sample " + std::to_string(i) + " cannot be read");
      values.push_back(1000 * epoch + i);
    }
    return from_vector(values, {int64_t(values.size())});
  }
};

std::vector<int64_t> epoch(LoaderOf<Slow>& loader) {
  std::vector<int64_t> all;
  for (const Tensor& batch : loader)
    for (int64_t value : batch.to_vector<int64_t>()) all.push_back(value);
  return all;
}

TEST(Workers, MakeTheBatchesOfTheLoopAlone) {
  std::vector<int64_t> alone;
  for (int64_t workers : {0, 1, 3}) {
    LoaderOf loader(Slow{}, {.batch_size = 3, .shuffle = true, .seed = 5, .workers = workers});
    std::vector<int64_t> all;
    for (int i = 0; i < 3; ++i)
      for (int64_t value : epoch(loader)) all.push_back(value);
    if (workers == 0) alone = all;
    EXPECT_EQ(all, alone) << workers << " workers";
    EXPECT_EQ(loader.epoch(), 3);
  }
  EXPECT_EQ(alone.size(), 60u);
  EXPECT_GE(alone[20], 1000);
}

TEST(Workers, CopyNumbersBitForBit) {
  const TensorDataset set(randn({50, 7}), arange(50));
  std::vector<std::vector<float>> alone;
  for (int64_t workers : {0, 1, 3}) {
    std::vector<std::vector<float>> all;
    for (auto [x, y] : DataLoader(set, {.batch_size = 8, .shuffle = true, .seed = 2, .workers = workers}))
      all.push_back(x.to_vector<float>());
    if (workers == 0) alone = all;
    EXPECT_EQ(all, alone);
  }
}

TEST(Workers, CountWhatWasHandedOut) {
  for (int64_t stop = 0; stop <= 7; ++stop) {
    const DataLoaderOptions options = {.batch_size = 3, .shuffle = true, .seed = 5, .workers = 3};
    LoaderOf straight(Slow{}, {.batch_size = 3, .shuffle = true, .seed = 5});
    LoaderOf before(Slow{}, options), after(Slow{}, options);
    std::vector<int64_t> seen, all = epoch(straight);
    int64_t taken = 0;
    if (stop > 0)
      for (const Tensor& batch : before) {
        for (int64_t value : batch.to_vector<int64_t>()) seen.push_back(value);
        EXPECT_EQ(before.position(), ++taken);
        if (taken == stop) break;
      }
    after.load_state_dict(before.state_dict());
    EXPECT_EQ(after.position(), stop);
    if (stop < 7)
      for (int64_t value : epoch(after)) seen.push_back(value);
    EXPECT_EQ(seen, all) << "stopped after batch " << stop;
    EXPECT_EQ(epoch(before)[0] / 1000, stop == 0 ? 0 : 1) << "a loop left by break is an epoch";
  }
}

TEST(Workers, GoOnFromWhereASeekPoints) {
  LoaderOf loader(Slow{}, {.batch_size = 3, .workers = 2});
  loader.seek(4, 5);
  EXPECT_EQ(epoch(loader), (std::vector<int64_t>{4015, 4016, 4017, 4018, 4019}));
  EXPECT_EQ(epoch(loader).size(), 20u);
  int64_t first = -1;
  for (const Tensor& batch : loader) {
    if (first >= 0) {
      EXPECT_EQ(batch.to_vector<int64_t>()[0] % 1000, 12);
      break;
    }
    first = batch.to_vector<int64_t>()[0];
    loader.seek(loader.epoch(), 4);  // in the middle of a loop: then without the workers
  }
}

TEST(Workers, CarryAnErrorToWhereItsBatchIsHandedOut) {
  for (int64_t workers : {0, 1, 3}) {
    Slow set;
    set.bad = 13;
    LoaderOf loader(set, {.batch_size = 3, .workers = workers});
    std::vector<int64_t> seen;
    EXPECT_EQ(message<FormatError>([&] {
                for (const Tensor& batch : loader) seen.push_back(batch.to_vector<int64_t>()[0]);
              }),
              "sample 13 cannot be read");
    EXPECT_EQ(seen, (std::vector<int64_t>{0, 3, 6, 9})) << workers << " workers";
    EXPECT_EQ(loader.position(), 5);
    loader.seek(0, 5);
    EXPECT_EQ(epoch(loader), (std::vector<int64_t>{15, 16, 17, 18, 19}));
  }
}

TEST(Workers, MakeNoMoreThanTheQueueHolds) {
  Slow set;
  set.n = 1000;
  LoaderOf loader(set, {.batch_size = 1, .workers = 2});
  for (const Tensor& batch : loader) {
    (void)batch;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_LE(*set.reads, 5);  // the one that was taken, and four
    break;
  }
}

TEST(Workers, SurviveCopiesOfTheLoader) {
  LoaderOf loader(Slow{}, {.batch_size = 3, .shuffle = true, .seed = 5, .workers = 3});
  LoaderOf alone(Slow{}, {.batch_size = 3, .shuffle = true, .seed = 5});
  const std::vector<int64_t> first = epoch(alone), second = epoch(alone);
  for (const Tensor& batch : loader) {
    (void)batch;
    break;
  }
  LoaderOf copy = loader;
  LoaderOf moved = std::move(loader);
  EXPECT_EQ(epoch(copy), second);
  EXPECT_EQ(epoch(moved), second);
  moved = copy;
  EXPECT_EQ(epoch(moved).size(), 20u);
}

TEST(Workers, RefuseANumberThatMakesNoSense) {
  for (int64_t workers : {-1, 257})
    EXPECT_EQ(message<ValueError>([&] { LoaderOf(Slow{}, {.workers = workers}); }),
              "DataLoader: workers must be in [0, 256], got " + std::to_string(workers));
}

}  // namespace
}  // namespace tapegrad::data

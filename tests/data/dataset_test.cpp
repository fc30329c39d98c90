#include <tapegrad/data.h>
#include <tapegrad/error.h>
#include <tapegrad/memory.h>
#include <tapegrad/ops.h>
#include <tapegrad/random.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <set>

namespace tapegrad::data {
namespace {

using testing::ThrowsMessage;

// Sample i is x = {i, i + 0.5}, y = i.
TensorDataset counted(int64_t n) {
  std::vector<float> x;
  std::vector<int64_t> y(n);
  for (int64_t i = 0; i < n; ++i) x.insert(x.end(), {float(i), float(i) + 0.5f});
  std::iota(y.begin(), y.end(), int64_t{0});
  return {from_vector(x, {n, 2}), from_vector(y, {n})};
}

std::vector<std::vector<int64_t>> epoch(DataLoader& loader) {
  std::vector<std::vector<int64_t>> all;
  for (auto [x, y] : loader) {
    EXPECT_EQ(x.shape(), Shape({y.size(0), 2}));
    const auto labels = y.to_vector<int64_t>();
    for (size_t i = 0; i < labels.size(); ++i) EXPECT_EQ(x.to_vector<float>()[2 * i], float(labels[i]));
    all.push_back(labels);
  }
  return all;
}

std::vector<int64_t> flat(const std::vector<std::vector<int64_t>>& batches) {
  std::vector<int64_t> all;
  for (const auto& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

TEST(TensorDataset, GetCopiesSamplesInOrder) {
  const auto [x, y] = counted(5).get({3, 0, 3});
  EXPECT_EQ(x.to_vector<float>(), std::vector<float>({3, 3.5, 0, 0.5, 3, 3.5}));
  EXPECT_EQ(y.to_vector<int64_t>(), std::vector<int64_t>({3, 0, 3}));
}

TEST(TensorDataset, RejectsIndicesAndShapesThatDoNotFit) {
  EXPECT_THAT([] { counted(5).get({5}); }, ThrowsMessage<IndexError>("dataset: sample 5 is outside [0, 5)"));
  EXPECT_THAT([] { counted(5).get({-1}); }, ThrowsMessage<IndexError>("dataset: sample -1 is outside [0, 5)"));
  EXPECT_THAT(
      [] {
        TensorDataset(zeros({3, 2}), zeros({2}));
      },
      ThrowsMessage<ShapeError>("dataset: the tensors must have a first axis of the same size, got [3, 2], [2]"));
}

TEST(TensorDataset, SplitIsAPartitionThatTheSeedDecides) {
  const auto data = counted(11);
  const auto [train, test] = data.split(0.8);
  EXPECT_EQ(train.size(), 9);
  EXPECT_EQ(test.size(), 2);
  auto all = train.y().to_vector<int64_t>();
  EXPECT_FALSE(std::is_sorted(all.begin(), all.end()));
  for (int64_t label : test.y().to_vector<int64_t>()) all.push_back(label);
  EXPECT_EQ(std::set<int64_t>(all.begin(), all.end()).size(), 11u);
  manual_seed(99);
  EXPECT_EQ(data.split(0.8).test.y().to_vector<int64_t>(), test.y().to_vector<int64_t>());
  EXPECT_NE(data.split(0.8, {.seed = 1}).train.y().to_vector<int64_t>(), train.y().to_vector<int64_t>());
  EXPECT_EQ(data.split(0.3, {.shuffle = false}).train.y().to_vector<int64_t>(), std::vector<int64_t>({0, 1, 2}));
  EXPECT_EQ(data.split(1).test.size(), 0);
  EXPECT_THAT([&] { data.split(80); }, ThrowsMessage<ValueError>("split: fraction must be in [0, 1], got 80"));
}

TEST(DataLoader, HandsOutEverySampleOnce) {
  for (bool shuffle : {false, true}) {
    DataLoader loader(counted(10), {.batch_size = 4, .shuffle = shuffle, .seed = 3});
    EXPECT_EQ(loader.batches(), 3);
    for (int i = 0; i < 3; ++i) {
      const auto batches = epoch(loader);
      ASSERT_EQ(batches.size(), 3u);
      EXPECT_EQ(batches[2].size(), 2u);
      auto all = flat(batches);
      std::sort(all.begin(), all.end());
      for (int64_t k = 0; k < 10; ++k) EXPECT_EQ(all[k], k);
    }
    EXPECT_EQ(loader.epoch(), 3);
  }
}

TEST(DataLoader, DropLastLeavesOutTheSmallBatch) {
  DataLoader loader(counted(10), {.batch_size = 4, .drop_last = true});
  EXPECT_EQ(epoch(loader), (std::vector<std::vector<int64_t>>{{0, 1, 2, 3}, {4, 5, 6, 7}}));
}

TEST(DataLoader, ShardsOfABatchAreTheBatch) {
  const auto part = [](int64_t first, int64_t last) {
    DataLoader loader(counted(23), {.batch_size = 10, .shuffle = true, .seed = 2, .shard = {first, last, 4}});
    EXPECT_EQ(loader.batches(), 2) << "3 samples are no 4 parts";
    return epoch(loader);
  };
  const auto whole = part(0, 4), a = part(0, 1), b = part(1, 3), c = part(3, 4);
  for (size_t i = 0; i < 2; ++i) {
    auto together = a[i];
    together.insert(together.end(), b[i].begin(), b[i].end());
    together.insert(together.end(), c[i].begin(), c[i].end());
    EXPECT_EQ(together, whole[i]);
    EXPECT_EQ(a[i].size(), 3u);
    EXPECT_EQ(b[i].size(), 5u);
    EXPECT_EQ(c[i].size(), 2u);
  }
  EXPECT_THAT(([] {
                DataLoader(counted(9), {.batch_size = 4, .shard = {0, 1, 5}});
              }),
              ThrowsMessage<ValueError>(
                  "DataLoader: shard must have 0 <= first < last <= parts <= batch_size, got 0, 1, 5 and 4"));
}

TEST(DataLoader, OrderIsNewEachEpochAndTheSameForTheSameSeed) {
  DataLoader a(counted(20), {.batch_size = 7, .shuffle = true, .seed = 5});
  DataLoader b(counted(20), {.batch_size = 7, .shuffle = true, .seed = 5});
  const auto first = epoch(a), second = epoch(a);
  EXPECT_NE(first, second);
  EXPECT_EQ(epoch(b), first);
  EXPECT_EQ(epoch(b), second);
}

TEST(DataLoader, OrderIsTheSameOnEveryPlatform) {
  DataLoader loader(counted(8), {.batch_size = 8, .shuffle = true, .seed = 0});
  EXPECT_EQ(flat(epoch(loader)), std::vector<int64_t>({5, 3, 6, 2, 1, 7, 4, 0}));
}

TEST(DataLoader, WithoutASeedManualSeedDecides) {
  const auto order = [](uint64_t seed) {
    manual_seed(seed);
    DataLoader first(counted(20), {.batch_size = 20, .shuffle = true});
    DataLoader second(counted(20), {.batch_size = 20, .shuffle = true});
    const auto a = flat(epoch(first)), b = flat(epoch(second));
    EXPECT_NE(a, b) << "a loader made anew for each epoch must have a new order";
    return a;
  };
  EXPECT_EQ(order(1), order(1));
  EXPECT_NE(order(1), order(2));
}

TEST(DataLoader, GoesOnFromAnyPosition) {
  const DataLoaderOptions options = {.batch_size = 3, .shuffle = true, .seed = 5};
  DataLoader straight(counted(10), options);
  std::vector<std::vector<int64_t>> all;
  for (int i = 0; i < 2; ++i)
    for (const auto& batch : epoch(straight)) all.push_back(batch);
  for (size_t stop = 0; stop <= 8; ++stop) {
    DataLoader before(counted(10), options), after(counted(10), options);
    std::vector<std::vector<int64_t>> seen;
    while (before.epoch() < 2 && seen.size() < stop) {
      for (auto [x, y] : before) {
        seen.push_back(y.to_vector<int64_t>());
        if (seen.size() == stop) break;
      }
    }
    after.seek(before.epoch(), before.position());
    while (after.epoch() < 2)
      for (const auto& batch : epoch(after)) seen.push_back(batch);
    EXPECT_EQ(seen, all) << "stopped after batch " << stop;
  }
}

TEST(DataLoader, ALoopLeftByBreakIsAnEpoch) {
  DataLoader loader(counted(10), {.batch_size = 3});
  for (auto batch : loader) {
    EXPECT_EQ(batch.y.to_vector<int64_t>()[0], 0);
    break;
  }
  EXPECT_EQ(epoch(loader).size(), 4u);
  EXPECT_EQ(loader.epoch(), 2);
}

TEST(DataLoader, MayBeMadeInTheLoop) {
  int64_t samples = 0;
  for (auto [x, y] : DataLoader(counted(10), {.batch_size = 3})) samples += y.size(0);
  EXPECT_EQ(samples, 10);
}

TEST(DataLoader, AsksTheSystemForNoMemoryOnceItRuns) {
  if (std::getenv("TAPEGRAD_NO_POOL")) GTEST_SKIP() << "every block comes from the system";
  DataLoader loader(counted(1000), {.batch_size = 32, .shuffle = true, .seed = 1});
  for (auto batch : loader) (void)batch;
  const auto before = memory::stats().system_calls;
  for (int i = 0; i < 5; ++i)
    for (auto batch : loader) (void)batch;
  EXPECT_EQ(memory::stats().system_calls, before);
}

TEST(DataLoader, RejectsSizesThatMakeNoSense) {
  EXPECT_THAT([] { DataLoader(counted(3), {.batch_size = 0}); },
              ThrowsMessage<ValueError>("DataLoader: batch_size must be at least 1, got 0"));
  DataLoader loader(counted(3));
  EXPECT_THAT([&] { loader.seek(0, 4); },
              ThrowsMessage<IndexError>("DataLoader: seek takes an epoch >= 0 and a position in [0, 3], got 0 and 4"));
}

// A loop over nothing would train nothing, and its mean loss would be NaN.
TEST(DataLoader, HasABatchAtLeast) {
  EXPECT_THAT([] { DataLoader(counted(3), {.batch_size = 4, .drop_last = true}); },
              ThrowsMessage<ValueError>("DataLoader: drop_last leaves no batch: there are 3 samples, and batch_size is "
                                        "4. Hint: a smaller batch, or drop_last = false"));
  EXPECT_THAT([] { DataLoader(counted(0), {.batch_size = 4}); },
              ThrowsMessage<ValueError>("DataLoader: the dataset has no samples"));
  DataLoader small(counted(3), {.batch_size = 4});
  EXPECT_EQ(epoch(small).size(), 1u);
}

// Sample i is {i, 10 i, 100 i}.
TensorsDataset<3> three(int64_t n) {
  const Tensor i = arange(n);
  return TensorsDataset(i, i * 10, i * 100);
}

TEST(TensorsDataset, HandsOutAllItsTensors) {
  LoaderOf loader(three(5), {.batch_size = 2, .shuffle = true, .seed = 1});
  std::vector<int64_t> seen;
  for (int round = 0; round < 2; ++round)
    for (auto [a, b, c] : loader) {
      for (int64_t value : a.to_vector<int64_t>()) seen.push_back(value);
      EXPECT_EQ((a * 10).to_vector<int64_t>(), b.to_vector<int64_t>());
      EXPECT_EQ((a * 100).to_vector<int64_t>(), c.to_vector<int64_t>());
    }
  EXPECT_EQ(loader.epoch(), 2);
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, std::vector<int64_t>({0, 0, 1, 1, 2, 2, 3, 3, 4, 4}));
}

TEST(TensorsDataset, TakesTheOrderAndTheSplitOfATensorDataset) {
  DataLoader two(counted(9), {.batch_size = 9, .shuffle = true, .seed = 4});
  LoaderOf all(three(9), {.batch_size = 9, .shuffle = true, .seed = 4});
  for (auto [a, b, c] : all) EXPECT_EQ(a.to_vector<int64_t>(), flat(epoch(two)));
  const auto [train, test] = three(11).split(0.8);
  EXPECT_EQ(test.tensors()[2].to_vector<int64_t>(), (counted(11).split(0.8).test.y() * 100).to_vector<int64_t>());
  EXPECT_EQ(train.size(), 9);
}

TEST(TensorsDataset, RefusesTensorsOfAnotherLength) {
  EXPECT_THAT(
      [] {
        TensorsDataset(zeros({3}), zeros({3, 2}), zeros({4}));
      },
      ThrowsMessage<ShapeError>("dataset: the tensors must have a first axis of the same size, got [3], [3, 2], [4]"));
  EXPECT_THROW(TensorsDataset{zeros({})}, ShapeError);
  const std::vector<int64_t> outside = {3};
  EXPECT_THAT([&] { three(3).get(outside); }, ThrowsMessage<IndexError>("dataset: sample 3 is outside [0, 3)"));
}

TEST(CollatedDataset, PutsTogetherSamplesOfAnyLength) {
  const auto sample = [](int64_t i) { return std::vector<int64_t>(size_t(i + 1), i); };
  const auto collate = [](const std::vector<std::vector<int64_t>>& samples) {
    int64_t sum = 0;
    for (const auto& values : samples) sum = std::accumulate(values.begin(), values.end(), sum);
    return std::pair(int64_t(samples.size()), sum);
  };
  int64_t count = 0, total = 0;
  for (auto [n, sum] : LoaderOf(CollatedDataset(4, sample, collate), {.batch_size = 3})) {
    count += n;
    total += sum;
  }
  EXPECT_EQ(count, 4);
  EXPECT_EQ(total, 0 + 2 + 6 + 12);
}

TEST(Text, EncodesAndDecodesCharactersOfUtf8) {
  const Text text(
      "b\xc3\xa4"
      "a\xff"
      "b");
  EXPECT_EQ(text.size(), 5);
  EXPECT_EQ(text.vocabulary_size(), 4);
  EXPECT_EQ(text.tokens().to_vector<int64_t>(), std::vector<int64_t>({1, 2, 0, 3, 1}));
  EXPECT_EQ(text.decode(text.tokens()),
            "b\xc3\xa4"
            "a\xff"
            "b");
  EXPECT_THAT([&] { text.encode("c"); }, ThrowsMessage<ValueError>("encode: character 'c' does not occur in the text"));
  EXPECT_THAT([&] { text.character(4); }, ThrowsMessage<IndexError>("decode: token 4 is outside [0, 4)"));
}

TEST(Text, SplitKeepsTheVocabulary) {
  const auto [train, test] = Text("abcdefghij").split(0.8);
  EXPECT_EQ(train.decode(train.tokens()), "abcdefgh");
  EXPECT_EQ(test.decode(test.tokens()), "ij");
  EXPECT_EQ(test.vocabulary_size(), 10);
}

TEST(TextBatches, ColumnsAreStreamsThatGoOn) {
  const Text text("abcdefghijklmnopqrstu");  // 21 characters, 2 streams of 10
  const auto batches = text_batches(text, {.batch_size = 2, .steps = 3});
  EXPECT_EQ(batches.batches(), 3);
  std::string first, second, targets;
  for (auto [x, y] : batches) {
    EXPECT_EQ(x.shape(), Shape({3, 2}));
    for (int64_t t = 0; t < 3; ++t) {
      first += text.character(x.to_vector<int64_t>()[size_t(2 * t)]);
      second += text.character(x.to_vector<int64_t>()[size_t(2 * t + 1)]);
      targets += text.character(y.to_vector<int64_t>()[size_t(2 * t)]);
    }
  }
  EXPECT_EQ(first, "abcdefghi");
  EXPECT_EQ(second, "klmnopqrs");
  EXPECT_EQ(targets, "bcdefghij");
  int64_t rest = 0;
  for (auto batch : text_batches(text, {.batch_size = 2, .steps = 3, .first = 2})) rest += batch.x.numel();
  EXPECT_EQ(rest, 6);
  for (auto batch : text_batches(text, {.batch_size = 2, .steps = 3, .first = 3})) ADD_FAILURE() << batch.x;
  EXPECT_THROW(text_batches(text, {.batch_size = 2, .steps = 3, .first = 4}), ValueError);
}

TEST(TextWindows, AreRandomPiecesAndWhatFollows) {
  const Text text("abcdefghij");
  const TextWindows windows(text, 3);
  EXPECT_EQ(windows.size(), 7);
  const std::vector<int64_t> ends = {6, 0};
  const auto [x, y] = windows.get(ends);
  EXPECT_EQ(x.shape(), Shape({2, 3}));
  EXPECT_EQ(text.decode(x), "ghiabc");
  EXPECT_EQ(text.decode(y), "hijbcd");
  std::set<std::string> seen;
  for (auto [x, y] : LoaderOf(windows, {.batch_size = 1, .shuffle = true})) seen.insert(text.decode(x));
  EXPECT_EQ(seen.size(), 7u);
}

TEST(TextWindows, RefuseWhatDoesNotFit) {
  EXPECT_THAT([] { TextWindows(Text("abc"), 3); },
              ThrowsMessage<ValueError>("TextWindows: a window needs steps + 1 characters, got 3 for steps 3"));
  EXPECT_THAT([] { TextWindows(Text("abc"), 0); },
              ThrowsMessage<ValueError>("TextWindows: steps must be at least 1, got 0"));
  const std::vector<int64_t> outside = {1};
  EXPECT_THAT([&] { TextWindows(Text("abc"), 2).get(outside); },
              ThrowsMessage<IndexError>("TextWindows: window 1 is outside [0, 1)"));
}

TEST(TextBatches, RejectsATextThatIsTooShort) {
  EXPECT_THAT([] { text_batches(Text("abcdef"), {.batch_size = 2, .steps = 3}); },
              ThrowsMessage<ValueError>("text_batches: one batch needs batch_size * steps + 1 characters, got 6 for "
                                        "batch_size 2 and steps 3"));
  EXPECT_THROW(text_batches(Text(""), {.batch_size = 1, .steps = 1}), ValueError);
  EXPECT_THROW(text_batches(Text("abc"), {.batch_size = 0}), ValueError);
}

}  // namespace
}  // namespace tapegrad::data

// On the way into a batch: transforms, samplers, sequences, streams. Whoever does it, the bytes are the same.
#include <tapegrad/datasets.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <map>
#include <numeric>
#include <set>

#include "datasets/files.h"
#include "support/message.h"

namespace tapegrad::datasets {
namespace {

using ::testing::HasSubstr;

Tensor once(const Transform& f, const Tensor& x, uint64_t seed = 1) {
  Generator random(seed);
  return f(x, random);
}

TEST(Transform, NormalizesEachChannel) {
  const Tensor x = arange(8).reshape({2, 2, 2}).to(float32);
  EXPECT_TENSOR_NEAR(once(normalize({1}, {2}), x), (x - 1) / 2, 1e-6);
  const Tensor y = once(normalize({0, 4}, {1, 2}), x);
  EXPECT_TENSOR_NEAR(y[0], x[0], 0);
  EXPECT_TENSOR_NEAR(y[1], tensor({{0, 0.5}, {1, 1.5}}), 1e-6);
  EXPECT_EQ(once(normalize({1}, {2}), tensor(5)).item(), 2);
  EXPECT_THROW((void)normalize({1}, {0}), ValueError);
  EXPECT_THROW((void)normalize({1, 2}, {1}), ValueError);
  EXPECT_THROW((void)once(normalize({1, 2, 3}, {1, 1, 1}), x), ShapeError);
}

TEST(Transform, CropsEveryPlaceAndFlipsHalf) {
  const Tensor x = arange(9).reshape({1, 3, 3}).to(float32);
  const Transform crop = random_crop(2, 3, {.padding = 1}), flipped = random_flip();
  std::map<std::vector<float>, int> places;
  int flips = 0;
  for (uint64_t seed = 0; seed < 600; ++seed) {
    const Tensor y = once(crop, x, seed);
    EXPECT_EQ(y.shape(), Shape({1, 2, 3}));
    ++places[y.to_vector<float>()];
    flips += once(flipped, x, seed).to_vector<float>()[0] == 2;
  }
  EXPECT_EQ(places.size(), 12u);  // 4 x 3 of them
  EXPECT_TRUE(places.contains({0, 0, 0, 0, 0, 1}));
  EXPECT_NEAR(flips, 300, 60);
  EXPECT_EQ(once(random_crop(3, 3), x).to_vector<float>(), x.to_vector<float>());
  EXPECT_THROW((void)once(random_crop(4, 1), x), ShapeError);
  EXPECT_THROW((void)random_crop(0, 1), ValueError);
  EXPECT_THROW((void)random_flip(2), ValueError);
}

TEST(Transform, AddsNormalNoise) {
  const Tensor y = once(noise(0.5), full({20000}, 3, {.dtype = float64}));
  EXPECT_NEAR(mean(y).item(), 3, 0.02);
  EXPECT_NEAR(tapegrad::std(y).item(), 0.5, 0.01);
  EXPECT_EQ(once(noise(0), ones({2})).to_vector<float>(), (std::vector<float>{1, 1}));
  EXPECT_THROW((void)noise(-1), ValueError);
}

Transformed<data::TensorDataset> pictures() {
  manual_seed(4);
  const data::TensorDataset all(rand({30, 1, 6, 6}), arange(30));
  const Transform dim = [](const Tensor& x, Generator& random) { return x * random.uniform(); };
  return {all,
          {.x = {random_crop(6, 6, {.padding = 2}), random_flip(), noise(0.1), normalize({0.5}, {0.25}), dim},
           .y = {one_hot(30)},
           .seed = 9}};
}

TEST(Transformed, GivesTheSameBytesForAnyNumberOfWorkers) {
  std::map<int64_t, std::vector<float>> alone[2];
  for (const int64_t workers : {0, 1, 3})
    for (const int64_t batch_size : {4, 7}) {  // nor do they depend on who is in the batch
      data::LoaderOf loader(
          pictures(), {.batch_size = batch_size, .shuffle = true, .seed = uint64_t(batch_size), .workers = workers});
      for (int e = 0; e < 2; ++e) {
        std::map<int64_t, std::vector<float>> all;
        for (auto [x, y] : loader) {
          EXPECT_EQ(y.shape(), Shape({x.size(0), 30}));
          for (int64_t i = 0; i < x.size(0); ++i) all[argmax(y[i]).item<int64_t>()] = x[i].to_vector<float>();
        }
        EXPECT_EQ(all.size(), 30u);
        if (workers == 0 && batch_size == 4) alone[e] = all;
        EXPECT_EQ(all, alone[e]) << workers << " workers, epoch " << e;
      }
    }
  EXPECT_NE(alone[0], alone[1]);
}

TEST(Transformed, RefusesSamplesThatComeOutDifferently) {
  const Transform cut = [](const Tensor& x, Generator&) { return narrow(x, 0, 0, int64_t(x[0].item())); };
  const Transformed set(data::TensorDataset(tensor({{1, 0}, {2, 0}}), arange(2)), {.x = {cut}});
  const std::vector<int64_t> both = {0, 1};
  EXPECT_EQ(message<ShapeError>([&] { (void)set.get(both); }),
            "Transformed: samples of a batch must come out alike, got float32 [1] and float32 [2]");
}

std::vector<int64_t> epoch_of(const Sampler& sampler, int64_t epoch) {
  std::vector<int64_t> places(size_t(sampler.size()));
  std::iota(places.begin(), places.end(), int64_t{0});
  return sampler.at(places, epoch);
}

TEST(Sampler, DrawsByWeight) {
  const Sampler sampler = weighted_sampler(tensor({0, 1, 3, 0}), 40000, {.seed = 3});
  std::map<int64_t, int> counts;
  for (int64_t i : epoch_of(sampler, 0)) ++counts[i];
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_NEAR(counts[2], 30000, 500);
  EXPECT_NE(epoch_of(sampler, 1), epoch_of(sampler, 0));
  EXPECT_EQ(epoch_of(weighted_sampler(tensor({0, 1, 3, 0}), 40000, {.seed = 3}), 1), epoch_of(sampler, 1));

  int first = 0;
  for (int64_t e = 0; e < 4000; ++e) {
    const std::vector<int64_t> two = epoch_of(weighted_sampler(tensor({1, 0, 3}), 2, {.replacement = false}), e);
    EXPECT_EQ(std::set<int64_t>(two.begin(), two.end()), (std::set<int64_t>{0, 2}));
    first += two[0] == 2;
  }
  EXPECT_NEAR(first, 3000, 120);
}

TEST(Sampler, TakesEveryClassAsOften) {
  const Tensor labels = tensor({5, 5, 5, 5, 5, 5, 5, 2, 2, 9}, {.dtype = int64});
  const Sampler sampler = class_sampler(labels, 60, {.seed = 1});
  std::map<int64_t, int> samples, classes;
  for (int64_t i : epoch_of(sampler, 4)) {
    ++samples[i];
    ++classes[labels.to_vector<int64_t>()[size_t(i)]];
  }
  EXPECT_EQ(classes, (std::map<int64_t, int>{{2, 20}, {5, 20}, {9, 20}}));
  EXPECT_EQ(samples[7], 10);
  EXPECT_EQ(samples[9], 20);
  for (int64_t i = 0; i < 7; ++i) EXPECT_TRUE(samples[i] == 2 || samples[i] == 3) << i;
}

TEST(Sampler, SaysWhatIsWrong) {
  EXPECT_THAT(message<ValueError>([] {
                (void)weighted_sampler(tensor({0, 0}), 1);
              }),
              HasSubstr("one of them positive"));
  EXPECT_THROW((void)weighted_sampler(tensor({1, -1}), 1), ValueError);
  EXPECT_THROW((void)weighted_sampler(tensor({1, NAN}), 1), ValueError);
  EXPECT_THROW((void)weighted_sampler(tensor({1, 1}), 0), ValueError);
  EXPECT_EQ(message<ValueError>([] {
              (void)weighted_sampler(tensor({1, 0}), 2, {.replacement = false});
            }),
            "weighted_sampler: num_samples must be in [1, 1], got 2");
  EXPECT_THROW((void)class_sampler(tensor({1.0, 2.0}), 1), ValueError);
  EXPECT_THROW((void)length_sampler({}, 1), ValueError);
  const Sampler one(1, [](int64_t) { return std::vector<int64_t>{0, 0}; });
  EXPECT_EQ(message<ValueError>([&] { (void)epoch_of(one, 0); }), "Sampler: an epoch must have 1 samples, got 2");
}

TEST(Sequences, OfLikeLengthShareABatch) {
  std::vector<Tensor> all;
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < 103; ++i) {
    all.push_back(full({1 + i * 37 % 50, 2}, double(i)));
    numbers.push_back(i);
  }
  const Sequences sequences(all, from_vector(numbers, {103}), {.padding = -1});
  const Sampled sorted(sequences, length_sampler(sequences.lengths(), 8));
  std::vector<int64_t> alone;
  for (const int64_t workers : {0, 1, 3}) {
    std::vector<int64_t> seen;
    int64_t padding = 0;
    for (auto [x, lengths, y] : data::LoaderOf(sorted, {.batch_size = 8, .workers = workers})) {
      EXPECT_EQ(x.shape(), Shape({y.size(0), max(lengths).item<int64_t>(), 2}));
      for (int64_t i = 0; i < y.size(0); ++i) {
        const int64_t number = y[i].item<int64_t>(), length = lengths[i].item<int64_t>();
        EXPECT_EQ(length, 1 + number * 37 % 50);
        EXPECT_TENSOR_NEAR(narrow(x[i], 0, 0, length), all[size_t(number)], 0);
        if (length < x.size(1)) {
          EXPECT_EQ(x[i][length][1].item(), -1);
        }
        padding += x.size(1) - length;
        seen.push_back(number);
      }
    }
    EXPECT_LT(padding, 450);  // in the order of the numbers it is over 2000
    if (workers == 0) alone = seen;
    EXPECT_EQ(seen, alone);
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(seen, numbers);
  }
}

TEST(Sequences, SayWhatIsWrong) {
  EXPECT_EQ(message<ShapeError>([] {
              (void)pad_sequences({ones({2, 3}), ones({2, 4})});
            }),
            "pad_sequences: sequences must be alike but for their length, got [2, 3] and [2, 4]");
  EXPECT_THROW((void)pad_sequences({ones({2}), ones({2}, {.dtype = float64})}), DtypeError);
  EXPECT_THROW((void)pad_sequences({}), ShapeError);
  EXPECT_THROW((void)pad_sequences({ones({2}), ones({})}), ShapeError);
  EXPECT_THROW(Sequences({ones({2})}, ones({2})), ShapeError);
}

using Strings = std::vector<std::string>;
Strings joined(const Strings& lines) { return lines; }

std::vector<Strings> batches(auto& stream) {
  std::vector<Strings> all;
  for (auto batch : stream) all.push_back(batch);
  return all;
}

TEST(Stream, ReadsAFileLineByLine) {
  const Folder folder;
  const std::string path = folder.write("x.txt", "a\nb\r\n\nc\nd\ne");
  Stream stream(lines(path), joined, {.batch_size = 4});
  EXPECT_EQ(batches(stream), (std::vector<Strings>{{"a", "b", "", "c"}, {"d", "e"}}));
  EXPECT_EQ(stream.epoch(), 1);
  EXPECT_EQ(batches(stream).size(), 2u);
  Stream whole(lines(path), joined, {.batch_size = 4, .drop_last = true});
  EXPECT_EQ(batches(whole), (std::vector<Strings>{{"a", "b", "", "c"}}));
  Stream none(lines(folder.write("none", "")), joined);
  EXPECT_TRUE(batches(none).empty());
  EXPECT_THROW((void)lines(folder.path("missing")), FormatError);
  Stream endless(lines(folder.write("long", std::string(17 << 20, 'x'))), joined);
  EXPECT_THAT(message<FormatError>([&] { (void)batches(endless); }), HasSubstr("a line has more than 16777216 bytes"));
  const std::string large = std::string(100000, 'x') + "\n" + std::string(70000, 'y');  // longer than a piece
  Stream two(lines(folder.write("two", large)), joined);
  EXPECT_EQ(batches(two)[1][0].size(), 70000u);
}

// The numbers of an epoch, which is all that one knows of them.
auto numbers(int64_t n) {
  return [=](int64_t epoch) {
    return [=, i = int64_t(0)]() mutable { return i < n ? std::optional(100 * epoch + i++) : std::nullopt; };
  };
}

TEST(Stream, ShufflesAndGoesOnFromAnyBatch) {
  const auto same = [](const std::vector<int64_t>& samples) { return samples; };
  const StreamOptions options = {.batch_size = 3, .shuffle = 5, .seed = 2};
  Stream straight(numbers(20), same, options);
  std::vector<int64_t> all, second;
  for (auto batch : straight) all.insert(all.end(), batch.begin(), batch.end());
  for (auto batch : straight) second.insert(second.end(), batch.begin(), batch.end());
  EXPECT_FALSE(std::is_sorted(all.begin(), all.end()));
  std::vector<int64_t> sorted = all;
  std::sort(sorted.begin(), sorted.end());
  for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(sorted[size_t(i)], i);
  for (int64_t& i : second) i -= 100;
  EXPECT_NE(all, second);

  for (int64_t stop = 1; stop <= 7; ++stop) {
    Stream before(numbers(20), same, options), after(numbers(20), same, {.batch_size = 3, .shuffle = 5});
    std::vector<int64_t> seen;
    for (auto batch : before) {
      seen.insert(seen.end(), batch.begin(), batch.end());
      if (before.position() == stop) break;
    }
    after.load_state_dict(before.state_dict());
    for (auto batch : after) seen.insert(seen.end(), batch.begin(), batch.end());
    EXPECT_EQ(seen, all) << stop;
    EXPECT_EQ(after.epoch(), 1);
  }
  EXPECT_THROW(Stream(numbers(1), same, {.batch_size = 0}), ValueError);
  EXPECT_THROW(straight.seek(-1), IndexError);
}

}  // namespace
}  // namespace tapegrad::datasets

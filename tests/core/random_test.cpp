// The generator against the vectors of its authors, and what is made of its bits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tapegrad/error.h>
#include <tapegrad/ops/dropout.h>
#include <tapegrad/random.h>
#include <tapegrad/tensor.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <thread>

#include "support/message.h"

namespace tapegrad {
namespace {

using ::testing::ElementsAre;

TEST(Philox, GivesThePublishedNumbers) {  // Random123 1.14, kat_vectors, philox4x32 10
  EXPECT_THAT(philox(0, 0), ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
}

TEST(Philox, DependsOnEveryBitOfKeyAndCounter) {
  std::set<std::array<uint32_t, 4>> seen{philox(0, 0)};
  for (int bit = 0; bit < 64; ++bit) {
    seen.insert(philox(uint64_t(1) << bit, 0));
    seen.insert(philox(0, uint64_t(1) << bit));
    seen.insert(philox(0, 0, uint64_t(1) << bit));
  }
  EXPECT_EQ(seen.size(), 193u);
}

TEST(Generator, IsSavedAsTwoIntegers) {
  Generator a(3);
  a.uniform();
  a.below(10);
  Generator b(3);
  b.position = a.position;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(a.next_u32(), b.next_u32());
}

TEST(Generator, StaysBelow) {
  Generator random(1);
  int64_t counts[7] = {};
  for (int i = 0; i < 70'000; ++i) {
    const int64_t value = random.below(7);
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 7);
    ++counts[value];
  }
  for (int64_t count : counts) EXPECT_NEAR(double(count), 10'000, 500);  // five standard deviations
}

// randn() on a thread of its own, after `seed` ran there.
template <class Seed>
std::vector<float> drawn_there(Seed seed) {
  std::vector<float> there;
  std::thread([&] {
    seed();
    there = randn({5}).to_vector<float>();
  }).join();
  return there;
}

TEST(Generator, IsOneAThread) {
  manual_seed(9);
  EXPECT_EQ(default_generator().stream, 0u);
  const std::vector<float> here = randn({5}).to_vector<float>();
  manual_seed(10);
  EXPECT_EQ(drawn_there([] { manual_seed(9); }), here);
  EXPECT_EQ(default_generator().seed, 10u);
  EXPECT_EQ(default_generator().position, 0u);
}

TEST(Generator, HasAStreamOfItsOwnOnEachThread) {
  manual_seed(9);
  const std::vector<float> here = randn({5}).to_vector<float>();
  const auto nothing = [] {};
  EXPECT_NE(drawn_there(nothing), here);
  EXPECT_NE(drawn_there(nothing), drawn_there(nothing));
  EXPECT_EQ(drawn_there([] { manual_seed(9, 4); }), drawn_there([] { manual_seed(9, 4); }));
  EXPECT_NE(drawn_there([] { manual_seed(9, 4); }), drawn_there([] { manual_seed(9, 5); }));
}

TEST(Generator, OfTwoThreadsAliveNeverBeginsAtOnePlace) {
  const auto refused = [] {
    drawn_there([] {
      EXPECT_EQ(message<ValueError>([] { manual_seed(9, 4); }),
                "manual_seed: another thread draws from seed 9, stream 4. Hint: give each thread a stream of its "
                "own, manual_seed(9, 1)");
      EXPECT_GE(default_generator().stream, uint64_t(1) << 63);  // as it was
    });
  };
  manual_seed(9, 4);
  refused();
  default_generator().uniform();
  refused();
  manual_seed(9, 4);  // a thread may begin anew where it began
  refused();
  manual_seed(9);
  drawn_there([] { manual_seed(9, 4); });  // this thread has left it, and that one ends
  EXPECT_NO_THROW(manual_seed(9, 4));
  manual_seed(9);
}

TEST(Generator, OfTwoThreadsThatRunTogetherIsTheSameInEveryRun) {
  const auto masks = [] {
    std::vector<std::vector<float>> out(2);
    std::vector<std::thread> threads;
    for (uint64_t worker = 0; worker < 2; ++worker)
      threads.emplace_back([&out, worker] {
        manual_seed(3, worker + 1);
        out[worker] = dropout(ones({200})).to_vector<float>();
      });
    for (std::thread& thread : threads) thread.join();
    return out;
  };
  const auto first = masks();
  EXPECT_NE(first[0], first[1]);
  EXPECT_EQ(masks(), first);
}

TEST(Generator, HasStreamsWithoutACommonNumber) {
  std::set<uint32_t> seen;
  for (uint64_t stream = 0; stream < 100; ++stream) {
    Generator random(5, stream);
    for (int i = 0; i < 20; ++i) seen.insert(random.next_u32());
  }
  EXPECT_GE(seen.size(), 1998u);  // 2000 draws of 2^32 numbers meet once in two thousand times
  EXPECT_EQ(Generator(5, 0).next_u32(), philox(5, 0)[0]);
}

TEST(Generator, GoesOnFromASavedState) {
  Generator a(~uint64_t(0), 3), b;
  a.uniform();
  b.load_state_dict(a.state_dict());
  EXPECT_EQ(a.next_u32(), b.next_u32());
  StateDict bad = a.state_dict();
  bad["position"] = from_vector(std::vector<int64_t>{-1}, {1});
  bad.erase("stream");
  const uint64_t before = b.position;
  EXPECT_EQ(message<ValueError>([&] { b.load_state_dict(bad); }),
            "Generator: load_state_dict: the state does not fit; 'stream' is missing; 'position' must be in [0, "
            "9007199254740992], got -1");
  EXPECT_EQ(b.position, before);
}

TEST(Random, ANumberDoesNotDependOnTheSizeOfTheTensor) {
  manual_seed(4);
  const std::vector<double> few = randn({4}, {.dtype = float64}).to_vector<double>();
  manual_seed(4);
  std::vector<double> many = randn({1000}, {.dtype = float64}).to_vector<double>();
  many.resize(4);
  EXPECT_EQ(many, few);
}

TEST(Random, HasTheRightMoments) {
  manual_seed(6);
  double sum = 0, squares = 0;
  const int64_t n = 200'000;
  for (double value : randn({n}, {.dtype = float64}).to_vector<double>()) {
    ASSERT_TRUE(std::isfinite(value));
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / double(n), 0, 0.012);
  EXPECT_NEAR(squares / double(n), 1, 0.016);
  for (float value : rand({n}).to_vector<float>()) {
    ASSERT_GE(value, 0.f);
    ASSERT_LT(value, 1.f);
  }
}

TEST(Random, PermutesEveryNumberOnce) {
  manual_seed(6);
  std::vector<int64_t> order = randperm(100).to_vector<int64_t>();
  EXPECT_NE(order[0] + order[1] + order[2], 3);
  std::sort(order.begin(), order.end());
  for (int64_t i = 0; i < 100; ++i) EXPECT_EQ(order[size_t(i)], i);
}

}  // namespace
}  // namespace tapegrad

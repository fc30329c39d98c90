#include "system/parallel.h"

#include <gtest/gtest.h>
#include <tapegrad/error.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <set>
#include <thread>
#include <vector>

#include "system/denormals.h"

namespace tapegrad {
namespace {

struct Threads {
  explicit Threads(int n) : before(get_num_threads()) { set_num_threads(n); }
  ~Threads() { set_num_threads(before); }
  int before;
};

TEST(Parallel, RunsEveryChunkOnce) {
  for (const int threads : {1, 2, 5}) {
    const Threads scope(threads);
    for (const int64_t chunks : {0, 1, 2, 3, 17, 1000}) {
      std::vector<std::atomic<int>> count(1000);
      parallel_for(chunks, [&](int64_t chunk) { ++count[static_cast<size_t>(chunk)]; });
      for (int64_t i = 0; i < 1000; ++i) ASSERT_EQ(count[static_cast<size_t>(i)], i < chunks ? 1 : 0);
    }
  }
}

TEST(Parallel, CutsRowsByGrainAlone) {
  for (const int threads : {1, 3}) {
    const Threads scope(threads);
    std::vector<std::atomic<int64_t>> end_of(100);
    parallel_rows(100, 32, [&](int64_t begin, int64_t end) { end_of[static_cast<size_t>(begin)] = end; });
    EXPECT_EQ(end_of[0], 32);
    EXPECT_EQ(end_of[32], 64);
    EXPECT_EQ(end_of[64], 96);
    EXPECT_EQ(end_of[96], 100);
  }
}

// Each of two chunks waits for the other, so each has a thread of its own; a product that is subnormal tells the thread's mode.
TEST(Parallel, GivesTheCallersFloatingModeToItsHelpers) {
  const Threads scope(2);
  const auto products = [] {
    std::atomic<int> begun = 0;
    std::vector<float> result(2);
    parallel_for(2, [&](int64_t chunk) {
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
      for (++begun; begun < 2 && std::chrono::steady_clock::now() < deadline;) std::this_thread::yield();
      volatile float small = 1e-30f, factor = 1e-10f;
      result[static_cast<size_t>(chunk)] = small * factor;
    });
    return result;
  };
  for (const float product : products()) EXPECT_GT(product, 0);
  std::vector<float> flushed;
  {
    const FlushDenormals flush;
    flushed = products();
  }  // a comparison would flush too
  for (const float product : flushed) EXPECT_EQ(product, 0);
}

TEST(Parallel, HasNothingToDoForNoRows) {
  parallel_rows(0, 8, [](int64_t, int64_t) { FAIL(); });
  parallel_rows(-1, 8, [](int64_t, int64_t) { FAIL(); });
}

TEST(Parallel, RunsANestedCallInPlace) {
  const Threads scope(4);
  std::vector<std::atomic<int>> count(64);
  std::atomic<int> strangers = 0;
  parallel_for(8, [&](int64_t outer) {
    const auto self = std::this_thread::get_id();
    parallel_for(8, [&](int64_t inner) {
      if (std::this_thread::get_id() != self) ++strangers;
      ++count[static_cast<size_t>(outer * 8 + inner)];
    });
  });
  EXPECT_EQ(strangers, 0);
  for (const auto& c : count) EXPECT_EQ(c, 1);
}

TEST(Parallel, UsesNoMoreThreadsThanAreSet) {
  for (const int threads : {4, 1, 2}) {
    const Threads scope(threads);
    std::vector<std::thread::id> ids(200);
    parallel_for(200, [&](int64_t chunk) {
      std::this_thread::sleep_for(std::chrono::microseconds(20));
      ids[static_cast<size_t>(chunk)] = std::this_thread::get_id();
    });
    EXPECT_LE(std::set<std::thread::id>(ids.begin(), ids.end()).size(), static_cast<size_t>(threads));
  }
}

TEST(Parallel, ServesSeveralThreadsAtOnce) {
  const Threads scope(3);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> users;
  for (int user = 0; user < 4; ++user) {
    users.emplace_back([&] {
      for (int round = 0; round < 2000; ++round) {
        std::vector<int64_t> out(50, -1);
        parallel_for(50, [&](int64_t chunk) { out[static_cast<size_t>(chunk)] = chunk * round; });
        for (int64_t i = 0; i < 50; ++i) {
          if (out[static_cast<size_t>(i)] != i * round) ++wrong;
        }
      }
    });
  }
  for (std::thread& user : users) user.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Parallel, SumsToTheSameBitsOnAnyNumberOfThreads) {
  const auto sum = [](int threads) {
    const Threads scope(threads);
    std::vector<float> part(40);
    parallel_rows(10000, 256, [&](int64_t begin, int64_t end) {
      float s = 0;
      for (int64_t i = begin; i < end; ++i) s += std::sin(static_cast<float>(i));
      part[static_cast<size_t>(begin / 256)] = s;
    });
    float total = 0;
    for (const float p : part) total += p;
    return total;
  };
  const float one = sum(1);
  for (const int threads : {2, 3, 8}) EXPECT_EQ(sum(threads), one);
}

TEST(Parallel, WakesWorkersThatFellAsleep) {
  const Threads scope(2);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::atomic<int> done = 0;
    parallel_for(6, [&](int64_t) { ++done; });
    ASSERT_EQ(done, 6);
  }
}

TEST(Parallel, RejectsFewerThanOneThread) {
  const int before = get_num_threads();
  EXPECT_THROW(set_num_threads(0), ValueError);
  EXPECT_THROW(set_num_threads(-2), ValueError);
  EXPECT_EQ(get_num_threads(), before);
}

}  // namespace
}  // namespace tapegrad

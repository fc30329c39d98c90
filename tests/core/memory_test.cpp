// The pool: what is freed serves the next, from any thread, and goes back when asked.
#include <gtest/gtest.h>
#include <tapegrad/memory.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace tapegrad {
namespace {

using detail::allocate;
using detail::deallocate;

bool pool_is_off() {
  const char* wish = std::getenv("TAPEGRAD_NO_POOL");
  return wish && *wish && std::string(wish) != "0";
}

TEST(Memory, IsAlignedAndWritable) {
  for (size_t bytes : {0, 1, 63, 64, 65, 511, 513, 1000, 4097, 1 << 20}) {
    void* block = allocate(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0u);
    std::memset(block, 0xab, bytes);
    deallocate(block, bytes);
  }
}

TEST(Memory, CountsWhatIsInUse) {
  const memory::Stats before = memory::stats();
  void* block = allocate(1000);
  const memory::Stats during = memory::stats();
  EXPECT_GE(during.in_use - before.in_use, 1000u);
  EXPECT_LE(during.in_use - before.in_use, 1125u);  // at most an eighth is lost to rounding
  EXPECT_GE(during.peak, during.in_use);
  deallocate(block, 1000);
  EXPECT_EQ(memory::stats().in_use, before.in_use);
}

TEST(Memory, IsUsedAgain) {
  if (pool_is_off()) GTEST_SKIP() << "the pool is off";
  deallocate(allocate(3000), 3000);
  const uint64_t before = memory::stats().system_calls;
  for (int i = 0; i < 100; ++i) deallocate(allocate(3000), 3000);
  EXPECT_EQ(memory::stats().system_calls, before);
}

TEST(Memory, KnowsThePeak) {
  memory::reset_peak();
  const size_t start = memory::stats().in_use;
  EXPECT_EQ(memory::stats().peak, start);
  deallocate(allocate(1 << 16), 1 << 16);
  EXPECT_GE(memory::stats().peak, start + (1 << 16));
  memory::reset_peak();
  EXPECT_EQ(memory::stats().peak, start);
}

TEST(Memory, GoesBackWhenTrimmed) {
  deallocate(allocate(1 << 20), 1 << 20);
  if (!pool_is_off()) {
    EXPECT_GE(memory::stats().cached, size_t(1) << 20);
  }
  memory::trim();
  EXPECT_EQ(memory::stats().cached, 0u);
}

TEST(Memory, IsFreedByAnotherThread) {
  const size_t before = memory::stats().in_use;
  std::vector<void*> blocks;
  for (int i = 0; i < 1000; ++i) blocks.push_back(allocate(777));
  std::thread([&] {
    for (void* block : blocks) deallocate(block, 777);
  }).join();
  EXPECT_EQ(memory::stats().in_use, before);
  if (pool_is_off()) return;
  // The ended thread handed its blocks over: they serve this one.
  const uint64_t calls = memory::stats().system_calls;
  for (void*& block : blocks) block = allocate(777);
  EXPECT_EQ(memory::stats().system_calls, calls);
  for (void* block : blocks) deallocate(block, 777);
}

TEST(Memory, ThrowsForWhatNoMachineHas) { EXPECT_THROW(allocate(size_t(1) << 50), std::bad_alloc); }

}  // namespace
}  // namespace tapegrad

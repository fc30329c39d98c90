// No allocation in a steady step: after three steps the next hundred call neither malloc nor operator new.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "support/sanitizers.h"
#include "training/workloads.h"

#if defined(__GLIBC__) && !defined(TAPEGRAD_ADDRESS_SANITIZER) && !defined(TAPEGRAD_THREAD_SANITIZER)
#define TAPEGRAD_COUNTS_MALLOC 1
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_memalign(size_t, size_t);
void* __libc_realloc(void*, size_t);
}
namespace {
std::atomic<int64_t> calls = 0;  // of the allocator, by any thread; operator new calls malloc
}
extern "C" {
void* malloc(size_t bytes) {
  calls.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(bytes);
}
void* calloc(size_t n, size_t bytes) {
  calls.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(n, bytes);
}
void* realloc(void* block, size_t bytes) {
  calls.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(block, bytes);
}
void* aligned_alloc(size_t align, size_t bytes) {
  calls.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(align, bytes);
}
int posix_memalign(void** block, size_t align, size_t bytes) {
  calls.fetch_add(1, std::memory_order_relaxed);
  *block = __libc_memalign(align, bytes);
  return *block ? 0 : ENOMEM;
}
}
#endif

namespace tapegrad::testing {
namespace {

TEST(SteadyStep, CallsNoAllocator) {
#ifdef TAPEGRAD_COUNTS_MALLOC
  if (std::getenv("TAPEGRAD_NO_POOL")) GTEST_SKIP() << "the pool is off";
  if (reference_mode()) GTEST_SKIP() << "composed operations keep lists of their own";
  const int before = get_num_threads();
  for (int threads : {1, 2}) {
    set_num_threads(threads);
    for (const auto& make : workloads()) {
      const Workload work = make();
      for (int i = 0; i < 3; ++i) work.step();
      const int64_t first = calls;
      for (int i = 0; i < 100; ++i) work.step();
      EXPECT_EQ(calls - first, 0) << work.name << " on " << threads << " threads, in 100 steps";
    }
  }
  set_num_threads(before);
#else
  GTEST_SKIP() << "the allocator's calls cannot be counted here";
#endif
}

}  // namespace
}  // namespace tapegrad::testing

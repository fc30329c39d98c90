// Where tensors, records and closures get their memory: a pool that keeps what is freed for the next step, so
// that after a few steps of training nothing is asked of the system any more.
//
//   memory::Stats now = memory::stats();   // bytes in use, the most there were, bytes kept for later
//   memory::trim();                        // give the kept ones back
//
// TAPEGRAD_NO_POOL=1 in the environment turns the pool off: every block comes from the system and goes back,
// so that AddressSanitizer and valgrind see each one.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tapegrad::memory {

struct Stats {
  size_t in_use = 0;          ///< bytes handed out and not yet freed
  size_t peak = 0;            ///< the largest in_use since the start or reset_peak()
  size_t cached = 0;          ///< bytes kept for later
  uint64_t system_calls = 0;  ///< how often memory was asked of the system
};

/// The state of the pool, all threads together.
Stats stats();

/// Sets `peak` to what is in use now.
void reset_peak();

/// Gives the kept memory of this thread and of ended threads back to the system.
void trim();

}  // namespace tapegrad::memory

namespace tapegrad::detail {

/// `bytes` of memory aligned to 64, from the pool. Throws std::bad_alloc when the system has none.
[[nodiscard]] void* allocate(size_t bytes);
/// Gives back what allocate(bytes) returned, from any thread.
void deallocate(void* block, size_t bytes) noexcept;

}  // namespace tapegrad::detail

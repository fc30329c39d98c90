// The pool: blocks of a size class in a free list a thread, behind them one list that all threads share.
//
// A class holds sizes that differ by at most an eighth from each other, so at most an eighth of a block is
// wasted. Freed blocks go to the list of the thread that frees; a list that grows too long (a loader makes
// batches that another thread frees) hands half of it to the shared one, where the others look before they
// ask the system.
#include <tapegrad/memory.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string_view>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace tapegrad {

namespace {

constexpr size_t kAlign = 64;
constexpr int kSteps = 8;  // classes between one power of two and the next
constexpr int kClasses = 8 + (40 - 9) * kSteps;
constexpr size_t kLargest = size_t(1) << 40;  // beyond it memory is not kept
constexpr size_t kThreadBlocks = 16384;       // of one class, in one thread's list
constexpr size_t kThreadBytes = size_t(1) << 30;

// 64, 128, ... 512, then eight steps an octave: 576, 640, ... 1024, 1152, ...
int size_class(size_t bytes) {
  if (bytes <= 512) return bytes == 0 ? 0 : int((bytes - 1) / kAlign);
  const int octave = std::bit_width(bytes - 1) - 1;  // 2^octave < bytes <= 2^(octave + 1)
  const size_t step = size_t(1) << (octave - 3);
  return 8 + (octave - 9) * kSteps + int((bytes - 1 - (size_t(1) << octave)) / step);
}

size_t class_bytes(int index) {
  if (index < 8) return size_t(index + 1) * kAlign;
  const int octave = 9 + (index - 8) / kSteps;
  return (size_t(1) << octave) + size_t((index - 8) % kSteps + 1) * (size_t(1) << (octave - 3));
}

struct Block {
  Block* next;
};

struct List {
  Block* head =
      nullptr;  // of the shared list, also read without the mutex, to see whether it is worth taking
  size_t count = 0;
  void set_head(Block* block) { __atomic_store_n(&head, block, __ATOMIC_RELAXED); }
  void push(Block* block) {
    block->next = head;
    set_head(block);
    ++count;
  }
  Block* pop() {
    Block* block = head;
    set_head(block->next);
    --count;
    return block;
  }
};

// Bytes, as one thread sees them: it alone writes, the others read. Counting in a shared place would take
// four atomic additions a tensor. A sum over the threads may be negative in one of them, where it frees what
// another allocated.
struct Counters {
  ptrdiff_t in_use = 0, cached = 0;
  void add(ptrdiff_t used, ptrdiff_t kept) {
    __atomic_store_n(&in_use, in_use + used, __ATOMIC_RELAXED);
    __atomic_store_n(&cached, cached + kept, __ATOMIC_RELAXED);
  }
};

struct ThreadLists;

struct Shared {
  std::mutex mutex;
  List lists[kClasses];
  ThreadLists* threads = nullptr;  // all alive
  Counters ended;                  // of the threads that are not
  size_t peak = 0, system_calls = 0;
  const bool off = [] {
    const char* wish = std::getenv("TAPEGRAD_NO_POOL");
    return wish && *wish && std::string_view(wish) != "0";
  }();
  Counters total() const;  // under the mutex
};

Shared& shared() {
  static Shared& all = *new Shared;  // outlives every static tensor
  return all;
}

struct ThreadLists {
  List lists[kClasses];
  Counters bytes;
  ptrdiff_t highest = 0;  // bytes.in_use so far: only beyond it can the peak be new
  ThreadLists *next, *previous = nullptr;
  Shared& all = shared();

  ThreadLists() {
    std::lock_guard lock(all.mutex);
    next = all.threads;
    if (next) next->previous = this;
    all.threads = this;
  }
  ~ThreadLists();
  void hand_over(int index, size_t keep) {
    List& mine = lists[index];
    std::lock_guard lock(all.mutex);
    while (mine.count > keep) all.lists[index].push(mine.pop());
  }
  bool take_over(int index) {
    std::lock_guard lock(all.mutex);
    List& theirs = all.lists[index];
    for (int i = 0; i < 32 && theirs.head; ++i) lists[index].push(theirs.pop());
    return lists[index].head != nullptr;
  }
  [[gnu::noinline]] void raise_peak() {
    highest = bytes.in_use;
    std::lock_guard lock(all.mutex);
    all.peak = std::max(all.peak, size_t(std::max<ptrdiff_t>(all.total().in_use, 0)));
  }
};

Counters Shared::total() const {
  Counters sum = ended;
  for (const ThreadLists* thread = threads; thread; thread = thread->next) {
    sum.in_use += __atomic_load_n(&thread->bytes.in_use, __ATOMIC_RELAXED);
    sum.cached += __atomic_load_n(&thread->bytes.cached, __ATOMIC_RELAXED);
  }
  return sum;
}

// 0 before, 1 during and 2 after the life of this thread's lists: a static tensor may be freed after them.
thread_local int life = 0;
thread_local ThreadLists* mine = nullptr;  // during it

ThreadLists::~ThreadLists() {
  for (int i = 0; i < kClasses; ++i) hand_over(i, 0);
  std::lock_guard lock(all.mutex);
  all.ended.add(bytes.in_use, bytes.cached);
  (previous ? previous->next : all.threads) = next;
  if (next) next->previous = previous;
  life = 2;
  mine = nullptr;
}

[[gnu::noinline]] ThreadLists* make_lists() {
  if (life == 2) return nullptr;
  thread_local ThreadLists lists;
  life = 1;
  return mine = &lists;
}

ThreadLists* get_lists() {
  return mine ? mine : make_lists();
}

[[gnu::noinline]] void count_ended(Shared& all, ptrdiff_t used, ptrdiff_t kept) {
  std::lock_guard lock(all.mutex);
  all.ended.add(used, kept);
}

/// Counts for a thread whose lists are gone too.
inline void count(Shared& all, ThreadLists* lists, ptrdiff_t used, ptrdiff_t kept) {
  if (!lists) return count_ended(all, used, kept);
  lists->bytes.add(used, kept);
  if (lists->bytes.in_use > lists->highest) [[unlikely]]
    lists->raise_peak();
}

// Large blocks lie on huge pages where the system gives them: a step that streams through 30 MB misses the
// TLB less often, which matters most in a virtual machine, where a miss walks two page tables.
void* from_system(size_t bytes) {
#if defined(__linux__)
  constexpr size_t kHugePage = size_t(1) << 21;
  if (bytes >= kHugePage) {
    void* block = nullptr;
    if (posix_memalign(&block, kHugePage, bytes) != 0) throw std::bad_alloc();
    madvise(block, bytes, MADV_HUGEPAGE);
    return block;
  }
#endif
  void* block = std::aligned_alloc(kAlign, bytes);
  if (!block) throw std::bad_alloc();
  return block;
}

}  // namespace

void* detail::allocate(size_t bytes) {
  Shared& all = shared();
  if (bytes > kLargest) throw std::bad_alloc();
  const int index = size_class(bytes);
  const ptrdiff_t rounded = ptrdiff_t(class_bytes(index));
  ThreadLists* lists = get_lists();
  if (lists && !all.off) {
    List& list = lists->lists[index];
    if (list.head || (__atomic_load_n(&all.lists[index].head, __ATOMIC_RELAXED) && lists->take_over(index))) {
      count(all, lists, rounded, -rounded);
      return list.pop();
    }
  }
  void* block = from_system(size_t(rounded));
  __atomic_fetch_add(&all.system_calls, 1, __ATOMIC_RELAXED);
  count(all, lists, rounded, 0);
  return block;
}

void detail::deallocate(void* memory, size_t bytes) noexcept {
  Shared& all = shared();
  const int index = size_class(bytes);
  const ptrdiff_t rounded = ptrdiff_t(class_bytes(index));
  ThreadLists* lists = get_lists();
  if (!lists || all.off) {
    count(all, lists, -rounded, 0);
    return std::free(memory);
  }
  List& list = lists->lists[index];
  list.push(static_cast<Block*>(memory));
  count(all, lists, -rounded, rounded);
  if (list.count > kThreadBlocks || (list.count > 1 && list.count * size_t(rounded) > kThreadBytes))
    lists->hand_over(index, list.count / 2);
}

memory::Stats memory::stats() {
  Shared& all = shared();
  std::lock_guard lock(all.mutex);
  const Counters sum = all.total();
  return {size_t(sum.in_use), all.peak, size_t(sum.cached),
          __atomic_load_n(&all.system_calls, __ATOMIC_RELAXED)};
}

void memory::reset_peak() {
  Shared& all = shared();
  std::lock_guard lock(all.mutex);
  all.peak = size_t(all.total().in_use);
  for (ThreadLists* thread = all.threads; thread; thread = thread->next)
    thread->highest = __atomic_load_n(&thread->bytes.in_use, __ATOMIC_RELAXED);
}

void memory::trim() {
  Shared& all = shared();
  ThreadLists* lists = get_lists();
  for (int i = 0; i < kClasses; ++i) {
    if (lists) lists->hand_over(i, 0);
    std::lock_guard lock(all.mutex);
    while (all.lists[i].head) {
      std::free(all.lists[i].pop());
      all.ended.add(0, -ptrdiff_t(class_bytes(i)));
    }
  }
}

}  // namespace tapegrad

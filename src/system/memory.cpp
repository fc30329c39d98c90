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
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace tapegrad {

namespace {

constexpr size_t kAlign = 64;
constexpr int kClasses = 256;
constexpr size_t kLargest = size_t(1) << 40;  // what the last class holds
constexpr size_t kThreadBlocks = 16384;       // of one class, in one thread's list
constexpr size_t kThreadBytes = size_t(1) << 30;

// 64, 128, ... 1024, then eight steps an octave: 1152, 1280, ... 2048, 2304, ... A class is the four leading
// bits of (bytes - 1) / 64, and how many follow them.
int size_class(size_t bytes) {
  const size_t units = bytes == 0 ? 0 : (bytes - 1) / kAlign;
  if (units < 16) return int(units);
  const int rest = int(std::bit_width(units)) - 4;
  return 8 * rest + int(units >> rest);
}

size_t class_bytes(int index) {
  if (index < 16) return size_t(index + 1) * kAlign;
  const int rest = index / 8 - 1;
  return (size_t(index - 8 * rest + 1) << rest) * kAlign;
}

struct Block {
  Block* next;
};
struct List {
  Block* head = nullptr;  // of the shared list read without the mutex, too, to see whether it is worth taking
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
  std::vector<ThreadLists*> threads;  // all alive
  Counters ended;                     // of the threads that are not
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
  Shared& all = shared();

  ThreadLists() {
    std::lock_guard lock(all.mutex);
    all.threads.push_back(this);
  }
  ~ThreadLists();
  void hand_over(int index, size_t keep) {
    std::lock_guard lock(all.mutex);
    while (lists[index].count > keep) all.lists[index].push(lists[index].pop());
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
  for (const ThreadLists* thread : threads) {
    sum.in_use += __atomic_load_n(&thread->bytes.in_use, __ATOMIC_RELAXED);
    sum.cached += __atomic_load_n(&thread->bytes.cached, __ATOMIC_RELAXED);
  }
  return sum;
}

thread_local ThreadLists* mine = nullptr;  // while they live
thread_local bool mine_ended = false;      // a static tensor may be freed after them

ThreadLists::~ThreadLists() {
  for (int i = 0; i < kClasses; ++i) hand_over(i, 0);
  std::lock_guard lock(all.mutex);
  all.ended.add(bytes.in_use, bytes.cached);
  std::erase(all.threads, this);
  mine = nullptr;
  mine_ended = true;
}

[[gnu::noinline]] ThreadLists* make_lists() {
  if (mine_ended) return nullptr;
  thread_local ThreadLists lists;
  return mine = &lists;
}

ThreadLists* get_lists() { return mine ? mine : make_lists(); }

/// Counts for a thread whose lists are gone too.
inline void count(Shared& all, ThreadLists* lists, ptrdiff_t used, ptrdiff_t kept) {
  if (!lists) [[unlikely]] {
    std::lock_guard lock(all.mutex);
    return all.ended.add(used, kept);
  }
  lists->bytes.add(used, kept);
  if (lists->bytes.in_use > lists->highest) [[unlikely]]
    lists->raise_peak();
}

// Large blocks lie on huge pages where the system gives them: a step that streams through 30 MB misses the
// TLB less often, which matters most in a virtual machine, where a miss walks two page tables.
void* from_system(size_t bytes) {
  constexpr size_t kHugePage = size_t(1) << 21;
  void* block = nullptr;
  if (posix_memalign(&block, bytes >= kHugePage ? kHugePage : kAlign, bytes) != 0) throw std::bad_alloc();
#if defined(__linux__)
  if (bytes >= kHugePage) madvise(block, bytes, MADV_HUGEPAGE);
#endif
  return block;
}

}  // namespace

void* detail::allocate(size_t bytes) {
  if (bytes > kLargest) throw std::bad_alloc();
  const int index = size_class(bytes);
  const ptrdiff_t rounded = ptrdiff_t(class_bytes(index));
  ThreadLists* lists = get_lists();
  Shared& all = lists ? lists->all : shared();
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
  const int index = size_class(bytes);
  const ptrdiff_t rounded = ptrdiff_t(class_bytes(index));
  ThreadLists* lists = get_lists();
  Shared& all = lists ? lists->all : shared();
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
  return {size_t(sum.in_use), all.peak, size_t(sum.cached), __atomic_load_n(&all.system_calls, __ATOMIC_RELAXED)};
}

void memory::reset_peak() {
  Shared& all = shared();
  std::lock_guard lock(all.mutex);
  all.peak = size_t(all.total().in_use);
  for (ThreadLists* thread : all.threads) thread->highest = __atomic_load_n(&thread->bytes.in_use, __ATOMIC_RELAXED);
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

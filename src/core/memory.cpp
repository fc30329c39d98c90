// The pool: blocks of a size class in a free list a thread, behind them one list that all threads share.
//
// A class holds sizes that differ by at most an eighth from each other, so at most an eighth of a block is
// wasted. Freed blocks go to the list of the thread that frees; a list that grows too long (a loader makes
// batches that another thread frees) hands half of it to the shared one, where the others look before they
// ask the system.
#include <tapegrad/detail/ref.h>
#include <tapegrad/memory.h>

#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string_view>

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
  Block* head = nullptr;
  size_t count = 0;
  void push(Block* block) {
    block->next = head;
    head = block;
    ++count;
  }
  Block* pop() {
    Block* block = head;
    head = block->next;
    --count;
    return block;
  }
};

void add(size_t& counter, ptrdiff_t by) {
  if (TAPEGRAD_SINGLE_THREADED)
    counter += size_t(by);
  else
    __atomic_fetch_add(&counter, size_t(by), __ATOMIC_RELAXED);
}

struct Shared {
  std::mutex mutex;
  List lists[kClasses];
  size_t in_use = 0, peak = 0, cached = 0, system_calls = 0;
  const bool off = [] {
    const char* wish = std::getenv("TAPEGRAD_NO_POOL");
    return wish && *wish && std::string_view(wish) != "0";
  }();
};

Shared& shared() {
  static Shared& all = *new Shared;  // outlives every static tensor
  return all;
}

void system_free(Block* block, int index) {
  add(shared().cached, -ptrdiff_t(class_bytes(index)));
  std::free(block);
}

struct ThreadLists {
  List lists[kClasses];
  Shared& all = shared();
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
};

// 0 before, 1 during and 2 after the life of this thread's lists: a static tensor may be freed after them.
thread_local int life = 0;

ThreadLists::~ThreadLists() {
  for (int i = 0; i < kClasses; ++i) hand_over(i, 0);
  life = 2;
}

ThreadLists& thread_lists() {
  thread_local ThreadLists lists;
  life = 1;
  return lists;
}

thread_local ThreadLists* mine = nullptr;

ThreadLists* get_lists() {
  if (mine && life == 1) [[likely]]
    return mine;
  if (life == 2) return nullptr;
  return mine = &thread_lists();
}

void* from_system(Shared& all, size_t bytes) {
  add(all.system_calls, 1);
  void* block = std::aligned_alloc(kAlign, bytes);
  if (!block) throw std::bad_alloc();
  return block;
}

void note_use(Shared& all, size_t bytes) {
  add(all.in_use, ptrdiff_t(bytes));
  if (all.in_use > all.peak) all.peak = all.in_use;
}

}  // namespace

void* detail::allocate(size_t bytes) {
  Shared& all = shared();
  if (bytes > kLargest) throw std::bad_alloc();
  const int index = size_class(bytes);
  const size_t rounded = class_bytes(index);
  void* block = nullptr;
  if (!all.off) {
    if (ThreadLists* lists = get_lists()) {
      List& list = lists->lists[index];
      if (list.head ||
          (__atomic_load_n(&all.lists[index].head, __ATOMIC_RELAXED) && lists->take_over(index))) {
        block = list.pop();
        add(all.cached, -ptrdiff_t(rounded));
      }
    }
  }
  if (!block) block = from_system(all, rounded);
  note_use(all, rounded);
  return block;
}

void detail::deallocate(void* memory, size_t bytes) noexcept {
  Shared& all = shared();
  const int index = size_class(bytes);
  const size_t rounded = class_bytes(index);
  add(all.in_use, -ptrdiff_t(rounded));
  ThreadLists* lists = all.off ? nullptr : get_lists();
  if (!lists) return std::free(memory);
  List& list = lists->lists[index];
  list.push(static_cast<Block*>(memory));
  add(all.cached, ptrdiff_t(rounded));
  if (list.count > kThreadBlocks || (list.count > 1 && list.count * rounded > kThreadBytes))
    lists->hand_over(index, list.count / 2);
}

memory::Stats memory::stats() {
  Shared& all = shared();
  return {all.in_use, all.peak, all.cached, all.system_calls};
}

void memory::reset_peak() {
  Shared& all = shared();
  all.peak = all.in_use;
}

void memory::trim() {
  Shared& all = shared();
  ThreadLists* lists = get_lists();
  for (int i = 0; i < kClasses; ++i) {
    if (lists) lists->hand_over(i, 0);
    std::lock_guard lock(all.mutex);
    while (all.lists[i].head) system_free(all.lists[i].pop(), i);
  }
}

}  // namespace tapegrad

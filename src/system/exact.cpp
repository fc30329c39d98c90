#include <tapegrad/exact.h>

#include <atomic>
#include <cstdlib>
#include <string_view>

namespace tapegrad {

namespace {

bool asked_for() {
  const char* wish = std::getenv("TAPEGRAD_EXACT");
  return wish && std::string_view(wish) == "1";
}

std::atomic<bool> exact_mode = asked_for();

}  // namespace

void set_exact(bool exact) { exact_mode.store(exact, std::memory_order_relaxed); }

bool is_exact() { return exact_mode.load(std::memory_order_relaxed); }

}  // namespace tapegrad

// Every rank runs every test, in the same order. Rank 0 prints as usual, the others what failed.
#include "distributed/job.h"

#include <cstdlib>

namespace tapegrad::distributed {

namespace {

Context* the_job = nullptr;

struct Failures : testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (result.failed())
      fmt::print(stderr, "rank {}: {}:{}: {}\n", job().rank(), result.file_name() ? result.file_name() : "",
                 result.line_number(), result.message());
  }
};

}  // namespace

Context& job() { return *the_job; }

int64_t steps_to_train() {
  const char* steps = std::getenv("TAPEGRAD_MPI_STEPS");
  return steps ? std::atoi(steps) : 12;
}

}  // namespace tapegrad::distributed

int main(int argc, char** argv) {
  using namespace tapegrad::distributed;
  testing::InitGoogleTest(&argc, argv);
  const char* shards = std::getenv("TAPEGRAD_MPI_SHARDS");
  Context context(argc, argv, {.shards = shards ? std::atoi(shards) : 8, .deadline = 30, .only_root_prints = false});
  the_job = &context;
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  if (!context.is_root()) {
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new Failures);
  }
  const int failed = RUN_ALL_TESTS();
  return context.sum(failed) == 0 ? 0 : 1;
}

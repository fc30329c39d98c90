// A run of 50 steps that is stopped after any of them and goes on in a new process ends in the same bytes, and it does not
// if any part of its state is left out.
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include <filesystem>

#include "train/child.h"
#include "train/runs.h"

namespace tapegrad {
namespace {

constexpr int64_t kSteps = 50;

/// Trains on to `last`, with a checkpoint after every step.
template <class Kind>
int train_to(const std::string& folder, int64_t last) {
  TestRun<Kind> run;
  const auto checkpoints =
      run.template of_parts<train::Checkpointer>(folder, train::CheckpointOptions{.every = last, .keep = 1000});
  for (int64_t step = checkpoints->resume(); step < last;) {
    Tape tape;
    run.step(tape, step);
    if (!checkpoints->step(++step)) return 1;
  }
  return 0;
}

template <class Kind>
int go_on(const std::string& folder) {
  return train_to<Kind>(folder, kSteps);
}
const Child mlp_goes_on("mlp_goes_on", go_on<MlpParts>), lstm_goes_on("lstm_goes_on", go_on<LstmParts>);

template <class Kind>
class ResumedRun : public ::testing::Test {
 protected:
  static const Child& goes_on() { return std::is_same_v<Kind, MlpParts> ? mlp_goes_on : lstm_goes_on; }
  std::string end_of(const std::string& folder) const { return folder + "/step-000000050.safetensors"; }
  TestFolder folder_;
};
using Kinds = ::testing::Types<MlpParts, LstmParts>;
TYPED_TEST_SUITE(ResumedRun, Kinds);

TYPED_TEST(ResumedRun, EndsInTheSameBytesWhereverItWasStopped) {
  const std::string straight = this->folder_ / "straight";
  ASSERT_EQ(train_to<TypeParam>(straight, kSteps), 0);
  const StateDict expected = load(this->end_of(straight));
  int same = 0;
  for (int64_t stop = 1; stop < kSteps; ++stop) {
    const std::string folder = this->folder_ / std::to_string(stop);
    ASSERT_EQ(train_to<TypeParam>(folder, stop), 0);
    ASSERT_EQ(exit_code(this->goes_on().command(folder)), 0);
    const auto names = differences(expected, load(this->end_of(folder)));
    EXPECT_TRUE(names.empty()) << "stopped at step " << stop << ": " << names[0];
    same += names.empty();
    std::filesystem::remove_all(folder);
  }
  fmt::print("{} of {} runs stopped and resumed in a new process: the same bytes\n", same, kSteps - 1);
}

TYPED_TEST(ResumedRun, NeedsEveryPartOfItsState) {
  const auto run_on = [](const StateDict& from, int64_t first, int64_t last) {
    TestRun<TypeParam> run;
    const auto all = run.template of_parts<StateGroup>();
    if (!from.empty()) all->load_state_dict(from);
    for (int64_t step = first; step < last; ++step) {
      Tape tape;
      run.step(tape, step);
    }
    StateDict out;
    for (const auto& [name, value] : all->state_dict()) out[name] = value.clone();
    return out;
  };
  const StateDict fresh = run_on({}, 0, 0), middle = run_on({}, 0, 25), end = run_on(middle, 25, kSteps);
  ASSERT_TRUE(differences(end, run_on({}, 0, kSteps)).empty());
  int parts = 0, entries = 0, refused = 0, constant = 0;
  for (const char* part : {"model", "optimizer", "schedule", "loader", "meter", "random"}) {
    StateDict without = middle;
    std::erase_if(without, [&](const auto& entry) { return entry.first.starts_with(std::string(part) + "."); });
    for (const auto& [name, value] : fresh)
      if (name.starts_with(std::string(part) + ".")) without[name] = value;
    EXPECT_FALSE(differences(end, run_on(without, 25, kSteps)).empty()) << part;
    ++parts;
  }
  for (const auto& [name, value] : middle) {
    // What an optimizer has after its first step only, its moments, was 0 before.
    const Tensor before = fresh.contains(name) ? fresh.at(name) : zeros_like(value);
    // A seed, a number that no step changes: left out it is the same. And the rate follows from the schedule's state.
    if (same_bits(value, before) || name == "optimizer.lr.0") {
      ++constant;
      continue;
    }
    StateDict without = middle;
    without[name] = before;
    ++entries;
    try {
      EXPECT_FALSE(differences(end, run_on(without, 25, kSteps)).empty()) << name;
    } catch (const ValueError&) {  // moments without steps, or steps without moments
      ++refused;
    }
  }
  fmt::print(
      "{} parts and {} entries left out, one at a time: {} were refused, all others ended in other bytes; {} "
      "entries "
      "follow from the others or never change\n",
      parts, entries, refused, constant);
}

}  // namespace
}  // namespace tapegrad

// The profile: an observer that takes times, and its table by operation.
#include <algorithm>
#include <chrono>
#include <map>

#include "autograd/state.h"
#include "core/fail.h"

namespace tapegrad {

namespace detail {

// Milliseconds since the call before.
double Profile::lap() {
  using namespace std::chrono;
  const double now = duration<double, std::milli>(steady_clock::now().time_since_epoch()).count();
  return now - std::exchange(last_, now);
}

void Profile::restart() {
  times_.clear();
  lap();
}

Profile::Times& Profile::of(const OperationView& operation) {
  if (times_.size() <= size_t(operation.record)) times_.resize(size_t(operation.record) + 1);
  return times_[size_t(operation.record)];
}

void Profile::on_forward(const OperationView& operation, const Tensors&, const Tensors&) {
  if (operation.record >= 0) of(operation).forward_ms = lap();
}
void Profile::on_loss(const Tensor&) {
  lap();
}
void Profile::on_backward(const OperationView& operation, const Tensors&, const Tensors&) {
  of(operation).backward_ms += lap();
}

}  // namespace detail

std::vector<ProfileRow> Tape::profile() const {
  if (!state_->options.profile)
    fail<ValueError>("profile",
                     "this tape takes no times. Hint: make it with Tape tape({{.profile = true}})");
  std::map<std::string, ProfileRow> by_op;
  for (size_t i = 0; i < size(); ++i) {
    const detail::Record& record = state_->records[i];
    ProfileRow& row = by_op.try_emplace(record.op, ProfileRow{record.op, 0, 0, 0}).first->second;
    ++row.calls;
    row.forward_ms += state_->profile.forward_ms(i);
    row.backward_ms += state_->profile.backward_ms(i);
  }
  std::vector<ProfileRow> rows;
  for (auto& [op, row] : by_op) rows.push_back(row);
  std::sort(rows.begin(), rows.end(), [](const ProfileRow& a, const ProfileRow& b) {
    return a.forward_ms + a.backward_ms > b.forward_ms + b.backward_ms;
  });
  return rows;
}

}  // namespace tapegrad

#include <tapegrad/distributed/recorder.h>
#include <tapegrad/tape.h>

#include <utility>

#include "core/fail.h"
#include "distributed/signals.h"
#include "distributed/transport.h"

namespace tapegrad::distributed {

Recorder::Recorder(Context& context, std::string folder, std::initializer_list<StatePart> parts,
                   train::StepFunction step, train::RecorderOptions options)
    : context_(context), state_(parts), step_(std::move(step)) {
  if (context.is_root())
    root_ = std::make_unique<train::Recorder>(std::move(folder), parts, step_, options);
  else if (options.on_signal)
    leave_signals_to_root();
}

Recorder::~Recorder() = default;

int64_t Recorder::resume() {
  const auto step = int64_t(context_.sum(root_ ? double(root_->resume()) : 0));
  context_.broadcast(state_);
  context_.transport().step = step;
  return step;
}

bool Recorder::step(int64_t step) {
  bool stop = false;
  if (root_) {
    stop = !root_->step(step);
    loss_ = root_->loss();
  } else {
    Tape tape;
    loss_ = step_(tape, step).item();
  }
  return context_.sum(stop ? 1 : 0) == 0;
}

std::string Recorder::answer(const train::TravelQuestion& question) {
  if (context_.ranks() > 1)
    fail<ValueError>("Recorder", "one rank travels, got {}. Hint: without mpirun, with {} shards", context_.ranks(),
                     context_.shards());
  return root_->answer(question);
}

}  // namespace tapegrad::distributed

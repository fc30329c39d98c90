#include <tapegrad/distributed/checkpoint.h>

#include <utility>

#include "distributed/signals.h"
#include "distributed/transport.h"

namespace tapegrad::distributed {

Checkpointer::Checkpointer(Context& context, std::string folder, std::initializer_list<StatePart> parts,
                           train::CheckpointOptions options)
    : context_(context), state_(parts) {
  if (context.is_root())
    root_ = std::make_unique<train::Checkpointer>(std::move(folder), parts, options);
  else if (options.on_signal)
    leave_signals_to_root();
}

Checkpointer::~Checkpointer() = default;

int64_t Checkpointer::resume() {
  const auto step = int64_t(context_.sum(root_ ? double(root_->resume()) : 0));
  if (step > 0) context_.broadcast(state_);
  context_.transport().step = step;
  return step;
}

void Checkpointer::save(int64_t step, double metric) {
  if (root_) root_->save(step, metric);
}

void Checkpointer::load(int64_t step) {
  if (root_) root_->load(step);
  context_.broadcast(state_);
}

int64_t Checkpointer::best() { return int64_t(context_.sum(root_ ? double(root_->best()) : 0)); }

bool Checkpointer::step(int64_t step, double metric) {
  return context_.sum(root_ && !root_->step(step, metric) ? 1 : 0) == 0;
}

}  // namespace tapegrad::distributed

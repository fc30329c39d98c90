#include <tapegrad/distributed/checkpoint.h>

#include <signal.h>

#include "distributed/transport.h"

#include <utility>

namespace tapegrad::distributed {

Checkpointer::Checkpointer(Context& context, std::string folder, std::initializer_list<StatePart> parts,
                           train::CheckpointOptions options)
    : context_(context), state_(parts) {
  if (context.is_root())
    root_ = std::make_unique<train::Checkpointer>(std::move(folder), parts, options);
  else if (options.on_signal)
    for (int signal : {SIGINT, SIGTERM}) ::signal(signal, SIG_IGN);
}

Checkpointer::~Checkpointer() = default;

int64_t Checkpointer::resume() {
  const auto step = int64_t(context_.sum(root_ ? double(root_->resume()) : 0));
  if (step > 0) context_.broadcast(state_);
  context_.transport().step = step;
  return step;
}

bool Checkpointer::step(int64_t step, double metric) {
  return context_.sum(root_ && !root_->step(step, metric) ? 1 : 0) == 0;
}

}  // namespace tapegrad::distributed

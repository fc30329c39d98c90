#include <tapegrad/distributed/context.h>
#include <tapegrad/ops.h>

#include <cstdio>
#include <exception>

#include "core/fail.h"
#include "distributed/packed.h"
#include "distributed/tree.h"

namespace tapegrad::distributed {

namespace {

void check(const ContextOptions& options) {
  if (options.shards < 0) fail<ValueError>("Context", "shards must not be negative, got {}", options.shards);
  if (!(options.deadline > 0)) fail<ValueError>("Context", "deadline must be positive, got {}", options.deadline);
}

}  // namespace

Context::Context(int argc, char** argv, ContextOptions options) : exceptions_(std::uncaught_exceptions()) {
  check(options);
  transport_ = std::make_unique<Transport>(argc, argv, options.deadline);
  shards_ = options.shards ? options.shards : ranks();
  if (ranks() > shards_)
    fail<ValueError>("Context",
                     "there are {} ranks, and a batch is cut into {} shards. Hint: ContextOptions{{.shards = {}}}",
                     ranks(), shards_, ranks());
  if (options.only_root_prints && !is_root() && !std::freopen("/dev/null", "w", stdout))
    fail<Error>("Context", "stdout can not be thrown away");
}

Context::Context(ContextOptions options) : exceptions_(std::uncaught_exceptions()) {
  check(options);
  transport_ = std::make_unique<Transport>();
  shards_ = options.shards ? options.shards : 1;
}

// While an exception passes, nobody waits for the others: the transport stays, and ends the job when the process ends,
// after the program has said what it caught.
Context::~Context() {
  if (std::uncaught_exceptions() > exceptions_)
    static_cast<void>(transport_.release());
  else if (ranks() > 1)
    barrier();
}

int Context::rank() const { return transport_->rank; }
int Context::ranks() const { return transport_->ranks; }

data::Shard Context::shard() const {
  return {first_shard(shards_, rank(), ranks()), first_shard(shards_, rank() + 1, ranks()), shards_};
}

double Context::sum(double value) {
  Tensor total = full({1}, value, {.dtype = float64});
  transport_
      ->post("Context::sum",
             [&] {
               total = all_reduce(*transport_, {{rank(), rank() + 1, total}}, ranks(), add_up, false);
             })
      .get();
  return total.item();
}

void Context::broadcast(Stateful& state) {
  if (ranks() == 1) return;
  std::string packed = is_root() ? pack(state.state_dict()) : std::string();
  transport_
      ->post("Context::broadcast",
             [&] {
               size_t size = packed.size();
               distributed::broadcast(*transport_, std::as_writable_bytes(std::span(&size, 1)));
               packed.resize(size);
               distributed::broadcast(*transport_, std::as_writable_bytes(std::span(packed)));
             })
      .get();
  if (!is_root()) state.load_state_dict(unpack(packed));
}

}  // namespace tapegrad::distributed

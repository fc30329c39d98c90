#include <tapegrad/distributed/context.h>
#include <tapegrad/ops.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <numeric>

#include "core/fail.h"
#include "distributed/packed.h"
#include "distributed/tree.h"
#include "tensor/bytes.h"

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

// Rank 0 receives what the others have, and sends the whole.
Tensor Context::gather(const Tensor& own, int64_t axis) {
  if (ranks() == 1) return own;
  const NoGrad no_grad;
  Tensor counts = zeros({ranks()}, {.dtype = int64});
  counts.mutable_data<int64_t>()[size_t(rank())] = own.size(axis);
  Tensor mine = own.transpose(0, axis).contiguous(), all;
  transport_
      ->post("Context::gather",
             [&] {
               counts = all_reduce(*transport_, {{rank(), rank() + 1, counts}}, ranks(), add_up, false);
               const std::span<const int64_t> rows = counts.data<int64_t>();
               Shape shape = mine.shape();
               shape[0] = std::accumulate(rows.begin(), rows.end(), int64_t(0));
               all = empty(shape, {.dtype = own.dtype()});
               const std::span<std::byte> bytes = tapegrad::detail::mutable_bytes_of(all);
               const size_t row = bytes.size() / size_t(std::max<int64_t>(shape[0], 1));
               size_t begin = 0;
               for (int from = 0; from < ranks(); ++from) {
                 const std::span<std::byte> part = bytes.subspan(begin, row * size_t(rows[size_t(from)]));
                 begin += part.size();
                 if (from == 0 && is_root()) std::ranges::copy(tapegrad::detail::bytes_of(mine), part.begin());
                 if (from > 0 && is_root()) transport_->receive(from, part);
                 if (from > 0 && from == rank()) transport_->send(0, tapegrad::detail::bytes_of(mine));
               }
               distributed::broadcast(*transport_, bytes);
             })
      .get();
  return all.transpose(0, axis).contiguous();
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

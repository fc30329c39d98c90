#include <tapegrad/distributed/data_parallel.h>
#include <tapegrad/observer.h>
#include <tapegrad/ops.h>
#include <tapegrad/random.h>
#include <tapegrad/record.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "core/fail.h"
#include "distributed/gradient_sum.h"
#include "distributed/packed.h"
#include "distributed/turns.h"

namespace tapegrad::distributed {

namespace {

constexpr const char* kType = "DataParallel";

/// Random numbers are those of a shard, from here to the end of the scope.
class RandomOfShard {
 public:
  RandomOfShard(uint64_t seed, int64_t shard) : before_(default_generator()) {
    default_generator() = Generator(seed, uint64_t(shard) + 1);
  }
  ~RandomOfShard() { default_generator() = before_; }
  RandomOfShard(const RandomOfShard&) = delete;
  RandomOfShard& operator=(const RandomOfShard&) = delete;

 private:
  Generator before_;
};

/// Hands on the gradient of each leaf as soon as it is complete.
struct Ready final : TapeObserver {
  Ready(GradientSum& sum, int64_t shard, const std::map<const void*, size_t>& number)
      : sum(sum), shard(shard), number(number) {}
  void on_leaf(const Tensor& leaf, const Tensor& gradient) override {
    if (const auto found = number.find(leaf.impl()); found != number.end()) sum.add(shard, found->second, gradient);
  }
  GradientSum& sum;
  int64_t shard;
  const std::map<const void*, size_t>& number;  // of the shard's own handles of the parameters
};

/// What no shard may write to.
std::vector<std::pair<std::string, Tensor>> own_buffers(const nn::ModuleBase& model) {
  std::set<const void*> shared;
  for (const nn::ModuleBase& module : model.modules())
    if (module.type() == "SyncBatchNorm")
      for (const Tensor& buffer : module.buffers()) shared.insert(buffer.impl());
  auto buffers = model.named_buffers();
  std::erase_if(buffers, [&](const auto& buffer) { return shared.contains(buffer.second.impl()); });
  return buffers;
}

int64_t rows_of(const Tensors& inputs, int64_t axis) {
  for (const Tensor& x : inputs)
    if (x.dim() <= axis || x.size(axis) != inputs[0].size(axis))
      fail<ShapeError>(kType, "the inputs must have one number of rows, along axis {}, got {} and {}", axis,
                       inputs[0].shape(), x.shape());
  if (inputs.empty()) fail<ShapeError>(kType, "there must be an input to cut into shards");
  return inputs[0].size(axis);
}

double checked_loss(const Tensor& loss) {
  if (!loss.defined() || loss.numel() != 1 || !is_floating(loss.dtype()))
    fail<ShapeError>(kType, "the function must return a loss of one element, got {}",
                     loss.defined() ? fmt::format("{} {}", loss.dtype(), loss.shape()) : "an empty tensor");
  return loss.item();
}

}  // namespace

DataParallelBase::DataParallelBase(nn::ModuleBase& module, Context& context, DataParallelOptions options)
    : module_(module), context_(context), options_(options) {
  if (options.bucket_bytes < 1 || options.check_every < 0 || options.batch_axis < 0)
    fail<ValueError>(kType, "bucket_bytes must be positive, check_every and batch_axis not negative, got {}, {} and {}",
                     options.bucket_bytes, options.check_every, options.batch_axis);
  const auto modules = module.modules();
  in_turns_ = std::any_of(modules.begin(), modules.end(), [](auto& m) { return m.type() == "SyncBatchNorm"; });
  context.broadcast(module);
  context.broadcast(default_generator());
  buffers_ = own_buffers(module);
}

// Every rank learns all hashes and says the same.
void DataParallelBase::compare_ranks() {
  const int ranks = context_.ranks();
  Tensor hashes = zeros({ranks}, {.dtype = int64});
  StateDict state = module_.state_dict();
  state.merge(default_generator().state_dict());
  hashes.mutable_data<int64_t>()[size_t(context_.rank())] = int64_t(hash_of(state));
  Transport& transport = context_.transport();
  transport
      .post("comparison of the ranks",
            [&] {
              const int64_t rank = transport.rank;
              hashes = all_reduce(transport, {{rank, rank + 1, hashes}}, ranks, add_up, false);
            })
      .get();
  const std::span<const int64_t> all = hashes.data<int64_t>();
  const auto votes = [&](int64_t hash) { return std::count(all.begin(), all.end(), hash); };
  const int64_t common = *std::max_element(all.begin(), all.end(), [&](auto a, auto b) { return votes(a) < votes(b); });
  std::string others;
  for (size_t rank = 0; rank < all.size(); ++rank)
    if (all[rank] != common) others += fmt::format("{}{}", others.empty() ? "" : ", ", rank);
  if (!others.empty())
    fail<Error>(kType,
                "after {} steps the parameters, buffers or random numbers of rank {} differ from those of "
                "the others. "
                "Hint: a change of the model outside of the step, other options, or a seed of its own",
                steps_, others);
}

bool DataParallelBase::is_whole() {
  if (context_.shards() > 1) return false;
  steps_ += is_recording();
  return true;
}

Tensor DataParallelBase::run(const Body& body, const Tensors& inputs) {
  const data::Shard part = context_.shard();
  const int64_t count = part.last - part.first, axis = options_.batch_axis, rows = rows_of(inputs, axis);
  if (rows < count)
    fail<ValueError>(kType,
                     "each of the {} shards of this rank must have a row, got {} rows. Hint: a larger batch, or "
                     "{{.drop_last = true}}",
                     count, rows);
  const bool recording = is_recording();
  if (recording) {
    if (context_.ranks() > 1 && options_.check_every > 0 && steps_ % options_.check_every == 0) compare_ranks();
    context_.transport().step = ++steps_;
  }
  std::vector<std::string> names;
  std::vector<Tensor> parameters;
  std::map<const void*, size_t> number;  // of the model's own handles, for the check
  for (const auto& [name, p] : module_.named_parameters()) {
    if (!p.requires_grad()) continue;
    number[p.impl()] = parameters.size();
    names.push_back(name);
    parameters.push_back(p);
  }
  const Dtype dtype = parameters.empty() ? float32 : parameters[0].dtype();
  if (!recording) parameters.clear();
  const bool meet = in_turns_ && module_.is_training();
  Transport& transport = context_.transport();
  GradientSum sum(transport, rows, part.last - 1, context_.shards(), parameters, options_.bucket_bytes);
  const uint64_t seed = default_generator().next_u64();
  struct Gradient {
    int64_t shard;
    std::vector<Tensor> leaves;
    double loss;
  };
  std::vector<Gradient> waiting;  // of shards that run in turns
  const auto hand_on = [&](Gradient& from) {
    for (size_t i = from.leaves.size(); i-- > 0;) {
      Tensor gradient = from.leaves[i].grad();
      from.leaves[i].zero_grad();
      if (gradient.defined()) sum.add(from.shard, i, std::move(gradient));
    }
    sum.end(from.shard, from.loss);
  };
  const auto one_shard = [&](int64_t shard) {
    const int64_t i = shard - part.first, size = rows / count + (i < rows % count);
    const int64_t begin = i * (rows / count) + std::min(i, rows % count);
    Tensors own;
    for (const Tensor& x : inputs) own.push_back(slice(x, axis, begin, begin + size));
    const RandomOfShard random(seed, shard);
    if (!recording) {
      const double loss = checked_loss(body({}, own));
      waiting.push_back({shard, {}, loss * double(size)});
      return;
    }
    Gradient gradient{shard, {}, 0};
    StateDict handles;
    std::map<const void*, size_t> number_here;
    for (size_t p = 0; p < parameters.size(); ++p) {
      const Tensor leaf = parameters[p].detach().set_requires_grad();
      handles[names[p]] = leaf;
      number_here[leaf.impl()] = p;
      gradient.leaves.push_back(leaf);
    }
    // Gradients and meetings are sent in one order on all ranks, so where both are, each rank must have one shard.
    const bool at_once = options_.overlap && context_.ranks() > 1 && shard + 1 == part.last &&
                         (!meet || context_.ranks() == context_.shards());
    std::optional<Ready> ready;
    if (at_once) ready.emplace(sum, shard, number_here);
    TapeOptions options;
    if (at_once) options.observers = {&*ready};
    Tape tape(std::move(options));
    const Tensor loss = body(handles, own);
    gradient.loss = checked_loss(loss) * double(size);
    for (const Tensor& leaf : tape.leaves())
      if (number.contains(leaf.impl()))
        fail<AutogradError>(kType, "the function used '{}' of the model. Hint: take the copy that it is given",
                            names[number.at(leaf.impl())]);
    tape.backward(loss, {.gradient = full_like(loss, double(size) / sum.rows())});
    if (at_once)
      sum.end(shard, gradient.loss);
    else if (meet)
      waiting.push_back(std::move(gradient));
    else
      hand_on(gradient);
  };
  std::vector<uint32_t> versions;
  for (const auto& [name, buffer] : buffers_) versions.push_back(buffer.version());
  Turns(transport, part.first, part.last, context_.shards()).run(meet, one_shard);
  for (size_t i = 0; i < buffers_.size(); ++i)
    if (buffers_[i].second.version() != versions[i])
      fail<ValueError>(kType,
                       "each shard wrote to '{}', which so depends on the ranks. Hint: distributed::SyncBatchNorm in "
                       "place of a BatchNorm, a norm of rows, or eval() of that module",
                       buffers_[i].first);
  for (Gradient& gradient : waiting) hand_on(gradient);
  waiting.clear();
  auto [loss, gradients] = sum.wait();
  traffic_.bytes += sum.bytes;
  traffic_.seconds += sum.seconds;
  traffic_.hidden_seconds += sum.hidden_seconds;
  const Tensor y = full({}, loss, {.dtype = dtype});
  if (!recording) return y;
  const auto vjp = [gradients = std::move(gradients)](const Tensor& dy, Needs needs) mutable -> Gradients {
    if (is_recording()) fail<AutogradError>(kType, "it has no second derivative");
    Gradients dx;
    const double scale = dy.item();
    for (Tensor& gradient : gradients) dx.push_back(!gradient.defined() || scale == 1 ? gradient : gradient * scale);
    if (!needs.again) gradients.clear();
    return dx;
  };
  return record("data_parallel", y, tapegrad::detail::InputList(parameters.begin(), parameters.end()), vjp);
}

}  // namespace tapegrad::distributed

#include "distributed/gradient_sum.h"

#include <tapegrad/ops.h>
#include <tapegrad/tape.h>

#include <algorithm>

#include "compute/arrays.h"
#include "tensor/impl.h"

namespace tapegrad::distributed {

// The rows are counted before the first gradient is made: one that is divided by their number from the beginning needs no
// pass over its memory for it.
GradientSum::GradientSum(Transport& transport, int64_t rows, int64_t last_shard, int64_t shards,
                         const std::vector<Tensor>& parameters, int64_t bucket_bytes)
    : transport_(transport),
      last_shard_(last_shard),
      shards_(shards),
      parameters_(parameters),
      place_(parameters.size()),
      has_gradient_(parameters.size()),
      rows_(full({1}, double(rows), {.dtype = float64})) {
  for (size_t i = parameters.size(); i-- > 0;) {
    const Tensor& p = parameters[i];
    const bool joins = !buckets_.empty() && buckets_.back().dtype == p.dtype() &&
                       (buckets_.back().numel + p.numel()) * int64_t(item_size(p.dtype())) <= bucket_bytes;
    if (!joins) buckets_.push_back({.dtype = p.dtype()});
    Bucket& bucket = buckets_.back();
    place_[i] = {buckets_.size() - 1, bucket.parameters.size()};
    bucket.parameters.push_back(i);
    bucket.offsets.push_back(bucket.numel);
    bucket.numel += p.numel();
  }
  counted_ = transport.post("rows", [this, rank = transport.rank, ranks = transport.ranks] {
    rows_ = all_reduce(transport_, {{rank, rank + 1, rows_}}, ranks, add_up, false);
  });
}

// Where the backward pass threw, sums are under way that refer to this.
GradientSum::~GradientSum() {
  if (counted_.valid()) counted_.wait();
  for (Bucket& bucket : buckets_)
    if (bucket.done.valid()) bucket.done.wait();
}

double GradientSum::rows() {
  if (counted_.valid()) counted_.get();
  return rows_.item();
}

void GradientSum::add(int64_t shard, size_t parameter, Tensor gradient) {
  const auto [bucket, place] = place_[parameter];
  has_gradient_[parameter] = true;
  fill(buckets_[bucket], shard, place, std::move(gradient));
}

void GradientSum::fill(Bucket& bucket, int64_t shard, size_t place, Tensor gradient) {
  const NoGrad no_grad;
  const Tensor& p = parameters_[bucket.parameters[place]];
  if (bucket.parameters.size() == 1 && gradient.defined() && tapegrad::detail::is_exclusive(gradient)) {
    bucket.filling = gradient.view({bucket.numel});
  } else {
    if (!bucket.filling.defined()) bucket.filling = empty({bucket.numel}, {.dtype = bucket.dtype});
    const int64_t offset = bucket.offsets[place];
    Tensor to = slice(bucket.filling, 0, offset, offset + p.numel()).view(p.shape());
    if (gradient.defined())
      compute::copy_into(gradient, to);
    else
      to.zero_();
  }
  if (++bucket.filled < bucket.parameters.size()) return;
  bucket.filled = 0;
  push(bucket.nodes, {shard, shard + 1, std::exchange(bucket.filling, {})}, shards_, add_up);
  bucket.complete = shard == last_shard_;
  if (bucket.complete) send_complete();
}

// In the order of the buckets, so that all ranks post the same.
void GradientSum::send_complete() {
  for (; sent_ < buckets_.size() && buckets_[sent_].complete; ++sent_) {
    Bucket& bucket = buckets_[sent_];
    bytes += bucket.numel * int64_t(item_size(bucket.dtype));
    bucket.done = transport_.post("gradients", [this, &bucket] {
      bucket.begin = Clock::now();
      bucket.total = all_reduce(transport_, std::move(bucket.nodes), shards_, add_up, true);
      bucket.end = Clock::now();
    });
  }
}

void GradientSum::end(int64_t shard, double loss) {
  const size_t n = parameters_.size();
  Tensor head = zeros({int64_t(n) + 1}, {.dtype = float64});
  const std::span<double> values = head.mutable_data<double>();
  values[0] = loss;
  for (size_t i = n; i-- > 0;) {
    values[i + 1] = has_gradient_[i];
    if (!has_gradient_[i]) fill(buckets_[place_[i].first], shard, place_[i].second, {});
  }
  has_gradient_.assign(n, false);
  push(heads_, {shard, shard + 1, head}, shards_, add_up);
  if (shard == last_shard_) backward_end_ = Clock::now();
}

GradientSum::Result GradientSum::wait() {
  const NoGrad no_grad;
  Tensor head;
  transport_.post("loss", [&] { head = all_reduce(transport_, std::move(heads_), shards_, add_up, false); }).get();
  const std::span<const double> values = head.data<double>();
  Result result{values[0] / rows(), std::vector<Tensor>(parameters_.size())};
  for (Bucket& bucket : buckets_) {
    bucket.done.get();
    const auto seconds_of = [](Clock::duration d) { return std::max(0.0, std::chrono::duration<double>(d).count()); };
    seconds += seconds_of(bucket.end - bucket.begin);
    hidden_seconds += seconds_of(std::min(bucket.end, backward_end_) - bucket.begin);
    for (size_t place = 0; place < bucket.parameters.size(); ++place) {
      const size_t i = bucket.parameters[place];
      if (values[i + 1] == 0) continue;
      const int64_t offset = bucket.offsets[place];
      result.gradients[i] =
          slice(bucket.total, 0, offset, offset + parameters_[i].numel()).view(parameters_[i].shape());
    }
    bucket.total = {};
  }
  return result;
}

}  // namespace tapegrad::distributed

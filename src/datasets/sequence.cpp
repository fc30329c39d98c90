#include <tapegrad/data/dataset.h>
#include <tapegrad/datasets/sequence.h>

#include <algorithm>

#include "core/fail.h"
#include "tensor/bytes.h"

namespace tapegrad::datasets {

Padded pad_sequences(const std::vector<Tensor>& sequences, double value) {
  if (sequences.empty() || sequences[0].dim() == 0)
    fail<ShapeError>("pad_sequences", "there must be sequences [T, ...], got {}",
                     sequences.empty() ? "none" : to_string(sequences[0].shape()));
  const Tensor& first = sequences[0];
  Shape shape = first.shape();
  std::vector<int64_t> lengths;
  for (const Tensor& x : sequences) {
    Shape other = x.shape();
    if (x.dim() > 0) lengths.push_back(std::exchange(other[0], first.size(0)));
    if (other != first.shape())
      fail<ShapeError>("pad_sequences", "sequences must be alike but for their length, got {} and {}", first.shape(),
                       x.shape());
    if (x.dtype() != first.dtype())
      fail<DtypeError>("pad_sequences", "sequences must have one dtype, got {} and {}", first.dtype(), x.dtype());
  }
  shape[0] = *std::ranges::max_element(lengths);
  shape.insert(0, int64_t(sequences.size()));
  Tensor out = full(shape, value, {.dtype = first.dtype()});
  const std::span<std::byte> to = tapegrad::detail::mutable_bytes_of(out);
  for (size_t i = 0; i < sequences.size(); ++i) {
    const Tensor x = sequences[i].detach().contiguous();
    std::ranges::copy(tapegrad::detail::bytes_of(x), to.begin() + int64_t(i * (to.size() / sequences.size())));
  }
  return {out, from_vector(lengths, {int64_t(lengths.size())})};
}

Sequences::Sequences(std::vector<Tensor> x, const Tensor& y, SequencesOptions options)
    : x_(std::move(x)), y_(y.detach().contiguous()), options_(options) {
  if (y.dim() == 0 || y.size(0) != size())
    fail<ShapeError>("Sequences", "y must be [{}, ...], got {}", size(), y.shape());
}

std::vector<int64_t> Sequences::lengths() const {
  std::vector<int64_t> out;
  for (const Tensor& x : x_) out.push_back(x.size(0));
  return out;
}

SequenceBatch Sequences::get(std::span<const int64_t> indices) const {
  const Tensor y = data::detail::samples_of(y_, indices);  // checks the indices
  std::vector<Tensor> sequences;
  for (int64_t index : indices) sequences.push_back(x_[size_t(index)]);
  auto [x, lengths] = pad_sequences(sequences, options_.padding);
  return {x, lengths, y};
}

}  // namespace tapegrad::datasets

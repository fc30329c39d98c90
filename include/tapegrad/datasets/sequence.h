#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include <tapegrad/tensor.h>

namespace tapegrad::datasets {

struct Padded {
  Tensor x;        ///< [B, longest, ...]
  Tensor lengths;  ///< int64 [B]
};

/// Sequences [T, ...] side by side, each filled up with `value` to the longest. **Throws** ShapeError unless they are alike but
/// for T and there is one, DtypeError for different dtypes.
Padded pad_sequences(const std::vector<Tensor>& sequences, double value = 0);

struct SequenceBatch {
  Tensor x, lengths, y;
};

struct SequencesOptions {
  double padding = 0;  ///< what fills up a shorter sequence
};

/// Sequences of any length and a target each, as a dataset. With length_sampler() those of a batch are of like length:
///
///     datasets::Sequences all(sentences, labels);
///     datasets::Sampled sorted(all, datasets::length_sampler(all.lengths(), 32));
///     for (auto [x, lengths, y] : data::LoaderOf(sorted, {.batch_size = 32}))
///       lstm(x, {}, {.lengths = lengths}) ...
class Sequences {
 public:
  /// **Throws** ShapeError unless y has a first axis of as many entries as there are sequences.
  Sequences(std::vector<Tensor> x, const Tensor& y, SequencesOptions options = {});
  int64_t size() const { return int64_t(x_.size()); }
  std::vector<int64_t> lengths() const;
  /// Throws IndexError outside [0, size()), and as pad_sequences().
  SequenceBatch get(std::span<const int64_t> indices) const;

 private:
  std::vector<Tensor> x_;
  Tensor y_;
  SequencesOptions options_;
};

}  // namespace tapegrad::datasets

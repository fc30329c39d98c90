// Samples whose probabilities are tensors, and the distribution of a policy. **Numerics** (all of them): one generator state gives
// one sample, for any number of threads; `generator` is default_generator() where none is given. Samples have no gradient.
#pragma once
#include <tapegrad/random.h>
#include <tapegrad/tensor.h>

namespace tapegrad {

/// 1 with probability p[i], else 0. **Shape**: any; y as p, of its dtype. **Throws** ValueError for a p outside [0, 1],
/// DtypeError unless p is floating.
Tensor bernoulli(const Tensor& p, Generator* generator = nullptr);

struct MultinomialOptions {
  bool replacement = false;  ///< an index may be drawn again
};

/// `num_samples` indices from each row, with probabilities proportional to the row. **Shape**: weights [K] or [N, K]; y
/// [num_samples] or [N, num_samples], int64. **Throws** ValueError for a weight that is negative or not finite, a row of
/// zeros, or, without replacement, fewer positive weights in a row than samples; ShapeError for other shapes; DtypeError
/// unless the weights are floating. **Source**, without replacement: Efraimidis, Spirakis 2006, "Weighted random sampling with a
/// reservoir".
Tensor multinomial(const Tensor& weights, int64_t num_samples, MultinomialOptions options = {},
                   Generator* generator = nullptr);

struct CategoricalOptions {
  Tensor probs = {};   ///< [..., K], not negative; divided by their sum
  Tensor logits = {};  ///< [..., K], in place of probs: their softmax
};

/// A random index in 0 ... K - 1, one for each row of the last axis: the actions of a policy.
///
///     const Categorical policy({.logits = actor(state)});
///     const Tensor action = policy.sample();
///     const Tensor loss = -mean(policy.log_prob(action) * advantage) - 0.01 * mean(policy.entropy());
///
/// **Throws** ValueError unless just one of probs and logits is given, or for probs as multinomial() does.
/// **Gradient**: log_prob() and entropy() are made of operations; a probability of 0 gets 0. PyTorch's log_prob() of such an
/// index is ln eps, not -infinity.
struct Categorical {
  explicit Categorical(const CategoricalOptions& options);
  /// An index for each row. **Shape**: [...], int64.
  Tensor sample(Generator* generator = nullptr) const;
  /// The log-probability of each index. **Shape**: value and result [...]. **Throws** as gather().
  Tensor log_prob(const Tensor& value) const;
  /// -sum p ln p of each row, 0 ln 0 being 0. **Shape**: [...].
  Tensor entropy() const;

  Tensor probs, logits;  ///< normalized: logits are ln probs
};

}  // namespace tapegrad

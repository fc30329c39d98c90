// DataParallel: a batch on several ranks, with the gradient that one rank would have got.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <tapegrad/distributed/context.h>
#include <tapegrad/nn/module.h>

namespace tapegrad::distributed {

struct DataParallelOptions {
  int64_t bucket_bytes = int64_t(1) << 20;  ///< gradients that travel together, at least
  bool overlap = true;                      ///< send while the backward pass goes on
  int64_t check_every = 100;  ///< steps from one comparison of the ranks' parameters to the next; 0: never
  int64_t batch_axis = 0;     ///< along which the inputs are cut
};

/// What was sent for gradients since the beginning.
struct Traffic {
  int64_t bytes = 0;          ///< of the gradients that were added up, on this rank
  double seconds = 0;         ///< that it took to add them up
  double hidden_seconds = 0;  ///< of these, while the backward pass went on
};

/// What all DataParallel have in common.
class DataParallelBase {
 public:
  /// Steps so far.
  int64_t steps() const { return steps_; }
  const Traffic& traffic() const { return traffic_; }

 protected:
  /// The loss of one part, with these parameters in place of the module's, by name.
  using Body = std::function<Tensor(const StateDict& parameters, const Tensors& inputs)>;
  DataParallelBase(nn::ModuleBase& module, Context& context, DataParallelOptions options);
  Tensor run(const Body& body, const Tensors& inputs);
  /// Counts a step of one part in all, which is the usual one. False where there are several.
  bool is_whole();

 private:
  void compare_ranks();

  nn::ModuleBase module_;
  Context& context_;
  DataParallelOptions options_;
  std::vector<std::pair<std::string, Tensor>> buffers_;  // that the function must not change
  bool in_turns_;                                        // the parts meet in the forward pass
  int64_t steps_ = 0;
  Traffic traffic_;
};

/// A model that is trained on the batches of all ranks together:
///
///     Tensor loss = parallel([](auto& net, auto& x, auto& y) { return cross_entropy(net(x), y); }, x, y);
///     tape.backward(loss);
///
/// x and y are the rows of this rank, from a loader with {.shard = mpi.shard()}. The function gets the rows of one shard at a
/// time, and a copy of the model that shares its memory; it returns their mean loss. So
///
///     loss = sum_s n_s loss_s / sum_s n_s,   gradient = sum_s n_s gradient_s / sum_s n_s,   n_s the rows of shard s
///
/// over the shards of all ranks, each sum in the order of one fixed binary tree over the shards. Both are the same bits on
/// every rank, and for every number of ranks. So is what follows: the norm of clip_grad_norm(), the step, and whether it is
/// skipped because a gradient is not finite.
///
/// The backward pass of a shard runs where the function is called; the tape keeps its result. The memory for what is
/// saved is that of one shard, not of the batch. Without a tape there is the loss alone, of all ranks too. Where there is
/// one shard in all, the function gets the model itself, and runs on the caller's tape.
///
/// Random numbers in the function are a shard's own: each call draws one number from default_generator(), and the shard reads
/// the stream of its number. At the beginning, parameters, buffers and the generator become those of rank 0; each
/// `check_every` steps the ranks compare theirs.
///
/// **Throws** ValueError where the function changes a buffer of the model, which would be each shard's own (BatchNorm1d: take
/// SyncBatchNorm), and where a shard would have no row; ShapeError where the function returns no scalar or the inputs do not have one number of rows;
/// AutogradError where the function used a parameter of the model instead of the copy's, and for second derivatives; Error
/// where the ranks' parameters differ, which names the rank.
template <class M>
class DataParallel : public DataParallelBase {
 public:
  DataParallel(M& module, Context& context, DataParallelOptions options = {})
      : DataParallelBase(module, context, options), module_(module) {}

  template <class F, std::same_as<Tensor>... Inputs>
  Tensor operator()(F&& loss_of, const Inputs&... inputs) {
    if (is_whole()) return loss_of(module_, inputs...);
    return run(
        [&](const StateDict& parameters, const Tensors& part) {
          nn::detail::CloneContext cloning(module_, parameters);
          M copy(module_);
          cloning.finish();
          return [&]<size_t... I>(std::index_sequence<I...>)->Tensor { return loss_of(copy, part[I]...); }
          (std::index_sequence_for<Inputs...>());
        },
        {inputs...});
  }

 private:
  M module_;
};

}  // namespace tapegrad::distributed

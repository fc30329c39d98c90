// Recurrent layers over whole sequences: RNN, LSTM, GRU; stacked, bidirectional, plain or normalized.
//
//   nn::LSTM lstm(32, 128, {.norm = nn::Norm::layer});
//   nn::LSTM::State state;                          // empty: zeros
//   auto [output, next] = lstm(x, state);           // x [T, B, 32], output [T, B, 128]
//
// Layer l > 0 takes the output of layer l - 1, after dropout. The second direction of a bidirectional layer
// runs from the last step to the first, and its output stands behind that of the first direction.
//
// A step of a normalized layer costs about what a plain one costs: see ops/recurrent.h. Norm::batch, zoneout,
// recurrent_dropout, proj_size and reset_after = false run as a loop of simple operations, which takes up to twice as long.
#pragma once
#include <tapegrad/nn/cells.h>

#include <vector>

namespace tapegrad::nn {

struct RecurrentLayerOptions {
  int64_t num_layers = 1;  ///< >= 1
  bool bias = true;
  bool batch_first = false;    ///< x and output [B, T, features], not [T, B, features]; states as ever
  double dropout = 0;          ///< in [0, 1], on the output of every layer but the last, in training
  bool variational = false;    ///< one dropout mask for all steps of a sequence (Gal and Ghahramani 2016)
  bool bidirectional = false;  ///< a second set of cells from the last step to the first
  bool relu = false;           ///< RNN only: relu in place of tanh
  Norm norm = Norm::none;
  std::optional<Placement> placement = {};  ///< of the norm; unset: sum for RNN, separate for the others
  double eps = 1e-5;                        ///< of the norm, > 0
  int64_t max_steps = 0;  ///< Norm::batch: time steps with statistics of their own, >= 1; see CellNorm
  /// Probability in [0, 1] that an element of h, and one of c, keeps its old value; in evaluation the mean of
  /// both values: z old + (1 - z) new (Krueger et al. 2016, arXiv:1606.01305)
  double zoneout = 0;
  /// Dropout in [0, 1] of the h that goes into the product with W_hh, one mask a sequence (Gal and Ghahramani
  /// 2016, arXiv:1512.05287); in training
  double recurrent_dropout = 0;
  int64_t proj_size = 0;    ///< LSTM only: size of h and output where they are projections; 0: they are not
  bool reset_after = true;  ///< GRU only: false multiplies h by r before the product, see GRUCell
};
using RNNOptions = RecurrentLayerOptions;
using LSTMOptions = RecurrentLayerOptions;
using GRUOptions = RecurrentLayerOptions;

/// What a call may be told besides input and state.
struct SequenceOptions {
  Tensor lengths = {};  ///< int64 [B], in [0, T]: steps of each sequence; the rest is padding, whatever it holds
  Tensor reset = {};    ///< boolean [B]: sequences that start from a zero state, as at the beginning of a text
};

namespace detail {

/// A layer stack over cells of one kind. State h (and c): [num_layers * directions, B, H], where the h of an
/// LSTM with projection has proj_size for H.
template <class Derived, class Cell>
class RecurrentLayer : public Module<Derived> {
 public:
  using State = typename Cell::State;
  using Options = RecurrentLayerOptions;
  struct Result {
    Tensor output;  ///< [T, B, directions * H]: of the last layer at every step, 0 in padding
    State state;    ///< after the last step of each sequence
  };
  RecurrentLayer(int64_t input_size, int64_t hidden_size, const Options& options = {});

  Result forward(const Tensor& x, const State& state = {}, const SequenceOptions& sequence = {});
  /// The call; spelled out, so that state and options can be given in braces.
  Result operator()(const Tensor& x, const State& state = {}, const SequenceOptions& sequence = {}) const {
    return Module<Derived>::operator()(x, state, sequence);
  }

  Options options;
  std::vector<Cell> cells;  ///< layer 0 forward, layer 0 backward, layer 1 forward, ...

 private:
  Tensors run(const Cell& cell, const Tensor& projected, const Tensor& h0, const Tensor& c0,
              const RecurrentOptions& how) const;
};

}  // namespace detail

/// Elman's network over whole sequences: at step t of each layer
///
///     h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)    relu for tanh with {.relu = true}; RNNCell has
///                                                          the equations with a norm
///
/// **Shape**: x [T, B, input_size], output [T, B, D H], where D is 2 if bidirectional, else 1, and H is
/// hidden_size; with batch_first [B, T, ...]. State [num_layers D, B, H], in the order layer 0 forward, layer
/// 0 backward, layer 1 forward, ...; an empty one is zeros.
/// **Parameters**: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_ih_l1, ...; of the second
/// direction with _reverse behind; with a norm ln_l0.weight, ...: see RNNCell. Their initialization too.
/// **Throws** ShapeError, DtypeError; IndexError for lengths outside [0, T]; ValueError for options out of
/// range or of another layer, and for lengths with Norm::batch.
/// **Gradient**: to x, the state and all parameters, of any order; padding gets 0, and its values, be they
/// NaN, reach nothing. **Numerics**: sums and moments as in recurrent().
/// **Differences from PyTorch**: `lengths` in place of packed sequences; `relu` in place of `nonlinearity`; x
/// always has a batch; norm, placement, variational, zoneout, recurrent_dropout and reset are additions.
/// **Source**: Elman 1990; Ba et al. 2016, arXiv:1607.06450, eq. 4; see RNNCell and the options.
///
///     nn::RNN rnn(3, 4, {.num_layers = 2, .dropout = 0.1});
///     const Tensor last = rnn(x, {}, {.lengths = lengths}).state[-1];      // [B, 4]: of the last layer
struct RNN : detail::RecurrentLayer<RNN, RNNCell> {
  using RecurrentLayer::RecurrentLayer;
};

/// A long short-term memory over whole sequences: at step t of each layer
///
///     i, f, o = sigmoid and g = tanh of their parts of W_ih x_t + b_ih + W_hh h_{t-1} + b_hh
///     c_t = f c_{t-1} + i g
///     h_t = o tanh(c_t)                                    LSTMCell has the equations with a norm
///
/// **Shape**: x [T, B, input_size], output [T, B, D H] as RNN; the state is {h, c}, each [num_layers D, B, H].
/// With proj_size P the output is [T, B, D P] and h [num_layers D, B, P].
/// **Parameters**: weight_ih_l0 [4H, input_size], weight_hh_l0 [4H, H], bias_ih_l0 and bias_hh_l0 [4H], ... in
/// the order i, f, g, o, named as those of RNN; weight_hr_l0 [P, H] with proj_size.
/// **Throws**, **Numerics**, **Differences from PyTorch**: as RNN. **Gradient**: to x, h, c and all parameters,
/// of any order; padding gets 0.
/// **Source**: as LSTMCell, whose initialization it has too.
///
///     nn::LSTM lstm(3, 4, {.norm = nn::Norm::layer});
///     auto [output, state] = lstm(x);                                       // zeros before the first step
///     output = lstm(x, state).output;                                       // goes on from there
struct LSTM : detail::RecurrentLayer<LSTM, LSTMCell> {
  using RecurrentLayer::RecurrentLayer;
};

/// A gated recurrent unit over whole sequences: at step t of each layer, with p = W_ih x_t + b_ih and
/// q = W_hh h_{t-1} + b_hh,
///
///     r = sigmoid(p_r + q_r)   z = sigmoid(p_z + q_z)   n = tanh(p_n + r q_n)
///     h_t = (1 - z) n + z h_{t-1}                          GRUCell has the equations with a norm
///
/// **Shape**: x [T, B, input_size], output [T, B, D H] and state [num_layers D, B, H], as RNN.
/// **Parameters**: weight_ih_l0 [3H, input_size], weight_hh_l0 [3H, H], bias_ih_l0 and bias_hh_l0 [3H], ... in
/// the order r, z, n, named as those of RNN.
/// **Throws**, **Gradient**, **Numerics**, **Differences from PyTorch**: as RNN.
/// **Source**: as GRUCell, whose initialization it has too.
///
///     nn::GRU gru(3, 4, {.batch_first = true, .bidirectional = true});
///     const Tensor output = gru(x.transpose(0, 1)).output;                  // [B, T, 8]
struct GRU : detail::RecurrentLayer<GRU, GRUCell> {
  using RecurrentLayer::RecurrentLayer;
};

}  // namespace tapegrad::nn

// File: nn/recurrent.h
//
// Recurrent layers over whole sequences: RNN, LSTM, GRU; stacked, bidirectional, plain or normalized.
//
//   nn::LSTM lstm(32, 128, {.norm = nn::Norm::layer});
//   nn::LSTM::State state;                          // empty: zeros
//   auto [output, next] = lstm(x, state);           // x [T, B, 32], output [T, B, 128]
//
// A step of a normalized layer costs about what a plain one costs: see ops/recurrent.h. Norm::batch, zoneout,
// recurrent_dropout and proj_size run as a loop of simple operations, which takes up to twice as long.
#pragma once
#include <tapegrad/nn/cells.h>

#include <vector>

namespace tapegrad::nn {

struct LSTMOptions {
  int64_t num_layers = 1;
  bool bias = true;
  bool batch_first =
      false;           ///< x and output are [B, T, features], not [T, B, features]; states stay [.., B, H]
  double dropout = 0;  ///< on the output of every layer but the last, in training
  bool variational = false;  ///< one dropout mask for all steps of a sequence (Gal and Ghahramani 2016)
  bool bidirectional =
      false;  ///< a second set of cells from the last step to the first; outputs side by side
  Norm norm = Norm::none;
  Placement placement = Placement::separate;  ///< of the norm
  double eps = 1e-5;                          ///< of the norm
  int64_t max_steps = 0;  ///< Norm::batch: time steps with statistics of their own; see CellNorm
  /// Probability in [0, 1] that an element of h, and one of c, keeps its old value; in evaluation the mean of
  /// both values: z old + (1 - z) new (Krueger et al. 2016, arXiv:1606.01305)
  double zoneout = 0;
  /// Dropout of the h that goes into the product with W_hh, one mask a sequence (Gal and Ghahramani 2016,
  /// arXiv:1512.05287); in training
  double recurrent_dropout = 0;
  int64_t proj_size = 0;  ///< size of h and of the output where they are projections; 0: none
};

/// As LSTMOptions.
struct RNNOptions {
  int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool variational = false;
  bool bidirectional = false;
  bool relu = false;  ///< relu in place of tanh
  Norm norm = Norm::none;
  Placement placement = Placement::sum;
  double eps = 1e-5;
  int64_t max_steps = 0;
  double zoneout = 0;
  double recurrent_dropout = 0;
};

/// As LSTMOptions.
struct GRUOptions {
  int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool variational = false;
  bool bidirectional = false;
  Norm norm = Norm::none;
  Placement placement = Placement::separate;
  double eps = 1e-5;
  int64_t max_steps = 0;
  double zoneout = 0;
  double recurrent_dropout = 0;
};

/// What a call may be told besides input and state.
struct SequenceOptions {
  Tensor lengths = {};  ///< int64 [B]: steps of each sequence; the rest is padding, whatever it holds
  Tensor reset =
      {};  ///< boolean [B]: sequences that start from a zero state, as at the beginning of a document
};

namespace detail {

/// A layer stack over cells of one kind. State h (and c): [num_layers * directions, B, H], where the h of an
/// LSTM with projection has proj_size for H.
template <class Derived, class Cell, class OptionsOf>
class RecurrentLayer : public Module<Derived> {
 public:
  using State = typename Cell::State;
  using Options = OptionsOf;
  struct Result {
    Tensor output;  ///< [T, B, directions * H]: of the last layer at every step, 0 in padding
    State state;    ///< after the last step of each sequence
  };

  Result forward(const Tensor& x, const State& state = {}, const SequenceOptions& sequence = {});
  /// The call; spelled out, so that state and options can be given in braces.
  Result operator()(const Tensor& x, const State& state = {}, const SequenceOptions& sequence = {}) const {
    return Module<Derived>::operator()(x, state, sequence);
  }

  Options options;
  std::vector<Cell> cells;  ///< layer 0 forward, layer 0 backward, layer 1 forward, ...

 protected:
  RecurrentLayer(RecurrentCell cell, int64_t input_size, int64_t hidden_size, const Options& options);

 private:
  Tensors run(const Cell& cell, const Tensor& projected, const Tensor& h0, const Tensor& c0,
              const RecurrentOptions& how) const;
};

}  // namespace detail

/// Elman's network over whole sequences: RNNCell, which has the equations, at every step.
///
/// Layer l > 0 takes the output of layer l - 1, after dropout. The second direction of a bidirectional layer
/// runs from the last step to the first, and its output stands behind that of the first direction.
///
/// **Shape**: x [T, B, input_size], output [T, B, D H], where D is 2 if bidirectional, else 1, and H is
/// hidden_size; with batch_first [B, T, ...]. State [num_layers D, B, H], in the order layer 0 forward, layer
/// 0 backward, layer 1 forward, ...; an empty one is zeros.
/// **Parameters**: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_ih_l1, ...; of the second
/// direction with _reverse behind; with a norm ln_l0.weight, ...: see RNNCell. Their initialization too.
/// **Throws** ShapeError, DtypeError; IndexError for lengths outside [0, T]; ValueError for options out of
/// range, and for lengths with Norm::batch.
/// **Gradient**: to x, the state and all parameters, of any order; padding gets 0, and its values, be they
/// NaN, reach nothing. **Numerics**: sums and moments as in recurrent().
/// **Differences from PyTorch**: `lengths` in place of packed sequences; `relu` in place of `nonlinearity`; x
/// always has a batch; norm, placement, variational, zoneout, recurrent_dropout and reset are additions.
/// **Source**: Elman 1990; Ba et al. 2016, arXiv:1607.06450, eq. 4; see RNNCell and the options.
///
///     nn::RNN rnn(3, 4, {.num_layers = 2, .dropout = 0.1});
///     const Tensor last = rnn(x, {}, {.lengths = lengths}).state[-1];      // [B, 4]: of the last layer
class RNN : public detail::RecurrentLayer<RNN, RNNCell, RNNOptions> {
 public:
  RNN(int64_t input_size, int64_t hidden_size, RNNOptions options = {});
};

/// A long short-term memory over whole sequences: LSTMCell, which has the equations, at every step.
///
/// **Shape**: as RNN; the state is {h, c}. With proj_size P the output is [T, B, D P] and h [.., B, P].
/// **Parameters**: as RNN, each of four gates in the order i, f, g, o; weight_hr_l0 [P, H] with proj_size.
/// Errors, gradient, and differences from PyTorch are those of RNN; initialization and source of LSTMCell.
///
///     nn::LSTM lstm(3, 4, {.norm = nn::Norm::layer});
///     auto [output, state] = lstm(x);                                       // zeros before the first step
///     output = lstm(x, state).output;                                       // goes on from there
class LSTM : public detail::RecurrentLayer<LSTM, LSTMCell, LSTMOptions> {
 public:
  LSTM(int64_t input_size, int64_t hidden_size, LSTMOptions options = {});
};

/// A gated recurrent unit over whole sequences: GRUCell, which has the equations, at every step.
///
/// **Shape**: as RNN. **Parameters**: as RNN, each of three gates in the order r, z, n. Errors, gradient, and
/// differences from PyTorch are those of RNN; initialization and source of GRUCell.
///
///     nn::GRU gru(3, 4, {.batch_first = true, .bidirectional = true});
///     const Tensor output = gru(x.transpose(0, 1)).output;                  // [B, T, 8]
class GRU : public detail::RecurrentLayer<GRU, GRUCell, GRUOptions> {
 public:
  GRU(int64_t input_size, int64_t hidden_size, GRUOptions options = {});
};

}  // namespace tapegrad::nn

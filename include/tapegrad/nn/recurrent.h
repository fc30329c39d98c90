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

/// What the stack itself needs to know of the options.
struct StackOptions {
  int64_t num_layers;
  bool batch_first;
  double dropout;
  bool variational, bidirectional;
  double zoneout, recurrent_dropout;
};
template <class Options>
StackOptions stack_options(const Options& o) {
  return {o.num_layers,    o.batch_first, o.dropout,          o.variational,
          o.bidirectional, o.zoneout,     o.recurrent_dropout};
}

/// A layer stack over cells of one kind. State h (and c): [num_layers * directions, B, H], where the h of an
/// LSTM with projection has proj_size for H.
template <class Derived, class Cell>
class RecurrentLayer : public Module<Derived> {
 public:
  using State = typename Cell::State;
  struct Result {
    Tensor output;  ///< [T, B, directions * H]: of the last layer at every step, 0 in padding
    State state;    ///< after the last step of each sequence
  };

  /// **Shape**: x [T, B, input_size], or [B, T, input_size] with batch_first. **Throws** ShapeError,
  /// DtypeError, IndexError for lengths outside [0, T], ValueError for lengths with Norm::batch.
  Result forward(const Tensor& x, const State& state = {}, const SequenceOptions& sequence = {});

  /// The call; spelled out, so that state and options can be given in braces.
  Result operator()(const Tensor& x, const State& state = {}, const SequenceOptions& sequence = {}) const {
    return Module<Derived>::operator()(x, state, sequence);
  }

  StackOptions options;
  std::vector<Cell> cells;  ///< layer 0 forward, layer 0 backward, layer 1 forward, ...

 protected:
  /// make(input_size) makes a cell; output_size is the size of its h.
  template <class Make>
  RecurrentLayer(int64_t input_size, int64_t output_size, const StackOptions& options, Make make)
      : options(options) {
    check_options(options);
    const int64_t directions = options.bidirectional ? 2 : 1;
    for (int64_t layer = 0; layer < options.num_layers; ++layer)
      for (int64_t direction = 0; direction < directions; ++direction)
        cells.push_back(this->add_flat("_l" + std::to_string(layer) + (direction ? "_reverse" : ""),
                                       make(layer == 0 ? input_size : directions * output_size)));
    describe_layers(cells[0].config);
  }

 private:
  static void check_options(const StackOptions& options);
  void describe_layers(const CellConfig& config);
  bool is_fused() const;
  Gradients run_by_steps(const Cell& cell, const Tensor& projected, Tensor h, Tensor c, bool reverse,
                         const Tensor& lengths) const;
};

}  // namespace detail

/// Elman's network: RNNCell at every step. Parameters weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0,
/// ...; of the second direction with _reverse behind; with a norm ln_l0.weight, ...
class RNN : public detail::RecurrentLayer<RNN, RNNCell> {
 public:
  using Options = RNNOptions;
  RNN(int64_t input_size, int64_t hidden_size, RNNOptions options = {});
};

/// LSTMCell at every step; the state is {h, c}.
class LSTM : public detail::RecurrentLayer<LSTM, LSTMCell> {
 public:
  using Options = LSTMOptions;
  LSTM(int64_t input_size, int64_t hidden_size, LSTMOptions options = {});
};

/// GRUCell at every step.
class GRU : public detail::RecurrentLayer<GRU, GRUCell> {
 public:
  using Options = GRUOptions;
  GRU(int64_t input_size, int64_t hidden_size, GRUOptions options = {});
};

}  // namespace tapegrad::nn

// One step of a recurrent network: RNNCell, LSTMCell, GRUCell, plain or normalized. The layers in
// nn/recurrent.h hold cells and take them through a whole sequence.
#pragma once
#include <optional>

#include <tapegrad/nn/module.h>
#include <tapegrad/ops/recurrent.h>

namespace tapegrad::nn {

using tapegrad::Norm;
using tapegrad::Placement;

/// The gain and shift of a norm inside a cell: weight [size], at first 1, and where there is one bias [size],
/// at first 0.
///
/// For recurrent batch normalization weight is at first 0.1 (1 would saturate the tanh behind it), and there
/// are running statistics of each of the first max_steps time steps.
struct CellNorm : Module<CellNorm> {
  CellNorm() = default;  ///< of a place that has no norm: without tensors
  CellNorm(int64_t size, bool with_bias, int64_t max_steps = 0);
  /// y = weight (x - mu) / sqrt(var + eps) + bias of x [B, size] at a time step. In training mu and var are the
  /// batch's and move the running ones of this step; in evaluation they are the running ones, after the longest
  /// sequence seen those of its last step. Throws ValueError in training for a batch of one.
  Tensor batch_norm(const Tensor& x, int64_t time, double eps) const;

  Parameter weight, bias;
  Buffer running_mean, running_var;  ///< [max_steps, size]
  Buffer steps_seen;                 ///< int64 [1]: the longest sequence of training, at most max_steps
};

struct RecurrentCellOptions {
  bool relu = false;  ///< RNNCell only: relu in place of tanh
  bool bias = true;
  Norm norm = Norm::none;
  /// Unset: sum for RNNCell, the paper's equation 4; separate for the others, the paper's appendix
  std::optional<Placement> placement = {};
  double eps = 1e-5;        ///< of the norm, > 0
  int64_t max_steps = 0;    ///< Norm::batch: time steps with statistics of their own, >= 1; see CellNorm
  int64_t proj_size = 0;    ///< LSTMCell only: size of h where it is W_hr h, less than hidden_size; 0: it is not
  bool reset_after = true;  ///< GRUCell only: false multiplies h by r before the product, as Cho et al. do
};
using RNNCellOptions = RecurrentCellOptions;
using LSTMCellOptions = RecurrentCellOptions;
using GRUCellOptions = RecurrentCellOptions;

/// The state of an LSTM; empty means zeros.
struct LSTMState {
  Tensor h, c;
};

namespace detail {

/// h and c of a state, and a state of {h} or {h, c}. Only an LSTM's has c.
inline LSTMState parts_of(const Tensor& h) { return {h, {}}; }
inline LSTMState parts_of(const LSTMState& state) { return state; }
template <class State>
State state_of(const Tensors& parts) {
  if constexpr (std::is_same_v<State, Tensor>)
    return parts[0];
  else
    return {parts[0], parts[1]};
}

/// What a cell is made of, whichever it is: what recurrent() is told, and what it learns from shapes.
struct CellConfig : RecurrentOptions {
  int64_t input_size, hidden_size;
  bool bias;
  int64_t max_steps, proj_size;
  bool reset_after;

  int64_t width() const { return gate_count(cell) * hidden_size; }  ///< GH: of the summed inputs
  int64_t output_size() const { return proj_size ? proj_size : hidden_size; }
};
std::string to_string(const CellConfig& config);

/// A cell. Its parameters have PyTorch's names; those that it does not have are undefined:
///   without a norm   weight_ih [GH, I], weight_hh [GH, H], bias_ih and bias_hh [GH]
///   with one         weight_ih, weight_hh, bias [GH], ln_ih and ln_hh (separate) or ln (sum), lstm: ln_c;
///                    with Norm::batch bn_ih, ...
///   with proj_size   weight_hh [GH, P], and weight_hr [P, H]
template <class Derived, RecurrentCell kind>
class CellBase : public Module<Derived> {
 public:
  using State = std::conditional_t<kind == RecurrentCell::lstm, LSTMState, Tensor>;
  CellBase(int64_t input_size, int64_t hidden_size, const RecurrentCellOptions& options = {});

  /// The next state. `time` is the step's number from 0 and matters with Norm::batch only.
  State forward(const Tensor& x, const State& state = {}, int64_t time = 0);
  /// The call; spelled out, so that a state can be given in braces.
  State operator()(const Tensor& x, const State& state = {}, int64_t time = 0) const {
    return Module<Derived>::operator()(x, state, time);
  }

  CellConfig config;
  Parameter weight_ih, weight_hh, bias_ih, bias_hh, bias, weight_hr;
  CellNorm ln_ih, ln_hh, ln, ln_c;  ///< layer or RMS norm: of W_ih x, of W_hh h, of their sum, of c
  CellNorm bn_ih, bn_hh, bn, bn_c;  ///< batch norm, in the same places

  /// What the operation recurrent() takes, its biases added up.
  RecurrentParameters recurrent_parameters() const;
  /// One step from projected = x W_ih^T and {h} or {h, c}, made of simple operations. `h_mask`, where it is
  /// defined, multiplies the h that goes into the product with W_hh.
  Tensors advance(const Tensor& projected, const Tensors& state, const RecurrentParameters& parameters, int64_t time,
                  const Tensor& h_mask = {}) const;
};

}  // namespace detail

/// One step of Elman's network:
///
///     h' = tanh(W_ih x + b_ih + W_hh h + b_hh)            relu for tanh with {.relu = true}
///     h' = tanh(N(W_ih x + W_hh h))                       with a norm, whose shift is the bias
///     h' = tanh(N(W_ih x) + N(W_hh h) + bias)             with a norm and Placement::separate
///
/// N is layer, RMS or batch normalization. With Norm::rms and Norm::batch, which have no shift here, `bias`
/// follows N in both placements.
///
/// **Shape**: x [B, input_size], h [B, hidden_size] or undefined (zeros) -> h' [B, hidden_size].
/// **Initialization**: weights and biases uniform in [-1/sqrt(H), 1/sqrt(H)], as PyTorch; with a norm gains 1
/// (Norm::batch: 0.1) and shifts and biases 0.
/// **Throws** ShapeError, DtypeError; ValueError for options out of range or of another cell, a negative time,
/// and Norm::batch in training for a batch of one. **Gradient**: to x, h and all parameters, of any order.
/// **Differences from PyTorch**: norm, placement and time; `relu` in place of `nonlinearity`; x and h always
/// have a batch.
/// **Source**: Elman 1990; Ba et al. 2016, arXiv:1607.06450, eq. 4; Cooijmans et al. 2016, arXiv:1603.09025.
///
///     nn::RNNCell cell(3, 4, {.norm = nn::Norm::layer});
///     Tensor h;                                            // zeros
///     for (const Tensor& x : unbind(sequence, 0)) h = cell(x, h);
struct RNNCell : detail::CellBase<RNNCell, RecurrentCell::rnn_tanh> {
  using CellBase::CellBase;
};

/// One step of a long short-term memory, gates in PyTorch's order (i, f, g, o):
///
///     a = W_ih x + b_ih + W_hh h + b_hh                    without a norm
///     a = N(W_ih x) + N(W_hh h) + bias                     Placement::separate; N over all 4H values
///     a = N(W_ih x + W_hh h)                               Placement::sum; + bias as in RNNCell
///     i = sigmoid(a_i)   f = sigmoid(a_f)   g = tanh(a_g)   o = sigmoid(a_o)
///     c' = f c + i g
///     h' = o tanh(c'), with a norm o tanh(N(c'));  c' itself is carried as it is
///
/// With proj_size P the state is h' = W_hr (o tanh(c')), of size P.
///
/// **Shape**: x [B, input_size], h [B, hidden_size or proj_size], c [B, hidden_size]; undefined ones, be it one
/// of the two, are zeros. Returns {h', c'} of the same shapes.
/// **Initialization**, **Throws**, **Differences from PyTorch**: as RNNCell, and ValueError unless proj_size is
/// less than hidden_size. **Gradient**: to x, h, c and all parameters, of any order.
/// **Source**: Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000; Ba et al. 2016,
/// arXiv:1607.06450, appendix, though gains are 1 and shifts 0, not as its text says; Cooijmans et al. 2016,
/// arXiv:1603.09025, equations 6 to 8; projection: Sak et al. 2014, arXiv:1402.1128.
///
///     nn::LSTMCell cell(3, 4);
///     auto [h, c] = cell(x, {zeros({2, 4}), zeros({2, 4})});
struct LSTMCell : detail::CellBase<LSTMCell, RecurrentCell::lstm> {
  using CellBase::CellBase;
};

/// One step of a gated recurrent unit, gates in PyTorch's order (r, z, n):
///
///     p = W_ih x + b_ih           q = W_hh h + b_hh        without a norm
///     p = N(W_ih x) + bias        q = N(W_hh h)            Placement::separate
///     r = sigmoid(p_r + q_r)   z = sigmoid(p_z + q_z)   n = tanh(p_n + r q_n)
///     h' = (1 - z) n + z h
///
/// With {.reset_after = false}, and then without a norm, n = tanh(p_n + W_hn (r h) + b_hn), of the same parameters.
///
/// With Placement::sum r, z = sigmoid(N(p + q)) and n = tanh(N(p_n + r q_n)) of p = W_ih x and q = W_hh h,
/// with + bias as in RNNCell. The 2H values of r and z have one mean and variance, and the H values of n
/// another; with Norm::batch each value has its own, and Placement::sum is refused.
///
/// **Shape**: x [B, input_size], h [B, hidden_size] or undefined (zeros) -> h' [B, hidden_size].
/// **Initialization**, **Throws**, **Gradient**, **Differences from PyTorch**: as RNNCell.
/// **Source**: Cho et al. 2014, arXiv:1406.1078, there with the reset gate before the product; Ba et al.
/// 2016, arXiv:1607.06450, who let z write where it keeps here.
///
///     nn::GRUCell cell(3, 4, {.norm = nn::Norm::rms});
///     const Tensor h = cell(x, zeros({2, 4}));
struct GRUCell : detail::CellBase<GRUCell, RecurrentCell::gru> {
  using CellBase::CellBase;
};

}  // namespace tapegrad::nn

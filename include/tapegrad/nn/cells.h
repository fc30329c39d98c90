// File: nn/cells.h
//
// One step of a recurrent network: RNNCell, LSTMCell, GRUCell, plain or normalized. The layers in
// nn/recurrent.h hold cells and take them through a whole sequence.
#pragma once
#include <tapegrad/nn/module.h>
#include <tapegrad/ops/recurrent.h>

namespace tapegrad::nn {

using tapegrad::Norm;
using tapegrad::Placement;

/// The gain and shift of a norm inside a cell: weight, at first 1, and for layer normalization bias, at first
/// 0.
///
/// For recurrent batch normalization weight is at first 0.1 (1 would saturate the tanh behind it), and there
/// are running statistics of each of the first max_steps time steps.
struct CellNorm : Module<CellNorm> {
  CellNorm(int64_t size, bool with_bias, int64_t max_steps = 0);
  /// Batch normalization of x [B, size] at a time step: in training by the batch's statistics, which move the
  /// running ones of this step; in evaluation by the running ones, after the longest sequence seen those of
  /// its last step.
  Tensor batch_norm(const Tensor& x, int64_t time, double eps) const;

  Parameter weight, bias;
  Buffer running_mean, running_var;  ///< [max_steps, size]
  Buffer steps_seen;                 ///< int64 [1]: the longest sequence of training, at most max_steps
};

struct RNNCellOptions {
  bool relu = false;  ///< relu in place of tanh
  bool bias = true;
  Norm norm = Norm::none;
  Placement placement = Placement::sum;  ///< the paper's equation 4
  double eps = 1e-5;
  int64_t max_steps = 0;  ///< Norm::batch: time steps with statistics of their own
};

struct LSTMCellOptions {
  bool bias = true;
  Norm norm = Norm::none;
  Placement placement = Placement::separate;  ///< the paper's appendix
  double eps = 1e-5;
  int64_t max_steps = 0;  ///< as in RNNCellOptions
  int64_t proj_size = 0;  ///< size of h where it is a projection W_hr h; 0: none
};

struct GRUCellOptions {
  bool bias = true;
  Norm norm = Norm::none;
  Placement placement = Placement::separate;  ///< Norm::batch has this one only
  double eps = 1e-5;
  int64_t max_steps = 0;  ///< as in RNNCellOptions
};

namespace detail {

/// What a cell is made of, whichever it is.
struct CellConfig {
  RecurrentCell cell;
  int64_t input_size, hidden_size;
  bool bias;
  Norm norm;
  Placement placement;
  double eps;
  int64_t max_steps;
  int64_t proj_size = 0;

  int64_t width() const;  // of the summed inputs: gates times hidden_size
  int64_t output_size() const { return proj_size ? proj_size : hidden_size; }
  bool has(const char* part) const;  // "bias_ih", "bias", "ln", "ln_ih", "ln_hh", "ln_c", "bn", ...
  Tensor initial(const char* name) const;
  CellNorm norm_for(const char* part) const;
  std::string text() const;
};

/// The parameters of a cell, under PyTorch's names:
///   without a norm   weight_ih [GH, I], weight_hh [GH, H], bias_ih and bias_hh [GH]
///   with one         weight_ih, weight_hh, bias [GH], ln_ih and ln_hh (separate) or ln (sum), lstm: ln_c;
///                    with Norm::batch bn_ih, ...
///   with proj_size   weight_hh [GH, P], and weight_hr [P, H]
template <class Derived>
class CellBase : public Module<Derived> {
 public:
  CellConfig config;
  Parameter weight_ih = this->add_parameter("weight_ih", config.initial("weight_ih"));
  Parameter weight_hh = this->add_parameter("weight_hh", config.initial("weight_hh"));
  Parameter bias_ih = this->add_parameter("bias_ih", config.initial("bias_ih"));
  Parameter bias_hh = this->add_parameter("bias_hh", config.initial("bias_hh"));
  Parameter bias = this->add_parameter("bias", config.initial("bias"));
  Parameter weight_hr = this->add_parameter("weight_hr", config.initial("weight_hr"));
  std::vector<CellNorm> norms = make_norms();  ///< ln_ih and ln_hh, or ln; for lstm then ln_c

  /// What the operation recurrent() takes, its biases added up.
  RecurrentParameters recurrent_parameters() const {
    return cell_parameters(config, weight_hh, bias_ih, bias_hh, bias, norms);
  }
  /// Options of recurrent() for this cell.
  RecurrentOptions recurrent_options() const {
    return {.cell = config.cell, .norm = config.norm, .placement = config.placement, .eps = config.eps};
  }
  /// One step from projected = x W_ih^T, made of simple operations: {h} or {h, c}. `h_mask`, where it is
  /// defined, multiplies the h that goes into the product with W_hh.
  Gradients advance(const Tensor& projected, const Tensor& h, const Tensor& c,
                    const RecurrentParameters& parameters, int64_t time, const Tensor& h_mask = {}) const;

 protected:
  explicit CellBase(const CellConfig& config) : config(config) { this->describe(config.text()); }

  /// One step: {h} or {h, c}. Undefined states are zeros.
  Gradients step(const Tensor& x, const Tensor& h, const Tensor& c, int64_t time) const;

 private:
  std::vector<CellNorm> make_norms() {
    std::vector<CellNorm> out;
    for (const char* part : {"ln_ih", "ln_hh", "ln", "ln_c", "bn_ih", "bn_hh", "bn", "bn_c"})
      if (config.has(part)) out.push_back(this->add(part, config.norm_for(part)));
    return out;
  }
  static RecurrentParameters cell_parameters(const CellConfig& config, const Tensor& weight_hh,
                                             const Tensor& bias_ih, const Tensor& bias_hh, const Tensor& bias,
                                             const std::vector<CellNorm>& norms);
};

}  // namespace detail

/// h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or with a norm h' = tanh(LN(W_ih x + W_hh h)), whose shift is
/// the bias.
///
/// With Norm::batch h' = tanh(BN(W_ih x + W_hh h) + bias), or with Placement::separate the two terms apart:
/// see CellNorm. `time` is the step's number from 0 and matters with Norm::batch only.
///
/// **Shape**: x [B, input_size], h [B, hidden_size] or undefined (zeros) -> h' [B, hidden_size].
/// **Initialization**: uniform in [-1/sqrt(H), 1/sqrt(H)], as PyTorch; gains 1 and shifts 0.
/// **Throws** ShapeError, DtypeError; ValueError with Norm::batch in training for a batch of one.
/// **Source**: Ba et al. 2016, arXiv:1607.06450, eq. 4; Cooijmans et al. 2016, arXiv:1603.09025.
class RNNCell : public detail::CellBase<RNNCell> {
 public:
  using State = Tensor;
  RNNCell(int64_t input_size, int64_t hidden_size, RNNCellOptions options = {});
  Tensor forward(const Tensor& x, const Tensor& h = {}, int64_t time = 0);
};

/// The state of an LSTM; empty means zeros.
struct LSTMState {
  Tensor h, c;
};

/// i, f, o = sigmoid, g = tanh of the summed inputs;  c' = f c + i g,  h' = o tanh(c'). With a norm the
/// summed inputs are LN(W_ih x) + LN(W_hh h) + bias, one mean and variance over all 4H values, and h' = o
/// tanh(LN(c')); c' itself is carried as it is. Gates in PyTorch's order (i, f, g, o).
///
/// With Norm::batch the same with BN for LN, and proj_size P makes h' = W_hr (o tanh(c')) of size P.
///
/// **Shape**: x [B, input_size], h [B, hidden_size or proj_size] and c [B, hidden_size] -> {h', c'}.
/// Otherwise as RNNCell.
/// **Source**: Ba et al. 2016, arXiv:1607.06450, appendix; gains are 1 and shifts 0, not as its text says.
/// Cooijmans et al. 2016, "Recurrent Batch Normalization", arXiv:1603.09025, equations 6 to 8. Projection:
/// Sak et al. 2014, arXiv:1402.1128.
class LSTMCell : public detail::CellBase<LSTMCell> {
 public:
  using State = LSTMState;
  LSTMCell(int64_t input_size, int64_t hidden_size, LSTMCellOptions options = {});
  State forward(const Tensor& x, const State& state = {}, int64_t time = 0);
};

/// r, z = sigmoid, n = tanh(p_n + r q_n);  h' = (1 - z) n + z h, with p from x and q from h. With a norm
/// p = LN(W_ih x) + bias and q = LN(W_hh h), where the 2H values of r and z have one mean and variance and
/// the H values of n another. With Placement::sum r, z = sigmoid(LN(p + q) + bias), n = tanh(LN(p_n + r q_n)
/// + bias) from p = W_ih x and q = W_hh h. With Norm::batch p = BN(W_ih x) + bias and q = BN(W_hh h). Gates
/// in PyTorch's order (r, z, n).
///
/// **Shape** and the rest as RNNCell. Ba et al. let z write where here, as in PyTorch, it keeps.
class GRUCell : public detail::CellBase<GRUCell> {
 public:
  using State = Tensor;
  GRUCell(int64_t input_size, int64_t hidden_size, GRUCellOptions options = {});
  Tensor forward(const Tensor& x, const Tensor& h = {}, int64_t time = 0);
};

}  // namespace tapegrad::nn

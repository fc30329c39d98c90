// A recurrent layer over a whole sequence, fused: src/compute/recurrent.cpp runs it, kernels/recurrent has the loop over time.
//
// Saved: the states, the gates after their nonlinearity, and with a norm q = h W_hh^T and the moments of each
// row; the normalized values themselves cost one multiplication to rebuild.
//
// Backward, from the last step to the first, with dh and dc carried:
//   lstm   t = tanh(N(c))     do = dh t o (1 - o)      dc += N backward of dh o (1 - t^2)
//          di = dc g i (1 - i)     df = dc c' f (1 - f)     dg = dc i (1 - g^2)     dc' = dc f
//   gru    dn = dh (1 - z) (1 - n^2)     dr = dn q_n r (1 - r)     dz = dh (h' - n) z (1 - z)     dq_n = dn r
//          dh' = dh z + what comes through q
//   rnn    da = dh (1 - h^2), or dh where h > 0
//   norm   dx = rstd (g - mean(g) - xhat mean(g xhat)),  g = da gain    (as in layer_norm.cpp)
//   dh' += dq W_hh a step;   dW_hh = sum over steps of dq^T h', one product over all T B rows
// Source of the equations: Ba, Kiros, Hinton 2016, arXiv:1607.06450; Hochreiter and Schmidhuber 1997 with the
// forget gate of Gers et al. 2000; Cho et al. 2014, in the form that applies the reset gate after the
// product.
#include "ops/recurrent/recurrent.h"

#include "compute/fused.h"
#include "core/fail.h"

namespace tapegrad {

namespace {

const char* op_name(RecurrentCell cell) {
  return cell == RecurrentCell::lstm ? "lstm" : cell == RecurrentCell::gru ? "gru" : "rnn";
}

void check_shape(const char* op, const char* what, const Tensor& x, const Shape& shape, Dtype dtype) {
  if (!x.defined()) return;
  if (x.shape() != shape) fail<ShapeError>(op, "{} must have the shape {}, got {}", what, shape, x.shape());
  if (x.dtype() != dtype) fail<DtypeError>(op, "{} must be {} as the input, got {}", what, dtype, x.dtype());
}

void check(const Tensor& p, const Tensor& h0, const Tensor& c0, const RecurrentParameters& w,
           const RecurrentOptions& o) {
  const char* op = op_name(o.cell);
  const int64_t gates = gate_count(o.cell);
  if (p.dim() != 3 || w.weight_hh.dim() != 2)
    fail<ShapeError>(op, "projected must be [T, B, GH] and weight_hh [GH, H], got {} and {}", p.shape(),
                     w.weight_hh.shape());
  const int64_t hidden = w.weight_hh.size(1), width = gates * hidden, batch = p.size(1);
  const Dtype dtype = p.dtype();
  check_shape(op, "projected", p, {p.size(0), batch, width}, dtype);
  check_shape(op, "weight_hh", w.weight_hh, {width, hidden}, dtype);
  check_shape(op, "h0", h0, {batch, hidden}, dtype);
  check_shape(op, "c0", c0, {batch, hidden}, dtype);
  for (const Tensor* x : {&w.bias, &w.bias_hh, &w.gain_ih, &w.gain_hh})
    check_shape(op, "a bias or gain", *x, {width}, dtype);
  for (const Tensor* x : {&w.gain_c, &w.bias_c}) check_shape(op, "gain_c and bias_c", *x, {hidden}, dtype);
  if (o.norm == Norm::batch) fail<ValueError>(op, "norm must be none, layer or rms here, got batch");
  if (o.norm != Norm::none && o.placement == Placement::sum && w.bias_hh.defined())
    fail<ValueError>(op, "with Placement::sum a gru has one bias. Hint: leave bias_hh undefined");
  if (!o.lengths.defined()) return;
  if (o.lengths.shape() != Shape{batch} || o.lengths.dtype() != int64)
    fail<ShapeError>(op, "lengths must be int64 [{}], got {} {}", batch, o.lengths.dtype(), o.lengths.shape());
  const Tensor lengths = o.lengths.contiguous();
  for (int64_t row = 0; row < batch; ++row)
    if (const int64_t n = lengths.data<int64_t>()[size_t(row)]; n < 0 || n > p.size(0))
      fail<IndexError>(op, "lengths must be in [0, {}], got {} for row {}", p.size(0), n, row);
}

}  // namespace

Tensors recurrent(const Tensor& p, const Tensor& h0, const Tensor& c0, const RecurrentParameters& w,
                  const RecurrentOptions& options) {
  check(p, h0, c0, w, options);
  const auto composed = [options](const Tensors& in) { return recurrent_composed(in, options); };
  return fused(op_name(options.cell),
               {p, h0, c0, w.weight_hh, w.bias, w.bias_hh, w.gain_ih, w.gain_hh, w.gain_c, w.bias_c, options.lengths},
               {{"relu", options.cell == RecurrentCell::rnn_relu},
                {"norm", norm_name(options.norm)},
                {"placement", placement_name(options.placement)},
                {"eps", options.eps},
                {"reverse", options.reverse}},
               composed, compute::Recurrent{options});
}

}  // namespace tapegrad

// The kinds of recurrent cells and of their normalization, for the modules, the operation and its kernels.
#pragma once
#include <cstdint>

namespace tapegrad {

enum class RecurrentCell : uint8_t { rnn_tanh, rnn_relu, lstm, gru };

/// The number G of gates: the summed inputs of a cell with H hidden units are G H values.
inline int64_t gate_count(RecurrentCell cell) {
  return cell == RecurrentCell::lstm ? 4 : cell == RecurrentCell::gru ? 3 : 1;
}

/// What normalizes the summed inputs of a recurrent cell.
enum class Norm : uint8_t {
  none,
  layer,  ///< layer normalization, Ba et al. 2016
  rms,    ///< RMS normalization, Zhang and Sennrich 2019
  batch,  ///< recurrent batch normalization, Cooijmans et al. 2016: in modules only
};

/// Where the norm stands.
enum class Placement : uint8_t {
  separate,  ///< N(W_ih x) + N(W_hh h): the paper's appendix. Erases the magnitude of an input of few
             ///< features
  sum,       ///< N(W_ih x + W_hh h): the paper's equation 4
};

}  // namespace tapegrad

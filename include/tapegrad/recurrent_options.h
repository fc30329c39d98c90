// What a recurrent layer over a sequence may be told: for the operation and for what computes it.
#pragma once
#include <tapegrad/recurrent_cell.h>
#include <tapegrad/tensor.h>

namespace tapegrad {

struct RecurrentOptions {
  RecurrentCell cell = RecurrentCell::lstm;   ///< whose equations
  Norm norm = Norm::none;                     ///< of the summed inputs
  Placement placement = Placement::separate;  ///< of the norm
  double eps = 1e-5;                          ///< of the norm, added to the variance
  bool reverse = false;                       ///< from the last step to the first
  Tensor lengths = {};                        ///< int64 [B]: steps of each sequence; none means all of them
};

}  // namespace tapegrad

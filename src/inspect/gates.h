#pragma once
#include <tapegrad/observer.h>

#include <vector>

namespace tapegrad::inspect {

/// Share of saturated gates at each time step of a fused lstm or gru, of at most eight rows of the batch; empty for another operation,
/// and where sequences have lengths.
std::vector<double> saturated_gates(const OperationView& operation, const Tensors& inputs, const Tensors& outputs);

/// Share of the values of a sigmoid beyond [0.03, 0.97], or of a tanh beyond [-0.97, 0.97].
double saturated(std::string_view op, const Tensor& y, int64_t sample);

}  // namespace tapegrad::inspect

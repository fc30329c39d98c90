// The update of each optimizer, one pass over its parameters: p -= step from g and the optimizer's own state,
// in place. The formulas and their order of operations are PyTorch's. Settings are float64; float32
// parameters are updated in float32 from factors that are rounded once.
#pragma once
#include <cstdint>

namespace tapegrad::kernels {

struct SgdStep {
  double lr, momentum, dampening, weight_decay;
  bool nesterov;
  bool first;  // the buffer becomes g itself
};
/// g += weight_decay p; buffer = momentum buffer + (1 - dampening) g; p -= lr (nesterov ? g + momentum buffer
/// : buffer). Without momentum p -= lr g, and buffer may be null.
template <class T>
void sgd(int64_t n, SgdStep s, const T* g, T* p, T* buffer);

struct AdamStep {
  double lr, beta1, beta2, eps, weight_decay;
  bool decoupled;  // AdamW: p *= 1 - lr weight_decay, instead of g += weight_decay p
  int64_t step;    // 1 at the first
};
/// m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
/// p -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps), with max(v so far) for v if max_v is not
/// null.
template <class T>
void adam(int64_t n, AdamStep s, const T* g, T* p, T* m, T* v, T* max_v);

struct RmspropStep {
  double lr, alpha, eps, weight_decay, momentum;
};
/// v = alpha v + (1 - alpha) g^2; u = g / (sqrt(v - mean_g^2) + eps); p -= lr u, or with momentum
/// buffer = momentum buffer + u; p -= lr buffer. mean_g (centered) and buffer (momentum) may be null.
template <class T>
void rmsprop(int64_t n, RmspropStep s, const T* g, T* p, T* v, T* mean_g, T* buffer);

struct AdagradStep {
  double lr, lr_decay, eps, weight_decay;
  int64_t step;  // 1 at the first
};
/// sum += g^2; p -= lr / (1 + (t - 1) lr_decay) g / (sqrt(sum) + eps).
template <class T>
void adagrad(int64_t n, AdagradStep s, const T* g, T* p, T* sum);

struct AdadeltaStep {
  double lr, rho, eps, weight_decay;
};
/// v = rho v + (1 - rho) g^2; u = sqrt(delta + eps) / sqrt(v + eps) g; delta = rho delta + (1 - rho) u^2; p
/// -= lr u.
template <class T>
void adadelta(int64_t n, AdadeltaStep s, const T* g, T* p, T* v, T* delta);

}  // namespace tapegrad::kernels

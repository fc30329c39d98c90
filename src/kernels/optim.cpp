// The updates are bound by memory: each array is read once and written once. What is the same for all
// elements, such as Adam's bias correction, is computed once, before the loop.
//
// Source: Kingma, Ba (2015), Adam, arXiv:1412.6980, algorithm 1. Loshchilov, Hutter (2019), Decoupled weight
// decay regularization, arXiv:1711.05101, algorithm 2. Reddi, Kale, Kumar (2018), On the convergence of Adam
// and beyond, arXiv:1904.09237, algorithm 2. Duchi, Hazan, Singer (2011), Adaptive subgradient methods,
// JMLR 12. Zeiler (2012), ADADELTA, arXiv:1212.5701, algorithm 1. Sutskever et al. (2013), On the importance
// of initialization and momentum.
#include "kernels/optim.h"

#include <cmath>
#include <type_traits>

#include "kernels/loops/map.h"
#include "kernels/vector/constants.h"

namespace tapegrad::kernels {

template <class T>
void sgd(int64_t n, SgdStep s, const T* g, T* p, T* buffer) {
  const T lr = static_cast<T>(s.lr), decay = static_cast<T>(s.weight_decay);
  if (s.momentum == 0.0) {
    return simd([=] {
      TAPEGRAD_INDEPENDENT
      for (int64_t i = 0; i < n; ++i) p[i] -= lr * (g[i] + decay * p[i]);
    });
  }
  const T keep = s.first ? T(0) : static_cast<T>(s.momentum), add = s.first ? T(1) : static_cast<T>(1 - s.dampening);
  const T ahead = s.nesterov ? static_cast<T>(s.momentum) : T(1), own = s.nesterov ? T(1) : T(0);
  simd([=] {
    TAPEGRAD_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) {
      const T slope = g[i] + decay * p[i];
      const T b = keep * buffer[i] + add * slope;
      buffer[i] = b;
      p[i] -= lr * (own * slope + ahead * b);
    }
  });
}

namespace {

/// base^n by squaring: the C library's pow is not the same on every CPU.
double power(double base, int64_t n) {
  double result = 1;
  for (; n > 0; n /= 2, base *= base)
    if (n % 2 != 0) result *= base;
  return result;
}

}  // namespace

template <class T>
void adam(int64_t n, AdamStep s, const T* g, T* p, T* m, T* v, T* max_v) {
  const T beta1 = static_cast<T>(s.beta1), add1 = static_cast<T>(1 - s.beta1);
  const T beta2 = static_cast<T>(s.beta2), add2 = static_cast<T>(1 - s.beta2);
  const T rate = static_cast<T>(s.lr / (1 - power(s.beta1, s.step)));
  const T correction = static_cast<T>(1 / std::sqrt(1 - power(s.beta2, s.step))), eps = static_cast<T>(s.eps);
  const T keep = s.decoupled ? static_cast<T>(1 - s.lr * s.weight_decay) : T(1);
  const T decay = s.decoupled ? T(0) : static_cast<T>(s.weight_decay);
  const auto moments = [=](int64_t i) {
    const T slope = g[i] + decay * p[i];
    m[i] = beta1 * m[i] + add1 * slope;
    v[i] = beta2 * v[i] + add2 * slope * slope;
  };
  if (!max_v) {
    return simd([=] {
      TAPEGRAD_INDEPENDENT
      for (int64_t i = 0; i < n; ++i) {
        moments(i);
        p[i] = keep * p[i] - rate * m[i] / (std::sqrt(v[i]) * correction + eps);
      }
    });
  }
  simd([=] {
    TAPEGRAD_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) {
      moments(i);
      const T largest = v[i] < max_v[i] ? max_v[i] : v[i];
      max_v[i] = largest;
      p[i] = keep * p[i] - rate * m[i] / (std::sqrt(largest) * correction + eps);
    }
  });
}

template <class T>
void rmsprop(int64_t n, RmspropStep s, const T* g, T* p, T* v, T* mean_g, T* buffer) {
  const T lr = static_cast<T>(s.lr), alpha = static_cast<T>(s.alpha), add = static_cast<T>(1 - s.alpha);
  const T eps = static_cast<T>(s.eps), decay = static_cast<T>(s.weight_decay), momentum = static_cast<T>(s.momentum);
  const auto run = [=](auto centred, auto moving) {
    simd([=] {
      TAPEGRAD_INDEPENDENT
      for (int64_t i = 0; i < n; ++i) {
        const T slope = g[i] + decay * p[i];
        v[i] = alpha * v[i] + add * slope * slope;
        T variance = v[i];
        if constexpr (decltype(centred)::value) {
          mean_g[i] = alpha * mean_g[i] + add * slope;
          variance -= mean_g[i] * mean_g[i];
          variance = variance > 0 ? variance : T(0);  // rounding may leave less than none, and a root of NaN
        }
        T u = slope / (std::sqrt(variance) + eps);
        if constexpr (decltype(moving)::value) {
          u += momentum * buffer[i];
          buffer[i] = u;
        }
        p[i] -= lr * u;
      }
    });
  };
  with_constants(run, mean_g, buffer);
}

template <class T>
void adagrad(int64_t n, AdagradStep s, const T* g, T* p, T* sum) {
  const T rate = static_cast<T>(s.lr / (1 + static_cast<double>(s.step - 1) * s.lr_decay));
  const T eps = static_cast<T>(s.eps), decay = static_cast<T>(s.weight_decay);
  simd([=] {
    TAPEGRAD_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) {
      const T slope = g[i] + decay * p[i];
      sum[i] += slope * slope;
      p[i] -= rate * slope / (std::sqrt(sum[i]) + eps);
    }
  });
}

template <class T>
void adadelta(int64_t n, AdadeltaStep s, const T* g, T* p, T* v, T* delta) {
  const T lr = static_cast<T>(s.lr), rho = static_cast<T>(s.rho), add = static_cast<T>(1 - s.rho);
  const T eps = static_cast<T>(s.eps), decay = static_cast<T>(s.weight_decay);
  simd([=] {
    TAPEGRAD_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) {
      const T slope = g[i] + decay * p[i];
      v[i] = rho * v[i] + add * slope * slope;
      const T u = std::sqrt(delta[i] + eps) / std::sqrt(v[i] + eps) * slope;
      delta[i] = rho * delta[i] + add * u * u;
      p[i] -= lr * u;
    }
  });
}

#define TAPEGRAD_INSTANTIATE(T)                                          \
  template void sgd(int64_t, SgdStep, const T*, T*, T*);                 \
  template void adam(int64_t, AdamStep, const T*, T*, T*, T*, T*);       \
  template void rmsprop(int64_t, RmspropStep, const T*, T*, T*, T*, T*); \
  template void adagrad(int64_t, AdagradStep, const T*, T*, T*);         \
  template void adadelta(int64_t, AdadeltaStep, const T*, T*, T*, T*)
TAPEGRAD_INSTANTIATE(float);
TAPEGRAD_INSTANTIATE(double);
#undef TAPEGRAD_INSTANTIATE

}  // namespace tapegrad::kernels

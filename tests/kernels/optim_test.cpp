// Trajectories of one parameter against the textbook recurrences, written out here once more in long double.
#include "kernels/optim.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace tapegrad::kernels {
namespace {

using Real = long double;

template <class T>
class Optim : public testing::Test {
 protected:
  static constexpr double tolerance = sizeof(T) == 4 ? 2e-5 : 1e-13;

  /// Twenty steps over arrays of all odd sizes; every element must follow `exact`, which updates one
  /// parameter.
  template <class Update, class Exact>
  void follow(Update update, Exact make_exact) {
    for (int64_t n : {0, 1, 3, 15, 16, 17, 67}) {
      std::vector<T> p(n, T(0.75)), g(n), a(n), b(n), c(n);
      Real q = 0.75;
      auto exact = make_exact();
      for (int step = 1; step <= 20; ++step) {
        const Real slope = static_cast<T>(std::sin(1.3 * step) + 0.2);
        for (T& e : g) e = static_cast<T>(slope);
        update(n, step, g.data(), p.data(), a.data(), b.data(), c.data());
        exact(step, slope, q);
        for (T e : p) ASSERT_NEAR(e, q, tolerance) << "size " << n << ", step " << step;
      }
    }
  }
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Optim, Types);

TYPED_TEST(Optim, SgdFollowsItsRecurrence) {
  using T = TypeParam;
  for (double momentum : {0.0, 0.9}) {
    for (bool nesterov : {false, true}) {
      for (double dampening : {0.0, 0.3}) {
        this->follow(
            [=](int64_t n, int step, const T* g, T* p, T* buffer, T*, T*) {
              sgd(n, {0.05, momentum, dampening, 0.01, nesterov, step == 1}, g, p, buffer);
            },
            [=] {
              return [=, buffer = Real{0}](int step, Real g, Real& p) mutable {
                g += 0.01L * p;
                buffer = step == 1 ? g : momentum * buffer + (1 - Real{dampening}) * g;
                p -= 0.05L * (momentum == 0 ? g : nesterov ? g + momentum * buffer : buffer);
              };
            });
      }
    }
  }
}

TYPED_TEST(Optim, AdamFollowsItsRecurrence) {
  using T = TypeParam;
  for (bool decoupled : {false, true}) {
    for (bool amsgrad : {false, true}) {
      this->follow(
          [=](int64_t n, int step, const T* g, T* p, T* m, T* v, T* max_v) {
            adam(n, {0.05, 0.8, 0.9, 1e-8, 0.1, decoupled, step}, g, p, m, v, amsgrad ? max_v : nullptr);
          },
          [=] {
            return [=, m = Real{0}, v = Real{0}, top = Real{0}](int step, Real g, Real& p) mutable {
              if (decoupled) p *= 1 - 0.05L * 0.1L;
              if (!decoupled) g += 0.1L * p;
              m = 0.8L * m + 0.2L * g;
              v = 0.9L * v + 0.1L * g * g;
              top = amsgrad ? std::max(top, v) : v;
              p -= 0.05L * m / (1 - std::pow(0.8L, step)) / (std::sqrt(top / (1 - std::pow(0.9L, step))) + 1e-8L);
            };
          });
    }
  }
}

TYPED_TEST(Optim, RmspropFollowsItsRecurrence) {
  using T = TypeParam;
  for (bool centred : {false, true}) {
    for (double momentum : {0.0, 0.5}) {
      this->follow(
          [=](int64_t n, int, const T* g, T* p, T* v, T* mean_g, T* buffer) {
            rmsprop(n, {0.02, 0.9, 1e-3, 0.01, momentum}, g, p, v, centred ? mean_g : nullptr,
                    momentum > 0 ? buffer : nullptr);
          },
          [=] {
            return [=, v = Real{0}, mean = Real{0}, buffer = Real{0}](int, Real g, Real& p) mutable {
              g += 0.01L * p;
              v = 0.9L * v + 0.1L * g * g;
              mean = centred ? 0.9L * mean + 0.1L * g : 0;
              buffer = momentum * buffer + g / (std::sqrt(v - mean * mean) + 1e-3L);
              p -= 0.02L * buffer;
            };
          });
    }
  }
}

TYPED_TEST(Optim, AdagradAndAdadeltaFollowTheirRecurrences) {
  using T = TypeParam;
  this->follow(
      [](int64_t n, int step, const T* g, T* p, T* sum, T*, T*) {
        adagrad(n, {0.1, 0.05, 1e-10, 0.01, step}, g, p, sum);
      },
      [] {
        return [sum = Real{0}](int step, Real g, Real& p) mutable {
          g += 0.01L * p;
          sum += g * g;
          p -= 0.1L / (1 + (step - 1) * 0.05L) * g / (std::sqrt(sum) + 1e-10L);
        };
      });
  this->follow(
      [](int64_t n, int, const T* g, T* p, T* v, T* delta, T*) {
        adadelta(n, {1.0, 0.9, 1e-6, 0.01}, g, p, v, delta);
      },
      [] {
        return [v = Real{0}, delta = Real{0}](int, Real g, Real& p) mutable {
          g += 0.01L * p;
          v = 0.9L * v + 0.1L * g * g;
          const Real u = std::sqrt((delta + 1e-6L) / (v + 1e-6L)) * g;
          delta = 0.9L * delta + 0.1L * u * u;
          p -= u;
        };
      });
}

}  // namespace
}  // namespace tapegrad::kernels

#include "compute/optim_step.h"

#include <tuple>

#include "system/parallel.h"
#include "tensor/impl.h"

namespace tapegrad::compute {

namespace {

/// 16384 elements: 256 KB of the four arrays of Adam in float32, which is about 20 microseconds.
constexpr int64_t kChunk = 1 << 14;

// kernel(n, g, arrays...) for the chunks of a parameter, on several threads.
template <class Kernel, class... Arrays>
void in_chunks(const Tensor& gradient, Kernel kernel, Arrays&... arrays) {
  detail::dispatch_float("step", gradient.dtype(), [&]<class T>(T) {
    const auto numbers = [](Tensor& x) { return x.defined() ? x.mutable_data<T>().data() : nullptr; };
    const T* g = detail::ptr<T>(gradient);
    const std::tuple all{numbers(arrays)...};
    parallel_rows(gradient.numel(), kChunk, [&](int64_t begin, int64_t end) {
      std::apply([&](auto*... x) { kernel(end - begin, g + begin, (x ? x + begin : x)...); }, all);
    });
  });
}

}  // namespace

void sgd(const SgdStep& step, const Tensor& g, Tensor& p, Tensor& buffer) {
  in_chunks(
      g, [&](int64_t n, const auto* g, auto*... x) { kernels::sgd(n, step, g, x...); }, p, buffer);
}
void adam(const AdamStep& step, const Tensor& g, Tensor& p, Tensor& m, Tensor& v, Tensor& max_v) {
  in_chunks(
      g, [&](int64_t n, const auto* g, auto*... x) { kernels::adam(n, step, g, x...); }, p, m, v, max_v);
}
void rmsprop(const RmspropStep& step, const Tensor& g, Tensor& p, Tensor& v, Tensor& mean_g, Tensor& buffer) {
  in_chunks(
      g, [&](int64_t n, const auto* g, auto*... x) { kernels::rmsprop(n, step, g, x...); }, p, v, mean_g, buffer);
}
void adagrad(const AdagradStep& step, const Tensor& g, Tensor& p, Tensor& sum) {
  in_chunks(
      g, [&](int64_t n, const auto* g, auto*... x) { kernels::adagrad(n, step, g, x...); }, p, sum);
}
void adadelta(const AdadeltaStep& step, const Tensor& g, Tensor& p, Tensor& v, Tensor& delta) {
  in_chunks(
      g, [&](int64_t n, const auto* g, auto*... x) { kernels::adadelta(n, step, g, x...); }, p, v, delta);
}

}  // namespace tapegrad::compute

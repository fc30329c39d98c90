// A user's program: only the public header and tapegrad::tapegrad, and an exit code that says whether it worked. What
// tapegrad.h declares of tapegrad::train links as well.
#include <tapegrad/tapegrad.h>

namespace tg = tapegrad;

int main() {
  tg::nn::Linear linear(3, 2);
  tg::Tape tape;
  tg::Tensor loss = sum(linear(tg::ones({4, 3})));
  tape.backward(loss);
  // Each weight met a one in each of the four rows.
  for (const tg::Tensor& parameter : linear.parameters()) {
    if (sum(parameter.grad()).item() != 4.0 * double(parameter.numel())) return 1;
  }
  tg::train::Progress progress(1);
  if (tg::train::accuracy(tg::ones({2, 3}), tg::zeros({2}, {.dtype = tg::int64})) != 1) return 3;
  progress.step();
  return linear.parameters().size() == 2 ? 0 : 2;
}

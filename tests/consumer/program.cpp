// A user's program: only the public header, and an exit code that says whether it worked.
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
  return linear.parameters().size() == 2 ? 0 : 2;
}

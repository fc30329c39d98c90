// A user's program: only the public header, and an exit code that says whether it worked.
#include <tapegrad/tapegrad.h>

namespace tg = tapegrad;

int main() {
  tg::Tensor x = tg::ones({2, 3}, {.requires_grad = true});
  tg::Tape tape;
  tg::Tensor y = sum(x * x);
  tape.backward(y);
  return y.item() == 6 && sum(x.grad()).item() == 12 ? 0 : 1;
}

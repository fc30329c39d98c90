// Linear regression with everything in sight: no module, no optimizer.
//
// Points lie on the line y = 3 x - 1, with noise of standard deviation 0.1. Two numbers, a slope and an
// offset, begin at zero and go down the slope of the mean squared error. The update is written by hand, after
// the tape has ended: it is a change of the parameters and not part of what is differentiated.
#include <tapegrad/tapegrad.h>

#include <cmath>

#include "arguments.h"

using namespace tapegrad;

int main(int argc, char** argv) {
  Arguments(argc, argv, "Fits a line, without modules and optimizers.").finish();
  manual_seed(0);
  const Tensor x = rand({200}) * 2.0 - 1.0;
  const Tensor y = 3.0 * x - 1.0 + 0.1 * randn({200});

  Tensor slope = tensor(0.0, {.requires_grad = true}), offset = tensor(0.0, {.requires_grad = true});
  double error = 0;
  for (int step = 0; step <= 100; ++step) {
    slope.zero_grad();
    offset.zero_grad();
    {
      Tape tape;
      const Tensor loss = mean(pow(slope * x + offset - y, 2));
      tape.backward(loss);
      error = loss.item();
    }
    slope -= 0.3 * slope.grad();
    offset -= 0.3 * offset.grad();
    if (step % 20 == 0)
      fmt::print("step {:3}: error {:.4f}   y = {:.3f} x + {:.3f}\n", step, error, slope.item(), offset.item());
  }

  // What is left of the error is the variance of the noise, 0.01.
  const bool found = std::abs(slope.item() - 3) < 0.05 && std::abs(offset.item() + 1) < 0.05 && error < 0.015;
  return found ? 0 : 1;
}

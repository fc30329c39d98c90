// The chain rule, on a tape that can be looked at.
//
// A graph of scalars is computed while a tape records. The tape is a list of what ran, in order; backward()
// walks it from the end to the beginning and multiplies derivatives. The same derivatives, by hand:
//
//   c = a b + b^3            d = c + relu(b + a)
//   a = -4, b = 2:           c = -8 + 8 = 0,   b + a = -2 is negative, so relu passes nothing on,   d = 0
//   dd/da = dc/da = b             = 2
//   dd/db = dc/db = a + 3 b^2     = -4 + 12 = 8
#include <tapegrad/tapegrad.h>

#include "arguments.h"

using namespace tapegrad;

int main(int argc, char** argv) {
  Arguments(argc, argv, "Shows the tape of a graph of numbers, and its derivatives.").finish();
  Tensor a = tensor(-4.0, {.requires_grad = true}), b = tensor(2.0, {.requires_grad = true});

  Tape tape;
  Tensor c = a * b + pow(b, 3);
  Tensor d = c + relu(b + a);
  fmt::print("{}\n", tape);  // number, operation, inputs, shape, bytes kept for the way back, module
  tape.backward(d);

  fmt::print("d = {}, dd/da = {}, dd/db = {}\n", d.item(), a.grad().item(), b.grad().item());
  return d.item() == 0 && a.grad().item() == 2 && b.grad().item() == 8 ? 0 : 1;
}

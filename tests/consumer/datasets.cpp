// A user's program that reads and writes NumPy's arrays.
#include <tapegrad/datasets.h>
#include <tapegrad/tapegrad.h>

namespace tg = tapegrad;

int main() {
  tg::datasets::save_npz("consumer.npz", {{"x", tg::ones({2, 3})}}, {.compress = true});
  return tg::sum(tg::datasets::load_npz("consumer.npz").at("x")).item() == 6 ? 0 : 1;
}

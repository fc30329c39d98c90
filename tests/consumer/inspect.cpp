// A user's program that looks at a network.
#include <tapegrad/inspect.h>
#include <tapegrad/tapegrad.h>

namespace tg = tapegrad;

int main() {
  const tg::nn::Linear linear(3, 2);
  return tg::inspect::summary(linear, tg::ones({4, 3})).find("8 parameters") != std::string::npos ? 0 : 1;
}

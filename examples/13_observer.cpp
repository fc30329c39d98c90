// An observer of one's own: it counts the operations of a step, and draws the norm of each parameter's gradient.
//
// A tape tells its observers of every operation, of every backward function, and of each leaf as soon as the
// gradient of this pass is complete. So the bars come in the order in which backward gets there: last layer first.
#include <tapegrad/tapegrad.h>

#include <map>

#include "arguments.h"

using namespace tapegrad;

struct Watch : TapeObserver {
  std::map<std::string, int> calls;
  std::vector<std::pair<std::string, double>> norms;
  std::map<const void*, std::string> names;  // of the parameters, by their numbers' address

  explicit Watch(const nn::Sequential& model) {
    for (const auto& [name, parameter] : model.named_parameters()) names[parameter.data<float>().data()] = name;
  }
  void on_forward(const OperationView& operation, const Tensors&, const Tensors&) override { ++calls[operation.name]; }
  void on_leaf(const Tensor& leaf, const Tensor& gradient) override {
    norms.emplace_back(names[leaf.data<float>().data()], norm(gradient).item());
  }
};

int main(int argc, char** argv) {
  Arguments(argc, argv, "Counts the operations of a step and draws the gradients.").finish();
  manual_seed(0);
  nn::Sequential model(nn::Linear(16, 32), nn::LayerNorm(32), nn::ReLU(), nn::Linear(32, 3));
  const Tensor x = randn({64, 16}), labels = randint(0, 3, {64});

  Watch watch(model);
  Tape tape({.observers = {&watch}});
  tape.backward(cross_entropy(model(x), labels));

  for (const auto& [name, count] : watch.calls) fmt::print("{:>14} x {}\n", name, count);
  for (const auto& [name, size] : watch.norms)
    fmt::print("{:>14}  {:<6.3f} {}\n", name, size, std::string(size_t(1 + 60 * size), '#'));
  return watch.norms.size() == model.parameters().size() ? 0 : 1;
}

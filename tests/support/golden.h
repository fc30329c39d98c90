// PyTorch's numbers, from tests/golden or the folder that TAPEGRAD_GOLDEN names; see the README there for
// what is in a case. Shapes vary with the folder: take them from the tensors and settings, never from the
// test.
//
//   const Golden g = golden("layer_norm/basic");
//   expect_matches(g, {"input", "param/weight", "param/bias"}, [&](const std::vector<Tensor>& in) {
//     const double eps = g.number("eps");
//     return std::vector{layer_norm(in[0], g.sizes("normalized_shape"), in[1], in[2], {.eps = eps})};
//   });
#pragma once
#include <tapegrad/testing.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace tapegrad {

struct Golden {
  std::string name;
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> settings;

  /// The tensor of this name; throws, naming case and tensor, if there is none.
  const Tensor& operator[](const std::string& tensor) const;
  bool has(const std::string& tensor) const { return tensors.count(tensor) > 0; }
  /// A copy of the tensor with requires_grad.
  Tensor leaf(const std::string& tensor) const;
  /// What follows `prefix` in the names that begin with it: names("param/") is {"bias", "weight"}.
  std::vector<std::string> names(const std::string& prefix) const;

  /// Settings. "True" and "False" are Python's; sizes are separated by commas.
  const std::string& text(const std::string& setting) const;
  double number(const std::string& setting) const;
  int64_t integer(const std::string& setting) const;
  bool flag(const std::string& setting) const;
  Shape sizes(const std::string& setting) const;
};

Golden golden(const std::string& name);

/// What a float64 result may differ from PyTorch's, relative to 1 + |value|.
inline constexpr double kGoldenTolerance = 1e-10;

/// Compares `actual` with the tensor `name` of the case.
void expect_golden(const Golden& g, const std::string& name, const Tensor& actual, double tolerance = kGoldenTolerance);

/// Calls f with leaves made of the tensors `inputs` and compares its outputs with output, output1, ... and
/// the gradients of sum(output * grad_output) (of the output itself where a case has no cotangent) with
/// grad/*. Integer inputs are passed as they are.
void expect_matches(const Golden& g, const std::vector<std::string>& inputs,
                    const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& f,
                    double tolerance = kGoldenTolerance);

/// The same for leaves that somebody else holds (a module's parameters): `leaves` by their names in grad/.
void expect_gradients_match(const Golden& g, const std::vector<Tensor>& outputs, class Tape& tape,
                            const std::map<std::string, Tensor>& leaves, double tolerance = kGoldenTolerance);

}  // namespace tapegrad

// Work that is cut into pieces must give what the pieces give. A rowwise operation says how its inputs are made; expect_slices()
// runs it on all rows at once, with one, two and three threads, and again in float64 on a few rows at a time, each slice
// smaller than a piece of work: the results of the slices stand one after the other, and so do the gradients of what has
// rows, while those of what all rows share add up.
#pragma once
#include <tapegrad/tapegrad.h>

#include <functional>
#include <string>
#include <vector>

namespace tapegrad::borders {

using Inputs = std::vector<Tensor>;

/// Tolerances of float32, at the scale of the largest number; what goes through many steps is rounded as many times. That of
/// float64 is 1e-12.
inline constexpr double kOfFloat32 = 5e-6, kOfFloat32InSteps = 1e-4;

struct RowOperation {
  std::string name;
  std::function<Inputs(const Inputs&)> f;             // its results have the rows in their first axis
  std::function<Inputs(int64_t rows, Dtype)> inputs;  // rows first, then what all rows share
  size_t with_rows = 1;                               // how many inputs have rows
  int64_t chunk = 0;                                  // rows of a piece of work
  double of_float32 = kOfFloat32;                     // tolerance
};

/// Random numbers about 0, of a size of about 1; they take a third of the time of normal ones.
Tensor noise(const Shape& shape, Dtype dtype);

/// One result: the operation as it is written in a program.
std::function<Inputs(const Inputs&)> one(std::function<Tensor(const Inputs&)> f);

/// The results of f and then, where it recorded, the gradients of the inputs that are floating.
Inputs results_and_gradients(const std::function<Inputs(const Inputs&)>& f, const Inputs& inputs,
                             const Inputs& cotangents);

/// One random cotangent for each result, in its dtype; undefined where it has no gradient.
Inputs cotangents_of(const Inputs& results);

/// The results of make() with one, two and three threads, whose bits must be the same.
Inputs for_any_threads(const std::function<Inputs()>& make);

/// Two lists of tensors: integers and masks must be equal, numbers near to each other at the scale of the largest.
void expect_near(const Inputs& got, const Inputs& want, const std::string& what, double of_float32 = kOfFloat32);

void expect_slices(const RowOperation& operation, int64_t rows, Dtype dtype);
/// For sizes around() the operation's chunk, in float32 and float64.
void expect_slices(const RowOperation& operation);

}  // namespace tapegrad::borders

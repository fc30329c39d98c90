// Elements picked by index, and triangles.
#include "ops/samples.h"

namespace tapegrad {

namespace {

Tensor ints(const std::vector<int64_t>& values, const Shape& shape) { return from_vector<int64_t>(values, shape); }

}  // namespace

Samples gather_samples() {
  const Tensor index = ints({2, 0, 0, 1, 3, 3}, {2, 3}), none = ints({}, {0, 3});
  return {
      {.label = "rows, some twice, some never",
       .f = [=](const Inputs& in) { return gather(in[0], 1, index); },
       .inputs = {normal({2, 4})}},
      {.label = "columns", .f = [=](const Inputs& in) { return gather(in[0], 0, index); }, .inputs = {normal({4, 3})}},
      {.label = "strided",
       .f = [=](const Inputs& in) { return gather(in[0].transpose(0, 1), 1, index); },
       .inputs = {normal({4, 2})}},
      {.label = "nothing",
       .f = [=](const Inputs& in) { return gather(in[0], 0, none); },
       .inputs = {normal({4, 3})},
       .zero_gradient = true},
      {.label = "one tensor used twice",
       .f = [=](const Inputs& in) { return gather(in[0], 1, index) * narrow(in[0], 1, 1, 3); },
       .inputs = {normal({2, 4})}}};
}

Samples scatter_add_samples() {
  const Tensor index = ints({2, 0, 0, 1, 3, 3}, {2, 3});
  return {{.label = "rows",
           .f = [=](const Inputs& in) { return scatter_add(in[0], 1, index, in[1]); },
           .inputs = {normal({2, 4}), normal({2, 3})}},
          {.label = "columns, strided",
           .f = [=](const Inputs& in) { return scatter_add(in[0].transpose(0, 1), 0, index, in[1].transpose(0, 1)); },
           .inputs = {normal({3, 4}), normal({3, 2})}},
          {.label = "one tensor used twice",
           .f = [=](const Inputs& in) { return scatter_add(in[0], 1, index, narrow(in[0], 1, 1, 3)); },
           .inputs = {normal({2, 4})}}};
}

Samples index_select_samples() {
  const Tensor index = ints({2, 0, 2}, {3}), none = ints({}, {0});
  return {{.label = "rows",
           .f = [=](const Inputs& in) { return index_select(in[0], 0, index); },
           .inputs = {normal({3, 2})}},
          {.label = "a middle axis, strided",
           .f = [=](const Inputs& in) { return index_select(in[0].transpose(0, 2), 1, index); },
           .inputs = {normal({2, 3, 2})}},
          {.label = "a vector",
           .f = [=](const Inputs& in) { return index_select(in[0], -1, index); },
           .inputs = {normal({3})}},
          {.label = "nothing",
           .f = [=](const Inputs& in) { return index_select(in[0], 0, none); },
           .inputs = {normal({3, 2})},
           .zero_gradient = true}};
}

Samples index_add_samples() {
  const Tensor index = ints({2, 0, 2}, {3});
  return {{.label = "rows",
           .f = [=](const Inputs& in) { return index_add(in[0], 0, index, in[1]); },
           .inputs = {normal({4, 2}), normal({3, 2})}},
          {.label = "columns, strided",
           .f = [=](const Inputs& in) { return index_add(in[0].transpose(0, 1), 1, index, in[1].transpose(0, 1)); },
           .inputs = {normal({3, 2}), normal({3, 2})}},
          {.label = "one tensor used twice",
           .f = [=](const Inputs& in) { return index_add(in[0], 0, index, in[0]); },
           .inputs = {normal({3, 2})}}};
}

namespace {
Samples triangles(Tensor (*f)(const Tensor&, int64_t)) {
  Samples samples;
  for (int64_t diagonal : {-1, 0, 1})
    samples.push_back({.label = "diagonal " + std::to_string(diagonal),
                       .f = [=](const Inputs& in) { return f(in[0], diagonal); },
                       .inputs = {normal({2, 3, 4})}});
  samples.push_back({.label = "strided",
                     .f = [=](const Inputs& in) { return f(in[0].transpose(0, 1), 0); },
                     .inputs = {normal({4, 3})}});
  samples.push_back({.label = "nothing",
                     .f = [=](const Inputs& in) { return f(in[0], 0); },
                     .inputs = {normal({0, 3})},
                     .zero_gradient = true});
  return samples;
}
}  // namespace

Samples tril_samples() { return triangles(tril); }
Samples triu_samples() { return triangles(triu); }

}  // namespace tapegrad

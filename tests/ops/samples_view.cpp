// Views, copies, sums and joins.
#include "ops/samples.h"

#include "ops/elementwise.h"  // after the modules, whose activations are named before it overloads them

namespace tapegrad {

namespace {
Sample one(const std::string& label, const Shape& shape, std::function<Tensor(const Tensor&)> f) {
  return {.label = label,
          .f = [f](const Inputs& in) { return f(in[0]); },
          .inputs = {normal(shape)},
          .zero_gradient = shape.numel() <= 1};
}
}  // namespace

Samples sum_samples() {
  Samples samples = unary_samples([](const Tensor& x) { return sum(x); }, -2, 2);
  for (const Axes& axes : {Axes(0), Axes(-1), Axes({0, 2}), Axes({0, 1}), Axes({2, 1})})
    for (bool keepdim : {false, true})
      samples.push_back(one("over " + to_string(axes.list()), {2, 3, 4},
                            [=](const Tensor& x) { return sum(x, axes, {.keepdim = keepdim}); }));
  return samples;
}

Samples mean_samples() {
  return {one("all", {3, 4}, [](const Tensor& x) { return mean(x); }),
          one("middle axis", {2, 3, 4}, [](const Tensor& x) { return mean(x, 1); }),
          one("outer axes", {2, 3, 4},
              [](const Tensor& x) {
                return mean(x, {0, 2}, {.keepdim = true});
              }),
          one("transposed", {4, 3}, [](const Tensor& x) { return mean(x.transpose(0, 1), -1); })};
}

Samples clone_samples() {
  return unary_samples([](const Tensor& x) { return x.clone(); }, -2, 2);
}

Samples contiguous_samples() {
  return unary_samples([](const Tensor& x) { return x.contiguous(); }, -2, 2);
}

Samples to_samples() {
  // There and back: the gradient goes through a float32, so the numbers are those that it holds exactly.
  Sample sample{.label = "float32 and back",
                .f = [](const Inputs& in) { return (in[0] * 0.0).to(float32).to(in[0].dtype()) + in[0]; },
                .inputs = {normal({3, 4})}};
  return {sample};
}

Samples reshape_samples() {
  return {one("contiguous", {3, 4},
              [](const Tensor& x) {
                return x.reshape({2, 6});
              }),
          one("scalar", {},
              [](const Tensor& x) {
                return x.reshape({1, 1});
              }),
          one("empty", {0, 3},
              [](const Tensor& x) {
                return x.reshape({3, 0});
              }),
          one("transposed, copies", {3, 4}, [](const Tensor& x) { return x.transpose(0, 1).reshape({-1}); }),
          one("view", {2, 3, 4},
              [](const Tensor& x) {
                return x.view({6, 4});
              }),
          one("flatten", {2, 3, 4}, [](const Tensor& x) { return x.flatten(1); }),
          one("squeeze", {2, 1, 4}, [](const Tensor& x) { return x.squeeze(1).unsqueeze(0); })};
}

Samples view_samples() {
  return {one("rows", {3, 4},
              [](const Tensor& x) {
                return x.view({2, 2, 3});
              }),
          one("transposed", {3, 4},
              [](const Tensor& x) {
                return x.transpose(0, 1).view({2, 2, 3});
              }),
          one("empty", {0, 3}, [](const Tensor& x) {
            return x.view({3, 0});
          })};
}

Samples permute_samples() {
  return {one("three axes", {2, 3, 4},
              [](const Tensor& x) {
                return x.permute({2, 0, 1});
              }),
          one("empty", {0, 3},
              [](const Tensor& x) {
                return x.permute({1, 0});
              }),
          one("transpose", {2, 3, 4}, [](const Tensor& x) { return x.transpose(-1, 0); }),
          one("expanded", {3, 1}, [](const Tensor& x) {
            return x.expand({3, 4}).permute({1, 0});
          })};
}

Samples expand_samples() {
  Samples samples{one("an axis", {3, 1},
                      [](const Tensor& x) {
                        return x.expand({3, 4});
                      }),
                  one("new axes", {3},
                      [](const Tensor& x) {
                        return x.expand({2, 4, 3});
                      }),
                  one("scalar", {}, [](const Tensor& x) { return x.expand({5}); }),
                  one("to nothing", {1, 3}, [](const Tensor& x) {
                    return x.expand({0, 3});
                  })};
  samples[3].zero_gradient = true;
  return samples;
}

Samples slice_samples() {
  Samples samples{one("rows", {5, 3}, [](const Tensor& x) { return slice(x, 0, 1, 4); }),
                  one("every second", {2, 7}, [](const Tensor& x) { return slice(x, 1, 1, to_end, 2); }),
                  one("from the end", {7}, [](const Tensor& x) { return slice(x, 0, -3); }),
                  one("nothing", {7}, [](const Tensor& x) { return slice(x, 0, 5, 2); }),
                  one("narrow", {2, 7}, [](const Tensor& x) { return narrow(x, -1, 2, 3); })};
  samples[3].zero_gradient = true;
  return samples;
}

Samples select_samples() {
  return {one("a row", {5, 3}, [](const Tensor& x) { return x[2]; }),
          one("a column", {5, 3}, [](const Tensor& x) { return select(x, 1, -1); }),
          one("an element", {5}, [](const Tensor& x) { return x[4]; })};
}

Samples place_samples() {
  return {one("every second", {2, 3},
              [](const Tensor& x) {
                return place(x, {2, 7}, 1, 1, 2);
              }),
          one("strided", {3, 2}, [](const Tensor& x) {
            return place(x.transpose(0, 1), {4, 3}, 0, 1, 1);
          })};
}

Samples split_samples() {
  return {{.label = "even", .f = [](const Inputs& in) { return split(in[0], 2, 0); }, .inputs = {normal({6, 3})}},
          {.label = "uneven", .f = [](const Inputs& in) { return split(in[0], 2, 1); }, .inputs = {normal({2, 5})}},
          {.label = "sizes",
           .f =
               [](const Inputs& in) {
                 return split(in[0], Shape{1, 0, 4}, -1);
               },
           .inputs = {normal({2, 5})}},
          {.label = "one piece used",
           .f = [](const Inputs& in) { return split(in[0], 2, 1)[1]; },
           .inputs = {normal({2, 5})}},
          {.label = "a transposed one in chunks",
           .f = [](const Inputs& in) { return chunk(in[0].transpose(0, 1), 4, 1); },
           .inputs = {normal({8, 3})}}};
}

Samples unbind_samples() {
  return {{.label = "rows", .f = [](const Inputs& in) { return unbind(in[0]); }, .inputs = {normal({3, 4})}},
          {.label = "columns", .f = [](const Inputs& in) { return unbind(in[0], 1); }, .inputs = {normal({3, 4})}},
          {.label = "one used", .f = [](const Inputs& in) { return unbind(in[0])[1]; }, .inputs = {normal({3, 4})}}};
}

Samples concat_samples() {
  return {{.label = "rows",
           .f =
               [](const Inputs& in) {
                 return concat({in[0], in[1]});
               },
           .inputs = {normal({2, 3}), normal({4, 3})}},
          {.label = "columns, one empty, one strided",
           .f =
               [](const Inputs& in) {
                 return concat({in[0].transpose(0, 1), in[1], in[2]}, -1);
               },
           .inputs = {normal({2, 3}), normal({3, 0}), normal({3, 1})}},
          {.label = "one tensor twice",
           .f =
               [](const Inputs& in) {
                 return concat({in[0], in[0]});
               },
           .inputs = {normal({3})}}};
}

Samples stack_samples() {
  return {{.label = "first axis",
           .f =
               [](const Inputs& in) {
                 return stack({in[0], in[1]});
               },
           .inputs = {normal({2, 3}), normal({2, 3})}},
          {.label = "last axis, strided",
           .f =
               [](const Inputs& in) {
                 return stack({in[0].transpose(0, 1), in[1]}, -1);
               },
           .inputs = {normal({2, 3}), normal({3, 2})}},
          {.label = "scalars",
           .f =
               [](const Inputs& in) {
                 return stack({in[0], in[1], in[0]});
               },
           .inputs = {normal({}), normal({})}}};
}

}  // namespace tapegrad

// Normalization, losses, embedding, dropout, where.
#include "ops/samples.h"

namespace tapegrad {

namespace {
Tensor labels(const std::vector<int64_t>& values, const Shape& shape) { return from_vector(values, shape); }
}  // namespace

Samples where_samples() {
  const Tensor mask = from_vector(std::vector<bool>{true, false, false, true, true, false}, {2, 3});
  const auto choose = [mask](const Inputs& in) { return where(mask, in[0], in[1]); };
  return {{.label = "equal shapes", .f = choose, .inputs = {normal({2, 3}), normal({2, 3})}},
          {.label = "broadcast", .f = choose, .inputs = {normal({3}), normal({2, 1})}},
          {.label = "values wider than the mask", .f = choose, .inputs = {normal({4, 2, 3}), normal({})}},
          {.label = "a number second",
           .f = [mask](const Inputs& in) { return where(mask, in[0], 2.0); },
           .inputs = {normal({2, 3})}},
          {.label = "a number first",
           .f = [mask](const Inputs& in) { return where(mask, 2.0, in[0].transpose(0, 1)); },
           .inputs = {normal({3, 2})}}};
}

Samples layer_norm_samples() {
  const auto affine = [](const Shape& shape) {
    return [shape](const Inputs& in) { return layer_norm(in[0], shape, in[1], in[2]); };
  };
  return {{.label = "rows", .f = affine({5}), .inputs = {normal({3, 5}), normal({5}), normal({5})}},
          {.label = "two axes", .f = affine({3, 4}), .inputs = {normal({2, 3, 4}), normal({3, 4}), normal({3, 4})}},
          {.label = "no weight, no bias",
           .f = [](const Inputs& in) { return layer_norm(in[0], {5}); },
           .inputs = {normal({3, 5})}},
          {.label = "no bias",
           .f = [](const Inputs& in) { return layer_norm(in[0], {5}, in[1], {}, {.eps = 0.1}); },
           .inputs = {normal({3, 5}), normal({5})}},
          {.label = "no weight",
           .f = [](const Inputs& in) { return layer_norm(in[0], {5}, {}, in[1]); },
           .inputs = {normal({3, 5}), normal({5})}},
          {.label = "no rows",
           .f = affine({5}),
           .inputs = {normal({0, 5}), normal({5}), normal({5})},
           .zero_gradient = true},
          {.label = "one row, transposed",
           .f = [](const Inputs& in) { return layer_norm(in[0].transpose(0, 1), {5}, in[1], in[2]); },
           .inputs = {normal({5, 1}), normal({5}), normal({5})}},
          {.label = "x is also the weight",
           .f = [](const Inputs& in) { return layer_norm(in[0], {4}, in[0], in[0]); },
           .inputs = {normal({4})}}};
}

Samples rms_norm_samples() {
  return {{.label = "rows",
           .f = [](const Inputs& in) { return rms_norm(in[0], {5}, in[1]); },
           .inputs = {normal({3, 5}), normal({5})}},
          {.label = "no weight, two axes",
           .f =
               [](const Inputs& in) {
                 return rms_norm(in[0], {2, 3}, {}, {.eps = 0.01});
               },
           .inputs = {normal({4, 2, 3})}},
          {.label = "transposed",
           .f = [](const Inputs& in) { return rms_norm(in[0].transpose(0, 1), {5}, in[1]); },
           .inputs = {normal({5, 3}), normal({5})}}};
}

Samples batch_norm_samples() {
  const auto train = [](const Inputs& in) { return batch_norm(in[0], {}, {}, in[1], in[2], {.training = true}); };
  const Tensor mean = normal({3}), var = uniform({3}, 0.5, 2);
  return {
      {.label = "training", .f = train, .inputs = {normal({5, 3}), normal({3}), normal({3})}},
      {.label = "training with positions", .f = train, .inputs = {normal({2, 3, 4}), normal({3}), normal({3})}},
      {.label = "training without weight and bias",
       .f = [](const Inputs& in) { return batch_norm(in[0], {}, {}, {}, {}, {.training = true, .eps = 0.1}); },
       .inputs = {normal({4, 3})}},
      {.label = "training, transposed",
       .f =
           [](const Inputs& in) { return batch_norm(in[0].transpose(0, 1), {}, {}, in[1], in[2], {.training = true}); },
       .inputs = {normal({3, 5}), normal({3}), normal({3})}},
      {.label = "training with relu",
       .f = [](const Inputs& in) { return batch_norm(in[0], {}, {}, in[1], in[2], {.training = true, .relu = true}); },
       .inputs = {normal({2, 3, 4}), normal({3}), normal({3})}},
      {.label = "evaluation",
       .f = [=](const Inputs& in) { return batch_norm(in[0], mean, var, in[1], in[2]); },
       .inputs = {normal({5, 3}), normal({3}), normal({3})},
       .in_float32 = false}};
}

Samples group_norm_samples() {
  const auto groups = [](int64_t n) {
    return [n](const Inputs& in) { return group_norm(in[0], n, in[1], in[2], {.eps = 1e-2}); };
  };
  return {{.label = "images", .f = groups(2), .inputs = {normal({2, 4, 2, 3}), normal({4}), normal({4})}},
          {.label = "one group", .f = groups(1), .inputs = {normal({2, 3, 2}), normal({3}), normal({3})}},
          {.label = "no positions", .f = groups(2), .inputs = {normal({3, 6}), normal({6}), normal({6})}},
          {.label = "no images",
           .f = groups(2),
           .inputs = {normal({0, 4, 3}), normal({4}), normal({4})},
           .zero_gradient = true},
          {.label = "no weight, no bias",
           .f = [](const Inputs& in) { return group_norm(in[0], 2); },
           .inputs = {normal({2, 4, 3})}}};
}

Samples instance_norm_samples() {
  return {{.label = "images",
           .f = [](const Inputs& in) { return instance_norm(in[0], in[1], in[2]); },
           .inputs = {normal({2, 3, 2, 3}), normal({3}), normal({3})}},
          {.label = "sequences without weight",
           .f = [](const Inputs& in) { return instance_norm(in[0], {}, {}, {.eps = 1e-2}); },
           .inputs = {normal({2, 2, 5})}}};
}

Samples cross_entropy_samples() {
  const auto sample = [](const std::string& label, CrossEntropyOptions options, bool in_float32 = true) {
    return Sample{.label = label,
                  .f = [options](const Inputs& in) { return cross_entropy(in[0], in[1], options); },
                  .inputs = {normal({4, 3}), labels({2, 0, 1, 2}, {4})},
                  .in_float32 = in_float32};
  };
  return {sample("mean", {}),
          sample("sum", {.reduction = Reduce::sum}),
          sample("none", {.reduction = Reduce::none}),
          sample("smooth", {.label_smoothing = 0.2}),
          sample("one label ignored", {.ignore_index = 0}),
          sample("weights", {.label_smoothing = 0.1, .weight = tensor({1, 0.5, 2}, {.dtype = float64})}, false),
          {.label = "strided logits",
           .f = [](const Inputs& in) { return cross_entropy(in[0].transpose(0, 1), in[1]); },
           .inputs = {normal({3, 4}), labels({2, 0, 1, 2}, {4})}}};
}

Samples embedding_samples() {
  const Tensor index = labels({1, 3, 1, 0, 3, 3}, {2, 3});
  return {{.label = "repeated rows",
           .f = [](const Inputs& in) { return embedding(in[0], in[1]); },
           .inputs = {normal({4, 3}), index}},
          {.label = "transposed table",
           .f = [](const Inputs& in) { return embedding(in[0].transpose(0, 1), in[1]); },
           .inputs = {normal({3, 4}), index}}};
}

Samples dropout_samples() {
  return {{.label = "half", .f = [](const Inputs& in) { return dropout(in[0], 0.5); }, .inputs = {normal({4, 5})}},
          {.label = "strided",
           .f = [](const Inputs& in) { return dropout(in[0].transpose(0, 1), 0.3); },
           .inputs = {normal({4, 5})}}};
}

}  // namespace tapegrad

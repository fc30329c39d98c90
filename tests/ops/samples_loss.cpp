// Losses. Predictions and targets both get gradients; inputs stay away from the kinks.
#include "ops/samples.h"

namespace tapegrad {

namespace {

using Loss = std::function<Tensor(const Tensor&, const Tensor&, Reduce)>;

// Every reduction, and strided inputs.
Samples pair_samples(const Loss& loss, const std::function<Tensor(const Shape&)>& input,
                     const std::function<Tensor(const Shape&)>& target) {
  const auto with = [loss](Reduce reduction) {
    return [=](const Inputs& in) { return loss(in[0], in[1], reduction); };
  };
  const Shape shape{3, 4};
  return {{.label = "mean", .f = with(Reduce::mean), .inputs = {input(shape), target(shape)}},
          {.label = "sum", .f = with(Reduce::sum), .inputs = {input(shape), target(shape)}},
          {.label = "none", .f = with(Reduce::none), .inputs = {input(shape), target(shape)}},
          {.label = "batchmean", .f = with(Reduce::batchmean), .inputs = {input(shape), target(shape)}},
          {.label = "strided",
           .f = [loss](const Inputs& in) { return loss(in[0].transpose(0, 1), in[1], Reduce::mean); },
           .inputs = {input({4, 3}), target({3, 4})}}};
}

Tensor far(const Shape& shape) { return uniform(shape, 2, 4); }
Tensor near(const Shape& shape) { return uniform(shape, 0.1, 0.9); }

}  // namespace

Samples mse_loss_samples() {
  return pair_samples([](const Tensor& x, const Tensor& t, Reduce r) { return mse_loss(x, t, {.reduction = r}); },
                      normal, normal);
}

Samples l1_loss_samples() {
  Samples samples = pair_samples(
      [](const Tensor& x, const Tensor& t, Reduce r) { return l1_loss(x, t, {.reduction = r}); }, far, near);
  for (Sample& sample : samples) sample.second_derivative = false;  // zero everywhere
  return samples;
}

// Errors of both kinds: 1.1 to 3.9 lies around delta = 2.5, and no error within 0.05 of it.
Samples huber_loss_samples() {
  const auto huber = [](const Inputs& in) { return huber_loss(in[0], in[1], {.delta = 2.5}); };
  Samples samples = pair_samples(
      [](const Tensor& x, const Tensor& t, Reduce r) { return huber_loss(x, t, {.delta = 5, .reduction = r}); }, far,
      near);
  const Tensor target = zeros({3, 4}, {.dtype = float64});
  samples.push_back({.label = "both pieces", .f = huber, .inputs = {uniform_away({3, 4}, -4, 4, {-2.5, 2.5}), target}});
  return samples;
}

Samples smooth_l1_loss_samples() {
  return {{.label = "both pieces",
           .f = [](const Inputs& in) { return smooth_l1_loss(in[0], in[0] * 0.5, {.beta = 0.7}); },
           .inputs = {uniform_away({3, 4}, -3, 3, {-1.4, 1.4})}}};
}

Samples bce_loss_samples() {
  return pair_samples([](const Tensor& x, const Tensor& t, Reduce r) { return bce_loss(x, t, {.reduction = r}); }, near,
                      near);
}

Samples bce_with_logits_loss_samples() {
  Samples samples = pair_samples(
      [](const Tensor& x, const Tensor& t, Reduce r) { return bce_with_logits_loss(x, t, {.reduction = r}); }, normal,
      near);
  samples.push_back({.label = "pos_weight",
                     .f = [](const Inputs& in) { return bce_with_logits_loss(in[0], in[1], {.pos_weight = in[2]}); },
                     .inputs = {normal({3, 4}), near({3, 4}), near({4})}});
  samples.push_back({.label = "logits of zero",
                     .f = [](const Inputs& in) { return bce_with_logits_loss(in[0], in[1]); },
                     .inputs = {zeros({2, 3}, {.dtype = float64}), near({2, 3})}});
  return samples;
}

Samples kl_div_samples() {
  Samples samples = pair_samples(
      [](const Tensor& x, const Tensor& t, Reduce r) { return kl_div(x, t, {.reduction = r}); }, normal, near);
  samples.push_back({.label = "log target",
                     .f = [](const Inputs& in) { return kl_div(in[0], in[1], {.log_target = true}); },
                     .inputs = {normal({3, 4}), normal({3, 4})}});
  return samples;
}

Samples nll_loss_samples() {
  const Tensor labels = from_vector(std::vector<int64_t>{2, 0, -100, 1}, {4});
  return {{.label = "one ignored",
           .f = [](const Inputs& in) { return nll_loss(in[0], in[1]); },
           .inputs = {normal({4, 3}), labels}},
          {.label = "positions",
           .f = [](const Inputs& in) { return nll_loss(in[0], in[1], {.reduction = Reduce::none}); },
           .inputs = {normal({2, 3, 2}), labels.reshape({2, 2})}}};
}

Samples cosine_similarity_samples() {
  return {{.label = "rows",
           .f = [](const Inputs& in) { return cosine_similarity(in[0], in[1]); },
           .inputs = {normal({3, 4}), normal({3, 4})}},
          {.label = "first axis",
           .f = [](const Inputs& in) { return cosine_similarity(in[0], in[1], {.axis = 0}); },
           .inputs = {normal({4, 2, 3}), normal({4, 2, 3})}}};
}

Samples cosine_embedding_loss_samples() {
  const Tensor signs = from_vector(std::vector<int64_t>{1, -1, 1, -1}, {4});
  return {{.label = "both signs",
           .f = [](const Inputs& in) { return cosine_embedding_loss(in[0], in[1], in[2], {.margin = -1}); },
           .inputs = {normal({4, 3}), normal({4, 3}), signs}}};
}

// Scores that lie 0.05 or more from the kink at margin 1: differences of 0.3, 0.7 and 1.6, moved by an offset.
Samples multi_margin_loss_samples() {
  const Tensor scores = tensor({{0.3, 1, 2.6}, {0, -1.6, -0.7}}, {.dtype = float64});
  const Tensor labels = from_vector(std::vector<int64_t>{1, 0}, {2});
  const auto loss = [labels](int64_t p) {
    return [=](const Inputs& in) { return multi_margin_loss(in[0], labels, {.p = p}); };
  };
  const Tensor weight = tensor({0.5, 2, 1}, {.dtype = float64});
  return {{.label = "p 1", .f = loss(1), .inputs = {scores}, .second_derivative = false},
          {.label = "p 2", .f = loss(2), .inputs = {scores}},
          {.label = "weighted",
           .f =
               [=](const Inputs& in) {
                 return multi_margin_loss(in[0], labels, {.p = 2, .weight = weight, .reduction = Reduce::none});
               },
           .inputs = {scores},
           .in_float32 = false}};
}

Samples hinge_embedding_loss_samples() {
  const Tensor signs = from_vector(std::vector<int64_t>{1, -1, -1, 1, -1, -1}, {2, 3});
  return {{.label = "both signs",
           .f = [](const Inputs& in) { return hinge_embedding_loss(in[0], in[1], {.margin = 0.5}); },
           .inputs = {uniform_away({2, 3}, -1, 2, {0.5}), signs},
           .second_derivative = false}};
}

Samples triplet_margin_loss_samples() {
  const auto loss = [](TripletMarginOptions options) {
    return [=](const Inputs& in) { return triplet_margin_loss(in[0], in[1], in[2], options); };
  };
  const Inputs inputs{normal({3, 4}), normal({3, 4}), normal({3, 4})};
  return {{.label = "length", .f = loss({.margin = 9}), .inputs = inputs},
          {.label = "swapped", .f = loss({.margin = 9, .swap = true, .reduction = Reduce::none}), .inputs = inputs},
          {.label = "magnitudes", .f = loss({.margin = 30, .p = 1}), .inputs = inputs, .second_derivative = false}};
}

Samples gaussian_nll_loss_samples() {
  const auto loss = [](const Inputs& in) { return gaussian_nll_loss(in[0], in[1], in[2], {.full = true}); };
  return {{.label = "each its own", .f = loss, .inputs = {normal({3, 4}), normal({3, 4}), near({3, 4})}},
          {.label = "one a row", .f = loss, .inputs = {normal({3, 4}), normal({3, 4}), near({3})}},
          {.label = "one a row, kept", .f = loss, .inputs = {normal({3, 4}), normal({3, 4}), near({3, 1})}}};
}

}  // namespace tapegrad

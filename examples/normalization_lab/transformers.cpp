// Where the norm of a Transformer stands: behind the residual, as in 2017, or before attention and feed-forward.
#include "lab.h"

namespace lab {
namespace {

// Reads a digit as a sequence of rows; the mean over rows goes to the classes. The last layer of pre-LN has a norm behind it.
struct RowTransformer : nn::Module<RowTransformer> {
  RowTransformer(int64_t side, int64_t layers, bool pre)
      : embed(add("embed", nn::Linear(side, 32))),
        positions(add("positions", nn::LearnedPositions(side, 32))),
        encoder(
            add("encoder",
                nn::TransformerEncoder(
                    32, 4, layers,
                    {.dim_feedforward = 64, .dropout = 0, .batch_first = true, .norm_first = pre, .final_norm = pre}))),
        head(add("head", nn::Linear(32, 10))) {}
  Tensor forward(const Tensor& x) {
    const int64_t side = embed.weight.size(1);
    return head(mean(encoder(positions(embed(x.reshape({-1, side, side})))), 1));
  }

  nn::Linear embed;
  nn::LearnedPositions positions;
  nn::TransformerEncoder encoder;
  nn::Linear head;
};

RowTransformer transformer(const Lab& lab, const std::string& norm, double layers) {
  return {side_of(lab), int64_t(layers), norm.starts_with("pre")};
}

// The length of the gradient of the last layer's second matrix, before any step.
double gradient(const Lab& lab, const std::string& norm, double layers) {
  RowTransformer model = transformer(lab, norm, layers);
  Tape tape;
  tape.backward(cross_entropy(model(lab.digits.train.x()), lab.digits.train.y()));
  const Tensor g = model.encoder.layers[int64_t(layers) - 1].linear2.weight.grad();
  return std::sqrt(sum(g * g).item());
}

}  // namespace

void pre_post_ln(const Lab& lab) {
  const std::vector<double> layers = lab.quick ? std::vector<double>{2, 12} : std::vector<double>{2, 8, 24};
  Grid start = run_grid(lab, "pre-post-ln", "layers", {"pre-LN", "post-LN"}, layers,
                        [&](const std::string& norm, double n) { return gradient(lab, norm, n); });
  draw(lab, "pre_post_gradient",
       {.title = "gradient of the last layer's W2 before any step, by depth",
        .x_name = "layers",
        .log_x = true,
        .log_y = true},
       start);
  const std::vector<std::string> kinds{"pre-LN", "pre-LN, warm-up", "post-LN", "post-LN, warm-up"};
  Grid accuracy = run_grid(lab, "pre-post-ln", "layers", kinds, layers, [&](const std::string& kind, double n) {
    return fit(lab, transformer(lab, kind, n),
               {.epochs = lab.quick ? 3 : 5, .lr = 1e-3, .warmup = kind.ends_with("warm-up") ? 50 : 0})
        .accuracy;
  });
  draw(lab, "pre_post_ln", {.title = "accuracy on held-back digits, by depth", .x_name = "layers", .log_x = true},
       accuracy);
  const double deepest = layers.back(), before = layers[layers.size() - 2];
  const std::vector<double> pre = accuracy.at("pre-LN", deepest), post = accuracy.at("post-LN", deepest);
  finding(lab, "pre-post-ln", smallest(pre) > largest(post),
          fmt::format(
              "with {:g} layers a pre-LN Transformer has {} of the digits right without a warm-up and {} with one, "
              "a post-LN Transformer {} and {}; with {:g} layers post-LN has {} right without a warm-up, pre-LN {}.",
              deepest, spread(pre), spread(accuracy.at("pre-LN, warm-up", deepest)), spread(post),
              spread(accuracy.at("post-LN, warm-up", deepest)), before, spread(accuracy.at("post-LN", before)),
              spread(accuracy.at("pre-LN", before))));
}

}  // namespace lab

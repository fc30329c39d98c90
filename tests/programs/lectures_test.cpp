// A. Karpathy's lectures "Neural Networks: Zero to Hero", as a viewer would type them here: micrograd, makemore, a GPT.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>

using namespace tapegrad;

namespace {
constexpr TensorOptions k64{.dtype = float64};
}

// The example of micrograd's README, with the numbers that it prints. c += c + 1 is written c = c + (c + 1).
TEST(Lectures, TheExampleOfMicrograd) {
  for (const Dtype dtype : {float32, float64}) {
    const Tensor a = tensor(-4.0, {.dtype = dtype, .requires_grad = true}),
                 b = tensor(2.0, {.dtype = dtype, .requires_grad = true});
    Tape tape;
    Tensor c = a + b;
    Tensor d = a * b + pow(b, 3);
    c = c + (c + 1);
    c = c + (1 + c + (-a));
    d = d + (d * 2 + relu(b + a));
    d = d + (3 * d + relu(b - a));
    const Tensor e = c - d;
    const Tensor f = pow(e, 2);
    Tensor g = f / 2.0;
    g = g + 10.0 / f;
    EXPECT_NEAR(g.item(), 24.7041, 5e-5);
    tape.backward(g);
    EXPECT_NEAR(a.grad().item(), 138.8338, 5e-5);
    EXPECT_NEAR(b.grad().item(), 645.5773, dtype == float32 ? 2e-4 : 5e-5);
  }
}

// Two half moons, a network of 2, 16, 16 and 1 that begins in [-1, 1], the hinge loss and a penalty on the weights. Braces:
// the order in which a call's arguments are made, and so their weights, is the compiler's.
TEST(Lectures, TheMoonsOfMicrograd) {
  manual_seed(1337);
  const Tensor angle = M_PI * rand({50}), noise = 0.1 * randn({100, 2});
  const Tensor upper = stack({cos(angle), sin(angle)}, 1), lower = stack({1 - cos(angle), 0.5 - sin(angle)}, 1);
  const Tensor x = concat({upper, lower}) + noise, y = concat({ones({50}), -ones({50})});
  nn::Sequential model{nn::Linear(2, 16), nn::ReLU(), nn::Linear(16, 16), nn::ReLU(), nn::Linear(16, 1)};
  for (Tensor p : model.parameters()) p.dim() == 2 ? nn::init::uniform(p, -1, 1) : nn::init::zeros(p);
  optim::SGD optimizer(model.parameters(), {.lr = 1});
  for (int step = 0; step < 100; ++step) {
    Tape tape;
    Tensor loss = mean(relu(1 - y * model(x).squeeze(1)));
    for (const Tensor& p : model.parameters()) loss = loss + 1e-4 * sum(p * p);
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.set_lr(1 - 0.9 * step / 100);
    optimizer.step();
  }
  const Tensor right = eq(sign(model(x).squeeze(1)), y);
  EXPECT_EQ(mean(right.to(float64)).item(), 1);
}

namespace {

const std::vector<std::string> kNames = {
    "emma",     "olivia",  "ava",     "isabella", "sophia",   "charlotte", "mia",    "amelia",
    "harper",   "evelyn",  "abigail", "emily",    "ella",     "elizabeth", "camila", "luna",
    "sofia",    "avery",   "mila",    "aria",     "scarlett", "penelope",  "layla",  "chloe",
    "victoria", "madison", "eleanor", "grace",    "nora",     "riley",     "zoey",   "hannah"};

int64_t number_of(char letter) { return letter == '.' ? 0 : letter - 'a' + 1; }

// The last `block` letters before each letter, and the letter; a name begins and ends with a dot.
std::pair<Tensor, Tensor> contexts(int64_t block) {
  std::vector<int64_t> x, y;
  for (const std::string& name : kNames) {
    std::vector<int64_t> context(size_t(block), 0);
    for (const char letter : name + ".") {
      x.insert(x.end(), context.begin(), context.end());
      y.push_back(number_of(letter));
      context.erase(context.begin());
      context.push_back(y.back());
    }
  }
  const int64_t n = int64_t(y.size());
  return {from_vector(x, {n, block}), from_vector(y, {n})};
}

}  // namespace

// The table of counts is the best that a bigram can do; the net that is one matrix comes down to it.
TEST(Lectures, ABigramByCountsAndByANet) {
  manual_seed(2147483647);
  const auto [x, y] = contexts(1);
  const Tensor from = x.squeeze(1);
  Tensor counts = index_add(zeros({27 * 27}), 0, from * 27 + y, ones({y.size(0)})).reshape({27, 27});
  EXPECT_EQ(sum(counts).item(), double(y.size(0)));
  const Tensor p = counts / maximum(sum(counts, 1, {.keepdim = true}), 1.0);
  const double best = -mean(log(gather(index_select(p, 0, from), 1, y.unsqueeze(1)))).item();

  Tensor W = randn({27, 27}, {.requires_grad = true});
  const Tensor one = one_hot(from, 27);
  double loss_now = 0;
  for (int step = 0; step < 200; ++step) {
    {
      Tape tape;
      const Tensor logits = matmul(one, W), e = exp(logits), probabilities = e / sum(e, 1, {.keepdim = true});
      const Tensor loss = -mean(log(gather(probabilities, 1, y.unsqueeze(1))));
      tape.backward(loss);
      loss_now = loss.item();
    }
    W -= 50 * W.grad();
    W.zero_grad();
  }
  EXPECT_GT(loss_now, best);
  EXPECT_LT(loss_now, best + 0.1);
}

// Where its step spends its time: each operation once, the longest first, gather and the division among them.
TEST(Lectures, TheProfileOfTheBigramNet) {
  const auto [x, y] = contexts(1);
  const Tensor W = randn({27, 27}, {.requires_grad = true}), one = one_hot(x.squeeze(1), 27);
  Tape tape({.profile = true});
  const Tensor e = exp(matmul(one, W)), probabilities = e / sum(e, 1, {.keepdim = true});
  tape.backward(-mean(log(gather(probabilities, 1, y.unsqueeze(1)))));
  std::vector<std::string> names;
  double last = std::numeric_limits<double>::infinity();
  for (const ProfileRow& row : tape.profile()) {
    names.push_back(row.op);
    EXPECT_EQ(row.calls, 1) << row.op;
    EXPECT_GE(row.forward_ms, 0) << row.op;
    EXPECT_LE(row.forward_ms + row.backward_ms, last) << row.op;
    last = row.forward_ms + row.backward_ms;
  }
  EXPECT_THAT(names,
              ::testing::UnorderedElementsAre("leaf", "matmul", "exp", "sum", "div", "gather", "log", "mean", "neg"));
}

// Part 3: a deep network whose layers are normalized begins with ln 27, unsaturated, and moves at about 1e-3 a step.
TEST(Lectures, ADeepNetOfLettersWithBatchNormIsCalmFromTheStart) {
  manual_seed(42);
  const auto all = contexts(3);
  const Tensor &x = all.first,
               &y = all.second;  // not a structured binding, which Clang 14 lets no lambda see
  nn::Embedding embed(27, 10);
  struct Block : nn::Module<Block> {
    explicit Block(int64_t inputs)
        : fc(add("fc", nn::Linear(inputs, 64, {.bias = false}))), norm(add("norm", nn::BatchNorm1d(64))) {}
    Tensor forward(const Tensor& x) { return tanh(norm(fc(x))); }
    nn::Linear fc;
    nn::BatchNorm1d norm;
  };
  nn::ModuleList<Block> blocks(5, [](int64_t i) { return Block(i == 0 ? 30 : 64); });
  nn::Linear head(64, 27);
  head.weight *= 0.1;
  head.bias.zero_();
  std::vector<Tensor> parameters = embed.parameters();
  for (const auto& list : {blocks.parameters(), head.parameters()})
    parameters.insert(parameters.end(), list.begin(), list.end());
  optim::SGD optimizer(parameters, {.lr = 0.1});

  const auto loss_of = [&](std::vector<Tensor>* activations) {
    Tensor h = embed(x).flatten(1);
    for (Block& block : blocks) {
      h = block(h);
      if (activations) activations->push_back(h);
    }
    return cross_entropy(head(h), y);
  };
  double first = 0, last = 0;
  for (int step = 0; step < 60; ++step) {
    Tape tape;
    std::vector<Tensor> activations;
    const Tensor loss = loss_of(&activations);
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
    last = loss.item();
    if (step > 0) continue;
    first = last;
    for (const Tensor& h : activations) {
      const double saturated = mean(gt(abs(h.detach()), 0.97).to(float64)).item();
      EXPECT_LT(saturated, 0.1);
      EXPECT_NEAR(tapegrad::std(h.detach()).item(), 0.63, 0.05);
    }
    for (const Block& block : blocks) {
      const Tensor w = block.fc.weight;
      const double ratio = 0.1 * tapegrad::std(w.grad()).item() / tapegrad::std(w.detach()).item();
      EXPECT_GT(std::log10(ratio), -4.5);
      EXPECT_LT(std::log10(ratio), -1);
    }
  }
  EXPECT_NEAR(first, std::log(27), 0.15);
  EXPECT_LT(last, 2.2);
}

// Part 4, "becoming a backprop ninja": every gradient by hand, against those of the tape.
TEST(Lectures, EveryGradientOfTheNetByHand) {
  manual_seed(2147483647);
  const auto [all_x, all_y] = contexts(3);
  const int64_t n = 32, vocab = 27, emb = 10, hidden = 64;
  const Tensor xb = narrow(all_x, 0, 0, n), yb = narrow(all_y, 0, 0, n);
  const auto leaf = [](const Shape& shape, double scale) { return (randn(shape, k64) * scale).set_requires_grad(); };
  const Tensor C = leaf({vocab, emb}, 1), W1 = leaf({3 * emb, hidden}, 0.3), b1 = leaf({hidden}, 0.1),
               W2 = leaf({hidden, vocab}, 0.1), b2 = leaf({vocab}, 0.1),
               bngain = (1 + 0.1 * randn({1, hidden}, k64)).set_requires_grad(), bnbias = leaf({1, hidden}, 0.1);
  Tape tape;
  const Tensor emb_ = embedding(C, xb), embcat = emb_.flatten(1), hprebn = matmul(embcat, W1) + b1;
  const Tensor bnmeani = sum(hprebn, 0, {.keepdim = true}) / n, bndiff = hprebn - bnmeani, bndiff2 = pow(bndiff, 2);
  const Tensor bnvar = sum(bndiff2, 0, {.keepdim = true}) / (n - 1), bnvar_inv = pow(bnvar + 1e-5, -0.5);
  const Tensor bnraw = bndiff * bnvar_inv, hpreact = bngain * bnraw + bnbias, h = tanh(hpreact);
  const Tensor logits = matmul(h, W2) + b2, logit_maxes = max(logits, 1, {.keepdim = true}).values;
  const Tensor norm_logits = logits - logit_maxes, counts = exp(norm_logits);
  const Tensor counts_sum = sum(counts, 1, {.keepdim = true}), counts_sum_inv = pow(counts_sum, -1);
  const Tensor probs = counts * counts_sum_inv, logprobs = log(probs);
  const Tensor loss = -mean(gather(logprobs, 1, yb.unsqueeze(1)));
  const std::vector<Tensor> d = tape.gradient(
      loss, {logprobs, probs,   counts_sum_inv, counts_sum, counts, norm_logits, logit_maxes, logits, h,
             W2,       b2,      hpreact,        bngain,     bnbias, bnraw,       bnvar_inv,   bnvar,  bndiff2,
             bndiff,   bnmeani, hprebn,         embcat,     W1,     b1,          emb_,        C});
  const NoGrad no_grad;
  const auto t = [](const Tensor& x) { return x.transpose(0, 1); };
  const auto down = [](const Tensor& x) { return sum(x, 0, {.keepdim = true}); };
  const auto across = [](const Tensor& x) { return sum(x, 1, {.keepdim = true}); };

  const Tensor dlogprobs = one_hot(yb, vocab, k64) * (-1.0 / n);
  const Tensor dprobs = dlogprobs / probs, dcounts_sum_inv = across(counts * dprobs);
  const Tensor dcounts_sum = -dcounts_sum_inv / square(counts_sum);
  const Tensor dcounts = counts_sum_inv * dprobs + dcounts_sum, dnorm_logits = counts * dcounts;
  const Tensor dlogit_maxes = -across(dnorm_logits);
  const Tensor dlogits = dnorm_logits + one_hot(argmax(logits, 1), vocab, k64) * dlogit_maxes;
  const Tensor dh = matmul(dlogits, t(W2)), dW2 = matmul(t(h), dlogits), db2 = sum(dlogits, 0);
  const Tensor dhpreact = (1 - square(h)) * dh, dbngain = down(bnraw * dhpreact), dbnbias = down(dhpreact);
  const Tensor dbnraw = bngain * dhpreact, dbnvar_inv = down(bndiff * dbnraw);
  const Tensor dbnvar = -0.5 * pow(bnvar + 1e-5, -1.5) * dbnvar_inv;
  const Tensor dbndiff2 = (1.0 / (n - 1)) * ones_like(bndiff2) * dbnvar;
  const Tensor dbndiff = bnvar_inv * dbnraw + 2 * bndiff * dbndiff2, dbnmeani = -down(dbndiff);
  const Tensor dhprebn = dbndiff + (1.0 / n) * ones_like(hprebn) * dbnmeani;
  const Tensor dembcat = matmul(dhprebn, t(W1)), dW1 = matmul(t(embcat), dhprebn), db1 = sum(dhprebn, 0);
  const Tensor demb = dembcat.reshape(emb_.shape());
  const Tensor dC = index_add(zeros({vocab, emb}, k64), 0, xb.flatten(), demb.reshape({-1, emb}));
  const std::vector<Tensor> by_hand{
      dlogprobs, dprobs,   dcounts_sum_inv, dcounts_sum, dcounts, dnorm_logits, dlogit_maxes, dlogits, dh,
      dW2,       db2,      dhpreact,        dbngain,     dbnbias, dbnraw,       dbnvar_inv,   dbnvar,  dbndiff2,
      dbndiff,   dbnmeani, dhprebn,         dembcat,     dW1,     db1,          demb,         dC};
  ASSERT_EQ(d.size(), by_hand.size());
  for (size_t i = 0; i < d.size(); ++i) EXPECT_TENSOR_NEAR(d[i], by_hand[i], 1e-12) << i;

  // Exercises 2 and 3: the two long chains in one formula each.
  EXPECT_TENSOR_NEAR(d[7], (softmax(logits, 1) - one_hot(yb, vocab, k64)) / n, 1e-12);
  EXPECT_TENSOR_NEAR(
      d[20],
      bngain * bnvar_inv / n * (n * dhpreact - down(dhpreact) - double(n) / (n - 1) * bnraw * down(dhpreact * bnraw)),
      1e-12);
}

namespace {

// A block of a decoder: attention that sees no later letter, then a network at each place.
struct GptBlock : nn::Module<GptBlock> {
  GptBlock(int64_t size, int64_t heads)
      : heads(heads),
        ln1(add("ln1", nn::LayerNorm(size))),
        ln2(add("ln2", nn::LayerNorm(size))),
        qkv(add("qkv", nn::Linear(size, 3 * size, {.bias = false}))),
        out(add("out", nn::Linear(size, size))),
        up(add("up", nn::Linear(size, 4 * size))),
        down(add("down", nn::Linear(4 * size, size))) {}
  Tensor attend(const Tensor& x) {
    const int64_t B = x.size(0), T = x.size(1), D = x.size(2);
    std::vector<Tensor> parts;
    for (const Tensor& part : chunk(qkv(x), 3, -1))
      parts.push_back(part.reshape({B, T, heads, D / heads}).transpose(1, 2));
    const Tensor scores = matmul(parts[0], parts[1].transpose(-1, -2)) / std::sqrt(double(D / heads));
    const Tensor later = eq(tril(ones({T, T})), 0.0);
    const Tensor weights = softmax(masked_fill(scores, later, -INFINITY), -1);
    return out(matmul(weights, parts[2]).transpose(1, 2).reshape({B, T, D}));
  }
  Tensor forward(const Tensor& x) {
    const Tensor y = x + attend(ln1(x));
    return y + down(gelu(up(ln2(y))));
  }
  int64_t heads;
  nn::LayerNorm ln1, ln2;
  nn::Linear qkv, out, up, down;
};

struct Gpt : nn::Module<Gpt> {
  Gpt(int64_t vocabulary, int64_t context, int64_t size)
      : tokens(add("tokens", nn::Embedding(vocabulary, size))),
        places(add("places", nn::Embedding(context, size))),
        blocks(add("blocks", nn::ModuleList<GptBlock>(2, [=](int64_t) { return GptBlock(size, 4); }))),
        norm(add("norm", nn::LayerNorm(size))),
        head(add("head", nn::Linear(size, vocabulary))) {}
  Tensor forward(const Tensor& x) {
    Tensor h = tokens(x) + places(arange(x.size(1)));
    for (GptBlock& block : blocks) h = block(h);
    return head(norm(h));
  }
  nn::Embedding tokens, places;
  nn::ModuleList<GptBlock> blocks;
  nn::LayerNorm norm;
  nn::Linear head;
};

}  // namespace

TEST(Lectures, AGptSeesNoLaterLetterAndLearnsItsText) {
  manual_seed(1337);
  std::string song;
  for (int i = 0; i < 40; ++i) song += "one tape, two ends; ";
  const data::Text corpus(song);
  const Tensor ids = corpus.encode(song);
  Gpt model(corpus.vocabulary_size(), 16, 32);

  Tensor x = narrow(ids, 0, 0, 16).unsqueeze(0);
  const Tensor before = model(x);
  x = x.clone();
  narrow(x[0], 0, 9, 7).fill_(1);
  EXPECT_TENSOR_NEAR(narrow(model(x), 1, 0, 9), narrow(before, 1, 0, 9), 1e-5);
  EXPECT_FALSE(is_close(model(x)[0][9], before[0][9], {.atol = 1e-3}));

  optim::AdamW optimizer(model.parameters(), {.lr = 3e-3});
  double last = 0;
  data::LoaderOf windows(data::TextWindows(corpus, 16), {.batch_size = 8, .shuffle = true});  // 98 batches
  for (auto [x, y] : windows) {
    Tape tape;
    const Tensor loss = cross_entropy(model(x).flatten(0, 1), y.flatten());
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
    last = loss.item();
  }
  EXPECT_LT(last, 0.5);
}

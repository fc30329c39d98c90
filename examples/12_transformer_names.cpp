// A Transformer learns names, or any text, character by character, and makes up new ones while it learns.
//
// The model is a small GPT: embedding, learned positions, blocks of causal attention and feed-forward, one linear layer. A
// pre-LN block has its norms before attention and feed-forward, so that the residual goes through unchanged; a post-LN
// block, that of 2017, has them behind, and learns slowly at first when there are many. --norm chooses; rms is pre-LN
// with RMS norms.
//
//   12_transformer_names                                          names; --norm post to compare
//   12_transformer_names --text book.txt --layers 6 --d 192 --context 128 --steps 5000
//   12_transformer_names --run runs/names; 12_transformer_names --travel runs/names --step 200
//   mpirun -n 4 12_transformer_names                              on four ranks, with the same numbers as on two: see ranks.h
//
// Ctrl-C saves, and the same command goes on. Writing keeps the keys and values of what was read, so a character costs one
// row, not the whole text again.
// Sources: Radford et al. 2018, "Improving language understanding by generative pre-training"; Xiong et al. 2020,
// "On layer normalization in the Transformer architecture", arXiv:2002.04745.
#include <tapegrad/tapegrad.h>

#include <algorithm>
#include <iterator>
#include <sstream>

#include "ranks.h"
#include "runs.h"

using namespace tapegrad;

constexpr const char* kNames = R"(
ada adam agnes alan albert alexander alice alma amelia amy anders andrea anna anton ariana arthur astrid august aurora
barbara bart beatrice ben benjamin bernard bertha bettina bianca boris brenda bruno camilla carl carla carmen caroline
cecilia charles charlotte chiara christian clara claudia clemens constance cora daniel daria david delia diana dora dorothea
edgar edith edmund eduard eleanor elena elias elisa elizabeth ella elsa emil emilia emma enrico erica erik ernest esther eva
fabian felix fiona flora florence frances francis frank franz frederick frieda gabriel georg george gerald gerda gilbert
gloria greta gustav hanna hannes harold harriet heinrich helen helena henry herbert hermann hilda hugo ida ines ingrid irene
iris isaac isabel isadora ivan jacob james jan jana jasmin joan johan johanna john jonas jonathan josef josephine judith
julia julian juliana karen karin karla katharina kilian klara konrad kurt lara laura laurence lea lena leo leon leonard
leonora lilian lily linda linus lisa lorenz louis louisa lucas lucia lucian ludwig luisa lydia magda manfred marcel marcus
margaret maria marian marianne marie marina mario mark marlene martha martin mary mathilda max maximilian melanie michael
milena mina miriam mona monica nadia natalia nathan nicholas nicola nina nora norbert norman octavia olga oliver olivia
ornella oscar otto patricia paul paula pauline peter petra philip pia rachel ralph raphael raymond rebecca regina renata
richard rita robert roland roman rosa rosalind rudolf ruth sabina samuel sandra sara sebastian silvia simon sofia sonja
stefan stella susan sven sylvia tamara teresa theodor thomas tilda tobias ulrich ursula valentin valeria vera verena
victor victoria vincent viola vivian walter wanda wilhelm willa william xaver yara yvonne zelda zita
)";

struct Settings {
  std::string norm;
  int64_t d, heads, layers, context, batch_size, steps, sample, seed;
  double lr, dropout, temperature;
  bool quick;
};

struct Gpt : nn::Module<Gpt> {
  Gpt(int64_t characters, const Settings& s)
      : embed(add("embed", nn::Embedding(characters, s.d))),
        positions(add("positions", nn::LearnedPositions(s.context, s.d))),
        blocks(add("blocks", nn::TransformerEncoder(s.d, s.heads, s.layers,
                                                    {.dim_feedforward = 4 * s.d,
                                                     .dropout = s.dropout,
                                                     .activation = nn::Activation::gelu,
                                                     .batch_first = true,
                                                     .norm_first = s.norm != "post",
                                                     .norm = s.norm == "rms" ? nn::Norm::rms : nn::Norm::layer,
                                                     .final_norm = s.norm != "post"}))),
        head(add("head", nn::Linear(s.d, characters))) {
    embed.weight.copy_(embed.weight * 0.02);  // about as large as the positions
  }

  // x [B, T], which stands behind what the caches hold -> logits [B, T, characters]
  Tensor forward(const Tensor& x, std::span<nn::KeyValueCache> caches = {}) {
    const int64_t first = caches.empty() ? 0 : caches[0].length();
    return head(blocks(positions(embed(x), first), {.is_causal = true}, caches));
  }

  nn::Embedding embed;
  nn::LearnedPositions positions;
  nn::TransformerEncoder blocks;
  nn::Linear head;
};

// Windows of the text, and the character behind each of theirs: [B, length].
data::Batch windows(const data::Text& text, int64_t length, const std::vector<int64_t>& starts) {
  Tensors x, y;
  for (int64_t start : starts) {
    x.push_back(narrow(text.tokens(), 0, start, length));
    y.push_back(narrow(text.tokens(), 0, start + 1, length));
  }
  return {stack(x), stack(y)};
}

// Nats a character.
Tensor loss_of(const Gpt& model, const Tensor& x, const Tensor& y) {
  return cross_entropy(model(x).flatten(0, 1), y.flatten(0, 1));
}

// On at most 64 windows, one behind the other.
double evaluate(Gpt& model, const data::Text& text, int64_t length) {
  std::vector<int64_t> starts;
  for (int64_t at = 0; at + length < text.size() && starts.size() < 64; at += length) starts.push_back(at);
  model.eval();
  const auto [x, y] = windows(text, length, starts);
  const double nats = loss_of(model, x, y).item();
  model.train();
  return nats;
}

// Draws one character after the other from softmax(logits / temperature), as far as there are positions.
std::string write(Gpt& model, const data::Text& corpus, const Settings& s, Generator& random) {
  model.eval();
  std::vector<nn::KeyValueCache> caches(size_t(s.layers), nn::KeyValueCache{});
  std::string text;
  Tensor x = corpus.encode("\n").unsqueeze(0);
  for (int64_t i = 0; i < std::min(s.sample, s.context); ++i) {
    const std::vector<float> p = softmax(model(x, caches)[0][0] / s.temperature).to_vector<float>();
    double left = random.uniform();
    int64_t token = 0;
    while (token + 1 < int64_t(p.size()) && (left -= double(p[size_t(token)])) > 0) ++token;
    text += corpus.character(token);
    x = full({1, 1}, double(token), {.dtype = int64});
  }
  model.train();
  return text;
}

int learn(distributed::Context& mpi, const data::Text& corpus, const Settings& s, const RunFolder& kept,
          const Travel& travel) {
  manual_seed(uint64_t(s.seed));
  const auto parts = corpus.split(0.9);
  const data::Text &train_text = parts.train, &test_text = parts.test;
  Gpt model(corpus.vocabulary_size(), s);
  distributed::DataParallel parallel(model, mpi);
  fmt::print("{} characters, {} different ones; {} parameters, norm {}\n", corpus.size(), corpus.vocabulary_size(),
             model.parameter_count(), s.norm);
  const int64_t length = std::min(s.context, test_text.size() - 1);
  optim::AdamW optimizer(model.named_parameters(), {.lr = s.lr});
  optim::WarmupCosineLR schedule(optimizer, {.warmup_steps = s.steps / 20, .total_steps = s.steps});
  Generator starts_at{uint64_t(s.seed)};
  std::vector<int64_t> starts(size_t(s.batch_size), 0);
  const double before = evaluate(model, test_text, length);
  distributed::Recorder run(mpi, travel.folder.empty() ? kept.path() : travel.folder,
                            {{"model", model},
                             {"optimizer", optimizer},
                             {"schedule", schedule},
                             {"starts", starts_at},
                             {"random", default_generator()}},
                            [&](Tape& tape, int64_t) {
                              for (int64_t& start : starts) start = starts_at.below(train_text.size() - length);
                              const auto [x, y] = windows(train_text, length, starts);
                              const Tensor loss = parallel(loss_of, own_rows(mpi, x), own_rows(mpi, y));
                              optimizer.zero_grad();
                              tape.backward(loss);
                              clip_grad_norm(model.parameters(), 1.0);
                              optimizer.step();
                              schedule.step();
                              return loss;
                            });
  if (!travel.folder.empty()) {
    fmt::print("{}", run.answer(travel.question));
    return 0;
  }
  train::Progress progress(s.steps, {.label = "learning"});
  train::Meter recent;
  double best = before;
  for (int64_t step = run.resume(); step < s.steps;) {
    if (!run.step(step++)) return 1;
    recent.add(run.loss());
    progress.set(step, {{"loss", recent.mean()}, {"held back", best}});
    if (step % std::max<int64_t>(1, s.steps / 5) != 0) continue;
    const double nats = evaluate(model, test_text, length);
    Generator random(uint64_t(s.seed),
                     uint64_t(step));  // a stream of its own: a run that goes on writes the same
    best = std::min(best, nats);
    progress.clear();
    fmt::print("step {:5}: {:.3f} nats a character learned, {:.3f} held back\n{}\n", step, recent.mean(), nats,
               write(model, corpus, s, random));
    std::fflush(stdout);
    recent.reset();
  }
  progress.clear();
  if (mpi.is_root()) kept.finish();
  return !s.quick || best < before - 0.6 ? 0 : 1;
}

// The list in random order, so that the names held back are of all letters.
data::Text names() {
  std::istringstream in(kNames);
  const std::vector<std::string> list{std::istream_iterator<std::string>(in), {}};
  const Tensor order = randperm(int64_t(list.size()));
  std::string text = "\n";
  for (int64_t i : order.data<int64_t>()) text += list[size_t(i)] + "\n";
  return data::Text(text);
}

int main(int argc, char** argv) {
  return run(argc, argv, "A Transformer learns names, or any text, and makes up new ones.", [&](Arguments& arguments) {
    Settings s;
    const std::string file = arguments.text("text", "", "the file to learn; else a list of names");
    s.quick = arguments.flag("quick", "a few seconds, and whether it learned anything");
    s.norm = arguments.choice("norm", "pre", {"pre", "post", "rms"}, "where the norms stand, or RMS norms");
    s.d = arguments.integer("d", s.quick ? 32 : 64, "features", {1, 4096});
    s.heads = arguments.integer("heads", 4, "heads of attention; they divide d", {1, 64});
    s.layers = arguments.integer("layers", s.quick ? 1 : 2, "blocks", {1, 64});
    s.context = arguments.integer("context", 64, "characters that it looks back", {2, 4096});
    s.batch_size = arguments.integer("batch", 16, "texts side by side", {1, 4096});
    s.steps = arguments.integer("steps", s.quick ? 120 : 400, "of Adam", {1});
    s.lr = arguments.number("lr", 3e-3, "learning rate, the highest", {0, 10});
    s.dropout = arguments.number("dropout", s.quick ? 0 : 0.2, "share of values left out", {0, 0.95});
    s.temperature = arguments.number("temperature", 0.8, "small is safe, 1 is as learned", {1e-3, 100});
    s.sample = arguments.integer("sample", 64, "characters to write at each look, at most the context", {0});
    s.seed = arguments.integer("seed", 0, "of the random numbers", {0});
    const int64_t shards = shards_argument(arguments);
    const RunFolder kept(arguments, "12_transformer_names");
    const Travel travel = travel_arguments(arguments);
    arguments.finish();
    distributed::Context mpi(argc, argv, {.shards = shards});
    return learn(mpi, file.empty() ? names() : data::Text::read(file), s, kept, travel);
  });
}

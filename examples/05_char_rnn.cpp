// A recurrent network learns a text, character by character, and then writes in its manner.
//
// The text is cut into streams that are read side by side, 64 characters at a time. The state of the network
// goes on from one batch to the next, but the tape ends with the step: back-propagation is truncated there,
// with nothing to detach. What is measured is the mean of -ln p(next character) over text that was held back:
// nats a character. A model that knows only how frequent each character is gets the entropy of these
// frequencies, printed first.
//
//   05_char_rnn --text book.txt --minutes 10 --run runs/book                  learns, keeps the newest and the best model
//   05_char_rnn --text book.txt --run runs/book --steps 0 --temperature 0.7   writes
//   mpirun -n 4 05_char_rnn --steps 1000         learns on four ranks, with the same numbers as on two: see ranks.h
//
// Ctrl-C saves, and the same command goes on. Without --text it reads tapegrad's own documentation. Sizes and rates as in Karpathy 2015, "The
// unreasonable effectiveness of recurrent neural networks", with layer normalization in the cell (Ba et al.
// 2016).
#include <tapegrad/tapegrad.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numbers>
#include <sstream>

#include "ranks.h"
#include "recurrent.h"
#include "runs.h"

using namespace tapegrad;

struct Settings {
  RecurrentArguments net;
  double dropout, lr, temperature, minutes;
  int64_t batch_size, unroll, steps, sample;
  std::string prompt;
  bool quick;
};

template <class Layer>
struct CharModel : nn::Module<CharModel<Layer>> {
  using State = typename Layer::State;

  CharModel(int64_t characters, const Settings& s)
      : embed(this->add("embed", nn::Embedding(characters, 64))),
        rnn(this->add("rnn", recurrent_layer<Layer>(64, s.net.hidden, s.net.norm))),
        drop(this->add("drop", nn::Dropout(s.dropout))),
        head(this->add("head", nn::Linear(s.net.hidden, characters))) {}

  // x [T, B] -> logits [T, B, characters], and the state to go on with
  std::pair<Tensor, State> forward(const Tensor& x, const State& state) {
    auto [output, next] = rnn(drop(embed(x)), state);
    return {head(drop(output)), next};
  }

  nn::Embedding embed;
  Layer rnn;
  nn::Dropout drop;
  nn::Linear head;
};

// What the network carries on from one batch to the next, and the time that it has learned by the clock.
struct Place : Stateful {
  Tensor state;
  double seconds = 0;

  StateDict state_dict() const override {
    return {{"seconds", full({1}, seconds, {.dtype = float64})}, {"state", state.clone()}};
  }
  void load_state_dict(const StateDict& from) override {
    seconds = from.at("seconds").item();
    state = from.at("state");
  }
};

// The state of a layer as one tensor, h [1, B, H] or h and c [2, B, H], whose columns are those of the batch; and back.
template <class State>
Tensor packed(const State& state) {
  if constexpr (requires { state.c; })
    return concat({state.h, state.c}, 0);
  else
    return state;
}
template <class State>
State unpacked(const Tensor& packed) {
  if constexpr (requires(State s) { s.c; })
    return {narrow(packed, 0, 0, 1), narrow(packed, 0, 1, 1)};
  else
    return packed;
}

// Nats a character. `state` is what the network begins with, and becomes what it ends with.
template <class Model>
Tensor loss_of(Model& model, const Tensor& x, const Tensor& y, typename Model::State& state) {
  auto [logits, next] = model(x, state);
  state = next;
  return cross_entropy(logits.flatten(0, 1), y.flatten(0, 1));
}

// Nats a character on a text that the model did not learn from, read in at most 8 streams.
template <class Model>
double evaluate(Model& model, const data::Text& text) {
  model.eval();
  typename Model::State state;
  train::Meter nats;
  const int64_t streams = std::clamp<int64_t>(text.size() / 200, 1, 8);
  for (auto [x, y] :
       data::text_batches(text, {.batch_size = streams, .steps = std::min<int64_t>(100, (text.size() - 1) / streams)}))
    nats.add(loss_of(model, x, y, state).item());
  model.train();
  return nats.mean();
}

// Draws one character after the other from softmax(logits / temperature) and reads it as the next input.
template <class Model>
std::string write(Model& model, const data::Text& corpus, const Settings& s) {
  model.eval();
  Generator random{uint64_t(s.net.seed)};
  typename Model::State state;
  std::string text = s.prompt;
  Tensor x = corpus.encode(s.prompt).unsqueeze(1);
  for (int64_t i = 0; i < s.sample; ++i) {
    auto [logits, next] = model(x, state);
    state = next;
    const std::vector<float> p = softmax(logits[logits.size(0) - 1][0] / s.temperature).template to_vector<float>();
    double left = random.uniform();
    int64_t token = 0;
    while (token + 1 < int64_t(p.size()) && (left -= double(p[size_t(token)])) > 0) ++token;
    text += corpus.character(token);
    x = full({1, 1}, double(token), {.dtype = int64});
  }
  return text;
}

double entropy_of_characters(const data::Text& text) {
  std::vector<double> count(size_t(text.vocabulary_size()), 0.0);
  for (int64_t token : text.tokens().data<int64_t>()) count[size_t(token)] += 1;
  double entropy = 0;
  for (double n : count)
    if (n > 0) entropy -= n / double(text.size()) * std::log(n / double(text.size()));
  return entropy;
}

template <class Layer>
int learn(distributed::Context& mpi, const data::Text& corpus, const Settings& s, const RunFolder& kept) {
  using State = typename Layer::State;
  manual_seed(uint64_t(s.net.seed));
  const auto [train, test] = corpus.split(0.9);
  CharModel<Layer> model(corpus.vocabulary_size(), s);
  distributed::DataParallel parallel(model, mpi, {.batch_axis = 1});
  const double alphabet_entropy = entropy_of_characters(corpus);
  fmt::print("{} characters, {} different ones of {:.3f} nats; {} parameters, cell {}, norm {}\n", corpus.size(),
             corpus.vocabulary_size(), alphabet_entropy, model.parameter_count(), s.net.cell, s.net.norm_name);
  std::fflush(stdout);  // for those who write into a file and look in

  optim::AdamW optimizer(model.named_parameters(), {.lr = s.lr});
  const auto batches = data::text_batches(train, {.batch_size = s.batch_size, .steps = s.unroll});
  // By the clock progress counts in milliseconds.
  const int64_t total = s.steps >= 0 ? s.steps : std::llround(6e4 * s.minutes);
  const int64_t between =
      std::clamp<int64_t>(total / 4, 1, 500);  // steps from one look at the held-back text to the next
  const Tensor nothing = zeros({std::is_same_v<Layer, nn::LSTM> ? 2 : 1, s.batch_size, s.net.hidden});
  Place place;
  place.state = nothing;
  train::Meter recent;
  distributed::Checkpointer checkpoints(mpi, kept.path(),
                                        {{"model", model},
                                         {"optimizer", optimizer},
                                         {"place", place},
                                         {"recent", recent},
                                         {"random", default_generator()}},
                                        {.every = between, .keep = 1});
  int64_t step = checkpoints.resume();
  const double before = place.seconds;
  train::Progress progress(total, {.label = "learning"});
  double nats = std::nan("");

  for (int64_t done = s.steps >= 0 ? step : std::llround(1e3 * before); done < total;) {
    if (step % batches.batches() == 0) place.state = nothing;  // the text begins again
    const double share = double(done) / double(total);
    optimizer.set_lr(s.lr * std::min(1.0, double(step + 1) / 20) * 0.5 * (1 + std::cos(std::numbers::pi * share)));
    Tensors ends;  // the states of this rank's shards behind the batch
    {
      Tape tape;
      const auto [x, y] = batches[step % batches.batches()];
      const Tensor loss = parallel(
          [&](auto& model, auto& x, auto& y, auto& begin) {
            State state = unpacked<State>(begin);
            const Tensor nats = loss_of(model, x, y, state);
            ends.push_back(packed(state));
            return nats;
          },
          own_rows(mpi, x, 1), own_rows(mpi, y, 1), own_rows(mpi, place.state, 1));
      optimizer.zero_grad();
      tape.backward(loss);
      clip_grad_norm(model.parameters(), 1.0);
      optimizer.step();
      recent.add(loss.item());
    }
    place.state = mpi.gather(concat(ends, 1), 1);
    ++step;
    if (s.steps < 0) place.seconds = mpi.sum(mpi.is_root() ? before + progress.seconds() : 0);
    done = s.steps >= 0 ? step : std::llround(1e3 * place.seconds);
    const bool look = step % between == 0 || done >= total;
    if (look) {
      nats = evaluate(model, test);
      progress.clear();
      fmt::print("step {:6}: {:.3f} nats a character learned, {:.3f} held back\n", step, recent.mean(), nats);
      std::fflush(stdout);
      recent.reset();
    }
    const double metric = look ? nats : std::nan("");
    if (done >= total)
      checkpoints.save(step, metric);
    else if (!checkpoints.step(step, metric))
      return 1;
    if (std::isfinite(nats))
      progress.set(std::min(done, total), {{"loss", recent.mean()}, {"held back", nats}});
    else
      progress.set(std::min(done, total), {{"loss", recent.mean()}});
  }
  progress.clear();
  if (checkpoints.best() >= 0) checkpoints.load(checkpoints.best());
  const double best = evaluate(model, test);
  fmt::print("best: {:.3f} nats a character ({:.3f} bits)\n\n{}\n", best, best / std::numbers::ln2,
             write(model, corpus, s));
  if (mpi.is_root()) kept.finish();
  return !s.quick || best < alphabet_entropy - 0.3 ? 0 : 1;
}

// The files of a folder and those below that end so, one after the other, in the order of their names.
std::string documentation() {
  const std::filesystem::path root = TAPEGRAD_EXAMPLES_DIR "/..";
  std::vector<std::filesystem::path> files;
  for (const char* name : {"README.md", "CONTRIBUTING.md"})
    if (std::filesystem::exists(root / name)) files.push_back(root / name);
  for (const char* folder : {"docs", "include"})
    if (std::filesystem::exists(root / folder))
      for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder))
        if (entry.path().extension() == ".md" || entry.path().extension() == ".h") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::ostringstream text;
  for (const auto& file : files) text << std::ifstream(file).rdbuf();
  return text.str();
}

// What would else be found after the training.
void check(const data::Text& corpus, const Settings& s) {
  if (corpus.encode(s.prompt).numel() == 0) throw std::runtime_error("--prompt takes a character at least");
}

int main(int argc, char** argv) {
  return run(argc, argv, "Learns a text, character by character, and writes in its manner.", [&](Arguments& arguments) {
    Settings s;
    const std::string text = arguments.text("text", "", "the file to learn; else tapegrad's documentation");
    s.quick = arguments.flag("quick", "a small model for a few seconds, and whether it learned anything");
    s.net = recurrent_arguments(arguments, "layer", s.quick ? 64 : 256);
    s.minutes = arguments.number("minutes", 5, "to learn", {1e-3, 1e5});
    s.steps =
        arguments.integer("steps", s.quick ? 120 : -1, "to learn, in place of minutes if >= 0; 0: only write", {-1});
    s.batch_size = arguments.integer("batch", s.quick ? 16 : 32, "streams side by side", {1, 4096});
    s.unroll = arguments.integer("unroll", s.quick ? 32 : 64, "characters of a stream in a step", {1, 4096});
    s.lr = arguments.number("lr", 4e-3, "learning rate, the highest", {0, 10});
    s.dropout = arguments.number("dropout", s.quick ? 0 : 0.1, "share of values left out", {0, 0.95});
    s.temperature =
        arguments.number("temperature", 0.8, "of what is written: small is safe, 1 is as learned", {1e-3, 100});
    s.sample = arguments.integer("sample", s.quick ? 100 : 600, "characters to write", {0});
    s.prompt = arguments.text("prompt", "\n", "the beginning of what is written");
    const int64_t shards = shards_argument(arguments);
    const RunFolder kept(arguments, "05_char_rnn");
    arguments.finish();

    distributed::Context mpi(argc, argv, {.shards = shards});
    const data::Text corpus = text.empty() ? data::Text(documentation()) : data::Text::read(text);
    check(corpus, s);
    return with_cell(s.net.cell, [&]<class Layer>() { return learn<Layer>(mpi, corpus, s, kept); });
  });
}

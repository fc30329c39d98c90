// What a user of the recurrent layers and cells sees: names, text, errors.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

namespace tapegrad {
namespace {

template <class F>
std::string message(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

std::vector<std::string> names(const nn::ModuleBase& module) {
  std::vector<std::string> out;
  for (const auto& [name, tensor] : module.named_parameters()) out.push_back(name + " " + to_string(tensor.shape()));
  return out;
}
using Names = std::vector<std::string>;

TEST(RecurrentNames, AreThoseOfPyTorch) {
  EXPECT_EQ(names(nn::LSTM(3, 2, {.num_layers = 2, .bidirectional = true})),
            (Names{"weight_ih_l0 [8, 3]", "weight_hh_l0 [8, 2]", "bias_ih_l0 [8]", "bias_hh_l0 [8]",
                   "weight_ih_l0_reverse [8, 3]", "weight_hh_l0_reverse [8, 2]", "bias_ih_l0_reverse [8]",
                   "bias_hh_l0_reverse [8]", "weight_ih_l1 [8, 4]", "weight_hh_l1 [8, 2]", "bias_ih_l1 [8]",
                   "bias_hh_l1 [8]", "weight_ih_l1_reverse [8, 4]", "weight_hh_l1_reverse [8, 2]",
                   "bias_ih_l1_reverse [8]", "bias_hh_l1_reverse [8]"}));
  EXPECT_EQ(names(nn::GRU(3, 2, {.bias = false})), (Names{"weight_ih_l0 [6, 3]", "weight_hh_l0 [6, 2]"}));
  EXPECT_EQ(names(nn::RNNCell(3, 2)), (Names{"weight_ih [2, 3]", "weight_hh [2, 2]", "bias_ih [2]", "bias_hh [2]"}));
}

TEST(RecurrentNames, OfNormsFollowThePaper) {
  EXPECT_EQ(
      names(nn::LSTM(3, 2, {.norm = Norm::layer})),
      (Names{"weight_ih_l0 [8, 3]", "weight_hh_l0 [8, 2]", "bias_l0 [8]", "ln_ih_l0.weight [8]", "ln_ih_l0.bias [8]",
             "ln_hh_l0.weight [8]", "ln_hh_l0.bias [8]", "ln_c_l0.weight [2]", "ln_c_l0.bias [2]"}));
  EXPECT_EQ(names(nn::RNN(3, 2, {.norm = Norm::layer})),
            (Names{"weight_ih_l0 [2, 3]", "weight_hh_l0 [2, 2]", "ln_l0.weight [2]", "ln_l0.bias [2]"}));
  EXPECT_EQ(names(nn::GRU(3, 2, {.norm = Norm::rms})),
            (Names{"weight_ih_l0 [6, 3]", "weight_hh_l0 [6, 2]", "bias_l0 [6]", "ln_ih_l0.weight [6]",
                   "ln_hh_l0.weight [6]"}));
  EXPECT_EQ(names(nn::GRU(3, 2, {.norm = Norm::layer, .placement = Placement::sum})),
            (Names{"weight_ih_l0 [6, 3]", "weight_hh_l0 [6, 2]", "ln_l0.weight [6]", "ln_l0.bias [6]"}));
  EXPECT_EQ(names(nn::LSTMCell(3, 2, {.norm = Norm::layer, .placement = Placement::sum})),
            (Names{"weight_ih [8, 3]", "weight_hh [8, 2]", "ln.weight [8]", "ln.bias [8]", "ln_c.weight [2]",
                   "ln_c.bias [2]"}));
}

TEST(RecurrentText, ShowsWhatIsNotDefault) {
  EXPECT_EQ(to_string(nn::LSTMCell(3, 2)), "LSTMCell(3, 2)  56 parameters\n");
  EXPECT_TRUE(to_string(nn::LSTM(3, 2, {.num_layers = 2, .dropout = 0.1, .bidirectional = true, .norm = Norm::layer}))
                  .starts_with("LSTM(3, 2, norm=layer, placement=separate, num_layers=2, dropout=0.1, "
                               "bidirectional=true)"));
}

TEST(RecurrentNames, AreThoseOfTheMembers) {
  nn::LSTMCell cell(3, 2, {.norm = Norm::layer});
  const std::map<std::string, Tensor> state = cell.state_dict();
  EXPECT_TENSOR_NEAR(state.at("ln_c.weight"), cell.ln_c.weight, 0.0);
  cell.ln_hh.bias.fill_(3);
  EXPECT_EQ(cell.state_dict().at("ln_hh.bias")[0].item(), 3);
  EXPECT_FALSE(cell.ln.weight.defined());
  EXPECT_FALSE(cell.bn_c.weight.defined());
  nn::LSTMCell copy = cell.clone();
  copy.ln_hh.bias.fill_(4);
  EXPECT_EQ(copy.state_dict().at("ln_hh.bias")[0].item(), 4);
  EXPECT_EQ(cell.ln_hh.bias[0].item(), 3);
}

TEST(RecurrentCalls, TakeAStateInBraces) {
  manual_seed(1);
  nn::LSTMCell cell(3, 4);
  const Tensor x = randn({2, 3}), h = randn({2, 4}), c = randn({2, 4});
  const nn::LSTMState next = cell(x, {h, c}), same = cell(x, nn::LSTMState{h, c});
  EXPECT_TENSOR_NEAR(next.h, same.h, 0.0);
  EXPECT_TENSOR_NEAR(next.c, same.c, 0.0);
  EXPECT_TENSOR_NEAR(cell(x, {{}, c}).h, cell(x, {zeros({2, 4}), c}).h, 0.0);
  nn::GRUCell gru(3, 4);
  EXPECT_TENSOR_NEAR(gru(x, {}), gru(x, zeros({2, 4})), 0.0);
}

// The examples of the header files.
TEST(RecurrentCalls, OfTheDocumentationCompile) {
  const Tensor sequence = randn({5, 2, 3}), lengths = from_vector(std::vector<int64_t>{5, 2}, {2});
  {
    nn::RNNCell cell(3, 4, {.norm = nn::Norm::layer});
    Tensor h;
    for (const Tensor& x : unbind(sequence, 0)) h = cell(x, h);
    EXPECT_THAT(h, HasShape({2, 4}));
  }
  {
    nn::LSTMCell cell(3, 4);
    auto [h, c] = cell(sequence[0], {zeros({2, 4}), zeros({2, 4})});
    EXPECT_THAT(c, HasShape({2, 4}));
  }
  {
    nn::GRUCell cell(3, 4, {.norm = nn::Norm::rms});
    const Tensor h = cell(sequence[0], zeros({2, 4}));
    EXPECT_THAT(h, HasShape({2, 4}));
  }
  {
    nn::RNN rnn(3, 4, {.num_layers = 2, .dropout = 0.1});
    const Tensor last = rnn(sequence, {}, {.lengths = lengths}).state[-1];
    EXPECT_THAT(last, HasShape({2, 4}));
  }
  {
    nn::LSTM lstm(3, 4, {.norm = nn::Norm::layer});
    auto [output, state] = lstm(sequence);
    output = lstm(sequence, state).output;
    EXPECT_THAT(output, HasShape({5, 2, 4}));
  }
  {
    nn::GRU gru(3, 4, {.batch_first = true, .bidirectional = true});
    const Tensor output = gru(sequence.transpose(0, 1)).output;
    EXPECT_THAT(output, HasShape({2, 5, 8}));
  }
}

TEST(RecurrentErrors, NameWhatDoesNotFit) {
  nn::LSTM lstm(3, 2);
  EXPECT_EQ(message([&] { lstm(zeros({4, 3})); }), "LSTM: input must be [T, B, 3] (input_size 3), got [4, 3]");
  EXPECT_EQ(message([&] { lstm(zeros({4, 5, 6})); }), "LSTM: input must be [T, B, 3] (input_size 3), got [4, 5, 6]");
  EXPECT_EQ(message([&] {
              nn::GRU(3, 2, {.batch_first = true})(zeros({4, 5, 6}));
            }),
            "GRU: input must be [B, T, 3] (input_size 3), got [4, 5, 6]");
  EXPECT_EQ(message([&] {
              lstm(zeros({4, 5, 3}), {zeros({5, 2}), zeros({1, 5, 2})});
            }),
            "LSTM: a state must be [layers * directions, B, hidden_size] [1, 5, 2], got [5, 2]");
  EXPECT_EQ(message([&] {
              lstm(zeros({4, 2, 3}), {}, {.lengths = from_vector(std::vector<int64_t>{4}, {1})});
            }),
            "LSTM: lengths must be int64 [2], got int64 [1]");
  EXPECT_EQ(message([&] {
              lstm(zeros({4, 1, 3}), {}, {.lengths = from_vector(std::vector<int64_t>{5}, {1})});
            }),
            "LSTM: lengths must be in [0, 4], got 5");
  EXPECT_EQ(message([&] {
              lstm(zeros({4, 1, 3}), {}, {.reset = zeros({1})});
            }),
            "LSTM: reset must be boolean [1], got float32 [1]");
  nn::RNNCell cell(3, 2);
  EXPECT_EQ(message([&] { cell(zeros({4, 5})); }), "RNNCell: cell: input must be [B, 3] (input_size), got [4, 5]");
  EXPECT_EQ(message([&] {
              cell(zeros({4, 3}), zeros({4, 3}));
            }),
            "RNNCell: cell: h must have the shape [B, hidden_size] [4, 2], got [4, 3]");
}

TEST(RecurrentErrors, RefuseOptionsThatAreNone) {
  EXPECT_EQ(message([] { nn::LSTM(0, 2); }),
            "recurrent cell: input_size and hidden_size must be positive, got 0 and 2");
  EXPECT_EQ(message([] { nn::GRU(3, 2, {.num_layers = 0}); }), "recurrent layer: num_layers must be at least 1, got 0");
  EXPECT_EQ(message([] { nn::RNN(3, 2, {.dropout = 1.5}); }), "recurrent layer: dropout must be in [0, 1], got 1.5");
  EXPECT_EQ(message([] { nn::LSTM(3, 2, {.relu = true}); }),
            "recurrent cell: relu is an option of RNNCell and RNN only");
  EXPECT_EQ(message([] { nn::GRUCell(3, 2, {.proj_size = 1}); }),
            "recurrent cell: proj_size is an option of LSTMCell and LSTM only");
  EXPECT_EQ(message([] { nn::LSTM(3, 2, {.norm = Norm::layer, .eps = 0}); }),
            "recurrent cell: eps must be positive, got 0");
}

}  // namespace
}  // namespace tapegrad

// The fused recurrent layers: every combination of options that takes a way of its own through the code.
#include "ops/samples.h"

namespace tapegrad {

namespace {

constexpr int64_t kSteps = 3, kBatch = 3, kHidden = 3;

// Inputs in the order projected, h0, c0, then RecurrentParameters; what is not used stays undefined.
Gradients call(const Inputs& in, const RecurrentOptions& options) {
  return recurrent(in[0], in[1], in[2],
                   {.weight_hh = in[3],
                    .bias = in[4],
                    .bias_hh = in[5],
                    .gain_ih = in[6],
                    .gain_hh = in[7],
                    .gain_c = in[8],
                    .bias_c = in[9]},
                   options);
}

// `bare`: without state, biases and gains.
Sample sample(const std::string& label, const RecurrentOptions& options, bool bare) {
  const bool lstm = options.cell == RecurrentCell::lstm, gru = options.cell == RecurrentCell::gru;
  const bool normed = options.norm != Norm::none, separate = options.placement == Placement::separate;
  const bool sum = normed && !separate;
  const int64_t width = (lstm ? 4 : gru ? 3 : 1) * kHidden;
  const auto when = [&](bool wanted, const Shape& shape) { return wanted && !bare ? normal(shape) : Tensor(); };
  Inputs in{normal({kSteps, kBatch, width}),   when(true, {kBatch, kHidden}), when(lstm, {kBatch, kHidden}),
            normal({width, kHidden}),          when(true, {width}),           when(gru && !sum, {width}),
            when(normed && separate, {width}), when(normed, {width}),         when(normed && lstm, {kHidden}),
            when(normed && lstm, {kHidden})};
  return {.label = label, .f = [options](const Inputs& in) { return call(in, options); }, .inputs = in};
}

Samples samples_of(RecurrentCell cell) {
  struct Way {
    const char* label;
    Norm norm;
    Placement placement;
  };
  Samples out;
  for (const Way& way :
       {Way{"plain", Norm::none, Placement::separate}, Way{"layer, separate", Norm::layer, Placement::separate},
        Way{"layer, sum", Norm::layer, Placement::sum}, Way{"rms, separate", Norm::rms, Placement::separate},
        Way{"rms, sum", Norm::rms, Placement::sum}}) {
    RecurrentOptions options{.cell = cell, .norm = way.norm, .placement = way.placement, .eps = 0.05};
    const std::string label = way.label;
    out.push_back(sample(label, options, false));
    out.push_back(sample(label + ", bare", options, true));
    options.reverse = true;
    out.push_back(sample(label + ", reverse", options, false));
    options.lengths = from_vector(std::vector<int64_t>{3, 0, 2}, {kBatch});
    out.push_back(sample(label + ", reverse, lengths", options, false));
    options.reverse = false;
    out.push_back(sample(label + ", lengths", options, false));
  }
  return out;
}

}  // namespace

Samples rnn_samples() {
  Samples out = samples_of(RecurrentCell::rnn_tanh);
  for (Sample& relu : samples_of(RecurrentCell::rnn_relu)) {
    relu.label = "relu, " + relu.label;
    out.push_back(relu);
  }
  return out;
}

Samples lstm_samples() { return samples_of(RecurrentCell::lstm); }

Samples gru_samples() { return samples_of(RecurrentCell::gru); }

}  // namespace tapegrad

// The laboratory: claims about normalization, each tried out with several seeds.
//
//   normalization_lab --list
//   normalization_lab --experiment batch-size --out pictures
//   normalization_lab --experiment depth --data data/fashion_mnist      as scripts/fetch_data fetches it
#include <tapegrad/inspect/report.h>

#include <filesystem>

#include "lab.h"

int main(int argc, char** argv) {
  struct Experiment {
    const char *name, *claim;
    void (*run)(const lab::Lab&);
  };
  const std::vector<Experiment> all{
      {"batch-size", "layer norm does not care for the batch size, batch norm fails at small ones", lab::batch_size},
      {"input-scale", "with a norm the scale of the inputs does not matter; and where eps ends that", lab::input_scale},
      {"weight-scale", "with a norm the scale of the first weights matters less", lab::weight_scale},
      {"rnn-convergence", "a recurrent network with layer norm needs fewer steps", lab::rnn_convergence},
      {"depth", "deep networks learn with a norm, and not without", lab::depth},
      {"learning-rate", "with a norm more learning rates work", lab::learning_rate},
      {"pre-post-ln", "a Transformer learns without a warm-up where the norms stand first", lab::pre_post_ln},
      {"cnn", "in convolutional networks batch norm is ahead at batches of 128, not at 2", lab::cnn},
      {"covariate-shift", "batch norm helps even where noise behind it moves the inputs of a layer",
       lab::covariate_shift},
      {"gain-bias", "without gain and bias a network learns worse; and what they learn", lab::gain_bias},
      {"online", "from one case at a time layer norm learns more than no norm, batch norm nothing", lab::online},
      {"effective-rate", "with a norm the weights grow, and the rate at which they turn falls", lab::effective_rate},
      {"rnn-gradient", "over 400 steps layer norm keeps the gradient nearer to what it was", lab::rnn_gradient},
      {"rnn-long", "with layer norm an LSTM learns to remember over more steps", lab::rnn_long},
      {"sequence-length", "layer norm goes on beyond the length of training, batch norm does not",
       lab::sequence_length},
      {"depth-gradient", "with layer norm the gradient is alike in all layers", lab::depth_gradient}};
  return run(argc, argv, "Tries out claims about normalization on handwritten digits.", [&](Arguments& arguments) {
    const bool list = arguments.flag("list", "the experiments and their claims");
    std::vector<std::string> names{"all"};
    for (const Experiment& e : all) names.push_back(e.name);
    const std::string wanted = arguments.choice("experiment", "all", names, "which one");
    const std::string folder = arguments.text("data", "", "folder of MNIST's or Fashion-MNIST's IDX files");
    const int64_t cases = arguments.integer("cases", 10000, "of their training set, at most", {1000});
    lab::Lab lab{.digits = lab::digits(list ? "" : folder, cases)};
    lab.quick = arguments.flag("quick", "a minute or less for each");
    lab.seeds = arguments.integer("seeds", lab.quick ? 2 : 5, "runs of each setting", {1, 100});
    lab.out = arguments.text("out", ".", "folder of the pictures");
    arguments.finish();
    if (list) {
      for (const Experiment& e : all) fmt::print("{:<17} {}\n", e.name, e.claim);
      return 0;
    }
    std::filesystem::create_directories(lab.out);
    for (const Experiment& e : all)
      if (wanted == "all" || wanted == e.name) {
        fmt::print("== {}: {}\n", e.name, e.claim);
        *lab.page += fmt::format("<h2>{}</h2>\n<p>{}.</p>\n", e.name, e.claim);
        e.run(lab);
      }
    tapegrad::inspect::write_page(lab.out + "/report.html", "Normalization, tried out", *lab.page);
    fmt::print("report: {}/report.html\n", lab.out);
    return 0;
  });
}

#include "support/golden.h"

#include <tapegrad/io.h>
#include <tapegrad/ops.h>
#include <tapegrad/tape.h>

#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace tapegrad {

namespace {
template <class T>
const T& find(const std::map<std::string, T>& map, const std::string& key, const std::string& in) {
  const auto at = map.find(key);
  if (at == map.end()) throw std::out_of_range("golden case " + in + " has no " + key);
  return at->second;
}

std::string suffix(size_t output) { return output == 0 ? "" : std::to_string(output); }
}  // namespace

Golden golden(const std::string& name) {
  const char* folder = std::getenv("TAPEGRAD_GOLDEN");
  const std::string path = std::string(folder && *folder ? folder : TAPEGRAD_GOLDEN_DIR) + "/" + name + ".safetensors";
  return {name, load(path), load_metadata(path)};
}

const Tensor& Golden::operator[](const std::string& tensor) const { return find(tensors, tensor, name); }

Tensor Golden::leaf(const std::string& tensor) const { return (*this)[tensor].clone().set_requires_grad(); }

std::vector<std::string> Golden::names(const std::string& prefix) const {
  std::vector<std::string> out;
  for (const auto& [key, tensor] : tensors)
    if (key.compare(0, prefix.size(), prefix) == 0) out.push_back(key.substr(prefix.size()));
  return out;
}

const std::string& Golden::text(const std::string& setting) const { return find(settings, setting, name); }

double Golden::number(const std::string& setting) const { return std::stod(text(setting)); }

int64_t Golden::integer(const std::string& setting) const { return std::stoll(text(setting)); }

bool Golden::flag(const std::string& setting) const { return text(setting) == "True"; }

Shape Golden::sizes(const std::string& setting) const {
  Shape out;
  std::istringstream in(text(setting));
  for (std::string size; std::getline(in, size, ',');) out.push_back(std::stoll(size));
  return out;
}

void expect_golden(const Golden& g, const std::string& name, const Tensor& actual, double tolerance) {
  SCOPED_TRACE("golden " + g.name + ", " + name);
  EXPECT_TENSOR_NEAR(actual, g[name], tolerance);
}

void expect_gradients_match(const Golden& g, const std::vector<Tensor>& outputs, Tape& tape,
                            const std::map<std::string, Tensor>& leaves, double tolerance) {
  Tensor loss;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].defined()) continue;
    const std::string cotangent = "grad_output" + suffix(i);
    const Tensor part = g.has(cotangent) ? sum(outputs[i] * g[cotangent]) : sum(outputs[i]);
    loss = loss.defined() ? loss + part : part;
    expect_golden(g, "output" + suffix(i), outputs[i], tolerance);
  }
  std::vector<std::string> names;
  std::vector<Tensor> tensors;
  for (const auto& [name, leaf] : leaves) {
    if (!g.has("grad/" + name)) continue;
    names.push_back(name);
    tensors.push_back(leaf);
  }
  const std::vector<Tensor> gradients = tape.gradient(loss, tensors);
  for (size_t i = 0; i < names.size(); ++i) expect_golden(g, "grad/" + names[i], gradients[i], tolerance);
  EXPECT_FALSE(names.empty()) << "golden " << g.name << ": no gradient was compared";
}

void expect_matches(const Golden& g, const std::vector<std::string>& inputs,
                    const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& f, double tolerance) {
  std::vector<Tensor> tensors;
  std::map<std::string, Tensor> leaves;
  for (const std::string& input : inputs) {
    if (!is_floating(g[input].dtype())) {
      tensors.push_back(g[input]);
      continue;
    }
    tensors.push_back(g.leaf(input));
    leaves[input.compare(0, 6, "param/") == 0 ? input.substr(6) : input] = tensors.back();
  }
  Tape tape;
  const std::vector<Tensor> outputs = f(tensors);
  expect_gradients_match(g, outputs, tape, leaves, tolerance);
}

}  // namespace tapegrad

// Modules made of modules. The parts keep their own types and names; copies share the parameters, clone()
// copies them, as for every module.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include <tapegrad/nn/module.h>

namespace tapegrad::nn {

namespace detail {

/// Throws IndexError unless i is in [0, size).
void check_part(const char* type, int64_t i, int64_t size);
/// A module of any type that maps a tensor to a tensor. A copy of it is one of the module.
using AnyModule = std::function<Tensor(const Tensor&)>;

}  // namespace detail

/// Modules one after the other, named "0", "1", ...: y = last(...(first(x))).
///
/// **Shape**: each takes a tensor and returns one that the next takes; without modules y = x.
/// **Throws** and **Gradient**: as the modules.
///
///     nn::Sequential net = add("net", nn::Sequential(nn::Linear(64, 32), nn::ReLU(), nn::Linear(32, 10)));
class Sequential : public Module<Sequential> {
 public:
  Sequential() = default;
  template <std::derived_from<ModuleBase>... Modules>
  requires(sizeof...(Modules) > 0 && !(sizeof...(Modules) == 1 && (std::same_as<Modules, Sequential> &&
                                                                   ...))) explicit Sequential(Modules... modules) {
    parts_.reserve(sizeof...(Modules));
    (push_back(std::move(modules)), ...);
  }

  /// A further part, at the end.
  template <std::derived_from<ModuleBase> M>
  void push_back(M module) {
    static_assert(std::is_convertible_v<std::invoke_result_t<const M&, const Tensor&>, Tensor>,
                  "a part of a Sequential maps a tensor to a tensor; an LSTM gives {output, state}: write a module "
                  "whose forward() returns lstm(x).output");
    parts_.emplace_back(add(std::to_string(parts_.size()), std::move(module)));
  }
  int64_t size() const { return int64_t(parts_.size()); }
  /// Part i, which must be an M: net.at<nn::Linear>(0).weight. **Throws** IndexError outside the parts,
  /// ValueError if it is another type.
  template <class M>
  M& at(int64_t i) const {
    detail::check_part("Sequential", i, size());
    if (M* module = const_cast<detail::AnyModule&>(parts_[size_t(i)]).target<M>()) return *module;
    fail_part(i, detail::type_name<M>());
  }

  Tensor forward(const Tensor& x);

 private:
  [[noreturn]] void fail_part(int64_t i, std::string_view wanted) const;
  std::vector<detail::AnyModule> parts_;
};

/// y = x + module(x): the module learns what to change.
///
/// **Shape**: x [...], y the same; the module must keep the shape, or broadcast to it. **Throws** ShapeError else.
/// **Gradient**: dx = dy + that through the module.
/// **Source**: He, Zhang, Ren, Sun 2015, arXiv:1512.03385, equation 1.
///
///     nn::Residual block =
///         add("block", nn::Residual(nn::Sequential(nn::LayerNorm(64), nn::Linear(64, 64))));
class Residual : public Module<Residual> {
 public:
  template <std::derived_from<ModuleBase> M>
  requires(!std::same_as<M, Residual>) explicit Residual(M module) : module_(add("module", std::move(module))) {}

  Tensor forward(const Tensor& x);

 private:
  detail::AnyModule module_;
};

/// A list of modules of one type, named "0", "1", ..., for a loop of one's own: it has no forward().
///
///     nn::ModuleList<Block> blocks =
///         add("blocks", nn::ModuleList<Block>(6, [](int64_t) { return Block(64); }));
///     for (Block& block : blocks) x = block(x);
template <std::derived_from<ModuleBase> M>
class ModuleList : public Module<ModuleList<M>> {
 public:
  ModuleList() = default;
  /// n modules: make(0), make(1), ...
  template <std::invocable<int64_t> Make>
  ModuleList(int64_t n, Make make) {
    for (int64_t i = 0; i < n; ++i) push_back(make(i));
  }

  /// A further module, at the end.
  void push_back(M module) { modules_.push_back(this->add(std::to_string(modules_.size()), std::move(module))); }
  int64_t size() const { return int64_t(modules_.size()); }
  /// Module i. **Throws** IndexError outside [0, size()).
  M& operator[](int64_t i) {
    detail::check_part("ModuleList", i, size());
    return modules_[size_t(i)];
  }
  auto begin() { return modules_.begin(); }
  auto end() { return modules_.end(); }

 private:
  std::vector<M> modules_;
};

}  // namespace tapegrad::nn

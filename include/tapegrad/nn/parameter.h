// Parameter: a tensor that belongs to a module, as Tensor is one that belongs to nobody.
//
//   struct Scale : nn::Module<Scale> {
//     nn::Parameter weight = add_parameter("weight", ones({64}));
//     nn::Buffer seen = add_buffer("seen", zeros({}));
//     Tensor forward(const Tensor& x) { return weight * x; }
//   };
#pragma once
#include <memory>

#include <tapegrad/tensor.h>

namespace tapegrad::nn {

class ModuleBase;
namespace detail {
struct ModuleState;
struct Entry;
}  // namespace detail

/// A tensor that a module has registered: what add_parameter() and add_buffer() return.
///
/// A copy shares the tensor, except while a module is cloned: then the copy has the clone's. A parameter of
/// another module can be assigned, and both modules then have one tensor (tied weights). A plain tensor can
/// not: `weight.copy_(values)` writes values, and `Tensor w = weight` is a handle of one's own.
///
/// A member of type Tensor works too, but a module that has one can not be cloned, and what is assigned to it
/// later is not trained.
///
/// **Throws** ValueError where one that is registered is assigned, or is assigned to, one that is empty, and
/// where a copy of it lives, which would go on with the old tensor.
class Parameter : public Tensor {
 public:
  Parameter() = default;
  Parameter(const Parameter& other);
  Parameter(Parameter&& other) noexcept = default;
  Parameter& operator=(Parameter other);
  Parameter& operator=(const Tensor&) = delete;  // Write weight.copy_(values), or Tensor w = weight.

 private:
  friend class ModuleBase;
  Parameter(const Tensor& value, std::shared_ptr<detail::Entry> entry) : Tensor(value), entry_(std::move(entry)) {}
  std::shared_ptr<detail::ModuleState> owner() const;
  std::shared_ptr<detail::Entry> entry_;  // of the module that registered it, and of all its copies
};

/// A registered tensor that is not trained, such as a running mean.
using Buffer = Parameter;

}  // namespace tapegrad::nn

namespace tapegrad {
template <>
inline constexpr bool is_printable<nn::Parameter> = true;
}  // namespace tapegrad

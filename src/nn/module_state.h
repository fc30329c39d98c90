// What a module registered. All copies of a module share one; a tree of them is what parameters() walks.
#pragma once
#include <tapegrad/nn/module.h>

#include <set>

namespace tapegrad::nn::detail {

/// A parameter or buffer: the Parameters of all copies of the module hold it too.
struct Entry {
  std::string name;
  Tensor tensor;
  std::weak_ptr<ModuleState> owner;
};
using Entries = std::vector<std::shared_ptr<Entry>>;

struct Child {
  std::string name;
  std::shared_ptr<ModuleState> state;
  bool flat;  // its names are this module's, with `name` behind
};

struct ModuleState {
  tapegrad::detail::ScopeName scope;
  std::string description;
  bool training = true;
  std::set<std::string> names;  // of what follows
  Entries parameters, buffers;
  std::vector<Child> children;
  std::weak_ptr<ModuleState> parent;
  std::weak_ptr<ModuleState> successor;  // of the module that was last assigned to one with this state
};

}  // namespace tapegrad::nn::detail

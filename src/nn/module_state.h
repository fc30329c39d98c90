// What a module registered. All copies of a module share one; a tree of them is what parameters() walks.
#pragma once
#include <tapegrad/nn/module.h>

#include <map>

namespace tapegrad::nn::detail {

struct Entry {
  std::string name;
  Tensor tensor;
};

struct Child {
  std::string name;
  std::shared_ptr<ModuleState> state;
  bool flat;  // its names are this module's, with `name` behind
};

struct ModuleState {
  tapegrad::detail::ScopeName scope;
  std::string description;
  bool training = true;
  std::vector<Entry> parameters, buffers;
  std::vector<Child> children;
  std::weak_ptr<ModuleState> parent;
  std::weak_ptr<ModuleState> successor;  // of the module that was last assigned to one with this state
};

/// Whether the owner `from` of a member gives way to `to` as a whole: then its members are assigned too, and
/// keep what they registered.
inline bool gives_way(const std::shared_ptr<ModuleState>& from, const std::shared_ptr<ModuleState>& to) {
  return to && from->successor.lock() == to;
}

}  // namespace tapegrad::nn::detail

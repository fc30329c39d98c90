#include <tapegrad/detail/scope.h>

#include <cctype>
#include <mutex>
#include <set>

#include "core/fail.h"

namespace tapegrad {

namespace {

thread_local detail::ModuleScope* innermost = nullptr;
thread_local int64_t step = -1;

// LayerNorm and layer_norm are the same word, and so are BatchNorm1d and batch_norm.
bool same_word(std::string_view type, std::string_view op) {
  size_t i = 0;
  for (char c : op) {
    if (c == '_') continue;
    if (i == type.size() || std::tolower(type[i]) != std::tolower(c)) return false;
    ++i;
  }
  const std::string_view rest = type.substr(i);
  return rest.empty() || rest == "1d" || rest == "2d" || rest == "3d";
}

}  // namespace

const char* detail::lasting(std::string_view text) {
  static std::mutex mutex;
  static std::set<std::string>& texts = *new std::set<std::string>;
  std::lock_guard lock(mutex);
  return texts.emplace(text).first->c_str();
}

detail::ModuleScope::ModuleScope(ScopeName& name) : module(&name), outer(innermost) {
  const char* parent = current_path();
  if (name.parent != parent) {
    name.path = name.name.empty() ? parent : lasting(*parent ? parent + ("." + name.name) : name.name);
    name.parent = parent;
  }
  path = name.path;
  innermost = this;
}

detail::ModuleScope::~ModuleScope() { innermost = outer; }

detail::StepScope::StepScope(int64_t now) : before_(step) { step = now; }
detail::StepScope::~StepScope() { step = before_; }

const char* detail::current_path() { return innermost ? innermost->path : ""; }
int64_t detail::current_step() { return step; }

std::string where_prefix(std::string_view op) {
  std::string where;
  if (innermost) {
    const std::string& type = innermost->module->type;
    where = *innermost->path ? fmt::format("{} ({}): ", innermost->path, type) : type + ": ";
    if (same_word(type, op)) return where;
  }
  return op.empty() ? where : where + std::string(op) + ": ";
}

}  // namespace tapegrad

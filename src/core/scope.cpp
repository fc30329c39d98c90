#include "core/scope.h"

#include <cctype>
#include <deque>
#include <map>
#include <mutex>

namespace tapegrad {

namespace {

thread_local detail::ModuleScope* innermost = nullptr;
thread_local int64_t step = -1;

// Paths are few (one a module) and live as long as the program; 0 is the empty one.
struct Paths {
  std::mutex mutex;
  std::map<std::pair<uint32_t, std::string>, uint32_t> index;
  std::deque<std::string> text{""};
};

Paths& paths() {
  static Paths& all = *new Paths;  // never destroyed: a tape may be printed while the program ends
  return all;
}

uint32_t child_path(uint32_t parent, const std::string& name) {
  if (name.empty()) return parent;
  Paths& all = paths();
  std::lock_guard lock(all.mutex);
  auto [at, is_new] = all.index.try_emplace({parent, name}, uint32_t(all.text.size()));
  if (is_new) all.text.push_back(all.text[parent].empty() ? name : all.text[parent] + "." + name);
  return at->second;
}

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

detail::ModuleScope::ModuleScope(ScopeName& name) : module(&name), outer(innermost) {
  const uint32_t parent = outer ? outer->path : 0;
  if (name.parent != parent) {
    name.path = child_path(parent, name.name);
    name.parent = parent;
  }
  path = name.path;
  innermost = this;
}

detail::ModuleScope::~ModuleScope() {
  innermost = outer;
}

detail::StepScope::StepScope(int64_t now) : before_(step) {
  step = now;
}
detail::StepScope::~StepScope() {
  step = before_;
}

uint32_t current_path() {
  return innermost ? innermost->path : 0;
}
int64_t current_step() {
  return step;
}

std::string path_text(uint32_t path) {
  Paths& all = paths();
  std::lock_guard lock(all.mutex);
  return all.text[path];
}

std::string where_prefix(std::string_view op) {
  std::string where;
  if (innermost) {
    const std::string& type = innermost->module->type;
    const std::string path = path_text(innermost->path);
    where = path.empty() ? type : path + " (" + type + ")";
    if (op.empty() || same_word(type, op)) return where + ": ";
    where += ": ";
  }
  if (op.empty()) return where;
  return where + std::string(op) + ": ";
}

}  // namespace tapegrad

#include "inspect/pictures.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "inspect/json.h"

namespace tapegrad::inspect {

namespace {

using json = nlohmann::ordered_json;

double value(const json& j, const char* name) {
  const auto found = j.find(name);
  return found != j.end() && found->is_number() ? found->get<double>() : std::nan("");
}
double item(const json& list, size_t i) {
  return list.is_array() && i < list.size() && list[i].is_number() ? list[i].get<double>() : std::nan("");
}
std::vector<double> values(const json& list) {
  std::vector<double> out;
  for (size_t i = 0; i < list.size(); ++i) out.push_back(item(list, i));
  return out;
}

/// The names in a part of the looks, "sites" or "parameters", in their order.
std::vector<std::string> names_in(const RunLog& run, const char* part) {
  std::vector<std::string> out;
  std::set<std::string> seen;
  for (const json& look : run.looks)
    for (const auto& [name, entry] : look[part].items())
      if (seen.insert(name).second) out.push_back(name);
  return out;
}

/// A curve over the looks, of what f finds in the entry of a name; undefined where it is never finite.
using Find = std::function<double(const json&)>;
Curve over_looks(const RunLog& run, const char* part, const std::string& name, const Find& f) {
  Curve out{.name = name, .x = {}, .y = {}};
  bool any = false;
  for (const json& look : run.looks) {
    const auto found = look[part].find(name);
    out.x.push_back(look["look"]);
    out.y.push_back(found == look[part].end() ? std::nan("") : f(*found));
    any = any || std::isfinite(out.y.back());
  }
  if (!any) out.x.clear(), out.y.clear();
  return out;
}

/// Curves of all names; where there are more than twelve they become a heat map, a row each.
std::string all_looks(const RunLog& run, const char* part, Plot plot, const Find& f) {
  std::vector<Curve> curves;
  for (const std::string& name : names_in(run, part))
    if (Curve c = over_looks(run, part, name, f); !c.x.empty()) curves.push_back(std::move(c));
  if (curves.empty()) return "";
  constexpr size_t kMost = 12;
  if (curves.size() <= kMost || run.looks.size() < 2) {
    if (curves.size() > 2 * kMost) curves.resize(2 * kMost);
    return card(line_plot(plot, curves));
  }
  std::vector<std::vector<double>> rows;
  for (const Curve& c : curves) rows.push_back(c.y);
  plot.y_name = fmt::format("{}, first at the bottom", part == std::string("sites") ? "operations" : "parameters");
  return card(heat_map(plot, rows, run.looks.front()["look"].get<double>(), run.looks.back()["look"].get<double>()));
}

// At most `most` looks, at equal distances, the last one among them.
std::vector<const json*> some_looks(const RunLog& run, size_t most) {
  std::vector<const json*> out;
  const size_t n = run.looks.size(), count = std::min(n, most);
  for (size_t i = 0; i < count; ++i) out.push_back(&run.looks[count > 1 ? i * (n - 1) / (count - 1) : n - 1]);
  return out;
}

std::string density(const RunLog& run, const char* part, const std::string& name, const char* field,
                    const std::string& title) {
  std::vector<Column> columns;
  for (const json* look : some_looks(run, 40)) {
    const auto found = (*look)[part].find(name);
    if (found == (*look)[part].end()) continue;
    const json& n = (*found)[field];
    Column c{.x = (*look)["look"].get<double>(), .low = item(n, 2), .high = item(n, 3), .counts = {}};
    for (const json& count : n[4]) c.counts.push_back(count.get<int64_t>());
    if (!c.counts.empty()) columns.push_back(std::move(c));
  }
  if (columns.empty()) return "";
  const Plot plot{.title = title, .x_name = "step", .height = 220};
  if (columns.size() == 1)
    return card(histogram({.title = title, .x_name = "value", .height = 220}, columns[0].low, columns[0].high,
                          columns[0].counts));
  return card(density_plot(plot, columns));
}

/// Curves over the time steps of a sequence, of the first, middle and last look, and a heat map of the gradient.
std::string over_time(const RunLog& run, const std::string& name) {
  std::string out;
  const char* const titles[] = {"deviation of the state", "gradient that reaches the gates", "saturated gates"};
  for (size_t part = 0; part < 3; ++part) {
    std::vector<Curve> curves;
    for (const json* look : some_looks(run, 3)) {
      const auto found = (*look)["sites"].find(name);
      if (found == (*look)["sites"].end() || !found->contains("t")) continue;
      Curve c{
          .name = fmt::format("step {}", (*look)["look"].get<int64_t>()), .x = {}, .y = values((*found)["t"][part])};
      for (size_t t = 0; t < c.y.size(); ++t) c.x.push_back(double(t));
      if (!c.y.empty()) curves.push_back(std::move(c));
    }
    if (!curves.empty())
      out += card(line_plot({.title = fmt::format("{}: {}", name, titles[part]),
                             .x_name = "time step",
                             .log_y = part == 1,
                             .height = 260},
                            curves));
  }
  std::vector<std::vector<double>> rows;
  for (const json* look : some_looks(run, 40))
    if (const auto found = (*look)["sites"].find(name); found != (*look)["sites"].end() && found->contains("t"))
      if (auto row = values((*found)["t"][1]); !row.empty()) rows.push_back(std::move(row));
  if (rows.size() > 2)
    out += card(heat_map({.title = name + ": gradient, log",
                          .x_name = "time step",
                          .y_name = "looks, first at the bottom",
                          .log_y = true,
                          .height = 260},
                         rows, 0, double(rows[0].size())));
  return out;
}

/// Mean and deviation of the gains and biases of norms.
std::string gains(const RunLog& run) {
  std::set<std::string> norms;
  for (const json& layer : run.layers)
    if (layer.value("type", "").find("Norm") != std::string::npos) norms.insert(layer.value("module", "") + ".");
  std::vector<Curve> curves;
  for (const std::string& name : names_in(run, "parameters")) {
    const std::string module = name.substr(0, name.rfind('.') + 1);
    if (!norms.contains(module) && name.find("ln_") == std::string::npos && name.find("gain") == std::string::npos)
      continue;
    Curve c = over_looks(run, "parameters", name, [](const json& p) { return item(p["v"], 0); });
    const Curve std = over_looks(run, "parameters", name, [](const json& p) { return item(p["v"], 1); });
    if (c.x.empty()) continue;
    for (size_t i = 0; i < c.y.size(); ++i) c.low.push_back(c.y[i] - std.y[i]), c.high.push_back(c.y[i] + std.y[i]);
    curves.push_back(std::move(c));
  }
  if (curves.size() > 14) curves.resize(14);
  if (curves.empty()) return "";
  return card(line_plot({.title = "gains and biases of norms, mean and deviation", .x_name = "step"}, curves));
}

}  // namespace

Curve over_steps(const RunLog& run, const std::string& name, const char* field, const char* within) {
  constexpr size_t kMost = 1000;
  Curve out{.name = name, .x = {}, .y = {}};
  const size_t n = run.steps.size(), each = (n + kMost - 1) / kMost;
  for (size_t begin = 0; begin < n; begin += each) {
    double sum = 0, count = 0;
    for (size_t i = begin; i < std::min(n, begin + each); ++i) {
      const json& step = run.steps[i];
      const double v = within ? value(step.value(within, json::object()), field) : value(step, field);
      if (std::isfinite(v)) sum += v, count += 1;
    }
    out.x.push_back(value(run.steps[begin], "step"));
    out.y.push_back(count > 0 ? sum / count : std::nan(""));
  }
  return out;
}

std::string microscope_html(const RunLog& run) {
  if (run.looks.empty()) return "<p>Nothing was looked at.</p>\n";
  const auto number_at = [](const char* name) { return [name](const json& j) { return value(j, name); }; };
  const auto part_at = [](const char* name, size_t i) { return [name, i](const json& j) { return item(j[name], i); }; };
  std::string out = "<div class=\"grid2\">\n";
  out +=
      all_looks(run, "sites", {.title = "deviation of activations", .x_name = "step", .log_y = true}, part_at("a", 1));
  out += all_looks(run, "sites", {.title = "norm of the gradient of outputs", .x_name = "step", .log_y = true},
                   number_at("norm"));
  out += all_looks(run, "parameters", {.title = "norm of the gradient of parameters", .x_name = "step", .log_y = true},
                   number_at("gnorm"));
  out += all_looks(run, "parameters",
                   {.title = "length of a step / length of the parameter", .x_name = "step", .log_y = true},
                   number_at("ratio"));
  out += all_looks(run, "parameters", {.title = "length of parameters", .x_name = "step", .log_y = true},
                   number_at("norm"));
  out += all_looks(run, "sites", {.title = "share of saturated gates", .x_name = "step"}, number_at("sat"));
  out += all_looks(run, "sites", {.title = "share of dead units", .x_name = "step"}, number_at("dead"));
  out += gains(run);
  for (const std::string& name : names_in(run, "sites")) out += over_time(run, name);
  out += "</div>\n<details><summary>distributions of activations and gradients</summary><div class=\"grid2\">\n";
  std::vector<std::string> sites = names_in(run, "sites"), parameters = names_in(run, "parameters");
  constexpr size_t kMost = 20;  // pictures of a kind: the page stays under 2 MB
  if (sites.size() > kMost) sites.resize(kMost);
  if (parameters.size() > kMost) parameters.resize(kMost);
  for (const std::string& name : sites)
    out +=
        density(run, "sites", name, "a", name + ": activation") + density(run, "sites", name, "g", name + ": gradient");
  out += "</div></details>\n<details><summary>distributions of parameters</summary><div class=\"grid2\">\n";
  for (const std::string& name : parameters) out += density(run, "parameters", name, "v", name);
  return out + "</div></details>\n";
}

}  // namespace tapegrad::inspect

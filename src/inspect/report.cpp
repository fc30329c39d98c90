#include <tapegrad/inspect/report.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "core/fail.h"
#include "inspect/pictures.h"

namespace tapegrad::inspect {

namespace {

using json = nlohmann::ordered_json;

std::string html(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

std::string scaled(double x, const char* unit) {
  const char* const prefix[] = {"", "k", "M", "G", "T"};
  int i = 0;
  for (; x >= 1000 && i < 4; ++i) x /= 1000;
  return fmt::format("{:.3g} {}{}", x, prefix[i], unit);
}

std::string config_table(const RunLog& run) {
  std::string out = "<table>";
  const auto row = [&](const std::string& name, const std::string& text) {
    out += fmt::format("<tr><td>{}</td><td class=\"wrap\">{}</td></tr>\n", html(name), html(text));
  };
  for (const json& pair : run.run.value("config", json::array())) row(pair[0], pair[1]);
  row("seed", run.run["seed"].dump());
  row("parameters", run.run["parameters"].dump());
  row("steps", fmt::format("{}", run.steps.size()));
  if (!run.steps.empty()) row("time", fmt::format("{:.1f} s", run.steps.back().value("s", 0.0)));
  if (!run.steps.empty() && run.steps.back().value("skipped", 0) > 0)
    row("skipped steps", run.steps.back()["skipped"].dump());
  row("date", run.run.value("date", ""));
  row("command", run.run.value("command", ""));
  row("versions",
      fmt::format("tapegrad {}, compiler {}", run.run.value("tapegrad", ""), run.run.value("compiler", "")));
  return out + "</table>\n";
}

std::string layer_table(const RunLog& run) {
  double total = 0;
  for (const json& layer : run.layers) total += layer["ms"].get<double>();
  std::string out =
      "<div class=\"scroll\"><table><tr><th>module</th><th>type</th><th>output</th><th "
      "class=\"n\">parameters</th><th class=\"n\">FLOPs</th>"
      "<th class=\"n\">saved</th><th>share of the time</th><th class=\"n\">of the machine's "
      "limit</th></tr>\n";
  for (const json& layer : run.layers) {
    const double ms = layer["ms"], flops = layer["flops"], share = total > 0 ? ms / total : 0;
    // Forward and backward are about three times the work of forward.
    const double limit = ms > 0 && run.peak > 0 ? 3 * flops / (ms * 1e-3) / run.peak : 0;
    const std::string path = layer.value("module", "");
    const bool ran = layer["calls"].get<int64_t>() > 0;
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
        "class=\"n\">{}</td><td>{}</td>"
        "<td class=\"n\">{}</td></tr>\n",
        html(path.empty() ? "(model)" : path), html(layer.value("type", "")), html(layer.value("shape", "")),
        layer["parameters"].dump(), ran ? scaled(flops, "") : "", ran ? scaled(layer["saved"].get<double>(), "B") : "",
        ran ? fmt::format("<span class=\"share\" style=\"width:{:.0f}px\"></span>{:.1f} %", 90 * share, 100 * share)
            : "",
        ran && limit > 0 ? fmt::format("{:.1f} %", 100 * limit) : "");
  }
  return out + "</table></div>\n";
}

// One picture for each quantity of the steps, with a curve for each run.
std::string step_plots(const std::vector<RunLog>& runs) {
  std::vector<std::string> metrics;
  std::set<std::string> seen;
  for (const RunLog& run : runs)
    for (const json& step : run.steps)
      if (const auto found = step.find("metrics"); found != step.end())
        for (const auto& [name, number] : found->items())
          if (seen.insert(name).second) metrics.push_back(name);
  std::string out = "<div class=\"grid2\">\n";
  const auto picture = [&](const std::string& title, const char* field, const char* within, bool logarithmic) {
    std::vector<Curve> curves;
    for (const RunLog& run : runs) curves.push_back(over_steps(run, run.name(), field, within));
    out += card(line_plot({.title = title, .x_name = "step", .log_y = logarithmic, .legend = runs.size() > 1}, curves));
  };
  double low = 1e300, high = 0;
  for (const RunLog& run : runs)
    for (const json& step : run.steps)
      if (step["loss"].is_number())
        low = std::min(low, step["loss"].get<double>()), high = std::max(high, step["loss"].get<double>());
  picture("loss", "loss", nullptr, low > 0 && high > 30 * low);
  for (const std::string& name : metrics) picture(name, name.c_str(), "metrics", false);
  picture("learning rate", "lr", nullptr, false);
  return out + "</div>\n";
}

}  // namespace

void write_report(const std::vector<std::string>& logs, const std::string& path, const ReportOptions& options) {
  if (logs.empty()) fail<ValueError>("write_report", "there is no log");
  std::vector<RunLog> runs;
  std::string names;
  for (const std::string& log : logs) {
    runs.push_back(read_log(log));
    std::string name = runs.back().name();
    for (size_t i = 0; i + 1 < runs.size(); ++i)
      if (runs[i].name() == name) runs.back().run["name"] = name + fmt::format(" ({})", runs.size());
    names += (names.empty() ? "" : ", ") + runs.back().name();
  }
  const std::string title = options.title.empty() ? names : options.title;
  std::string page = "<h2>Curves</h2>\n" + step_plots(runs);
  page += fmt::format("<div class=\"runs\" style=\"--runs:{}\">\n", runs.size());
  for (const RunLog& run : runs) {
    page += "<section>\n";
    if (runs.size() > 1) page += fmt::format("<h2>{}</h2>\n", html(run.name()));
    if (!run.notes.empty()) page += "<h2>Found</h2>\n";
    for (const std::string& note : run.notes) page += fmt::format("<div class=\"note\">{}</div>\n", html(note));
    page += "<h2>Inside</h2>\n" + microscope_html(run);
    page += "<h2>Layers, first step</h2>\n" + layer_table(run);
    page += fmt::format("<h2>Operations, first step</h2>\n<div class=\"card\"><pre>{}</pre></div>\n", html(run.fold));
    page += "<h2>Settings</h2>\n<div class=\"card\">" + config_table(run) + "</div>\n";
    page += fmt::format("<h2>Model</h2>\n<div class=\"card\"><pre>{}</pre></div>\n</section>\n",
                        html(run.run.value("model", "")));
  }
  write_page(path, title, page + "</div>\n");
}

void write_page(const std::string& path, const std::string& title, const std::string& body) {
  std::ofstream file(path);
  file << fmt::format(
              "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
              "<meta name=\"viewport\" content=\"width=device-width\"><title>{0}</title>"
              "<link rel=\"icon\" href=\"data:,\"><style>{1}</style></head>\n<body><div class=\"bar\"><b>{0}</b>"
              "<label>smooth <input id=\"smooth\" type=\"range\" min=\"0\" max=\"0.98\" step=\"0.02\" "
              "value=\"0\"></label>"
              "<button id=\"theme\">light / dark</button></div><main>\n",
              html(title), kStyle)
       << body << fmt::format("</main><div id=\"tip\"></div><script>{}</script></body></html>\n", kScript);
  if (!file.flush()) fail<FormatError>("write_report", "cannot write '{}'", path);
}

}  // namespace tapegrad::inspect

#include "inspect/run_log.h"

#include <fstream>

#include "core/fail.h"

namespace tapegrad::inspect {

RunLog read_log(const std::string& path) {
  std::ifstream file(path);
  if (!file) fail<FormatError>("write_report", "cannot read '{}'", path);
  RunLog out;
  for (std::string line; std::getline(file, line);) {
    auto j = nlohmann::ordered_json::parse(line, nullptr, false);
    if (!j.is_object()) break;  // cut by a crash
    if (j.contains("run"))
      out.run = j["run"];
    else if (j.contains("layers"))
      out.layers = j["layers"], out.fold = j.value("fold", ""),
      out.peak = j["peak"].is_number() ? double(j["peak"]) : 0;
    else if (j.contains("step"))
      out.steps.push_back(std::move(j));
    else if (j.contains("look"))
      out.looks.push_back(std::move(j));
    else if (j.contains("note"))
      out.notes.push_back(j["note"]);
  }
  if (!out.run.is_object())
    fail<FormatError>("write_report",
                      "'{}' has no run. Hint: it is the file that a Microscope with {{.log = ...}} writes", path);
  return out;
}

}  // namespace tapegrad::inspect

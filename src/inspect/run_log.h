// A log, read.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tapegrad::inspect {

struct RunLog {
  nlohmann::ordered_json run, layers = nlohmann::ordered_json::array();
  std::string fold;
  double peak = 0;
  std::vector<nlohmann::ordered_json> steps, looks;
  std::vector<std::string> notes;
  std::string name() const { return run.value("name", ""); }
};

/// Throws FormatError where the file cannot be read or does not begin with a run.
RunLog read_log(const std::string& path);

/// The page's style and script.
extern const char* const kStyle;
extern const char* const kScript;

}  // namespace tapegrad::inspect

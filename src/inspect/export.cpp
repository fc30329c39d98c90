#include <tapegrad/inspect/export.h>

#include <fstream>

#include "core/fail.h"
#include "inspect/json.h"
#include "inspect/run_log.h"

namespace tapegrad::inspect {

void write_trace(const Listing& listing, const std::string& path) {
  std::ofstream file(path);
  file << "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
          "{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"tapegrad\"}}";
  const auto event = [&](const Row& row, const char* pass, double start, double ms) {
    file << fmt::format(
        ",\n{{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"name\":{},\"cat\":\"{}\",\"ts\":{:.3f},\"dur\":{:.3f},"
        "\"args\":{{\"module\":{},"
        "\"pass\":\"{}\",\"shape\":\"{}\",\"flops\":{:.0f},\"bytes\":{},\"saved\":{}}}}}",
        json_text(row.op), pass, 1e3 * start, 1e3 * ms, json_text(row.module), pass, row.shapes[0], row.flops,
        row.bytes, row.saved_bytes);
  };
  for (const Row& row : listing.rows()) event(row, "forward", row.start_ms, row.forward_ms);
  for (auto row = listing.rows().rbegin(); row != listing.rows().rend(); ++row)
    if (row->backward_ms > 0) event(*row, "backward", row->backward_start_ms, row->backward_ms);
  file << "\n]}\n";
  if (!file.flush()) fail<FormatError>("write_trace", "cannot write '{}'", path);
}

void write_tensorboard(const std::string& log, const std::string& folder) {
  const RunLog run = read_log(log);
  EventFile board(folder);
  std::string settings = "| setting | value |\n|---|---|\n";
  for (const auto& pair : run.run.value("config", nlohmann::ordered_json::array()))
    settings += fmt::format("| {} | {} |\n", pair[0].get<std::string>(), pair[1].get<std::string>());
  board.text("settings", settings, 0);
  for (size_t i = 0; i < run.notes.size(); ++i) board.text("notes", run.notes[i], int64_t(i));
  const auto scalar = [&](const std::string& tag, const nlohmann::ordered_json& value, int64_t step) {
    if (value.is_number()) board.scalar(tag, value.get<double>(), step);
  };
  for (const auto& step : run.steps) {
    const int64_t at = step["step"];
    scalar("loss", step["loss"], at);
    scalar("lr", step["lr"], at);
    for (const auto& [name, value] : step["metrics"].items()) scalar(name, value, at);
  }
  for (const auto& look : run.looks) {
    const int64_t at = look["look"];
    const auto histogram = [&](const std::string& tag, const nlohmann::ordered_json& n) {
      if (n[4].empty()) return;
      Numbers numbers{.mean = n[0], .std = n[1], .min = n[2], .max = n[3], .counts = {}};
      for (const auto& count : n[4]) numbers.counts.push_back(count.get<int64_t>());
      board.histogram(tag, numbers, at);
    };
    for (const auto& [name, site] : look["sites"].items()) {
      histogram("activation/" + name, site["a"]);
      histogram("gradient/" + name, site["g"]);
      scalar("saturated/" + name, site["sat"], at);
      scalar("dead/" + name, site["dead"], at);
    }
    for (const auto& [name, parameter] : look["parameters"].items()) {
      histogram("parameter/" + name, parameter["v"]);
      scalar("gradient_norm/" + name, parameter["gnorm"], at);
      scalar("update_ratio/" + name, parameter["ratio"], at);
    }
  }
}

}  // namespace tapegrad::inspect

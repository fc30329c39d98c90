// The few things that lines of JSON are written with: numbers of five digits, NaN and infinity as null.
#pragma once
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tapegrad::inspect {

inline std::string json_text(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
inline std::string number(double x, int digits = 5) {
  return std::isfinite(x) ? fmt::format("{:.{}g}", x, digits) : "null";
}
template <class T>
std::string numbers(const std::vector<T>& list) {
  std::string out;
  for (const T& x : list) out += (out.empty() ? "" : ",") + number(double(x));
  return "[" + out + "]";
}
/// NaN for null and for what is not there.
inline double get(const nlohmann::json& j, const char* name) {
  const auto found = j.find(name);
  return found != j.end() && found->is_number() ? found->get<double>() : std::nan("");
}

}  // namespace tapegrad::inspect

#pragma once
#include <cmath>
#include <string>

#include <tapegrad/format.h>

namespace tapegrad::detail {

/// "analytic 1.01, numeric 1 (ratio 1.01)", with as many digits as it takes to tell them apart, and what a
/// gradient that is missing may come from.
inline std::string disagreement(double analytic, double numeric) {
  const auto text = [](double value, int digits) { return fmt::format("{:.{}g}", value, digits); };
  const int digits = text(analytic, 7) == text(numeric, 7) ? 12 : 7;
  return fmt::format("analytic {}, numeric {} (ratio {:.3g}{})", text(analytic, digits), text(numeric, digits),
                     analytic == 0 ? 0 : analytic / numeric, analytic == 0 ? ": at a kink?" : "");
}

}  // namespace tapegrad::detail

// The pictures of one run, as SVG in cards.
#pragma once
#include <tapegrad/inspect/draw.h>

#include "inspect/run_log.h"

namespace tapegrad::inspect {

/// A curve over the steps of a field, at most 1,000 points, each the mean of the steps around it.
Curve over_steps(const RunLog& run, const std::string& name, const char* field, const char* within = nullptr);

/// What the microscope saw, in the order in which one reads it.
std::string microscope_html(const RunLog& run);

inline std::string card(const std::string& svg) { return "<div class=\"card\">" + svg + "</div>\n"; }

}  // namespace tapegrad::inspect

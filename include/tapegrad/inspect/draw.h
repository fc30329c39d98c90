// Drawing: curves, bands, histograms and heat maps as SVG, in colours that the colour-blind can tell apart.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace tapegrad::inspect {

struct Curve {
  std::string name;
  std::vector<double> x, y;                 ///< NaN and infinity leave a gap
  std::vector<double> low = {}, high = {};  ///< a band around the curve, where given: one standard deviation, all seeds
  bool dashed = false;
};

struct Plot {
  std::string title = {}, x_name = {}, y_name = {};
  bool log_x = false, log_y = false;  ///< what is not positive leaves a gap
  bool legend = true;                 ///< of curves
  double width = 640, height = 300;
};

/// Curves over common axes, with a legend; each is one `<path class="curve">`.
std::string line_plot(const Plot& plot, const std::vector<Curve>& curves);

/// Columns of histograms from left to right: a heat map of how often each value is. Columns may differ in range.
struct Column {
  double x = 0, low = 0, high = 0;  ///< of the values, the edges of the bins
  std::vector<int64_t> counts;
};
std::string density_plot(const Plot& plot, const std::vector<Column>& columns);

/// A matrix of numbers as colours, rows from the bottom to the top; with `log_y` of the plot colours go with the logarithm.
std::string heat_map(const Plot& plot, const std::vector<std::vector<double>>& rows, double x0, double x1);

/// One histogram, bars from low to high.
std::string histogram(const Plot& plot, double low, double high, const std::vector<int64_t>& counts);

/// Writes a picture to a file of its own, with the colours of the light page. **Throws** FormatError where it cannot be written.
void write_svg(const std::string& path, const std::string& svg);

/// Positions of about `count` round numbers in [low, high], and of powers of ten on a logarithmic axis.
std::vector<double> ticks(double low, double high, bool logarithmic, int count = 5);

}  // namespace tapegrad::inspect

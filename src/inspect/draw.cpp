// An SVG is text: a frame with ticks, and what is drawn in it. Colours of curves are those of Okabe and Ito (2008), which people with any
// kind of colour blindness can tell apart; a second round of them is dashed. Heat maps go from the page's colour through blue to orange, of
// growing darkness, so that they can be read in grey too. Texts and axes take the colour of the page by classes.
#include <tapegrad/inspect/draw.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <limits>

#include "core/fail.h"

namespace tapegrad::inspect {

namespace {

constexpr std::array kColors{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a"};
constexpr double kLeft = 58, kRight = 12, kTop = 30, kBottom = 38;

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

// One axis: from numbers to places.
struct Axis {
  double low = 0, high = 1, from = 0, to = 1;
  bool logarithmic = false;
  double place(double v) const {
    const double a = logarithmic ? std::log10(low) : low, b = logarithmic ? std::log10(high) : high;
    return from + ((logarithmic ? std::log10(v) : v) - a) / (b - a) * (to - from);
  }
  bool shows(double v) const { return std::isfinite(v) && (!logarithmic || v > 0); }
};

// Wide enough for what it got, and never without extent.
Axis axis_of(double low, double high, bool logarithmic, double from, double to, bool margin) {
  if (!(low <= high)) low = logarithmic ? 0.1 : 0, high = 1;
  if (logarithmic) {
    if (high / low < 1.5) low /= 1.5, high *= 1.5;
  } else {
    const double pad = high > low ? (margin ? 0.04 * (high - low) : 0) : low != 0 ? 0.5 * std::abs(low) : 0.5;
    low -= pad, high += pad;
  }
  return {low, high, from, to, logarithmic};
}

struct Frame {
  Axis x, y;
  std::string svg;
};

Frame frame(const Plot& plot, Axis x, Axis y, double legend) {
  Frame f{x, y, {}};
  f.svg = fmt::format(
      "<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:g} {:g}\" role=\"img\" "
      "aria-label=\"{}\" "
      "font-family=\"system-ui,sans-serif\" font-size=\"11\" data-x=\"{:g},{:g},{:g},{:g},{:d}\" "
      "data-y=\"{:g},{:g},{:g},{:g},{:d}\">\n"
      "<text class=\"ink\" x=\"{:g}\" y=\"18\" font-size=\"13\" font-weight=\"600\">{}</text>\n",
      plot.width, plot.height + legend, escaped(plot.title), x.low, x.high, x.from, x.to, x.logarithmic, y.low, y.high,
      y.from, y.to, y.logarithmic, kLeft, escaped(plot.title));
  for (const double v : ticks(y.low, y.high, y.logarithmic))
    f.svg += fmt::format(
        "<line class=\"grid\" x1=\"{:g}\" x2=\"{:g}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text class=\"ink soft\" x=\"{:g}\" y=\"{:.1f}\" text-anchor=\"end\">{:.4g}</text>\n",
        x.from, x.to, y.place(v), y.place(v), x.from - 5, y.place(v) + 4, v);
  for (const double v : ticks(x.low, x.high, x.logarithmic, 6))
    f.svg += fmt::format(
        "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:g}\" y2=\"{2:g}\"/>"
        "<text class=\"ink soft\" x=\"{0:.1f}\" y=\"{3:g}\" text-anchor=\"{5}\">{4:.6g}</text>\n",
        x.place(v), y.to, y.from, y.from + 15, v, x.place(v) > x.to - 8 ? "end" : "middle");  // the last would be cut
  f.svg += fmt::format("<text class=\"ink soft\" x=\"{:g}\" y=\"{:g}\" text-anchor=\"middle\">{}</text>\n",
                       (x.from + x.to) / 2, y.from + 30, escaped(plot.x_name));
  if (!plot.y_name.empty())
    f.svg += fmt::format(
        "<text class=\"ink soft\" transform=\"translate(12 {:g}) rotate(-90)\" "
        "text-anchor=\"middle\">{}</text>\n",
        (y.from + y.to) / 2, escaped(plot.y_name));
  return f;
}

Axis x_axis(const Plot& plot, double low, double high) {
  return axis_of(low, high, plot.log_x, kLeft, plot.width - kRight, false);
}
Axis y_axis(const Plot& plot, double low, double high, bool margin) {
  return axis_of(low, high, plot.log_y, plot.height - kBottom, kTop, margin);
}

// Cells of a heat map, of ten depths: one path for all cells of a depth, since a rectangle for each would be ten times as long.
class Cells {
 public:
  /// A cell of a depth in [0, 1].
  void add(double x, double y, double width, double height, double depth) {
    paths_[size_t(std::clamp(depth * 10, 0.0, 9.0))] +=
        fmt::format("M{:.4g} {:.4g}h{:.3g}v{:.3g}h{:.3g}z", x, y, width, height, -width);
  }
  std::string svg() const {
    std::string out;
    for (size_t i = 0; i < paths_.size(); ++i) {
      const double s = (double(i) + 1) / 10;
      const auto mix = [&](double a, double b) { return int(std::lround(a + (b - a) * s)); };
      if (!paths_[i].empty())
        out += fmt::format("<path class=\"cells\" d=\"{}\" fill=\"rgb({},{},{})\" fill-opacity=\"{:.2f}\"/>\n",
                           paths_[i], mix(0, 213), mix(114, 94), mix(178, 0), 0.1 + 0.9 * s);
    }
    return out;
  }

 private:
  std::array<std::string, 10> paths_;
};

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void add(double v, bool positive) {
    if (!std::isfinite(v) || (positive && v <= 0)) return;
    low = std::min(low, v), high = std::max(high, v);
  }
};

// Between which edges 99 % of the counts lie.
std::pair<double, double> middle(const Column& c) {
  double total = 0, below = 0;
  for (const int64_t n : c.counts) total += double(n);
  const double width = (c.high - c.low) / double(std::max<size_t>(1, c.counts.size()));
  double low = c.low, high = c.high;
  for (size_t i = 0; i < c.counts.size(); ++i) {
    if (below <= 0.005 * total) low = c.low + width * double(i);
    below += double(c.counts[i]);
    if (below >= 0.995 * total) {
      high = c.low + width * double(i + 1);
      break;
    }
  }
  return {low, high};
}

}  // namespace

std::vector<double> ticks(double low, double high, bool logarithmic, int count) {
  std::vector<double> out;
  if (logarithmic) {
    const double first = std::ceil(std::log10(low) - 1e-9), last = std::floor(std::log10(high) + 1e-9);
    const double by = std::max(1.0, std::ceil((last - first) / count));
    for (double e = first; e <= last; e += by) out.push_back(std::pow(10, e));
    if (out.size() >= 2) return out;
    out.clear();
  }
  const double raw = (high - low) / count, size = std::pow(10, std::floor(std::log10(raw)));
  const double step = size * (raw / size < 1.5 ? 1 : raw / size < 3.5 ? 2 : raw / size < 7.5 ? 5 : 10);
  for (double v = std::ceil(low / step - 1e-9) * step; v <= high + 1e-9 * step; v += step)
    if (!logarithmic || v > 0) out.push_back(std::abs(v) < 1e-9 * step ? 0 : v);
  return out;
}

std::string line_plot(const Plot& plot, const std::vector<Curve>& curves) {
  Range xs, ys;
  for (const Curve& c : curves)
    for (size_t i = 0; i < c.x.size(); ++i) {
      xs.add(c.x[i], plot.log_x);
      for (const auto* list : {&c.y, &c.low, &c.high})
        if (i < list->size()) ys.add((*list)[i], plot.log_y);
    }
  const size_t rows = plot.legend ? (curves.size() + 2) / 3 : 0;
  Frame f = frame(plot, x_axis(plot, xs.low, xs.high), y_axis(plot, ys.low, ys.high, true), 16.0 * double(rows));
  const auto seen = [&](double x, double y) { return f.x.shows(x) && f.y.shows(y); };
  for (size_t k = 0; k < curves.size(); ++k) {
    const Curve& c = curves[k];
    const char* color = kColors[k % kColors.size()];
    const bool dashed = c.dashed || k >= kColors.size();
    f.svg += fmt::format("<g class=\"series\" data-name=\"{}\">", escaped(c.name));
    if (!c.low.empty()) {
      std::string up, down;
      for (size_t i = 0; i < c.x.size(); ++i) {
        if (!seen(c.x[i], c.low[i]) || !seen(c.x[i], c.high[i])) continue;
        up += fmt::format("{}{:.1f} {:.1f}", up.empty() ? "M" : "L", f.x.place(c.x[i]), f.y.place(c.high[i]));
        down = fmt::format("L{:.1f} {:.1f}", f.x.place(c.x[i]), f.y.place(c.low[i])) + down;
      }
      if (!up.empty()) f.svg += fmt::format("<path d=\"{}{}Z\" fill=\"{}\" fill-opacity=\"0.18\"/>", up, down, color);
    }
    std::string path;
    bool pen = false;
    size_t points = 0;
    for (size_t i = 0; i < c.x.size(); ++i) {
      if (!seen(c.x[i], c.y[i])) {
        pen = false;
        continue;
      }
      path += fmt::format("{}{:.1f} {:.1f}", pen ? "L" : "M", f.x.place(c.x[i]), f.y.place(c.y[i]));
      pen = true;
      ++points;
    }
    f.svg += fmt::format(
        "<path class=\"curve\" d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\" "
        "stroke-linejoin=\"round\"{}/>",
        path, color, dashed ? " stroke-dasharray=\"5 3\"" : "");
    if (points == 1)
      for (size_t i = 0; i < c.x.size(); ++i)
        if (seen(c.x[i], c.y[i]))
          f.svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>", f.x.place(c.x[i]),
                               f.y.place(c.y[i]), color);
    f.svg += "</g>\n";
    if (rows == 0) continue;
    const double column = (plot.width - kLeft) / 3, lx = kLeft + column * double(k % 3),
                 ly = plot.height + 8 + 16.0 * double(k / 3);
    const size_t most = size_t(column / 6.4) - 3;
    const std::string name = c.name.size() > most ? c.name.substr(0, most - 1) + "…" : c.name;
    f.svg += fmt::format(
        "<g class=\"key\" data-name=\"{}\"><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"16\" "
        "fill-opacity=\"0\"/>"
        "<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" stroke-width=\"3\"{}/>"
        "<text class=\"ink\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text></g>\n",
        escaped(c.name), lx, ly - 10, column, lx, lx + 16, ly, ly, color, dashed ? " stroke-dasharray=\"5 3\"" : "",
        lx + 21, ly + 4, escaped(name));
  }
  return f.svg + "</svg>\n";
}

std::string density_plot(const Plot& plot, const std::vector<Column>& columns) {
  Range xs, ys;
  std::vector<double> lows, highs;
  for (const Column& c : columns) {
    xs.add(c.x, false);
    const auto [low, high] = middle(c);
    if (std::isfinite(low) && std::isfinite(high)) lows.push_back(low), highs.push_back(high);
  }
  // A few columns may reach beyond the picture, or one outlier would take all of its height.
  std::sort(lows.begin(), lows.end());
  std::sort(highs.begin(), highs.end());
  if (!lows.empty()) ys = {lows[lows.size() / 10], highs[highs.size() - 1 - highs.size() / 10]};
  const Frame f = frame(plot, x_axis(plot, xs.low, xs.high), y_axis(plot, ys.low, ys.high, false), 0);
  Cells cells;
  constexpr int kBins = 32;
  const double high = f.y.high, low = f.y.low, cell = (f.y.from - f.y.to) / kBins;
  for (size_t k = 0; k < columns.size(); ++k) {
    const Column& c = columns[k];
    // Each bin's share of this column's bins of equal height.
    std::vector<double> share(kBins, 0);
    double total = 0, most = 0;
    for (const int64_t n : c.counts) total += double(n);
    for (size_t i = 0; i < c.counts.size() && total > 0; ++i) {
      const double w = std::max((c.high - c.low) / double(c.counts.size()), 1e-30), from = c.low + w * double(i);
      const double a = (from - low) / (high - low) * kBins, b = (from + w - low) / (high - low) * kBins;
      for (int j = std::max(0, int(a)); j < kBins && double(j) < std::max(b, a + 1e-9); ++j) {
        const double part = b > a ? std::min(b, double(j + 1)) - std::max(a, double(j)) : 1;
        share[size_t(j)] += double(c.counts[i]) / total * part / std::max(b - a, 1e-30);
      }
    }
    for (const double s : share) most = std::max(most, s);
    const double x0 = f.x.place(c.x), x1 = k + 1 < columns.size() ? f.x.place(columns[k + 1].x) : f.x.to;
    if (columns.size() > 1 && k + 1 == columns.size()) continue;  // the last look is the right edge of the one before
    // Bins of one depth that follow each other are one cell.
    const auto depth = [&](int j) {
      return j < kBins && share[size_t(j)] > 0.005 * most ? int(share[size_t(j)] / most * 9.99) : -1;
    };
    for (int j = 0, end = 0; j < kBins; j = end) {
      for (end = j + 1; end < kBins && depth(end) == depth(j);) ++end;
      if (depth(j) >= 0)
        cells.add(x0, f.y.from - cell * end, std::max(x1 - x0 + 0.3, 1.0), cell * (end - j) + 0.2,
                  (depth(j) + 0.5) / 10);
    }
  }
  return f.svg + cells.svg() + "</svg>\n";
}

std::string heat_map(const Plot& plot, const std::vector<std::vector<double>>& rows, double x0, double x1) {
  Range values;
  for (const auto& row : rows)
    for (const double v : row) values.add(v, plot.log_y);
  Plot linear = plot;
  linear.log_y = false;
  const Frame f =
      frame(linear, x_axis(linear, x0, x1), y_axis(linear, 0, double(std::max<size_t>(1, rows.size())), false), 0);
  Cells cells;
  const auto scale = [&](double v) { return plot.log_y ? std::log10(v) : v; };
  for (size_t r = 0; r < rows.size(); ++r)
    for (size_t c = 0; c < rows[r].size(); ++c) {
      const double v = rows[r][c];
      if (!std::isfinite(v) || (plot.log_y && v <= 0)) continue;
      const double extent = scale(values.high) - scale(values.low),
                   width = (f.x.to - f.x.from) / double(rows[r].size());
      cells.add(f.x.from + width * double(c), f.y.place(double(r) + 1), width + 0.3,
                (f.y.from - f.y.to) / double(rows.size()) + 0.3,
                extent > 0 ? (scale(v) - scale(values.low)) / extent : 0.5);
    }
  std::string range;
  if (values.low <= values.high)
    range = fmt::format("<text class=\"ink soft\" x=\"{:g}\" y=\"18\" text-anchor=\"end\">{:.3g} to {:.3g}</text>",
                        f.x.to, values.low, values.high);
  return f.svg + cells.svg() + range + "</svg>\n";
}

std::string histogram(const Plot& plot, double low, double high, const std::vector<int64_t>& counts) {
  const double most =
      counts.empty() ? 1 : double(std::max<int64_t>(1, *std::max_element(counts.begin(), counts.end())));
  const Frame f = frame(plot, x_axis(plot, low, high), y_axis(plot, plot.log_y ? 0.5 : 0, most, false), 0);
  std::string svg = f.svg;
  const double width = (f.x.to - f.x.from) / double(std::max<size_t>(1, counts.size()));
  for (size_t i = 0; i < counts.size(); ++i)
    if (counts[i] > 0)
      svg += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
          "fill=\"{}\"><title>{}</title></rect>",
          f.x.from + width * double(i) + 0.5, f.y.place(double(counts[i])), std::max(width - 1, 0.5),
          f.y.from - f.y.place(double(counts[i])), kColors[0], counts[i]);
  return svg + "</svg>\n";
}

void write_svg(const std::string& path, const std::string& svg) {
  std::ofstream file(path);
  const size_t head = svg.find('>') + 1;
  file << svg.substr(0, head)
       << "<style>.ink{fill:#222}.soft{fill:#666}.grid{stroke:#ddd}</style><rect width=\"100%\" "
          "height=\"100%\" fill=\"#fff\"/>"
       << svg.substr(head);
  if (!file.flush()) fail<FormatError>("write_svg", "cannot write '{}'", path);
}

}  // namespace tapegrad::inspect

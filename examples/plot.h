// Curves as text and as an SVG file: one line for each curve, dashed lines for levels to compare with.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

struct Curve {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

struct Level {
  std::string name;
  double y;
};

struct Plot {
  std::string title, x_name, y_name;
  std::vector<Curve> curves;
  std::vector<Level> levels = {};
};

struct Limits {
  double x0 = 0, x1 = 1, y0 = 0, y1 = 0;
};

inline Limits limits_of(const Plot& plot) {
  Limits l;
  for (const Curve& curve : plot.curves)
    for (const auto& [x, y] : curve.points) l.x1 = std::max(l.x1, x), l.y1 = std::max(l.y1, y);
  for (const Level& level : plot.levels) l.y1 = std::max(l.y1, level.y);
  l.y1 = l.y1 > 0 ? 1.05 * l.y1 : 1;
  return l;
}

/// The plot in 16 lines of 64 characters: curves are a, b, c, ...; levels are dashes.
inline std::string text_plot(const Plot& plot) {
  constexpr int width = 64, height = 16;
  const Limits l = limits_of(plot);
  std::vector<std::string> rows(height, std::string(width, ' '));
  const auto row = [&](double y) { return std::clamp(int((1 - y / l.y1) * height), 0, height - 1); };
  for (const Level& level : plot.levels)
    for (int i = 0; i < width; i += 2) rows[size_t(row(level.y))][size_t(i)] = '-';
  for (size_t c = 0; c < plot.curves.size(); ++c)
    for (const auto& [x, y] : plot.curves[c].points)
      rows[size_t(row(y))][size_t(std::clamp(int(x / l.x1 * width), 0, width - 1))] = char('a' + c);

  std::string out = fmt::format("{}\n", plot.title);
  for (int r = 0; r < height; ++r) {
    const double y = l.y1 * (1 - (r + 0.5) / height);
    out += fmt::format("{} |{}\n", r % 4 == 0 ? fmt::format("{:8.3g}", y) : "        ", rows[size_t(r)]);
  }
  out += fmt::format("{:9}+{:-<{}}\n{:10}{} 0 to {:g}\n", "", "", width, "", plot.x_name, l.x1);
  for (size_t c = 0; c < plot.curves.size(); ++c)
    out += fmt::format("{:10}{} {}\n", "", char('a' + c), plot.curves[c].name);
  for (const Level& level : plot.levels) out += fmt::format("{:10}- {}: {:.4f}\n", "", level.name, level.y);
  return out;
}

/// Writes the plot to an SVG file. Throws std::runtime_error if it cannot be written.
inline void write_svg(const std::string& path, const Plot& plot) {
  constexpr double width = 760, height = 420, left = 60, right = 200, top = 40, bottom = 45;
  static const char* const colors[] = {"#1f77b4", "#d62728", "#2ca02c", "#ff7f0e",
                                       "#9467bd", "#8c564b", "#17becf", "#7f7f7f"};
  const Limits l = limits_of(plot);
  const auto px = [&](double x) { return left + (x - l.x0) / (l.x1 - l.x0) * (width - left - right); };
  const auto py = [&](double y) { return height - bottom - y / l.y1 * (height - top - bottom); };

  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0:g} {1:g}' font-family='sans-serif' "
      "font-size='12'>\n"
      "<rect width='{0:g}' height='{1:g}' fill='white'/>\n<text x='{2:g}' y='24' font-size='15'>{3}</text>\n",
      width, height, left, plot.title);
  for (int tick = 0; tick <= 4; ++tick) {
    const double x = l.x1 * tick / 4, y = l.y1 * tick / 4;
    svg += fmt::format(
        "<line x1='{:.1f}' x2='{:.1f}' y1='{:.1f}' y2='{:.1f}' stroke='#ddd'/>\n"
        "<text x='{:.1f}' y='{:.1f}' text-anchor='end'>{:.3g}</text>\n"
        "<text x='{:.1f}' y='{:.1f}' text-anchor='middle'>{:g}</text>\n",
        px(0), px(l.x1), py(y), py(y), px(0) - 6, py(y) + 4, y, px(x), py(0) + 16, x);
  }
  svg += fmt::format("<text x='{:.1f}' y='{:.1f}' text-anchor='middle'>{}</text>\n", px(l.x1 / 2), height - 8,
                     plot.x_name);
  svg += fmt::format("<text transform='translate(14 {:.1f}) rotate(-90)' text-anchor='middle'>{}</text>\n",
                     py(l.y1 / 2), plot.y_name);
  for (const Level& level : plot.levels)
    svg += fmt::format(
        "<line x1='{:.1f}' x2='{:.1f}' y1='{:.1f}' y2='{:.1f}' stroke='black' stroke-dasharray='5 4'/>\n"
        "<text x='{:.1f}' y='{:.1f}'>{}</text>\n",
        px(0), px(l.x1), py(level.y), py(level.y), px(l.x1) + 8, py(level.y) + 4, level.name);
  for (size_t c = 0; c < plot.curves.size(); ++c) {
    const char* color = colors[c % std::size(colors)];
    svg += fmt::format("<polyline fill='none' stroke-width='1.5' stroke='{}' points='", color);
    for (const auto& [x, y] : plot.curves[c].points) svg += fmt::format("{:.1f},{:.1f} ", px(x), py(y));
    const double y = top + 18.0 * double(c);
    svg += fmt::format(
        "'/>\n<rect x='{0:.1f}' y='{1:.1f}' width='14' height='4' fill='{2}'/>"
        "<text x='{3:.1f}' y='{4:.1f}'>{5}</text>\n",
        px(l.x1) + 8, y, color, px(l.x1) + 28, y + 6, plot.curves[c].name);
  }
  std::ofstream file(path);
  file << svg << "</svg>\n";
  if (!file.flush()) throw std::runtime_error("cannot write '" + path + "'");
}

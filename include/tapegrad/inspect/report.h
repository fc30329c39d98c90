// The report of a run: one HTML file, from the log that a Microscope wrote.
#pragma once
#include <string>
#include <vector>

namespace tapegrad::inspect {

struct ReportOptions {
  std::string title = {};  ///< empty: the names of the runs
};

/// Writes a page of one file, which needs no network: curves of the loss, the metrics and the learning rate; what the microscope saw of
/// activations, gradients, updates, gates and gains; layers as a table; the tape, folded; notes and mistakes; settings, seed, versions and
/// command line. Curves can be hovered, smoothed and switched off; the page is light or dark as the reader's system, and can be printed.
/// Several logs are laid side by side, their losses and metrics in one picture. Of a curve at most 1,000 points are drawn, each the mean of
/// the steps around it.
///
/// A log whose last line was cut by a crash is read up to there. **Throws** FormatError where a log cannot be read or has no run,
/// or the page cannot be written.
///
///     inspect::write_report({"a.jsonl", "b.jsonl"}, "report.html");
void write_report(const std::vector<std::string>& logs, const std::string& path, const ReportOptions& options = {});

/// Writes the page around sections of your own, HTML and the pictures of draw.h: curves can be hovered there as well. **Throws** FormatError
/// where it cannot be written.
void write_page(const std::string& path, const std::string& title, const std::string& body);

}  // namespace tapegrad::inspect

// The arguments with which an example keeps its run in a folder, and is asked about a run that it recorded.
#pragma once
#include <tapegrad/train.h>

#include <filesystem>
#include <string>

#include "arguments.h"

/// --run FOLDER. Without it the run is in runs/PROGRAM until it has come to its end, so that one that Ctrl-C stopped goes on.
class RunFolder {
 public:
  RunFolder(Arguments& arguments, const std::string& program)
      : path_(arguments.text("run", "", "keep the run in this folder; the same command goes on there")),
        is_kept_(!path_.empty()) {
    if (!is_kept_) path_ = "runs/" + program;
  }
  const std::string& path() const { return path_; }
  /// The run has come to its end.
  void finish() const {
    std::error_code none;
    if (!is_kept_) std::filesystem::remove_all(path_, none);
  }

 private:
  std::string path_;
  bool is_kept_;
};

/// --travel FOLDER and what is asked there.
struct Travel {
  std::string folder;  ///< of the recorded run; empty where nothing is asked
  tapegrad::train::TravelQuestion question;
};

inline Travel travel_arguments(Arguments& arguments) {
  Travel out;
  auto& [step, print, bisect, branch, lr] = out.question;
  out.folder = arguments.text("travel", "", "the folder of a recorded run; the rest says what to do there:");
  step = arguments.integer("step", 0, "  run this step once more and show a table of it", {0});
  print = arguments.text("print", "", "  or this tensor of it: a module, a parameter, %17, with .grad behind");
  bisect = arguments.text("bisect", "", "  find the step from which on this holds: 'loss>10', 'nan', 'dead(NAME)>0.5'");
  branch = arguments.text("branch", "", "  begin another run in this folder, from the step");
  const double rate = arguments.number("branch-lr", 0, "  with this learning rate, if > 0", {0});
  if (rate > 0) lr = rate;
  return out;
}

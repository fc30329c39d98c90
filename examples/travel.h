// The arguments with which an example is asked about a run that it recorded.
#pragma once
#include <tapegrad/train.h>

#include <string>

#include "arguments.h"

struct Travel {
  std::string folder;  ///< of the recorded run; empty where nothing is asked
  tapegrad::train::TravelQuestion question;
};

inline Travel travel_arguments(Arguments& arguments) {
  Travel out;
  auto& [step, print, bisect, branch, lr] = out.question;
  out.folder = arguments.text("travel", "", "the folder of a recorded run; the rest says what to do there:");
  step = arguments.integer("step", 0, "  run this step once more and show a table of it", {0});
  print =
      arguments.text("print", "", "  or this tensor of it: a module, a parameter, %17, with .grad behind");
  bisect = arguments.text("bisect", "",
                          "  find the first step where this holds: 'loss>10', 'nan', 'dead(NAME)>0.5'");
  branch = arguments.text("branch", "", "  begin another run in this folder, from the step");
  const double rate = arguments.number("branch-lr", 0, "  with this learning rate, if > 0", {0});
  if (rate > 0) lr = rate;
  return out;
}

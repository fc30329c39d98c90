// What a network does while it learns, seen from outside: component tapegrad::inspect.
//
//   inspect::Microscope scope(model, optimizer, {.log = "run.jsonl"});
//   for (auto [x, y] : loader) {
//     Tape tape(scope.watch());
//     Tensor loss = cross_entropy(model(x), y);
//     optimizer.zero_grad();
//     tape.backward(loss);
//     optimizer.step();
//     scope.step(loss.item());
//   }
//   inspect::write_report({"run.jsonl"}, "run.html");
#pragma once
#include <tapegrad/inspect/check.h>
#include <tapegrad/inspect/draw.h>
#include <tapegrad/inspect/export.h>
#include <tapegrad/inspect/first_nan.h>
#include <tapegrad/inspect/listing.h>
#include <tapegrad/inspect/microscope.h>
#include <tapegrad/inspect/report.h>

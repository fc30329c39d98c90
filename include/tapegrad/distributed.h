// Training on several processes, on one machine or many, started by mpirun: the component tapegrad::mpi.
//
//   distributed::Context mpi(argc, argv);                      // one rank where nobody started several
//   distributed::DataParallel parallel(net, mpi);
//   data::DataLoader loader(train, {.batch_size = 128, .shuffle = true, .shard = mpi.shard()});
//   for (auto [x, y] : loader) {
//     Tape tape;
//     Tensor loss = parallel([](auto& net, auto& x, auto& y) { return cross_entropy(net(x), y); }, x, y);
//     optimizer.zero_grad();
//     tape.backward(loss);
//     optimizer.step();
//   }
//
// See docs/distributed.md.
#pragma once
#include <tapegrad/distributed/checkpoint.h>
#include <tapegrad/distributed/context.h>
#include <tapegrad/distributed/data_parallel.h>
#include <tapegrad/distributed/recorder.h>
#include <tapegrad/distributed/sync_batch_norm.h>

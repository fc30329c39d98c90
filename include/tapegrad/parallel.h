// How many threads an operation uses.
#pragma once

namespace tapegrad {

/// Sets how many threads an operation may use, the calling one included.
///
/// The default is the number of cores that the process may use, or TAPEGRAD_NUM_THREADS where the environment
/// has it. Threads are started at the first piece of work that is large enough, so a program of small tensors
/// has only its own. Results do not depend on the number: work is split by the shape of the data, so the bits
/// are the same for any n.
///
/// **Throws** ValueError where n < 1.
void set_num_threads(int n);

/// The number of threads that an operation may use, at least 1.
int get_num_threads();

}  // namespace tapegrad

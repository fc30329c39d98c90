// Work on several threads, with the same bits for any number of them.
//
//   parallel_rows(rows, 64, [&](int64_t begin, int64_t end) { ... });      // chunks of 64 rows
//
// A chunk is fixed by the shape and the grain, never by the number of threads, and is done by one thread from
// its begin to its end. So whatever is summed within a chunk is summed in the same order on one thread and on
// ten. Choose the grain so that a chunk takes at least 20 microseconds or so: one chunk alone runs at once in
// the caller.
//
// The body must not throw. A call inside a body runs in place, and so does one made while another thread of
// the program has the workers.
#pragma once
#include <tapegrad/parallel.h>
#include <algorithm>
#include <cstdint>

namespace tapegrad {

namespace detail {
/// Calls run(body, chunk) for chunk = 0 .. chunks - 1, on as many threads as are set and free.
void run_chunks(int64_t chunks, void (*run)(const void* body, int64_t chunk), const void* body);
}  // namespace detail

/// body(chunk) for every chunk in [0, chunks), in any order and on any thread.
template <class F>
inline void parallel_for(int64_t chunks, const F& body) {
  if (chunks == 1) return body(int64_t{0});
  detail::run_chunks(
      chunks, [](const void* f, int64_t chunk) { (*static_cast<const F*>(f))(chunk); }, &body);
}

/// body(begin, end) for the rows [0, n) in chunks of `grain` rows, the last one shorter.
template <class F>
inline void parallel_rows(int64_t n, int64_t grain, const F& body) {
  if (n <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  parallel_for((n - 1) / grain + 1, [&body, n, grain](int64_t chunk) {
    const int64_t begin = chunk * grain;
    body(begin, n - begin < grain ? n : begin + grain);
  });
}

}  // namespace tapegrad

// y = f(a, b) and y = f(x) row by row, where a row is the last dimension of what broadcasting leaves: the
// loop under the elementwise operations.
//
// Within a row each input is a span or one value, three loops for a function of two; an operation makes a row
// of any other stride contiguous first. A loop is compiled for every dtype and every vector width, so each
// kind of row less is six loops less in every operation.
#pragma once
#include "kernels/loops/strided.h"

namespace tapegrad::kernels {

/// Where the rows of two inputs begin: over all dimensions of the loops but the last, in order.
class RowStarts {
 public:
  RowStarts(const detail::Loops<2>& loops, int64_t row) : loops_(loops) {
    for (int d = loops.rank - 2; d >= 0; --d) {
      index_[d] = row % loops.size[d];
      row /= loops.size[d];
      for (int k = 0; k < 2; ++k) offset[k] += index_[d] * loops.stride[k][d];
    }
  }
  void next() {
    for (int d = loops_.rank - 2; d >= 0; --d) {
      for (int k = 0; k < 2; ++k) offset[k] += loops_.stride[k][d];
      if (++index_[d] < loops_.size[d]) return;
      index_[d] = 0;
      for (int k = 0; k < 2; ++k) offset[k] -= loops_.stride[k][d] * loops_.size[d];
    }
  }
  int64_t offset[2] = {};

 private:
  const detail::Loops<2>& loops_;
  int64_t index_[max_rank] = {};
};

/// `rows` rows of n elements, y contiguous; an input is a span in each row, or with `one` a single value.
/// `starts` may be null for one row.
template <class A, class B, class U, class F>
void map2_rows(int64_t rows, int64_t n, const A* a, bool one_a, const B* b, bool one_b, RowStarts* starts, U* y, F f) {
  if (n <= 0) return;
  const auto run = [=](auto row_of_a, auto row_of_b) {
    simd([=] {
      const A* start_a = a + (starts ? starts->offset[0] : 0);
      const B* start_b = b + (starts ? starts->offset[1] : 0);
      U* to = y;
      for (int64_t row = 1;; ++row) {
        const auto from_a = row_of_a(start_a);
        const auto from_b = row_of_b(start_b);
        TAPEGRAD_INDEPENDENT
        for (int64_t i = 0; i < n; ++i) to[i] = f(from_a[i], from_b[i]);
        if (row >= rows) break;
        starts->next();
        start_a = a + starts->offset[0];
        start_b = b + starts->offset[1];
        to += n;
      }
    });
  };
  using namespace access;
  const auto span_a = [](const A* from) { return Span<A>{from}; };
  const auto span_b = [](const B* from) { return Span<B>{from}; };
  if (one_a) return run([](const A* from) { return Value<A>{*from}; }, span_b);
  if (one_b) return run(span_a, [](const B* from) { return Value<B>{*from}; });
  run(span_a, span_b);
}

}  // namespace tapegrad::kernels

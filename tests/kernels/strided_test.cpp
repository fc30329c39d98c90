#include "kernels/loops/strided.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace tapegrad::kernels {
namespace {

using Dims = std::vector<int64_t>;

int64_t count(const Dims& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
}

/// The offset of element i (row by row) of a view: the definition of a stride.
int64_t offset_of(int64_t i, const Dims& sizes, const Dims& strides) {
  int64_t offset = 0;
  for (size_t d = sizes.size(); d-- > 0; i /= sizes[d]) offset += i % sizes[d] * strides[d];
  return offset;
}

struct Case {
  Dims sizes, strides;
};
const std::vector<Case> cases{
    {{}, {}},
    {{1}, {7}},
    {{0, 3}, {3, 1}},
    {{3, 0}, {1, 1}},
    {{67}, {1}},
    {{17}, {3}},
    {{4, 5, 6}, {30, 6, 1}},                                 // contiguous
    {{17, 67}, {1, 17}},                                     // transposed
    {{3, 33, 18}, {33 * 18, 1, 33}},                         // transposed, batched
    {{5, 3, 4, 2}, {24, 2, 6, 1}},                           // permuted (0, 2, 1, 3)
    {{4, 6}, {0, 1}},                                        // rows repeated
    {{4, 6}, {1, 0}},                                        // columns repeated
    {{3, 1, 5}, {10, 99, 2}},                                // every second element
    {{2, 1, 2, 3, 1, 2, 2, 2}, {48, 5, 8, 16, 3, 4, 1, 2}},  // rank 8
};

template <class T>
class Strided : public testing::Test {
 protected:
  static std::vector<T> numbers(T first) {
    std::vector<T> v(4000);
    std::iota(v.begin(), v.end(), first);
    return v;
  }
};
using Types = testing::Types<float, double, int64_t>;
TYPED_TEST_SUITE(Strided, Types);

TYPED_TEST(Strided, CopiesAnyViewToContiguousMemory) {
  using T = TypeParam;
  const std::vector<T> x = this->numbers(1);
  for (const auto& [sizes, strides] : cases) {
    const int64_t n = count(sizes);
    std::vector<T> y(n + 1, T(-1));
    copy_strided(static_cast<int>(sizes.size()), sizes.data(), strides.data(), x.data(), y.data());
    for (int64_t i = 0; i < n; ++i) ASSERT_EQ(y[i], x[offset_of(i, sizes, strides)]) << testing::PrintToString(sizes);
    EXPECT_EQ(y[n], T(-1)) << "wrote past the end";
  }
}

TYPED_TEST(Strided, ScattersBackWhatItCopied) {
  using T = TypeParam;
  const std::vector<T> x = this->numbers(1);
  for (const auto& [sizes, strides] : cases) {
    std::vector<T> packed(count(sizes)), y(x.size(), T(0));
    const int rank = static_cast<int>(sizes.size());
    copy_strided(rank, sizes.data(), strides.data(), x.data(), packed.data());
    scatter_strided(rank, sizes.data(), strides.data(), packed.data(), y.data());
    for (int64_t i = 0; i < count(sizes); ++i) {
      ASSERT_EQ(y[offset_of(i, sizes, strides)], x[offset_of(i, sizes, strides)]);
    }
  }
}

TYPED_TEST(Strided, BroadcastsThreeInputs) {
  using T = TypeParam;
  const std::vector<T> a = this->numbers(1), b = this->numbers(5000), c = this->numbers(7);
  struct Triple {
    Dims sizes, a, b, c;
  };
  const std::vector<Triple> triples{
      {{}, {}, {}, {}},
      {{3, 5, 7}, {35, 7, 1}, {0, 0, 1}, {0, 0, 0}},   // a bias
      {{3, 5, 7}, {35, 7, 1}, {7, 1, 0}, {5, 1, 0}},   // a column
      {{3, 5, 7}, {0, 0, 0}, {35, 7, 1}, {35, 7, 1}},  // a scalar on the left
      {{9, 4}, {0, 1}, {1, 0}, {4, 1}},                // an outer sum
      {{6, 67}, {1, 6}, {67, 1}, {0, 1}},              // transposed
      {{0, 4}, {4, 1}, {0, 1}, {4, 1}},
      {{4, 0}, {0, 1}, {1, 0}, {4, 1}},
      {{2, 17, 3, 2}, {102, 6, 2, 1}, {0, 6, 0, 1}, {1, 0, 2, 0}},
  };
  for (const auto& [sizes, sa, sb, sc] : triples) {
    const int64_t n = count(sizes);
    const int rank = static_cast<int>(sizes.size());
    std::vector<T> z(n + 1, T(-1));
    map3_strided(rank, sizes.data(), View<T>{a.data(), sa.data()}, View<T>{b.data(), sb.data()},
                 View<T>{c.data(), sc.data()}, z.data(), [](T p, T q, T r) { return p - q + 3 * r; });
    for (int64_t i = 0; i < n; ++i) {
      const T difference = a[offset_of(i, sizes, sa)] - b[offset_of(i, sizes, sb)];
      ASSERT_EQ(z[i], difference + 3 * c[offset_of(i, sizes, sc)]) << testing::PrintToString(sizes) << i;
    }
    EXPECT_EQ(z[n], T(-1)) << "wrote past the end";
  }
}

}  // namespace
}  // namespace tapegrad::kernels

#include "kernels/attention.h"

#include <algorithm>
#include <limits>

#include "kernels/gemm/product.h"
#include "kernels/loops/map.h"
#include "kernels/vector/lanes.h"
#include "kernels/vector/math.h"

namespace tapegrad::kernels {

namespace {

// A block of scores: rows of queries from i on, columns of keys from j on.
struct Block {
  int64_t i, rows, j, cols, step;
};

// How many keys query i sees.
template <class T>
int64_t seen(const AttentionHead<T>& h, int64_t i) {
  return std::clamp<int64_t>(i + h.diagonal + 1, 0, h.keys);
}

// f(block) for the blocks of queries [i, i + rows) in which a key is seen. Few queries have long blocks: one alone passes
// over thousands of keys at once.
template <class T, class F>
void for_blocks(const AttentionHead<T>& h, int64_t i, int64_t rows, F f) {
  const int64_t keys = seen(h, i + rows - 1);
  const int64_t step = std::max(dropout_block, attention_scores / rows / dropout_block * dropout_block);
  for (int64_t j = 0; j < keys; j += step) f(Block{i, rows, j, std::min(step, keys - j), step});
}

// C [m, n] = alpha op(A) op(B) + beta C by the ways that suit blocks of a head: few numbers, which were just written.
template <class T>
void product(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, Rows<const T> a, Rows<const T> b,
             T beta, Rows<T> c) {
  const GemmArgs<T> g{trans_a, trans_b, m, n, k, alpha, a.data, a.step, b.data, b.step, beta, c.data, c.step};
  if (!trans_b) return gemm_rows(g);
  m < 8 && !is_exact() ? gemm_dots(g) : gemm_panels(g);
}

// s = scale Q K^T + bias, and -inf where a query does not see a key.
template <class T>
void scores(const AttentionHead<T>& h, const Block& b, T* s) {
  product<T>(false, true, b.rows, b.cols, h.width, h.scale, h.q.from(b.i), h.k.from(b.j), 0, {s, b.step});
  if (!h.bias && !h.mask && seen(h, b.i) >= b.j + b.cols) return;
  simd([=] {
    constexpr T unseen = -std::numeric_limits<T>::infinity();
    for (int64_t r = 0; r < b.rows; ++r) {
      T* to = s + r * b.step;
      if (h.bias) {
        const T* from = h.bias[b.i + r] + b.j;
        TAPEGRAD_INDEPENDENT
        for (int64_t j = 0; j < b.cols; ++j) to[j] += from[j];
      }
      if (h.mask) {
        const uint8_t* keep = h.mask[b.i + r] + b.j;
        TAPEGRAD_INDEPENDENT
        for (int64_t j = 0; j < b.cols; ++j) to[j] = keep[j] ? to[j] : unseen;
      }
      for (int64_t j = std::max<int64_t>(seen(h, b.i + r) - b.j, 0); j < b.cols; ++j) to[j] = unseen;
    }
  });
}

// f(j, n, kept) for each part of a row of the dropout mask, the row of query i and of the keys from `first` on; kept(k) is
// its number k, 0 or the scale.
template <class T, class F>
inline void for_dropout(const AttentionHead<T>& h, int64_t i, int64_t first, int64_t cols, F f) {
  uint32_t words[dropout_block];
  const auto kept = [from = static_cast<const uint32_t*>(words), keep = h.dropout->keep,
                     scale = static_cast<T>(h.dropout->scale)](int64_t k) { return from[k] < keep ? scale : T(0); };
  for (int64_t j = 0; j < cols; j += dropout_block) {
    dropout_words(*h.dropout, h.dropout_at + i * h.dropout_step + first + j, words);
    f(j, std::min(dropout_block, cols - j), kept);
  }
}

template <class T>
inline T zero_if_infinite(T m) {
  return m == -std::numeric_limits<T>::infinity() ? T(0) : m;
}

// The scores become exp(s - m). Where m grows, what was summed up with the old one shrinks.
template <class T>
void exponentials(const AttentionHead<T>& h, const Block& b, T* s, T* largest, double* sum, Rows<T> y) {
  simd([=] {
    for (int64_t r = 0; r < b.rows; ++r) {
      T* p = s + r * b.step;
      const T before = largest[r], now = std::max(before, row_max(b.cols, p));
      const T m = zero_if_infinite(now), shrink = math::exp(before - m);
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < b.cols; ++j) p[j] = math::exp(p[j] - m);
      sum[r] = sum[r] * shrink + sum_of(b.cols, [=](int64_t j) { return double{p[j]}; });
      largest[r] = now;
      if (b.j > 0 && before != now) {
        T* to = y[b.i + r];
        TAPEGRAD_INDEPENDENT
        for (int64_t e = 0; e < h.value_width; ++e) to[e] *= shrink;
      }
      if (!h.dropout) continue;
      for_dropout(h, b.i + r, b.j, b.cols, [=](int64_t j, int64_t n, auto kept) {
        TAPEGRAD_INDEPENDENT
        for (int64_t k = 0; k < n; ++k) p[j + k] *= kept(k);
      });
    }
  });
}

// p = exp(s - m) / l, as forward had it.
template <class T>
void probabilities(const AttentionHead<T>& h, const Block& b, T* s) {
  simd([=] {
    for (int64_t r = 0; r < b.rows; ++r) {
      T* p = s + r * b.step;
      const T m = h.largest[b.i + r], inverse = h.inverse[b.i + r];
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < b.cols; ++j) p[j] = math::exp(p[j] - m) * inverse;
    }
  });
}

// ds = p (mask dp - delta) in the place of dp, and mask p in that of p.
template <class T>
void of_scores(const AttentionHead<T>& h, const Block& b, const double* delta, T* probabilities, T* gradient) {
  simd([=] {
    for (int64_t r = 0; r < b.rows; ++r) {
      T *p = probabilities + r * b.step, *ds = gradient + r * b.step;
      const T mean = static_cast<T>(delta[r]);
      if (!h.dropout) {
        TAPEGRAD_INDEPENDENT
        for (int64_t j = 0; j < b.cols; ++j) ds[j] = p[j] * (ds[j] - mean);
        continue;
      }
      for_dropout(h, b.i + r, b.j, b.cols, [=](int64_t j, int64_t n, auto kept) {
        TAPEGRAD_INDEPENDENT
        for (int64_t k = 0; k < n; ++k) {
          const T factor = kept(k);
          ds[j + k] = p[j + k] * (ds[j + k] * factor - mean);
          p[j + k] *= factor;
        }
      });
    }
  });
}

template <class T>
void clear(int64_t rows, int64_t width, Rows<T> x) {
  for (int64_t i = 0; i < rows; ++i) std::fill_n(x[i], width, T(0));
}

}  // namespace

template <class T>
void attention(const AttentionHead<T>& h, int64_t first, int64_t last, Rows<T> y) {
  alignas(64) T s[attention_scores];
  double sum[attention_queries];
  for (int64_t i = first; i < last; i += attention_queries) {
    const int64_t rows = std::min(attention_queries, last - i);
    T* largest = h.largest + i;
    std::fill_n(largest, rows, -std::numeric_limits<T>::infinity());
    std::fill_n(sum, rows, 0.0);
    if (seen(h, i + rows - 1) == 0) clear(rows, h.value_width, y.from(i));
    for_blocks(h, i, rows, [&](const Block& b) {
      scores(h, b, s);
      exponentials(h, b, s, largest, sum, y);
      product<T>(false, false, rows, h.value_width, b.cols, 1, {s, b.step}, h.v.from(b.j), b.j == 0 ? 0 : 1, y.from(i));
    });
    simd([=, total = static_cast<const double*>(sum)] {
      for (int64_t r = 0; r < rows; ++r) {
        const T inverse = total[r] == 0 ? T(0) : static_cast<T>(1 / total[r]);
        largest[r] = zero_if_infinite(largest[r]);
        h.inverse[i + r] = inverse;
        T* to = y[i + r];
        TAPEGRAD_INDEPENDENT
        for (int64_t e = 0; e < h.value_width; ++e) to[e] *= inverse;
      }
    });
  }
}

template <class T>
void attention_backward(const AttentionHead<T>& h, Rows<const T> y, Rows<const T> dy, const AttentionGradients<T>& d) {
  alignas(64) T p[attention_scores], ds[attention_scores];
  double delta[attention_queries];
  int64_t begun = 0;  // the keys whose dk and dv have been cleared, just before a product adds to them
  const auto begin_keys = [&](int64_t end) {
    if (d.k) clear(end - begun, h.width, d.k.from(begun));
    if (d.v) clear(end - begun, h.value_width, d.v.from(begun));
    begun = end;
  };
  if (d.bias) clear(h.queries, h.padded_keys, d.bias);
  for (int64_t i = 0; i < h.queries; i += attention_queries) {
    const int64_t rows = std::min(attention_queries, h.queries - i);
    begin_keys(seen(h, i + rows - 1));
    if (d.q) clear(rows, h.width, d.q.from(i));
    simd([=, to = static_cast<double*>(delta)] {
      for (int64_t r = 0; r < rows; ++r) {
        const T *a = y[i + r], *g = dy[i + r];
        to[r] = sum_of(h.value_width, [=](int64_t e) { return double{a[e]} * g[e]; });
      }
    });
    for_blocks(h, i, rows, [&](const Block& b) {
      scores(h, b, p);
      probabilities(h, b, p);
      product<T>(false, true, rows, b.cols, h.value_width, 1, dy.from(i), h.v.from(b.j), 0, {ds, b.step});
      of_scores(h, b, delta, p, ds);
      const Rows<const T> of_p{p, b.step}, of_s{ds, b.step};
      if (d.v) product<T>(true, false, b.cols, h.value_width, rows, 1, of_p, dy.from(i), 1, d.v.from(b.j));
      if (d.q) product<T>(false, false, rows, h.width, b.cols, h.scale, of_s, h.k.from(b.j), 1, d.q.from(i));
      if (d.k) product<T>(true, false, b.cols, h.width, rows, h.scale, of_s, h.q.from(i), 1, d.k.from(b.j));
      for (int64_t r = 0; d.bias && r < rows; ++r) std::copy_n(ds + r * b.step, b.cols, d.bias[i + r] + b.j);
    });
  }
  begin_keys(h.padded_keys);
}

#define TAPEGRAD_INSTANTIATE(T)                                                \
  template void attention(const AttentionHead<T>&, int64_t, int64_t, Rows<T>); \
  template void attention_backward(const AttentionHead<T>&, Rows<const T>, Rows<const T>, const AttentionGradients<T>&)
TAPEGRAD_INSTANTIATE(float);
TAPEGRAD_INSTANTIATE(double);
#undef TAPEGRAD_INSTANTIATE

}  // namespace tapegrad::kernels

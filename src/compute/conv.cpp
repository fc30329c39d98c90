// The products of docs/convolution.md: an image in a frame, tables in place of the unfolded image, a piece for each remainder
// by the stride. Threads take images; at most eight chunks of them, each with a frame of its own. One thread has one
// frame for all.
#include "compute/conv.h"

#include <algorithm>

#include "kernels/loops/strided.h"
#include "system/parallel.h"
#include "tensor/impl.h"

namespace tapegrad::compute {

namespace {

constexpr int64_t most_chunks = 8;
constexpr double chunk_flops = 2e6;
constexpr int64_t few = 4;  // columns from which a tile is better than rows of pixels

// The channels of an image with a border of zeros.
struct Frame {
  int64_t channels, h, w;          // of the image
  int64_t top, left, rows, pitch;  // of the frame
  int64_t plane() const { return rows * pitch; }
  bool is_image() const { return rows == h && pitch == w && top == 0 && left == 0; }
  int64_t size() const { return is_image() ? 0 : channels * plane(); }

  // The image in a frame whose border is zero already; what lies beyond the frame is left out.
  template <class T>
  const T* fill(const T* image, T* frame) const {
    if (is_image()) return image;
    const kernels::Planes from{h * w, w}, to{plane(), pitch};
    kernels::copy_planes(channels, std::min(h, rows - top), std::min(w, pitch - left), image, from,
                         frame + top * pitch + left, to);
    return frame;
  }
};

// body(image number, chunk, its channels in a frame) for all images of x, in parallel.
template <class T, class F>
void each_image(const Frame& frame, const Tensor& x, int64_t chunks, double flops, const F& body) {
  const int64_t n = x.size(0), size = frame.size(), step = frame.channels * frame.h * frame.w;
  const int64_t grain = std::max((n + chunks - 1) / std::max<int64_t>(chunks, 1), int64_t(chunk_flops / flops));
  const int64_t frames = get_num_threads() == 1 ? 1 : (n + grain - 1) / std::max<int64_t>(grain, 1);
  const Tensor memory = detail::new_tensor({frames, size}, x.dtype());
  const T* images = detail::ptr<T>(x);
  T* first = detail::mutable_ptr<T>(memory);
  const auto some_images = [=, &body](int64_t begin, int64_t end) {
    const int64_t chunk = begin / grain;
    T* const mine = first + chunk % frames * size;
    if (chunk < frames) std::fill(mine, mine + size, T(0));  // the border stays zero
    for (int64_t i = begin; i < end; ++i) body(i, chunk, frame.fill(images + i * step, mine));
  };
  if (frames > 1) return parallel_rows(n, grain, some_images);
  for (int64_t i = 0; i < n; i += grain) some_images(i, std::min(i + grain, n));
}

// One axis of a piece: pixel i begins at frame + i * step in the frame, and is pixel to + i * to_step of the result. It has
// the taps t for which t * dilation leaves the remainder `phase`; they are t * dilation / divide further on, or back.
struct Line {
  int64_t pixels, frame, step, to, to_step;
  int64_t kernel, dilation, divide, phase, sign;

  bool has(int64_t tap) const { return tap * dilation % divide == phase; }
  int64_t offset(int64_t tap) const { return sign * (tap * dilation / divide); }
};

Line forward_line(const Window& w) { return {w.out, 0, w.stride, 0, 1, w.kernel, w.dilation, 1, 0, 1}; }

// How far before an image of dy the taps reach.
int64_t margin(const Window& w) { return (w.kernel - 1) * w.dilation / w.stride; }

Line transposed_line(const Window& w, int64_t phase) {
  const int64_t s = w.stride, first = (phase + (w.padding / s + 1) * s - w.padding) % s;
  const int64_t pixels = first < w.in ? (w.in - first - 1) / s + 1 : 0;
  return {pixels, (first + w.padding) / s + margin(w), 1, first, s, w.kernel, w.dilation, s, phase, -1};
}

// A tap: where it stands in the kernel, and how far from the pixel in a frame.
struct Tap {
  int64_t in_kernel, in_frame;
};

// A product: its tables, the weights as its B, [groups][cols, n], and where its results go.
struct Piece {
  detail::SmallVector<Tap, 16> taps;
  Tensor tables, b;
  kernels::Gather gather;
  kernels::Runs runs;
  const int64_t* at;
  bool pixels = false;  // vectors of them, not of channels

  // Tables for lines of a frame. Results are `width` long rows.
  Piece(const Line& y, const Line& x, const Frame& frame, int64_t channels, int64_t width) {
    const int64_t rows = y.pixels * x.pixels;
    tables = detail::new_tensor({2 * rows + channels * y.kernel * x.kernel}, int64);
    int64_t *row = detail::mutable_ptr<int64_t>(tables), *to = row + rows, *col = to + rows;
    gather = {rows, 0, row, col};
    runs = {y.pixels, x.pixels, x.step, x.to_step};
    at = x.to_step > 1 || y.to_step > 1 ? to : nullptr;
    for (int64_t i = 0; i < y.pixels; ++i) {
      for (int64_t j = 0; j < x.pixels; ++j) {
        *row++ = (y.frame + i * y.step) * frame.pitch + x.frame + j * x.step;
        *to++ = (y.to + i * y.to_step) * width + x.to + j * x.to_step;
      }
    }
    for (int64_t ty = 0; ty < y.kernel; ++ty) {
      for (int64_t tx = 0; tx < x.kernel; ++tx)
        if (y.has(ty) && x.has(tx)) taps.push_back({ty * x.kernel + tx, y.offset(ty) * frame.pitch + x.offset(tx)});
    }
    for (int64_t c = 0; c < channels; ++c) {
      for (const Tap& tap : taps) col[gather.cols++] = c * frame.plane() + tap.in_frame;
    }
  }

  // B[(c, t), j] = weight[c * c_step + j * j_step + t] of each group, for each tap t; packed for vectors of channels.
  template <class T>
  void take(const Tensor& weight, int64_t groups, int64_t channels, int64_t c_step, int64_t n, int64_t j_step) {
    pixels = n < few || kernels::prefers_pixels<T>(runs, n);
    const int64_t size = gather.cols * n, packed = pixels ? size : kernels::packed_size<T>(gather.cols, n);
    const Tensor plain = detail::new_tensor({size}, weight.dtype());
    b = detail::new_tensor({groups, packed}, weight.dtype());
    for (int64_t g = 0; g < groups; ++g) {
      const T* from = detail::ptr<T>(weight) + g * (weight.numel() / groups);
      T *own = detail::mutable_ptr<T>(b) + g * packed, *matrix = pixels ? own : detail::mutable_ptr<T>(plain),
        *to = matrix;
      for (int64_t c = 0; c < channels; ++c) {
        for (const Tap& tap : taps) {
          for (int64_t j = 0; j < n; ++j) *to++ = from[c * c_step + j * j_step + tap.in_kernel];
        }
      }
      if (!pixels) kernels::pack_b(false, gather.cols, n, matrix, n, own);
    }
  }
};

using Pieces = detail::SmallVector<Piece, 4>;

// All pieces of all images: n channels of each group of the result, from `channels` of each group of the frame.
Tensor run(const Tensor& x, const Frame& frame, const Pieces& pieces, int64_t groups, int64_t n, const Tensor& bias,
           const Shape& shape) {
  const Tensor y = detail::new_tensor(shape, x.dtype());
  const int64_t plane = shape[2] * shape[3];
  double flops = 1;
  for (const Piece& piece : pieces)
    flops += 2.0 * double(groups * n) * double(piece.gather.rows) * double(piece.gather.cols);
  detail::dispatch_float("conv2d", x.dtype(), [&]<class T>(T) {
    const T* shift = detail::ptr_or_null<T>(bias);
    T* out = detail::mutable_ptr<T>(y);
    each_image<T>(frame, x, most_chunks, flops, [&](int64_t image, int64_t, const T* from) {
      for (int64_t g = 0; g < groups; ++g) {
        const T *a = from + g * (frame.channels / groups) * frame.plane(), *add = shift ? shift + g * n : nullptr;
        T* to = out + (image * groups + g) * n * plane;
        for (const Piece& piece : pieces) {
          const T* b = detail::ptr<T>(piece.b) + g * (piece.b.numel() / groups);
          if (n < few)
            kernels::conv_few(piece.gather, piece.runs, a, n, b, add, to, plane, piece.at);
          else if (piece.pixels)
            kernels::gemm_pixels(piece.gather, piece.runs, a, n, b, add, to, plane, piece.at);
          else
            kernels::gemm_gathered(piece.gather, a, kernels::PackedB<T>{b, piece.gather.cols, n}, add, to, plane,
                                   piece.at);
        }
      }
    });
  });
  return y;
}

Frame padded(const Window& h, const Window& w, int64_t channels) {
  return {channels, h.in, w.in, h.padding, w.padding, h.in + 2 * h.padding, w.in + 2 * w.padding};
}

}  // namespace

Tensor Conv::forward(const Tensor& input, const Tensor& kernel, const Tensor& shift) const {
  const Tensor x = detail::plain(input), weight = detail::plain(kernel), bias = detail::plain(shift);
  const int64_t n = weight.size(0) / groups, channels = weight.size(1), taps = h.kernel * w.kernel;
  const Frame frame = padded(h, w, x.size(1));
  const Line y_line = forward_line(h), x_line = forward_line(w);
  Pieces pieces;
  pieces.push_back(Piece(y_line, x_line, frame, channels, w.out));
  detail::dispatch_float("conv2d", x.dtype(),
                         [&]<class T>(T) { pieces[0].take<T>(weight, groups, channels, taps, n, channels * taps); });
  return run(x, frame, pieces, groups, n, bias, {x.size(0), weight.size(0), h.out, w.out});
}

Tensor Conv::transposed(const Tensor& input, const Tensor& kernel, const Tensor& shift) const {
  const Tensor y = detail::plain(input), weight = detail::plain(kernel), bias = detail::plain(shift);
  const int64_t channels = weight.size(0) / groups, n = weight.size(1), taps = h.kernel * w.kernel;
  const auto length = [](const Window& w) { return (w.in - 1 + w.padding) / w.stride + 1 + margin(w); };
  const Frame frame{y.size(1), h.out, w.out, margin(h), margin(w), length(h), length(w)};
  Pieces pieces;
  for (int64_t py = 0; py < h.stride; ++py) {
    for (int64_t px = 0; px < w.stride; ++px) {
      const Line y_line = transposed_line(h, py), x_line = transposed_line(w, px);
      if (y_line.pixels * x_line.pixels == 0) continue;
      pieces.push_back(Piece(y_line, x_line, frame, channels, w.in));
      detail::dispatch_float("conv2d", y.dtype(), [&]<class T>(T) {
        pieces[pieces.size() - 1].take<T>(weight, groups, channels, n * taps, n, taps);
      });
    }
  }
  return run(y, frame, pieces, groups, n, bias, {y.size(0), n * groups, h.in, w.in});
}

Tensor Conv::weight_gradient(const Tensor& input, const Tensor& gradient) const {
  const Tensor x = detail::plain(input), dy = detail::plain(gradient);
  const int64_t channels = x.size(1) / groups, n = dy.size(1) / groups;
  const Frame frame = padded(h, w, x.size(1));
  const Piece forward(forward_line(h), forward_line(w), frame, channels, w.out);
  const kernels::Gather gather{forward.gather.cols, forward.gather.rows, forward.gather.col, forward.gather.row};
  const int64_t k = gather.rows, plane = gather.cols, ldc = n < few ? n : (n + 31) / 32 * 32;
  const Tensor dweight = detail::new_tensor({n * groups, channels, h.kernel, w.kernel}, x.dtype());
  // A chunk has sums of its own, as many as there is room for beside the images.
  const int64_t chunks =
      std::clamp<int64_t>((x.numel() + dy.numel()) / 2 / std::max<int64_t>(dweight.numel(), 1), 2, most_chunks);
  detail::dispatch_float("conv2d", x.dtype(), [&]<class T>(T) {
    const Tensor parts = zeros({std::clamp<int64_t>(x.size(0), 1, chunks), groups, k, ldc}, {.dtype = x.dtype()});
    T *sums = detail::mutable_ptr<T>(parts), *to = detail::mutable_ptr<T>(dweight);
    const T* g_y = detail::ptr<T>(dy);
    each_image<T>(frame, x, chunks, 2.0 * double(n * groups) * double(k) * double(plane),
                  [&](int64_t image, int64_t chunk, const T* from) {
                    for (int64_t g = 0; g < groups; ++g) {
                      const T *a = from + g * channels * frame.plane(), *b = g_y + (image * groups + g) * n * plane;
                      T* c = sums + (chunk * groups + g) * k * ldc;
                      if (n < few)
                        kernels::conv_few_add(gather, forward.runs, a, n, b, plane, c, ldc);
                      else
                        kernels::gemm_gathered_add(gather, forward.runs, a, n, b, plane, c, ldc);
                    }
                  });
    const int64_t size = groups * k * ldc;
    parallel_rows(size, 1 << 13, [=, count = parts.size(0)](int64_t begin, int64_t end) {
      for (int64_t part = 1; part < count; ++part) {
        TAPEGRAD_INDEPENDENT
        for (int64_t i = begin; i < end; ++i) sums[i] += sums[part * size + i];
      }
    });
    for (int64_t g = 0; g < groups; ++g) {
      const int64_t sizes[] = {n, k}, strides[] = {1, ldc};
      kernels::copy_strided(2, sizes, strides, sums + g * k * ldc, to + g * n * k);
    }
  });
  return dweight;
}

}  // namespace tapegrad::compute

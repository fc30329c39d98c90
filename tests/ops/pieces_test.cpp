// Any number of pieces that a list of sizes can say, with some of them empty, and some that the loss does not use.
#include <gtest/gtest.h>

#include "ops/expect.h"

namespace tapegrad {
namespace {

TEST(Split, IntoOneToEightPiecesOfAnySizeIsTheirPartsAndPutsTheGradientsInTheirPlaces) {
  manual_seed(1);
  for (int64_t count = 1; count <= 8; ++count)
    for (const int64_t axis : {0, 1, 2})
      for (int round = 0; round < 3; ++round) {
        const std::vector<int64_t> drawn = randint(0, 4, {count}).to_vector<int64_t>();
        Shape sizes;
        for (int64_t size : drawn) sizes.push_back(size);
        Shape shape{2, 3, 4};
        shape[axis] = 0;
        for (int64_t size : drawn) shape[axis] += size;
        const Tensor x = gaussian(shape).set_requires_grad();
        Tape tape;
        const Tensors pieces = split(x, sizes, axis);
        ASSERT_EQ(int64_t(pieces.size()), count);
        Tensor loss = tensor(0, {.dtype = float64});
        std::vector<Tensor> expected;
        int64_t start = 0;
        for (int64_t i = 0; i < count; ++i) {
          const Tensor part = narrow(x.detach(), axis, start, drawn[size_t(i)]);
          EXPECT_EQ(pieces[size_t(i)].shape(), part.shape());
          EXPECT_EQ(pieces[size_t(i)].to_vector<double>(), part.to_vector<double>());
          start += drawn[size_t(i)];
          const bool used = (i + round) % 3 != 0;
          if (used) loss = loss + sum(pieces[size_t(i)] * double(i + 1));
          expected.push_back(full(part.shape(), used ? double(i + 1) : 0, {.dtype = float64}));
        }
        if (!loss.is_recorded()) continue;
        EXPECT_EQ(tape.gradient(loss, {x})[0].to_vector<double>(), concat(expected, axis).to_vector<double>());
      }
}

TEST(Split, IntoEqualPiecesLeavesTheRestToTheLast) {
  manual_seed(2);
  for (int64_t n = 0; n <= 12; ++n)
    for (int64_t size = 1; size <= 13; ++size) {
      const Tensor x = gaussian({2, n}).set_requires_grad();
      Tape tape;
      const Tensors pieces = split(x, size, 1);
      ASSERT_EQ(int64_t(pieces.size()), std::max<int64_t>(1, (n + size - 1) / size));
      std::vector<Tensor> again(pieces.begin(), pieces.end());
      EXPECT_EQ(concat(again, 1).to_vector<double>(), x.to_vector<double>());
      for (size_t i = 0; i + 1 < pieces.size(); ++i) EXPECT_EQ(pieces[i].size(1), size);
      const Tensor last = pieces[pieces.size() - 1];
      Tensor expected = zeros({2, n}, {.dtype = float64});
      const Tensor dx = tape.gradient(sum(last), {x})[0];
      expect_near(
          dx,
          concat({zeros({2, n - last.size(1)}, {.dtype = float64}), ones_like(last.detach())}, 1).to_vector<double>());
    }
}

TEST(Chunk, GivesAtMostAsManyPiecesAsItIsAskedFor) {
  for (int64_t n = 1; n <= 12; ++n)
    for (int64_t chunks = 1; chunks <= 14; ++chunks) {
      const Tensors pieces = chunk(arange(n), chunks);
      const int64_t size = (n + chunks - 1) / chunks;
      EXPECT_EQ(int64_t(pieces.size()), (n + size - 1) / size) << n << " in " << chunks;
      EXPECT_EQ(concat(pieces).to_vector<int64_t>(), arange(n).to_vector<int64_t>());
    }
}

// sum over i of dy[i] v[i] for the rows that are no padding: each derivative of it is linear in the other two.
TEST(Embedding, LeavesThePaddingRowOutOfEveryDerivative) {
  const Tensor index = from_vector<int64_t>({1, 3, 1, 0, 3}, {5});
  const Tensor w = gaussian({4, 2}).set_requires_grad(), c = gaussian({5, 2}).set_requires_grad(),
               v = gaussian({4, 2}).set_requires_grad(), u = gaussian({5, 2});
  Tape tape;
  const Tensor y = embedding(w, index, {.padding_idx = 3});
  expect_near(y, index_select(w.detach(), 0, index).to_vector<double>());
  const Tensor dw = tape.gradient(sum(y * c), {w}, {.create_graph = true})[0];
  const Tensor keep = ne(index, 3.0).to(float64).unsqueeze(1);
  const Tensor zero = zeros({4, 2}, {.dtype = float64});
  expect_near(dw, index_add(zero, 0, index, (c * keep).detach()).to_vector<double>());
  const Tensor dc = tape.gradient(sum(dw * v), {c}, {.create_graph = true})[0];
  expect_near(dc, (index_select(v.detach(), 0, index) * keep).to_vector<double>());
  const Tensor dv = tape.gradient(sum(dc * u), {v})[0];
  expect_near(dv, index_add(zero, 0, index, u * keep).to_vector<double>());
}

}  // namespace
}  // namespace tapegrad

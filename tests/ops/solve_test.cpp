// Systems of equations, determinants and square roots of matrices by what defines them; einsum against loops.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>

#include "ops/expect.h"

namespace tapegrad {
namespace {

constexpr TensorOptions k64 = {.dtype = float64};

TEST(Solve, GivesWhatTheMatrixMakesTheRightSideOf) {
  manual_seed(1);
  for (int64_t n : {1, 2, 5, 40}) {
    const Tensor a = gaussian({3, n, n}), b = gaussian({3, n, 2});
    EXPECT_TENSOR_NEAR(matmul(a, solve(a, b)), b, 1e-9);
    EXPECT_TENSOR_NEAR(matmul(inverse(a), a), eye(n, k64).expand({3, n, n}), 1e-9);
    EXPECT_TENSOR_NEAR(matmul(a[0].transpose(0, 1), solve(a[0].transpose(0, 1), select(b[0], 1, 0))),
                       select(b[0], 1, 0), 1e-9);
  }
  EXPECT_TENSOR_NEAR(solve(tensor({{0, 2}, {1, 0}}), tensor({4, 3})), tensor({3, 2}), 0) << "by exchanging rows";
  EXPECT_TENSOR_NEAR(inverse(tensor({{4, 7}, {2, 6}})), tensor({{0.6, -0.7}, {-0.2, 0.4}}), 1e-7);
  EXPECT_THAT(solve(zeros({0, 0}), zeros({0, 3})), HasShape({0, 3}));
  EXPECT_THAT(solve(zeros({0, 2, 2}), zeros({0, 2, 3})), HasShape({0, 2, 3}));
}

TEST(Solve, SaysWhichMatrixIsSingular) {
  EXPECT_EQ(message<ValueError>([] {
              solve(tensor({{1, 2}, {2, 4}}), ones({2}));
            }),
            "solve: the matrix must not be singular, number 0 of [2, 2] is");
  EXPECT_EQ(message<ValueError>([] {
              inverse(stack({eye(2), zeros({2, 2})}));
            }),
            "inverse: the matrix must not be singular, number 1 of [2, 2, 2] is");
  EXPECT_EQ(message<ShapeError>([] {
              solve(zeros({2, 3}), zeros({2}));
            }),
            "solve: the matrices must be [..., n, n], got [2, 3]");
  EXPECT_EQ(message<ShapeError>([] {
              solve(eye(2), zeros({3, 1}));
            }),
            "solve: b must have the rows and the batches of a [2, 2], got [3, 1]");
  EXPECT_THROW(solve(eye(2, {.dtype = int64}), zeros({2}, {.dtype = int64})), DtypeError);
  EXPECT_TRUE(std::isnan(solve(tensor({{1, NAN}, {2, 4}}), ones({2}))[0].item()));
}

TEST(Det, IsTheVolumeWithASign) {
  EXPECT_TENSOR_NEAR(det(tensor({{1, 2}, {3, 4}})), tensor(-2), 1e-6);
  EXPECT_TENSOR_NEAR(det(tensor({{0, 1, 0}, {0, 0, 1}, {1, 0, 0}})), tensor(1), 0);
  EXPECT_TENSOR_NEAR(det(stack({eye(2), tensor({{0, 1}, {1, 0}}), ones({2, 2})})), tensor({1, -1, 0}), 0);
  EXPECT_EQ(det(zeros({0, 0})).item(), 1);
  EXPECT_EQ(det(full({30, 30}, 1e-20, k64) * eye(30, k64)).item(), 0) << "the product of the pivots underflows";
  manual_seed(2);
  const Tensor a = gaussian({6, 6}), b = gaussian({6, 6});
  EXPECT_NEAR(det(matmul(a, b)).item(), det(a).item() * det(b).item(), 1e-9);
  const Tensor singular = tensor({{1, 2}, {2, 4}}, {.requires_grad = true});
  Tape tape;
  EXPECT_TRUE(std::isnan(tape.gradient(det(singular), {singular})[0][0][0].item()));
}

TEST(Cholesky, IsTheLowerTriangleWhoseSquareIsTheMatrix) {
  EXPECT_TENSOR_NEAR(cholesky(tensor({{4, 12, -16}, {12, 37, -43}, {-16, -43, 98}})),
                     tensor({{2, 0, 0}, {6, 1, 0}, {-8, 5, 3}}), 0);
  manual_seed(3);
  const Tensor x = gaussian({2, 5, 5}), a = matmul(x, x.transpose(-1, -2)) + eye(5, k64), y = cholesky(a);
  EXPECT_TENSOR_NEAR(matmul(y, y.transpose(-1, -2)), a, 1e-12);
  EXPECT_TENSOR_NEAR(tril(y), y, 0);
  EXPECT_TENSOR_NEAR(cholesky(tril(a)), y, 0);
  for (const Tensor& bad : {tensor({{1, 2}, {2, 1}}), zeros({1, 1}), tensor({{NAN}})})
    EXPECT_EQ(message<ValueError>([&] { cholesky(bad); }),
              "cholesky: the matrix must be symmetric and positive definite. Hint: add a small multiple of eye()");
  EXPECT_THROW(cholesky(zeros({2, 3})), ShapeError);
  EXPECT_THROW(cholesky(eye(2, {.dtype = int64})), DtypeError);
  EXPECT_THROW(det(eye(2, {.dtype = int64})), DtypeError);
  EXPECT_THAT(cholesky(zeros({0, 0})), HasShape({0, 0}));
}

// y10 = a10 / sqrt(a00). Its share of a10 goes to both halves, as a stays symmetric.
TEST(Cholesky, HasASymmetricGradient) {
  const Tensor a = tensor({{4, 2}, {2, 3}}, {.dtype = float64, .requires_grad = true});
  Tape tape;
  const Tensor loss = cholesky(a)[1][0];
  EXPECT_TENSOR_NEAR(tape.gradient(loss, {a})[0], tensor({{-0.125, 0.25}, {0.25, 0}}, k64), 1e-14);
}

TEST(Inverse, HasTheGradientOfItsDefinition) {
  EXPECT_GRADIENTS([](const Tensor& a) { return inverse(a + eye(3, k64) * 4.0); }, gaussian({3, 3}));
}

TEST(Einsum, SumsOverTheLettersThatAreGone) {
  manual_seed(4);
  const Tensor a = gaussian({2, 3}), b = gaussian({3, 4}), c = gaussian({5, 2, 3}), u = gaussian({2}),
               v = gaussian({3});
  EXPECT_TENSOR_NEAR(einsum("ij,jk->ik", {a, b}), matmul(a, b), 1e-14);
  EXPECT_TENSOR_NEAR(einsum("ij, jk", {a, b}), matmul(a, b), 1e-14);
  EXPECT_TENSOR_NEAR(einsum("ij,jk->ki", {a, b}), matmul(a, b).transpose(0, 1), 1e-14);
  EXPECT_TENSOR_NEAR(einsum("bij,jk->bik", {c, b}), matmul(c, b), 1e-14);
  EXPECT_TENSOR_NEAR(einsum("bij,bkj->bik", {c, c}), matmul(c, c.transpose(-1, -2)), 1e-14);
  EXPECT_TENSOR_NEAR(einsum("i,j->ij", {u, v}), outer(u, v), 1e-14);
  EXPECT_TENSOR_NEAR(einsum("i,j,ij->", {u, v, a}), dot(u, matmul(a, v)), 1e-14);
  EXPECT_TENSOR_NEAR(einsum("bij,ij,j->b", {c, a, v}), sum(c * a * v, {1, 2}), 1e-14);
  EXPECT_TENSOR_NEAR(einsum("ij,ij->ij", {a, a}), a * a, 0);
  EXPECT_TENSOR_NEAR(einsum("ij->ji", {a}), a.transpose(0, 1), 0);
  EXPECT_TENSOR_NEAR(einsum("ba", {a}), a.transpose(0, 1), 0) << "in alphabetic order";
  EXPECT_TENSOR_NEAR(einsum("bij->j", {c}), sum(c, {0, 1}), 1e-14);
  EXPECT_TENSOR_NEAR(einsum("ij,kl->", {a, b}), sum(a) * sum(b), 1e-13);
  EXPECT_TENSOR_NEAR(einsum("ij,jk->ik", {zeros({2, 0}, k64), zeros({0, 3}, k64)}), zeros({2, 3}, k64), 0);
  EXPECT_GRADIENTS(
      [](const Tensor& a, const Tensor& b, const Tensor& c) {
        return einsum("bhtd,bhsd,hs->bth", {a, b, c});
      },
      gaussian({2, 2, 3, 2}), gaussian({2, 2, 4, 2}), gaussian({2, 4}));
}

TEST(Einsum, NamesTheLetterThatIsWrong) {
  const Tensor a = zeros({2, 3}), b = zeros({4, 2});
  const auto text = [&](const char* equation, TensorList operands) {
    return message<Error>([&] { einsum(equation, operands); });
  };
  EXPECT_EQ(text("ij,jk->ik", {a, b}),
            "einsum: the letter 'j' must have one size, got 3 in operand 0 and 4 in operand 1");
  EXPECT_EQ(text("ij->ik", {a}),
            "einsum: the letter 'k' of the result must stand in an operand, and once in the result");
  EXPECT_EQ(text("ij->ii", {a}),
            "einsum: the letter 'i' of the result must stand in an operand, and once in the result");
  EXPECT_EQ(text("ii->i", {a}), "einsum: the letter 'i' stands twice in operand 0. Hint: take diag() first");
  EXPECT_EQ(text("ijk->i", {a}), "einsum: operand 0 has the letters 'ijk', got [2, 3]");
  EXPECT_EQ(text("ij,jk->ik", {a}), "einsum: 'ij,jk->ik' has 2 operands, got 1");
  EXPECT_EQ(text("...j->j", {a}), "einsum: the equation is letters, commas and ->, got '.' in '...j->j'");
}

}  // namespace
}  // namespace tapegrad

// A tensor is a handle: what would read memory that is gone, or assign to a handle that nobody holds, does not compile.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <utility>

#include "support/message.h"

namespace tapegrad {
namespace {

template <class T>
concept HasData = requires(T x) {
  std::forward<T>(x).template data<float>();
};
template <class T>
concept HasMutableData = requires(T x) {
  std::forward<T>(x).template mutable_data<float>();
};
template <class T>
concept IsAssigned = requires(T x, const Tensor& y, Tensor z) {
  std::forward<T>(x) = y;
  std::forward<T>(x) = std::move(z);
};

static_assert(HasData<Tensor&> && HasData<const Tensor&> && HasMutableData<Tensor&>);
static_assert(!HasData<Tensor> && !HasData<const Tensor> && !HasMutableData<Tensor>, "softmax(x).data<float>()");
static_assert(HasData<nn::Parameter&> && !HasData<nn::Parameter>);
static_assert(IsAssigned<Tensor&> && !IsAssigned<Tensor> && !IsAssigned<const Tensor&>, "x[0] = y");
static_assert(std::is_nothrow_move_constructible_v<Tensor> && std::is_nothrow_move_assignable_v<Tensor> &&
              std::is_copy_assignable_v<Tensor> && std::swappable<Tensor>);

template <class T>
concept IsAxis = requires(const Tensor& x, T axis) {
  softmax(x, axis);
  log_softmax(x, axis);
  cumsum(x, axis);
  max(x, axis);
  argmin(x, axis);
  sort(x, axis);
  argsort(x, axis);
};
static_assert(IsAxis<int> && IsAxis<int64_t> && IsAxis<uint8_t>);
template <class T>
concept IsAnAxisOfOne = requires(const Tensor& x, T axis) {
  softmax(x, axis);
}
|| requires(const Tensor& x, T axis) { max(x, axis); };
static_assert(!IsAnAxisOfOne<double> && !IsAnAxisOfOne<float> && !IsAnAxisOfOne<bool>, "softmax(x, 0.5)");

template <class T>
concept IsProbability = requires(const Tensor& x, T p) {
  dropout(x, p);
  dropout(x, p, true);
};
static_assert(IsProbability<double> && IsProbability<int> && !IsProbability<bool>, "dropout(x, is_training())");

template <class T>
concept HasValues = requires(const std::vector<T>& values) {
  from_vector(values, {2});
};
static_assert(HasValues<int64_t> && HasValues<int> && HasValues<uint8_t> && HasValues<long long> && HasValues<bool>);
static_assert(!HasValues<size_t> && !HasValues<std::string> && !HasValues<long double>);

TEST(FromVector, TakesLabelsOfAnyIntegerType) {
  const Tensor want = tensor({3, -1}, {.dtype = int64});
  EXPECT_TENSOR_NEAR(from_vector(std::vector<int>{3, -1}, {2}), want, 0);
  EXPECT_TENSOR_NEAR(from_vector(std::vector<int8_t>{3, -1}, {2}), want, 0);
  EXPECT_TENSOR_NEAR(from_vector(std::vector<long long>{3, -1}, {2}), want, 0);
  EXPECT_TENSOR_NEAR(from_vector(std::vector<uint32_t>{4294967295u}, {1}), tensor({4294967295.0}, {.dtype = int64}), 0);
}

TEST(Handle, WritesToPartsOfATensorThroughViews) {
  Tensor x = zeros({2, 3});
  x[0].copy_(tensor({1, 2, 3}));
  select(x, 1, 1).fill_(7);
  EXPECT_TENSOR_NEAR(x, tensor({{1, 7, 3}, {0, 7, 0}}), 0);
  EXPECT_EQ(x.version(), 2u);
  slice(x, 1, 0, to_end, 2).copy_(tensor({{4}, {5}}));
  EXPECT_TENSOR_NEAR(x, tensor({{4, 7, 4}, {5, 7, 5}}), 0);
  Tensor column = select(x, 1, 2);
  column += tensor({10, 20});
  column *= 2;
  EXPECT_TENSOR_NEAR(x, tensor({{4, 7, 28}, {5, 7, 50}}), 0);
  x.transpose(0, 1).copy_(x.reshape({3, 2}));  // reads the old values
  EXPECT_TENSOR_NEAR(x, tensor({{4, 28, 7}, {7, 5, 50}}), 0);
  x.copy_(masked_fill(x, x > 20, -1));
  EXPECT_TENSOR_NEAR(x, tensor({{4, -1, 7}, {7, 5, -1}}), 0);
  narrow(x, 1, 1, 0).fill_(9);
  narrow(x.transpose(0, 1), 0, 1, 0).copy_(zeros({}));
  EXPECT_TENSOR_NEAR(x, tensor({{4, -1, 7}, {7, 5, -1}}), 0);
  Tensor mask = zeros({2, 2}, {.dtype = boolean}), count = zeros({2, 2}, {.dtype = int64});
  select(mask, 1, 0).fill_(1);
  select(count, 1, 1).copy_(arange(2));
  EXPECT_TENSOR_NEAR(mask, tensor({{1, 0}, {1, 0}}, {.dtype = boolean}), 0);
  EXPECT_TENSOR_NEAR(count, tensor({{0, 0}, {0, 1}}, {.dtype = int64}), 0);
}

// What a handle to a small tensor points to lies in the tensor's own block.
TEST(Handle, OutlivesItsMemoryAndIsOutlivedByIt) {
  for (int64_t n : {0, 1, 5, 1024, 1025, 20000}) {
    SCOPED_TRACE(n);
    Tensor x = rand({n});
    const std::vector<float> values = x.to_vector<float>();
    const Tensor view = x.view({n}), twin = x;
    x = {};
    EXPECT_EQ(twin.to_vector<float>(), values);
    Tensor y = rand({n}, {.requires_grad = true});
    const std::vector<float> others = y.to_vector<float>();
    {
      const Tensor first = y.detach();
      y.set_data(view);  // the first memory has one more user
      EXPECT_EQ(first.to_vector<float>(), others);
    }
    EXPECT_TRUE(y.requires_grad());
    y.set_data(rand({n}));
    y.set_data(twin);
    EXPECT_EQ(y.to_vector<float>(), values);
    Tensor& same = y;
    y.set_data(same);
    EXPECT_EQ(y.to_vector<float>(), values);
  }
}

TEST(Handle, RefusesAWriteThatATapeWouldMiss) {
  Tensor w = ones({2, 2}, {.requires_grad = true}), buffer = zeros({2, 2});
  select(w, 1, 0).fill_(3);  // outside of a tape a leaf is written to like any other
  EXPECT_TENSOR_NEAR(w.detach(), tensor({{3, 1}, {3, 1}}), 0);
  const Tape tape;
  EXPECT_THROW(select(w, 1, 0).fill_(4), AutogradError);
  EXPECT_THROW((w * 2.0)[0].fill_(4), AutogradError);
  EXPECT_EQ(message<AutogradError>([&] { select(buffer, 1, 0).copy_(w[0] * 2.0); }),
            "copy_: the tape cannot follow a change in place: the gradient of the right side would be lost. "
            "Hint: write "
            "x = x + y in place of x += y, where() or index_put() in place of copy_(), or use y.detach() if "
            "it is meant "
            "as a value");
  EXPECT_TENSOR_NEAR(buffer, zeros({2, 2}), 0);
  EXPECT_EQ(buffer.version(), 0u);
}

TEST(Handle, NoticesAWriteThroughAStridedViewOfWhatWasSaved) {
  const Tensor x = ones({2, 2}), w = ones({2, 2}, {.requires_grad = true});
  Tape tape;
  const Tensor loss = sum(w * x);
  select(x, 1, 0).fill_(5);
  EXPECT_THROW(tape.backward(loss), AutogradError);
}

}  // namespace
}  // namespace tapegrad

// A sum of products by matmul(). Two operands at a time, whose letters are of four kinds: those of both that are needed later (batches),
// those of one only (rows, columns), and those of both that are not needed (summed):
//   [batch, rows, summed] x [batch, summed, columns] -> [batch, rows, columns]
// The letters that are left over in the end are summed and the rest is permuted. Made of operations.
#include <algorithm>
#include <string>

#include "ops/elementwise.h"

namespace tapegrad {

namespace {

struct Operand {
  std::string letters;
  Tensor x;
};

bool has(std::string_view letters, char letter) { return letters.find(letter) != std::string_view::npos; }

// x with its letters in this order, as [batch, first, second].
Tensor as_matrices(const Operand& operand, const std::string& batch, const std::string& first,
                   const std::string& second, Shape* shape) {
  Shape order;
  int64_t sizes[3] = {1, 1, 1};
  int64_t part = 0;
  for (const std::string* letters : {&batch, &first, &second}) {
    for (char letter : *letters) {
      order.push_back(int64_t(operand.letters.find(letter)));
      sizes[part] *= operand.x.shape()[order.back()];
    }
    ++part;
  }
  const Tensor moved = operand.x.permute(order);
  *shape = moved.shape();
  return moved.reshape({sizes[0], sizes[1], sizes[2]});
}

Operand multiply(const Operand& a, const Operand& b, const std::string& needed) {
  std::string batch, rows, summed, columns;
  for (char letter : a.letters) (!has(b.letters, letter) ? rows : has(needed, letter) ? batch : summed) += letter;
  for (char letter : b.letters)
    if (!has(a.letters, letter)) columns += letter;
  Shape left, right;
  const Tensor y = matmul(as_matrices(a, batch, rows, summed, &left), as_matrices(b, batch, summed, columns, &right));
  Shape shape;
  for (size_t i = 0; i < batch.size() + rows.size(); ++i) shape.push_back(left[int64_t(i)]);
  for (size_t i = batch.size() + summed.size(); i < b.letters.size(); ++i) shape.push_back(right[int64_t(i)]);
  return {batch + rows + columns, y.reshape(shape)};
}

// The operands with their letters; `result` becomes those of the result.
detail::SmallVector<Operand, 4> parse(std::string_view equation, TensorList operands, std::string& result) {
  std::string text;
  for (char c : equation)
    if (c != ' ') text += c;
  const size_t arrow = text.find("->");
  const std::string inputs = text.substr(0, arrow);
  for (char c : inputs)
    if (!std::isalpha(static_cast<unsigned char>(c)) && c != ',')
      fail<ValueError>("einsum", "the equation is letters, commas and ->, got '{}' in '{}'", c, equation);
  detail::SmallVector<Operand, 4> parsed;
  size_t begin = 0;
  for (size_t end = 0; end != std::string::npos; begin = end + 1) {
    end = inputs.find(',', begin);
    const std::string letters = inputs.substr(begin, end == std::string::npos ? end : end - begin);
    const size_t at = parsed.size();
    if (at < operands.size() && operands[at].dim() != int64_t(letters.size()))
      fail<ShapeError>("einsum", "operand {} has the letters '{}', got {}", at, letters, operands[at].shape());
    for (char letter : letters)
      if (std::count(letters.begin(), letters.end(), letter) > 1)
        fail<ValueError>("einsum", "the letter '{}' stands twice in operand {}. Hint: take diag() first", letter, at);
    parsed.push_back({letters, at < operands.size() ? operands[at] : Tensor()});
  }
  if (parsed.size() != operands.size())
    fail<ValueError>("einsum", "'{}' has {} operands, got {}", equation, parsed.size(), operands.size());
  if (arrow != std::string::npos) {
    result = text.substr(arrow + 2);
  } else {
    for (char letter : inputs)
      if (letter != ',' && std::count(inputs.begin(), inputs.end(), letter) == 1) result += letter;
    std::sort(result.begin(), result.end());
  }
  for (char letter : result)
    if (letter == ',' || !has(inputs, letter) || std::count(result.begin(), result.end(), letter) > 1)
      fail<ValueError>("einsum", "the letter '{}' of the result must stand in an operand, and once in the result",
                       letter);
  return parsed;
}

}  // namespace

Tensor einsum(std::string_view equation, TensorList operands) {
  std::string result;
  const auto parsed = parse(equation, operands, result);
  for (size_t i = 0; i < parsed.size(); ++i)
    for (size_t axis = 0; axis < parsed[i].letters.size(); ++axis) {
      const char letter = parsed[i].letters[axis];
      const int64_t size = parsed[i].x.shape()[int64_t(axis)];
      for (size_t j = 0; j < i; ++j) {
        const size_t at = parsed[j].letters.find(letter);
        if (at != std::string::npos && parsed[j].x.shape()[int64_t(at)] != size)
          fail<ShapeError>("einsum", "the letter '{}' must have one size, got {} in operand {} and {} in operand {}",
                           letter, parsed[j].x.shape()[int64_t(at)], j, size, i);
      }
    }
  Operand product = parsed[0];
  for (size_t i = 1; i < parsed.size(); ++i) {
    std::string needed = result;
    for (size_t j = i + 1; j < parsed.size(); ++j) needed += parsed[j].letters;
    product = multiply(product, parsed[i], needed);
  }
  Shape summed, order;
  for (size_t axis = 0; axis < product.letters.size(); ++axis)
    if (!has(result, product.letters[axis])) summed.push_back(int64_t(axis));
  if (!summed.empty()) product.x = sum(product.x, Axes(summed));
  std::erase_if(product.letters, [&](char letter) { return !has(result, letter); });
  for (char letter : result) order.push_back(int64_t(product.letters.find(letter)));
  return product.x.permute(order);
}

}  // namespace tapegrad

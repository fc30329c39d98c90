// The sums themselves, against sums in the same order written out by hand.
#include "distributed/tree.h"

#include "distributed/job.h"

namespace tapegrad::distributed {

namespace {

// A list of numbers that rounding tells from every other order of addition.
Tensor value_of(int64_t shard, int64_t n) {
  Generator random(uint64_t(shard) + 1);
  std::vector<float> values;
  for (int64_t i = 0; i < n; ++i)
    values.push_back(float((random.uniform() - 0.5) * std::pow(10, 6 * random.uniform())));
  return from_vector(values, {n});
}

// By recursion, as the tree is defined.
Tensor tree_sum(int64_t first, int64_t size, int64_t shards, int64_t n) {
  if (size == 1) return value_of(first, n);
  const Tensor left = tree_sum(first, size / 2, shards, n);
  return first + size / 2 < shards ? left + tree_sum(first + size / 2, size / 2, shards, n) : left;
}

}  // namespace

TEST(Tree, AddsInOneOrderForAnyNumberOfShardsAndRanksAndAnyLength) {
  for (const int64_t shards : {8, 16, 5, 6, 7, 12, 24})
    for (const int64_t n : {1, 3, 5000, 100001}) {
      if (shards < job().ranks()) continue;
      Transport& transport = job().transport();
      std::vector<Node> nodes;
      const int rank = job().rank(), ranks = job().ranks();
      for (int64_t s = first_shard(shards, rank, ranks); s < first_shard(shards, rank + 1, ranks); ++s)
        push(nodes, {s, s + 1, value_of(s, n)}, shards, add_up);
      Tensor sum;
      transport.post("test", [&] { sum = all_reduce(transport, nodes, shards, add_up, true); }).get();
      int64_t size = 1;
      while (size < shards) size *= 2;
      EXPECT_TRUE(same_bits({{"sum", sum}}, {{"sum", tree_sum(0, size, shards, n)}})) << shards << " shards, " << n;
    }
}

// With b behind a: the shards that each has, as digits.
TEST(Tree, PutsTheShardsInTheirOrder) {
  Transport& transport = job().transport();
  const data::Shard own = job().shard();
  const Combine append = [](Tensor& a, const Tensor& b) {
    a = from_vector<int64_t>({a[0].item<int64_t>() * b[1].item<int64_t>() + b[0].item<int64_t>(),
                              a[1].item<int64_t>() * b[1].item<int64_t>()},
                             {2});
  };
  std::vector<Node> nodes;
  for (int64_t s = own.first; s < own.last; ++s)
    push(nodes, {s, s + 1, from_vector<int64_t>({s + 1, 10}, {2})}, own.parts, append);
  Tensor all;
  transport.post("test", [&] { all = all_reduce(transport, nodes, own.parts, append, false); }).get();
  int64_t digits = 0;
  for (int64_t s = 1; s <= own.parts; ++s) digits = digits * 10 + s;
  EXPECT_EQ(all[0].item<int64_t>(), digits);
}

TEST(Context, SumsOverRanksAndBroadcastsAState) {
  const double n = job().ranks();
  EXPECT_EQ(job().sum(job().rank() + 1), n * (n + 1) / 2);
  Generator random(uint64_t(job().rank()) + 9, 4);
  random.position = uint64_t(job().rank());
  job().broadcast(random);
  EXPECT_EQ(random.seed, 9u);
  EXPECT_EQ(random.position, 0u);
}

TEST(Context, GivesEachRankItsShards) {
  const data::Shard shard = job().shard();
  EXPECT_EQ(job().sum(double(shard.last - shard.first)), double(job().shards()));
  EXPECT_EQ(shard.parts, job().shards());
}

}  // namespace tapegrad::distributed

// Where the ranks are a power of two and each has one node, a long value is added up by recursive halving: at distance 1, 2,
// 4 ... two ranks exchange halves of what they have, so that in the end each has a part of the root, and then the parts go
// back the same way. Each rank sends 2 (P - 1) / P times the value, in 2 log2 P messages. A short one is exchanged whole, in
// log2 P messages. (Thakur, Rabenseifner, Gropp 2005, "Optimization of collective communication operations in MPICH".)
// Else the nodes go down the ranks to rank 0, and the root back: 2 log2 P times the value, the same bits.
#include "distributed/tree.h"

#include <tapegrad/ops.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "compute/arrays.h"
#include "system/denormals.h"
#include "tensor/bytes.h"

namespace tapegrad::distributed {

namespace {

constexpr size_t kShort = 1 << 14;  // bytes

// Exchanges whole values.
void by_doubling(Transport& transport, Tensor& mine, Combine combine) {
  for (int distance = 1; distance < transport.ranks; distance *= 2) {
    const int partner = transport.rank ^ distance;
    Tensor other = empty_like(mine);
    transport.exchange(partner, detail::mutable_bytes_of(mine), detail::mutable_bytes_of(other));
    if (partner < transport.rank) std::swap(mine, other);
    combine(mine, other);
  }
}

void by_halving(Transport& transport, Tensor& value, Combine combine) {
  struct Range {
    int64_t begin, end;
  };
  const auto part = [&](Range range) { return slice(value, 0, range.begin, range.end); };
  std::vector<Range> path;  // what this rank has, from the whole to its part
  Range own{0, value.numel()};
  for (int distance = 1; distance < transport.ranks; distance *= 2) {
    path.push_back(own);
    const int64_t middle = own.begin + (own.end - own.begin) / 2;
    Range other{middle, own.end};
    own.end = middle;
    if (transport.rank & distance) std::swap(own, other);
    Tensor sent = part(other), mine = part(own), received = empty_like(mine);
    transport.exchange(transport.rank ^ distance, detail::mutable_bytes_of(sent), detail::mutable_bytes_of(received));
    combine(mine, received);  // splits, so it is commutative
  }
  for (int distance = transport.ranks / 2; distance >= 1; distance /= 2) {
    const Range whole = path.back();
    path.pop_back();
    const Range other = own.begin == whole.begin ? Range{own.end, whole.end} : Range{whole.begin, own.begin};
    Tensor sent = part(own), received = part(other);
    transport.exchange(transport.rank ^ distance, detail::mutable_bytes_of(sent), detail::mutable_bytes_of(received));
    own = whole;
  }
}

// The nodes that ranks [first, end) have together, without values.
std::vector<Node> nodes_of(int first, int end, int ranks, int64_t shards) {
  std::vector<Node> nodes;
  for (int64_t s = first_shard(shards, first, ranks); s < first_shard(shards, end, ranks); ++s)
    push(nodes, {s, s + 1, {}}, shards, [](Tensor&, const Tensor&) {});
  return nodes;
}

void to_root_and_back(Transport& transport, std::vector<Node>& nodes, int64_t shards, Combine combine) {
  const auto [rank, ranks] = std::pair(transport.rank, transport.ranks);
  const Tensor like = nodes[0].value;
  for (int distance = 1; distance < ranks; distance *= 2) {
    if (rank % (2 * distance) == distance) {
      for (Node& node : nodes) transport.send(rank - distance, detail::mutable_bytes_of(node.value));
      break;
    }
    if (rank + distance >= ranks) continue;
    for (Node& node : nodes_of(rank + distance, std::min(rank + 2 * distance, ranks), ranks, shards)) {
      node.value = empty_like(like);
      transport.receive(rank + distance, detail::mutable_bytes_of(node.value));
      push(nodes, std::move(node), shards, combine);
    }
  }
  broadcast(transport, detail::mutable_bytes_of(nodes[0].value));
}

}  // namespace

void add_up(Tensor& a, const Tensor& b) {
  const FlushDenormals flush;  // whoever adds: the thread that goes backward, or the one that talks
  compute::accumulate(a, b);
}

void push(std::vector<Node>& nodes, Node node, int64_t shards, Combine combine) {
  for (; !nodes.empty(); nodes.pop_back()) {
    Node& left = nodes.back();
    const int64_t size = left.end - left.first;
    const bool siblings = std::has_single_bit(uint64_t(size)) && left.first % (2 * size) == 0 &&
                          node.end == std::min(left.first + 2 * size, shards);
    if (!siblings) break;
    combine(left.value, node.value);
    node = {left.first, node.end, std::move(left.value)};
  }
  nodes.push_back(std::move(node));
}

void broadcast(Transport& transport, std::span<std::byte> data) {
  const auto [rank, ranks] = std::pair(transport.rank, transport.ranks);
  for (int distance = int(std::bit_ceil(unsigned(ranks))) / 2; distance >= 1; distance /= 2) {
    if (rank % (2 * distance) == distance) transport.receive(rank - distance, data);
    if (rank % (2 * distance) == 0 && rank + distance < ranks) transport.send(rank + distance, data);
  }
}

Tensor all_reduce(Transport& transport, std::vector<Node> nodes, int64_t shards, Combine combine, bool splits) {
  const bool even = std::has_single_bit(unsigned(transport.ranks)) && shards % transport.ranks == 0 &&
                    std::has_single_bit(uint64_t(shards / transport.ranks));
  if (!even)
    to_root_and_back(transport, nodes, shards, combine);
  else if (splits && detail::mutable_bytes_of(nodes[0].value).size() > kShort)
    by_halving(transport, nodes[0].value, combine);
  else
    by_doubling(transport, nodes[0].value, combine);
  return nodes[0].value;
}

}  // namespace tapegrad::distributed

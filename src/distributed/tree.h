// Sums in the order of one binary tree over the shards, wherever the shards are. Node [first, end) of the tree is the sum of
// those shards: of size 2^k, and first a multiple of it, but for the last node of a level, which may be shorter.
//
//        [0,8)
//    [0,4)   [4,8)          on 2 ranks, rank 0 makes [0,4), and they exchange it for [4,8)
//   [0,2) [2,4) ...         on 3 ranks, rank 0 has shards 0 and 1, rank 1 has 2 to 4: it sends [2,4) and 4
//
// Addition is commutative to the bit, and the tree says which pairs are added: so the number of ranks changes no bit.
#pragma once
#include <vector>

#include "distributed/transport.h"

namespace tapegrad::distributed {

struct Node {
  int64_t first, end;
  Tensor value;  // contiguous, of one axis
};

/// a becomes what a, the shards before, and b, those behind, are together.
using Combine = void (*)(Tensor& a, const Tensor& b);
/// a += b.
void add_up(Tensor& a, const Tensor& b);

/// The first shard of a rank, of `shards` in all.
inline int64_t first_shard(int64_t shards, int rank, int ranks) { return shards * rank / ranks; }

/// Puts `node` behind those that are there, and makes one of siblings.
void push(std::vector<Node>& nodes, Node node, int64_t shards, Combine combine);

/// The root of the tree, on each rank; `nodes` are what push() made of this rank's shards. For a job of the transport.
/// `splits` says that parts of a value may be combined apart.
Tensor all_reduce(Transport& transport, std::vector<Node> nodes, int64_t shards, Combine combine, bool splits);

/// Rank 0's bytes, on each rank. For a job.
void broadcast(Transport& transport, std::span<std::byte> data);

}  // namespace tapegrad::distributed

#pragma once
#include <cstdint>
#include <optional>
#include <utility>

#include <tapegrad/data/loader.h>

namespace tapegrad::train {

/// The batches of a loader one at a time, epoch after epoch: for a step that is a function.
///
///     train::Batches batches(loader);
///     auto [x, y] = batches.next();
///
/// It goes on where the loader is: a loader whose state was loaded, or that was told to seek(), is followed.
template <class Loader>
class Batches {
 public:
  /// The loader must outlive it.
  explicit Batches(Loader& loader) : loader_(loader) {}

  auto next() {
    if (!is_where_it_was()) {
      loader_.seek(loader_.epoch(), loader_.position());
      at_.emplace(loader_.begin());
    }
    if (!(*at_ != loader_.end())) at_.emplace(loader_.begin());
    auto batch = **at_;
    seed_ = loader_.seed();
    epoch_ = loader_.epoch();
    position_ = loader_.position();
    return batch;
  }

 private:
  bool is_where_it_was() const {
    return at_ && loader_.seed() == seed_ && loader_.epoch() == epoch_ && loader_.position() == position_;
  }
  Loader& loader_;
  std::optional<decltype(std::declval<Loader&>().begin())> at_;
  uint64_t seed_ = 0;
  int64_t epoch_ = 0, position_ = 0;
};

}  // namespace tapegrad::train

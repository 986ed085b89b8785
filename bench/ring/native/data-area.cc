#include "data-area.h"

#include <algorithm>

namespace bench {

DataArea::DataArea(std::size_t offset, std::size_t bytes)
    : offset_(offset), free_(bytes / kBlock / 64 * 64), bits_(free_ / 64, ~std::uint64_t{0}) {}

std::uint32_t DataArea::Take(std::size_t bytes, std::vector<lunette::tcmu::Iovec>& iovecs) {
  iovecs.clear();
  std::size_t count = (bytes + kBlock - 1) / kBlock;
  if (count > free_) return 0;
  free_ -= count;
  std::size_t word = lowest_;
  for (; count > 0; count--) {
    while (bits_[word] == 0) word++;
    const auto bit = static_cast<unsigned>(__builtin_ctzll(bits_[word]));
    bits_[word] &= bits_[word] - 1;
    const std::uint64_t base = offset_ + (word * 64 + bit) * kBlock;
    const std::uint64_t length = std::min(bytes, kBlock);
    bytes -= length;
    if (!iovecs.empty() && iovecs.back().base + iovecs.back().length == base) iovecs.back().length += length;
    else iovecs.push_back({base, length});
  }
  lowest_ = word;
  return static_cast<std::uint32_t>(iovecs.size());
}

void DataArea::Give(const std::vector<lunette::tcmu::Iovec>& iovecs) {
  for (const auto& iovec : iovecs) {
    std::size_t block = (iovec.base - offset_) / kBlock;
    std::size_t count = (iovec.length + kBlock - 1) / kBlock;
    free_ += count;
    lowest_ = std::min(lowest_, block / 64);
    for (; count > 0; count--, block++) bits_[block / 64] |= std::uint64_t{1} << (block % 64);
  }
}

}  // namespace bench

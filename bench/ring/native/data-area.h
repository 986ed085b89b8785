#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tcmu-abi.h"

namespace bench {

/**
 * Hands out the data area as the kernel does (tcmu_get_empty_block and tcmu_setup_iovs of target_core_user.c): blocks
 * of a page, always the lowest free ones, and one iovec for each run of neighbours.
 */
class DataArea {
 public:
  static constexpr std::size_t kBlock = 4096;

  /** @param offset where the area begins in the region, bytes */
  DataArea(std::size_t offset, std::size_t bytes);

  /**
   * @param iovecs gets the runs
   * @returns how many, 0 where the area is full
   */
  std::uint32_t Take(std::size_t bytes, std::vector<lunette::tcmu::Iovec>& iovecs);
  void Give(const std::vector<lunette::tcmu::Iovec>& iovecs);

 private:
  std::size_t offset_;
  std::size_t free_;
  /** No block below this word's is free. */
  std::size_t lowest_ = 0;
  /** A bit set for each free block. */
  std::vector<std::uint64_t> bits_;
};

}  // namespace bench

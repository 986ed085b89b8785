#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "mapping.h"
#include "tcmu-abi.h"

namespace lunette {

/** The memory of a region: its mailbox's two positions, and the ArrayBuffers through which JS sees it. */
class RegionMemory {
 public:
  /** No region is smaller: it begins with a mailbox. */
  static constexpr std::size_t kMinSize = sizeof(tcmu::Mailbox);

  /**
   * Of Buffer(), at most: the kernel's mailbox and ring have 8 MiB, and of the data area it uses the lowest blocks again
   * and again. With 32 MiB V8 collects garbage, too (mapping.h).
   */
  static constexpr std::size_t kBufferSize = std::size_t{16} << 20;

  RegionMemory() = default;
  RegionMemory(Napi::Env env, std::unique_ptr<Mapping> mapping);

  bool IsOpen() const { return mapping_ != nullptr; }
  std::size_t Size() const { return mapping_->Size(); }
  /** The beginning of the region, or all of it where that is small. */
  Napi::Value Buffer() const { return buffer_.Value(); }
  /** All of the region. */
  Napi::Value Whole(Napi::Env env);
  /** A Uint32Array of one element, in which the consumer notes the position up to which it has fetched. */
  Napi::Value Fetched() const { return fetched_.Value(); }
  /** Whether there are entries that the consumer has not fetched. */
  bool HasNews() const { return LoadHead() != *fetchedPosition_; }

  std::uint32_t LoadHead() const { return __atomic_load_n(&Mailbox()->cmd_head, __ATOMIC_ACQUIRE); }
  std::uint32_t LoadTail() const { return __atomic_load_n(&Mailbox()->cmd_tail, __ATOMIC_ACQUIRE); }
  void StoreHead(std::uint32_t head) { __atomic_store_n(&Mailbox()->cmd_head, head, __ATOMIC_RELEASE); }
  void StoreTail(std::uint32_t tail) { __atomic_store_n(&Mailbox()->cmd_tail, tail, __ATOMIC_RELEASE); }

  /** Detach the buffers, so that every view of them has length 0, and only then unmap. Idempotent. */
  void Close();

 private:
  tcmu::Mailbox* Mailbox() const { return static_cast<tcmu::Mailbox*>(mapping_->Data()); }

  // Shared with the ArrayBuffers: a handle that is collected, unclosed, leaves the memory to the views on it.
  std::shared_ptr<Mapping> mapping_;
  Napi::Reference<Napi::ArrayBuffer> buffer_;
  Napi::Reference<Napi::ArrayBuffer> whole_;
  Napi::Reference<Napi::Uint32Array> fetched_;
  /**
   * It begins as no position: a consumer that never notes one is called at each wake-up. Shared with the ArrayBuffer,
   * which someone else may have detached.
   */
  std::shared_ptr<std::uint32_t> fetchedPosition_ = std::make_shared<std::uint32_t>(UINT32_MAX);
};

}  // namespace lunette

/*
 * The memory and the two eventfds of a MemoryRegion (native/memory-region.cc), mapped once more: a generator or a
 * consumer has one of its own.
 */
#pragma once

#include <cstddef>
#include <cstdint>

#include "tcmu-abi.h"

namespace bench {

using lunette::tcmu::CommandRequest;
using lunette::tcmu::CommandResponse;
using lunette::tcmu::EntryHeader;
using lunette::tcmu::Mailbox;

/** Values of an entry's op; the low 3 bits of len_op. */
enum Op : std::uint32_t { kPad = 0, kCommand = 1, kTaskManagement = 2, kOpMask = 7 };

/** Descriptors as MemoryRegionHandle.descriptors has them. */
struct Descriptors {
  int memory;
  int wake;
  int doorbell;
  std::size_t size;
};

class SharedRing {
 public:
  /** Duplicates the descriptors. Throws std::runtime_error. */
  explicit SharedRing(const Descriptors& descriptors);
  ~SharedRing();
  SharedRing(const SharedRing&) = delete;
  SharedRing& operator=(const SharedRing&) = delete;

  std::uint8_t* Data() const { return data_; }
  Mailbox* Box() const { return reinterpret_cast<Mailbox*>(data_); }
  /** The entry at an offset in the ring. */
  template <class Entry>
  Entry* At(std::uint32_t position) const {
    return reinterpret_cast<Entry*>(data_ + ringOffset_ + position);
  }
  std::size_t Size() const { return size_; }
  std::uint32_t RingOffset() const { return ringOffset_; }
  std::uint32_t RingSize() const { return ringSize_; }
  std::size_t DataOffset() const { return ringOffset_ + ringSize_; }
  int Wake() const { return wake_; }
  int Doorbell() const { return doorbell_; }

  std::uint32_t LoadHead() const { return __atomic_load_n(&Box()->cmd_head, __ATOMIC_ACQUIRE); }
  std::uint32_t LoadTail() const { return __atomic_load_n(&Box()->cmd_tail, __ATOMIC_ACQUIRE); }
  void StoreHead(std::uint32_t head) { __atomic_store_n(&Box()->cmd_head, head, __ATOMIC_RELEASE); }
  void StoreTail(std::uint32_t tail) { __atomic_store_n(&Box()->cmd_tail, tail, __ATOMIC_RELEASE); }

 private:
  std::uint8_t* data_;
  std::size_t size_;
  std::uint32_t ringOffset_;
  std::uint32_t ringSize_;
  int wake_;
  int doorbell_;
};

/** Give an eventfd's signal. */
void Signal(int fd);

/** Take the signal that an eventfd has. */
void TakeSignal(int fd);

/**
 * Wait for an eventfd's signal with poll(2), and take it.
 * @param milliseconds -1: for ever
 */
void AwaitSignal(int fd, int milliseconds);

/**
 * Keep a thread on one CPU. Without that the scheduler may put generator and consumer, which wake each other
 * all the time, on the same one, and what is measured is how they take turns. @param cpu nothing happens where negative
 * @param thread 0: the calling one
 */
void PinThread(int cpu, int thread = 0);

/** CLOCK_MONOTONIC, in nanoseconds. */
std::uint64_t Now();

/** CPU time of the calling thread, in nanoseconds. */
std::uint64_t ThreadCpuTime();

}  // namespace bench

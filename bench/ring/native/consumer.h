#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "shared-ring.h"

namespace bench {

/** What the minimal consumer does with a READ or WRITE. */
enum class Storage {
  /** Reads are zeroes. */
  kNull,
  /** Copied from and to memory. */
  kMemory,
  /** preadv and pwritev. */
  kFile,
};

/**
 * The least that serves rings in one thread: poll (epoll where there are several), parse, copy, answer, one tail and
 * one doorbell a batch. No journal, no statistics, READ(10) and WRITE(10) only.
 */
class Consumer {
 public:
  /** Throws std::runtime_error. @param rings one or more, all of one disk @param path of a file with the disk's size, for kFile @param cpu as PinThread's */
  Consumer(const std::vector<Descriptors>& rings, Storage storage, std::uint64_t diskBytes,
           const std::string& path, int cpu);
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

 private:
  struct Served {
    explicit Served(const Descriptors& descriptors) : ring(descriptors), tail(ring.LoadTail()) {}

    SharedRing ring;
    std::uint32_t tail;
  };

  void ServeOne(Served& served);
  void ServeAll();
  void Drain(Served& served);
  void Answer(const SharedRing& ring, CommandRequest* entry);
  bool Transfer(const SharedRing& ring, bool write, std::uint64_t offset, const lunette::tcmu::Iovec* iovecs,
                std::uint32_t count);

  std::vector<std::unique_ptr<Served>> served_;
  Storage storage_;
  std::uint64_t diskBytes_;
  std::uint8_t* memory_ = nullptr;
  int file_ = -1;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace bench

#pragma once

#include <cstdint>
#include <vector>

#include "data-area.h"
#include "shared-ring.h"

namespace bench {

/** Nothing is answered for so long: something hangs. Nanoseconds. */
constexpr std::uint64_t kPatience = 5'000'000'000;

/** What a disk that is read holds: what was written to it, or nothing. */
enum class Content { kStamps, kZeroes };

/** What is asked of a consumer. */
struct Load {
  /** Commands in flight. */
  unsigned depth;
  /** Of one command. */
  std::size_t bytes;
  /** Of 100 commands. */
  unsigned reads;
  /** From block 0 on, once, with writes: the disk is filled. Else at random. */
  bool fill;
  std::uint64_t diskBytes;
  Content content;
  /** Nanoseconds; 0 where the number of commands counts. */
  std::uint64_t duration;
  std::uint64_t commands;
  /** Copy data in and out of the data area, as the kernel does. Else only what is checked is written there. */
  bool copies;
  /** One wake-up for each command, as the kernel does; else one for as many as are queued in a row. */
  bool wakeEach;
  /** Nanoseconds to look for completions before sleeping. */
  std::uint64_t spin;
  /** Where the generator runs; negative: anywhere. */
  int cpu;
};

struct Outcome {
  std::uint64_t commands = 0;
  std::uint64_t nanoseconds = 0;
  /** Commands whose status was not GOOD. */
  std::uint64_t errors = 0;
  /** Reads that were looked at, and how many of them had other data than was written. */
  std::uint64_t checked = 0;
  std::uint64_t mismatches = 0;
  std::uint64_t wakeUps = 0;
  /** CPU time of the generator, nanoseconds. */
  std::uint64_t cpuTime = 0;
  /** Latencies of a sample of the commands, nanoseconds. */
  std::vector<std::uint32_t> latencies;
  /** The longest time in which nothing was answered, nanoseconds. */
  std::uint64_t longestGap = 0;
  /** Nothing was answered for seconds: the run was given up. */
  bool stalled = false;
};

/** Plays target_core_user on a ring: queues commands, takes their completions, looks at the data. */
class Generator {
 public:
  explicit Generator(const Descriptors& descriptors);

  /** Blocks. Every command is answered when it returns, unless it stalled. */
  Outcome Run(const Load& load);

  /* The steps of a run, for whoever drives several rings from one thread. */

  void Begin(const Load& load);
  /**
   * Queue as many commands as the load allows, and wake the consumer.
   * @param now when the last command was queued or answered; 0: look at the clock
   * @returns whether there was any
   */
  bool QueueAll(const Load& load, Outcome& outcome, std::uint64_t now);
  bool HasAnswers() const { return ring_.LoadTail() != done_; }
  /** Take what is complete up to the tail. */
  void Complete(const Load& load, Outcome& outcome);
  /** Whether everything is answered. */
  bool IsIdle() const { return free_.size() == slots_.size(); }
  int Doorbell() const { return ring_.Doorbell(); }

 private:
  struct Slot {
    std::vector<lunette::tcmu::Iovec> iovecs;
    std::vector<std::uint8_t> buffer;
    std::uint64_t block = 0;
    std::uint64_t started = 0;
    bool write = false;
    bool watched = false;
  };

  bool Queue(const Load& load, Outcome& outcome, std::uint64_t now);
  bool MakeRoom(std::uint32_t length);
  void FillEntry(std::uint16_t id, const Slot& slot, std::uint32_t length, std::size_t bytes);
  void PrepareData(const Load& load, Slot& slot);
  void CheckData(const Load& load, Slot& slot, Outcome& outcome);
  bool Wait(const Load& load);
  std::uint64_t Random();

  SharedRing ring_;
  DataArea area_;
  std::vector<Slot> slots_;
  /** Indexes of slots that are not in flight. */
  std::vector<std::uint16_t> free_;
  std::uint32_t head_;
  /** Up to which completions were taken. */
  std::uint32_t done_;
  std::uint64_t nextBlock_ = 0;
  /** Commands of this run. */
  std::uint64_t begun_ = 0;
  std::uint64_t queued_ = 0;
  std::uint64_t random_ = 0x9e3779b97f4a7c15;
};

}  // namespace bench

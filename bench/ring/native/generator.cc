#include "generator.h"

#include <algorithm>
#include <cstring>

namespace bench {

namespace {

constexpr std::size_t kPage = 4096;
/** Bytes of a logical block. */
constexpr std::size_t kBlock = 512;
/** Each so many commands one is timed, and its data looked at. */
constexpr std::uint64_t kSample = 16;
/** Of a CDB, padded to 8. */
constexpr std::uint32_t kCdbSpace = 16;

/** What every page of a disk begins with, once it is filled. */
std::uint64_t Stamp(std::uint64_t block) { return (block + 1) * 0x9e3779b97f4a7c15; }

std::uint32_t EntryLength(std::size_t iovecs) {
  const std::size_t request = offsetof(CommandRequest, iov) + iovecs * sizeof(lunette::tcmu::Iovec);
  return static_cast<std::uint32_t>(std::max(request, sizeof(CommandResponse))) + kCdbSpace;
}

void StoreStamp(std::uint8_t* at, std::uint64_t stamp) { std::memcpy(at, &stamp, sizeof stamp); }

std::uint64_t LoadStamp(const std::uint8_t* at) {
  std::uint64_t stamp;
  std::memcpy(&stamp, at, sizeof stamp);
  return stamp;
}

/** Call `visit` with the memory and the first disk block of each page of a buffer in the data area. */
template <class Visit>
void EachPage(std::uint8_t* region, const std::vector<lunette::tcmu::Iovec>& iovecs, std::uint64_t block,
              Visit visit) {
  for (const auto& iovec : iovecs) {
    for (std::uint64_t at = 0; at < iovec.length; at += kPage, block += kPage / kBlock) {
      visit(region + iovec.base + at, block);
    }
  }
}

}  // namespace

Generator::Generator(const Descriptors& descriptors)
    : ring_(descriptors),
      area_(ring_.DataOffset(), ring_.Size() - ring_.DataOffset()),
      head_(ring_.Box()->cmd_head),
      done_(ring_.LoadTail()) {}

std::uint64_t Generator::Random() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_;
}

/** Make sure that the next entry lies in one piece, with a PAD to the end of the ring where it would not. */
bool Generator::MakeRoom(std::uint32_t length) {
  const std::uint32_t size = ring_.RingSize();
  const std::uint32_t toEnd = size - head_;
  const std::uint32_t used = head_ >= done_ ? head_ - done_ : head_ + size - done_;
  const std::uint32_t needed = toEnd < length ? toEnd + length : length;
  // One byte stays free, so that a full ring is no empty one.
  if (used + needed >= size) return false;
  if (toEnd < length) {
    *ring_.At<EntryHeader>(head_) = {toEnd | kPad, 0, 0, 0};
    head_ = 0;
    ring_.StoreHead(0);
  }
  return true;
}

void Generator::FillEntry(std::uint16_t id, const Slot& slot, std::uint32_t length, std::size_t bytes) {
  auto* entry = ring_.At<CommandRequest>(head_);
  std::memset(entry, 0, length - kCdbSpace);
  entry->hdr = {length | kCommand, id, 0, 0};
  entry->iov_cnt = static_cast<std::uint32_t>(slot.iovecs.size());
  entry->cdb_off = ring_.RingOffset() + head_ + length - kCdbSpace;
  std::memcpy(entry->iov, slot.iovecs.data(), slot.iovecs.size() * sizeof(lunette::tcmu::Iovec));
  std::uint8_t* cdb = ring_.Data() + entry->cdb_off;
  std::memset(cdb, 0, kCdbSpace);
  cdb[0] = slot.write ? 0x2a : 0x28;
  for (int byte = 0; byte < 4; byte++) cdb[2 + byte] = static_cast<std::uint8_t>(slot.block >> (24 - 8 * byte));
  const std::size_t blocks = bytes / kBlock;
  cdb[7] = static_cast<std::uint8_t>(blocks >> 8);
  cdb[8] = static_cast<std::uint8_t>(blocks);
}

void Generator::PrepareData(const Load& load, Slot& slot) {
  if (slot.write) {
    if (!load.copies) {
      EachPage(ring_.Data(), slot.iovecs, slot.block,
               [](std::uint8_t* at, std::uint64_t block) { StoreStamp(at, Stamp(block)); });
      return;
    }
    for (std::size_t at = 0; at < load.bytes; at += kPage) {
      StoreStamp(slot.buffer.data() + at, Stamp(slot.block + at / kBlock));
    }
    std::size_t at = 0;
    for (const auto& iovec : slot.iovecs) {
      std::memcpy(ring_.Data() + iovec.base, slot.buffer.data() + at, iovec.length);
      at += iovec.length;
    }
  } else if (slot.watched) {
    // So that what an earlier command left there does not pass for this one's.
    EachPage(ring_.Data(), slot.iovecs, slot.block, [](std::uint8_t* at, std::uint64_t) { StoreStamp(at, 1); });
  }
}

/** Queue a command. @returns false where ring, data area or depth are used up */
bool Generator::Queue(const Load& load, Outcome& outcome, std::uint64_t now) {
  if (free_.empty()) return false;
  const std::uint16_t index = free_.back();
  Slot& slot = slots_[index];
  if (area_.Take(load.bytes, slot.iovecs) == 0) return false;
  const std::uint32_t length = EntryLength(slot.iovecs.size());
  if (!MakeRoom(length)) {
    area_.Give(slot.iovecs);
    return false;
  }
  free_.pop_back();
  const std::uint64_t places = load.diskBytes / load.bytes;
  const std::uint64_t place = load.fill ? nextBlock_++ % places : Random() % places;
  slot.block = place * (load.bytes / kBlock);
  slot.write = load.fill || Random() % 100 >= load.reads;
  slot.watched = queued_++ % kSample == 0;
  if (slot.watched) slot.started = now != 0 ? now : Now();
  PrepareData(load, slot);
  FillEntry(static_cast<std::uint16_t>(index + 1), slot, length, load.bytes);
  head_ = (head_ + length) % ring_.RingSize();
  ring_.StoreHead(head_);
  if (load.wakeEach) {
    Signal(ring_.Wake());
    outcome.wakeUps++;
  }
  return true;
}

void Generator::CheckData(const Load& load, Slot& slot, Outcome& outcome) {
  if (load.copies) {
    std::size_t at = 0;
    for (const auto& iovec : slot.iovecs) {
      std::memcpy(slot.buffer.data() + at, ring_.Data() + iovec.base, iovec.length);
      at += iovec.length;
    }
  }
  if (!slot.watched) return;
  outcome.checked++;
  bool same = true;
  EachPage(ring_.Data(), slot.iovecs, slot.block, [&](std::uint8_t* at, std::uint64_t block) {
    same = same && LoadStamp(at) == (load.content == Content::kStamps ? Stamp(block) : 0);
  });
  if (!same) outcome.mismatches++;
}

void Generator::Complete(const Load& load, Outcome& outcome) {
  const std::uint32_t tail = ring_.LoadTail();
  const std::uint64_t now = tail == done_ ? 0 : Now();
  while (done_ != tail) {
    const auto* header = ring_.At<EntryHeader>(done_);
    const std::uint32_t length = header->len_op & ~kOpMask;
    if ((header->len_op & kOpMask) == kCommand) {
      const auto* response = ring_.At<CommandResponse>(done_);
      const auto index = static_cast<std::uint16_t>(header->cmd_id - 1);
      Slot& slot = slots_[index];
      if (response->scsi_status != 0) outcome.errors++;
      else if (!slot.write) CheckData(load, slot, outcome);
      if (slot.watched) outcome.latencies.push_back(static_cast<std::uint32_t>(now - slot.started));
      area_.Give(slot.iovecs);
      free_.push_back(index);
      outcome.commands++;
    }
    done_ = (done_ + length) % ring_.RingSize();
  }
}

/** Until the consumer moves the tail. @returns false where it does not for too long */
bool Generator::Wait(const Load& load) {
  const std::uint64_t start = Now();
  for (std::uint64_t now = start; now - start < load.spin; now = Now()) {
    for (int turn = 0; turn < 32; turn++) {
      if (ring_.LoadTail() != done_) return true;
      __builtin_ia32_pause();
    }
  }
  while (ring_.LoadTail() == done_) {
    AwaitSignal(ring_.Doorbell(), 100);
    if (Now() - start > kPatience) return false;
  }
  return true;
}

void Generator::Begin(const Load& load) {
  slots_.resize(load.depth);
  free_.clear();
  for (unsigned index = 0; index < load.depth; index++) {
    slots_[index].buffer.resize(load.bytes);
    free_.push_back(static_cast<std::uint16_t>(index));
  }
  nextBlock_ = 0;
  begun_ = 0;
}

bool Generator::QueueAll(const Load& load, Outcome& outcome, std::uint64_t now) {
  bool any = false;
  while ((load.duration != 0 || begun_ < load.commands) && Queue(load, outcome, any ? 0 : now)) {
    any = true;
    begun_++;
  }
  if (any && !load.wakeEach) {
    Signal(ring_.Wake());
    outcome.wakeUps++;
  }
  return any;
}

Outcome Generator::Run(const Load& load) {
  PinThread(load.cpu);
  Outcome outcome;
  outcome.latencies.reserve(1 << 20);
  Begin(load);
  const std::uint64_t cpu = ThreadCpuTime();
  const std::uint64_t start = Now();
  std::uint64_t now = start;
  while (true) {
    if (load.duration == 0 || now - start < load.duration) QueueAll(load, outcome, now);
    if (IsIdle()) break;
    if (!Wait(load)) {
      outcome.stalled = true;
      break;
    }
    const std::uint64_t before = now;
    now = Now();
    outcome.longestGap = std::max(outcome.longestGap, now - before);
    Complete(load, outcome);
  }
  outcome.nanoseconds = Now() - start;
  outcome.cpuTime = ThreadCpuTime() - cpu;
  return outcome;
}

}  // namespace bench

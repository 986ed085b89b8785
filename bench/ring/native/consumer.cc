#include "consumer.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <climits>
#include <cstring>
#include <stdexcept>

namespace bench {

namespace {

constexpr std::uint64_t kBlock = 512;
constexpr std::uint8_t kCheckCondition = 0x02;

}  // namespace

Consumer::Consumer(const std::vector<Descriptors>& rings, Storage storage, std::uint64_t diskBytes,
                   const std::string& path, int cpu)
    : storage_(storage), diskBytes_(diskBytes) {
  for (const auto& descriptors : rings) served_.push_back(std::make_unique<Served>(descriptors));
  if (storage == Storage::kMemory) {
    void* memory =
        ::mmap(nullptr, diskBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error(std::string("mmap: ") + std::strerror(errno));
    memory_ = static_cast<std::uint8_t*>(memory);
  } else if (storage == Storage::kFile) {
    file_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (file_ < 0) throw std::runtime_error(path + ": " + std::strerror(errno));
  }
  thread_ = std::thread([this, cpu] {
    PinThread(cpu);
    if (served_.size() == 1) ServeOne(*served_[0]);
    else ServeAll();
  });
}

Consumer::~Consumer() {
  stopping_ = true;
  Signal(served_[0]->ring.Wake());
  thread_.join();
  if (memory_ != nullptr) ::munmap(memory_, diskBytes_);
  if (file_ >= 0) ::close(file_);
}

void Consumer::ServeOne(Served& served) {
  while (!stopping_) {
    AwaitSignal(served.ring.Wake(), -1);
    Drain(served);
  }
}

void Consumer::ServeAll() {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  for (const auto& served : served_) {
    epoll_event event{EPOLLIN, {served.get()}};
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, served->ring.Wake(), &event);
  }
  epoll_event events[64];
  while (!stopping_) {
    const int count = ::epoll_wait(epoll, events, 64, -1);
    for (int index = 0; index < count; index++) {
      auto& served = *static_cast<Served*>(events[index].data.ptr);
      TakeSignal(served.ring.Wake());
      Drain(served);
    }
  }
  ::close(epoll);
}

void Consumer::Drain(Served& served) {
  auto& [ring, tail] = served;
  for (std::uint32_t head = ring.LoadHead(); tail != head; head = ring.LoadHead()) {
    while (tail != head) {
      auto* entry = ring.At<CommandRequest>(tail);
      const std::uint32_t word = entry->hdr.len_op;
      if ((word & kOpMask) == kCommand) Answer(ring, entry);
      tail = (tail + (word & ~kOpMask)) % ring.RingSize();
    }
    ring.StoreTail(tail);
    Signal(ring.Doorbell());
  }
}

void Consumer::Answer(const SharedRing& ring, CommandRequest* entry) {
  const std::uint8_t* cdb = ring.Data() + entry->cdb_off;
  const std::uint64_t block = std::uint64_t{cdb[2]} << 24 | cdb[3] << 16 | cdb[4] << 8 | cdb[5];
  const bool good = (cdb[0] == 0x28 || cdb[0] == 0x2a) &&
                    Transfer(ring, cdb[0] == 0x2a, block * kBlock, entry->iov, entry->iov_cnt);
  auto* response = reinterpret_cast<CommandResponse*>(entry);
  response->scsi_status = good ? 0 : kCheckCondition;
}

bool Consumer::Transfer(const SharedRing& ring, bool write, std::uint64_t offset,
                        const lunette::tcmu::Iovec* iovecs, std::uint32_t count) {
  if (storage_ == Storage::kFile) {
    iovec vectors[IOV_MAX];
    std::size_t total = 0;
    if (count > IOV_MAX) return false;
    for (std::uint32_t index = 0; index < count; index++) {
      vectors[index] = {ring.Data() + iovecs[index].base, iovecs[index].length};
      total += iovecs[index].length;
    }
    const ssize_t size = write ? ::pwritev(file_, vectors, static_cast<int>(count), static_cast<off_t>(offset))
                               : ::preadv(file_, vectors, static_cast<int>(count), static_cast<off_t>(offset));
    return size == static_cast<ssize_t>(total);
  }
  for (std::uint32_t index = 0; index < count; index++) {
    std::uint8_t* data = ring.Data() + iovecs[index].base;
    const std::size_t length = iovecs[index].length;
    if (offset + length > diskBytes_) return false;
    if (storage_ == Storage::kNull) {
      if (!write) std::memset(data, 0, length);
    } else if (write) {
      std::memcpy(memory_ + offset, data, length);
    } else {
      std::memcpy(data, memory_ + offset, length);
    }
    offset += length;
  }
  return true;
}

}  // namespace bench

#include "shared-ring.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <string>

namespace bench {

namespace {

std::uint64_t Clock(clockid_t clock) {
  timespec time;
  ::clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

SharedRing::SharedRing(const Descriptors& descriptors) : size_(descriptors.size) {
  void* data = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptors.memory, 0);
  if (data == MAP_FAILED) throw std::runtime_error(std::string("mmap: ") + std::strerror(errno));
  data_ = static_cast<std::uint8_t*>(data);
  ringOffset_ = Box()->cmdr_off;
  ringSize_ = Box()->cmdr_size;
  wake_ = ::fcntl(descriptors.wake, F_DUPFD_CLOEXEC, 0);
  doorbell_ = ::fcntl(descriptors.doorbell, F_DUPFD_CLOEXEC, 0);
}

SharedRing::~SharedRing() {
  ::munmap(data_, size_);
  ::close(wake_);
  ::close(doorbell_);
}

void Signal(int fd) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t size = ::write(fd, &one, sizeof one);
}

void TakeSignal(int fd) {
  std::uint64_t count;
  [[maybe_unused]] const ssize_t size = ::read(fd, &count, sizeof count);
}

void AwaitSignal(int fd, int milliseconds) {
  pollfd entry{fd, POLLIN, 0};
  if (::poll(&entry, 1, milliseconds) > 0) TakeSignal(fd);
}

void PinThread(int cpu, int thread) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ::sched_setaffinity(thread, sizeof set, &set);
}

std::uint64_t Now() { return Clock(CLOCK_MONOTONIC); }

std::uint64_t ThreadCpuTime() { return Clock(CLOCK_THREAD_CPUTIME_ID); }

}  // namespace bench

// HOT PATH: Run and HasInput run once a wake-up.
#include "direct-wait.h"

#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace lunette {

namespace {

constexpr std::int64_t kMillisecond = 1'000'000;

/** Nobody who sends one command after the other takes longer for the next. Nanoseconds. */
constexpr std::int64_t kLongestSleep = kMillisecond;

/** What asks for a turn without the loop's knowing (an immediate that is not referenced) waits so long. Nanoseconds. */
constexpr std::int64_t kLongestRun = 20 * kMillisecond;

/**
 * Inputs after which the clock is read, and the loop asked for others: until then only sleep counts, and input that
 * comes at once again hides theirs, since the loop watches the descriptor, too.
 */
constexpr int kBetweenLooks = 4;

/** Runs in a row that are left out at most. */
constexpr unsigned kLargestPenalty = 31;

}  // namespace

void DirectWait::Run(const Serve& serve) {
  if (skipped_ > 0) {
    skipped_--;
    return;
  }
  const int timeout = uv_backend_timeout(loop_);
  if (timeout == 0) return;
  const std::int64_t longest = timeout < 0 ? kLongestRun : std::min(kLongestRun, timeout * kMillisecond);
  const std::int64_t end = static_cast<std::int64_t>(uv_now(loop_)) * kMillisecond + longest;
  std::int64_t patience = longest;
  int served = 0;
  while (patience > 0 && HasInput(patience)) {
    served++;
    // Also where what was served has given the loop work.
    if (!serve() || uv_backend_timeout(loop_) == 0) break;
    if (served % kBetweenLooks != 0) continue;
    if (LoopHasInput()) break;
    patience = end - static_cast<std::int64_t>(uv_hrtime());
  }
  penalty_ = served > 0 ? 0 : std::min(2 * penalty_ + 1, kLargestPenalty);
  skipped_ = penalty_;
}

/**
 * Sleep until the descriptor or the loop has input.
 * @param patience nanoseconds that may be slept in all; less by what was
 * @returns whether the descriptor has
 */
bool DirectWait::HasInput(std::int64_t& patience) const {
  pollfd descriptors[] = {{fd_, POLLIN, 0}, {uv_backend_fd(loop_), POLLIN, 0}};
  const std::int64_t sleep = std::min(patience, kLongestSleep);
  timespec left = {0, static_cast<long>(sleep)};
  // Not the library's: that keeps to itself what is left of the time.
  const long count = ::syscall(SYS_ppoll, descriptors, 2, &left, nullptr, 0);
  if (count <= 0) return false;
  patience -= sleep - left.tv_nsec;
  return descriptors[0].revents != 0;
}

/** Where the descriptor's own has just been taken. */
bool DirectWait::LoopHasInput() const {
  pollfd loop = {uv_backend_fd(loop_), POLLIN, 0};
  return ::poll(&loop, 1, 0) != 0;
}

}  // namespace lunette

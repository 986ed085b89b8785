#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>

namespace lunette {

/**
 * Waits for the next input of one descriptor beside whatever else its event loop waits for, without a turn of the
 * loop: libuv makes two calls of epoll_pwait and reads the clock five times for each input that comes alone, which
 * where a kernel has no vDSO are seven system calls.
 *
 * The loop gets its turn as soon as it has anything to do: another descriptor, a timer, an immediate, a closing
 * handle.
 */
class DirectWait {
 public:
  /** Takes the descriptor's input. @returns false where nothing is to follow */
  using Serve = std::function<bool()>;

  /** @param fd watched by `loop` as well, level-triggered */
  DirectWait(uv_loop_t* loop, int fd) : loop_(loop), fd_(fd) {}

  /**
   * Only from a prepare handle, so that the loop has done what it had to.
   * @param serve called for each input that comes
   */
  void Run(const Serve& serve);

 private:
  bool HasInput(std::int64_t& patience) const;
  bool LoopHasInput() const;

  uv_loop_t* loop_;
  int fd_;
  /** How many of the next runs are left out, and how many will be when the next one waits in vain. */
  unsigned skipped_ = 0;
  unsigned penalty_ = 0;
};

}  // namespace lunette

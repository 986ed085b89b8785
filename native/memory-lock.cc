#include "memory-lock.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

#include "syscall-error.h"

// glibc has them since 2.27, musl does not.
#ifndef SYS_mlock2
#define SYS_mlock2 __NR_mlock2
#endif
#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

namespace lunette {

namespace {

struct Range {
  std::uintptr_t begin;
  std::uintptr_t end;
};

/**
 * A line of proc_pid_maps(5).
 * @returns whether it is private memory that came from a file: code and data of the program and its libraries
 */
bool ParseProgramRange(const std::string& line, Range& range) {
  std::istringstream fields(line);
  char dash;
  std::string permissions, offset, device, inode, path;
  fields >> std::hex >> range.begin >> dash >> range.end >> permissions >> offset >> device >> inode >> path;
  return !fields.fail() && permissions.size() == 4 && permissions[3] == 'p' && path[0] == '/';
}

int Lock(const Range& range) {
  // ONFAULT: what is not in memory is not read for it.
  const long result = ::syscall(SYS_mlock2, range.begin, range.end - range.begin, MLOCK_ONFAULT);
  return result == 0 ? 0 : errno;
}

/** Processes that this one starts inherit it. */
bool RaiseLimit() {
  rlimit limit{};
  limit.rlim_cur = limit.rlim_max = RLIM_INFINITY;
  return ::setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
}

bool IsForbidden(int error) { return error == EPERM || error == ENOMEM || error == EAGAIN || error == ENOSYS; }

}  // namespace

/*
 * Not mlockall(2): V8 gives unused pages of its heap back with madvise(2), which the kernel refuses for locked memory,
 * and V8 ends the process for that. Anonymous memory, the heap among it, has nowhere to go but to swap space, which is
 * for the service manager to forbid; files are read again from wherever they lie.
 */
Napi::Value LockMemory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::ifstream maps("/proc/self/maps");
  if (!maps) throw SyscallError(env, errno, "open", "/proc/self/maps");
  bool triedToRaise = false;
  for (std::string line; std::getline(maps, line);) {
    Range range;
    if (!ParseProgramRange(line, range)) continue;
    int error = Lock(range);
    if (IsForbidden(error) && !triedToRaise) {
      triedToRaise = true;
      if (RaiseLimit()) error = Lock(range);
    }
    if (IsForbidden(error)) {
      // All or nothing: a part helps nobody, and would look like the whole in /proc.
      ::munlockall();
      return Napi::Boolean::New(env, false);
    }
    if (error != 0) throw SyscallError(env, error, "mlock2");
  }
  return Napi::Boolean::New(env, true);
}

}  // namespace lunette

#include "io-flusher.h"

#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "syscall-error.h"

// linux/prctl.h since 5.6.
#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

namespace lunette {

namespace {

/** One that neither Node, V8 nor libuv uses. */
int Signal() { return SIGRTMIN + 7; }

void OnSignal(int) {
  // The interrupted code may be about to look at errno.
  const int saved = errno;
  ::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
  errno = saved;
}

}  // namespace

/*
 * The state is each thread's own. Threads begun from here on inherit it, as do child processes; those that run
 * already (V8's, for garbage collection and compilation) can set it only themselves, so each gets a signal. The one
 * that blocks it, Node's for starting the debugger, sleeps until somebody debugs.
 */
Napi::Value SetIoFlusher(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0) {
    // EINVAL: older than Linux 5.6. EPERM: without CAP_SYS_RESOURCE.
    if (errno == EPERM || errno == EINVAL) return Napi::Boolean::New(env, false);
    throw SyscallError(env, errno, "prctl");
  }
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  if (::sigaction(Signal(), &action, nullptr) != 0) throw SyscallError(env, errno, "sigaction");

  DIR* tasks = ::opendir("/proc/self/task");
  if (tasks == nullptr) throw SyscallError(env, errno, "opendir", "/proc/self/task");
  const long self = ::syscall(SYS_gettid);
  while (const dirent* entry = ::readdir(tasks)) {
    const long thread = std::strtol(entry->d_name, nullptr, 10);
    // A thread that has ended meanwhile is no loss.
    if (thread > 0 && thread != self) ::syscall(SYS_tgkill, ::getpid(), thread, Signal());
  }
  ::closedir(tasks);
  return Napi::Boolean::New(env, true);
}

}  // namespace lunette

#include "parent-death.h"

#include <signal.h>
#include <sys/prctl.h>

#include <cerrno>

#include "syscall-error.h"

namespace lunette {

Napi::Value DieWithParent(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) throw SyscallError(env, errno, "prctl");
  return env.Undefined();
}

}  // namespace lunette

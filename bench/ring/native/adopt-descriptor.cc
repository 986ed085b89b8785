#include "adopt-descriptor.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace bench {

namespace {

/** The same numbers on every architecture; Debian 12's headers may lack them. */
constexpr long kPidfdOpen = 434;
constexpr long kPidfdGetfd = 438;

}  // namespace

Napi::Value AdoptDescriptor(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int pid = info[0].As<Napi::Number>();
  const int theirs = info[1].As<Napi::Number>();
  const long process = ::syscall(kPidfdOpen, pid, 0);
  if (process < 0) throw Napi::Error::New(env, std::string("pidfd_open: ") + std::strerror(errno));
  const long ours = ::syscall(kPidfdGetfd, process, theirs, 0);
  const int error = errno;
  ::close(static_cast<int>(process));
  if (ours < 0) throw Napi::Error::New(env, std::string("pidfd_getfd: ") + std::strerror(error));
  return Napi::Number::New(env, static_cast<double>(ours));
}

void ReleaseDescriptor(const Napi::CallbackInfo& info) { ::close(info[0].As<Napi::Number>().Int32Value()); }

}  // namespace bench

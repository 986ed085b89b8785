#include "sd-notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "arguments.h"
#include "syscall-error.h"
#include "unique-fd.h"

namespace lunette {

Napi::Value Notify(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string state = String(info[0], {"notify", "state"});
  const char* variable = std::getenv("NOTIFY_SOCKET");
  if (variable == nullptr || *variable == '\0') return Napi::Boolean::New(env, false);

  const std::string path = variable;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const bool isUnix = path[0] == '/' || path[0] == '@';
  if (!isUnix) throw SyscallError(env, EAFNOSUPPORT, "sendto", path);
  if (path.size() >= sizeof address.sun_path) throw SyscallError(env, ENAMETOOLONG, "sendto", path);
  std::memcpy(address.sun_path, path.data(), path.size());
  // A name in the abstract namespace begins with a NUL, and its length is the address's.
  if (path[0] == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());

  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.IsOpen()) throw SyscallError(env, errno, "socket");
  ssize_t sent;
  do {
    sent = ::sendto(fd.Get(), state.data(), state.size(), MSG_NOSIGNAL,
                    reinterpret_cast<const sockaddr*>(&address), length);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    // A variable inherited from a manager that is gone.
    if (errno == ENOENT || errno == ECONNREFUSED) return Napi::Boolean::New(env, false);
    throw SyscallError(env, errno, "sendto", path);
  }
  return Napi::Boolean::New(env, true);
}

}  // namespace lunette

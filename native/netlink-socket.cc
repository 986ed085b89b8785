#include "netlink-socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <climits>
#include <string>

#include "arguments.h"
#include "syscall-error.h"

namespace lunette {

namespace {

void SetOption(Napi::Env env, int fd, int option, int value) {
  if (::setsockopt(fd, SOL_NETLINK, option, &value, sizeof value) != 0) {
    throw SyscallError(env, errno, "setsockopt");
  }
}

/** recv(2), begun again where a signal broke it. */
ssize_t Receive(int fd, void* data, std::size_t size, int flags) {
  ssize_t result;
  do {
    result = ::recv(fd, data, size, flags | MSG_DONTWAIT);
  } while (result < 0 && errno == EINTR);
  return result;
}

/**
 * Hand over the one datagram at the head of the queue. Polling is level-triggered: the next one comes with the
 * loop's next turn, and a callback that closes the socket leaves nothing half done here.
 */
void Deliver(Poller& poller, int fd, int status) {
  // The kernel bounds a datagram, we do not: its size first, so that none is cut off.
  const ssize_t size = status < 0 ? -1 : Receive(fd, nullptr, 0, MSG_PEEK | MSG_TRUNC);
  const int error = status < 0 ? -status : errno;
  if (size >= 0) {
    Napi::Uint8Array datagram = Napi::Uint8Array::New(poller.Env(), static_cast<std::size_t>(size));
    if (Receive(fd, datagram.Data(), datagram.ByteLength(), 0) == size) poller.Call(datagram);
    return;
  }
  // ENOBUFS, where a kernel reports it in spite of NETLINK_NO_ENOBUFS, is gone once read.
  if (error == EAGAIN || error == ENOBUFS) return;
  poller.Close();
  throw SyscallError(poller.Env(), error, status < 0 ? "epoll_wait" : "recv");
}

}  // namespace

Napi::Function NetlinkSocket::Define(Napi::Env env) {
  return DefineClass(env, kName,
                     {
                         InstanceMethod("send", &NetlinkSocket::Send),
                         InstanceMethod("onMessage", &NetlinkSocket::OnMessage),
                         InstanceMethod("joinGroup", &NetlinkSocket::JoinGroup),
                         InstanceMethod("setRef", &NetlinkSocket::SetRef),
                         InstanceMethod("close", &NetlinkSocket::Close),
                     });
}

NetlinkSocket::NetlinkSocket(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const Napi::Env env = info.Env();
  const auto receiveBuffer = static_cast<int>(Integer(info[0], {kName, "receiveBuffer"}, 1, INT_MAX));
  fd_ = UniqueFd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_GENERIC));
  if (!fd_.IsOpen()) throw SyscallError(env, errno, "socket");
  SetReceiveBuffer(env, receiveBuffer);
  // Without it, one overrun makes the kernel drop the socket's messages until the error is read.
  SetOption(env, fd_.Get(), NETLINK_NO_ENOBUFS, 1);
  Bind(env);
}

void NetlinkSocket::SetReceiveBuffer(Napi::Env env, int size) {
  // FORCE goes past net.core.rmem_max, and needs CAP_NET_ADMIN.
  if (::setsockopt(fd_.Get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0 &&
      ::setsockopt(fd_.Get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size) != 0) {
    throw SyscallError(env, errno, "setsockopt");
  }
  int actual = 0;
  socklen_t length = sizeof actual;
  if (::getsockopt(fd_.Get(), SOL_SOCKET, SO_RCVBUF, &actual, &length) != 0) {
    throw SyscallError(env, errno, "getsockopt");
  }
  DefineNumber("receiveBufferSize", actual);
}

void NetlinkSocket::Bind(Napi::Env env) {
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd_.Get(), generic, sizeof address) != 0) throw SyscallError(env, errno, "bind");
  socklen_t length = sizeof address;
  if (::getsockname(fd_.Get(), generic, &length) != 0) throw SyscallError(env, errno, "getsockname");
  DefineNumber("portId", address.nl_pid);
}

void NetlinkSocket::DefineNumber(const char* name, double value) {
  Value().DefineProperty(
      Napi::PropertyDescriptor::Value(name, Napi::Number::New(Env(), value), napi_enumerable));
}

void NetlinkSocket::CheckOpen(Napi::Env env, const char* method) const {
  if (fd_.IsOpen()) return;
  throw Napi::Error::New(env, std::string(kName) + "." + method + ": the socket is closed");
}

void NetlinkSocket::CloseAll() {
  if (poller_ != nullptr) poller_->Close();
  fd_.Close();
}

void NetlinkSocket::Send(const Napi::CallbackInfo& info) {
  const Bytes datagram = ByteArray(info[0], {kName, "datagram"});
  CheckOpen(info.Env(), "send");
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  ssize_t sent;
  do {
    sent = ::sendto(fd_.Get(), datagram.data, datagram.size, 0, reinterpret_cast<const sockaddr*>(&kernel),
                    sizeof kernel);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) throw SyscallError(info.Env(), errno, "sendto");
}

void NetlinkSocket::OnMessage(const Napi::CallbackInfo& info) {
  const Napi::Function callback = Function(info[0], {kName, "onMessage callback"});
  CheckOpen(info.Env(), "onMessage");
  if (poller_ != nullptr) throw Napi::Error::New(info.Env(), std::string(kName) + " has a listener already");
  const auto ready = [fd = fd_.Get()](Poller& poller, int status) { Deliver(poller, fd, status); };
  poller_ = Poller::Open(Value(), callback, fd_.Get(), kName, ready, Poller::Rhythm::sparse);
  poller_->SetRef(referenced_);
}

void NetlinkSocket::JoinGroup(const Napi::CallbackInfo& info) {
  const auto group = static_cast<int>(Integer(info[0], {kName, "group"}, 1, INT_MAX));
  CheckOpen(info.Env(), "joinGroup");
  SetOption(info.Env(), fd_.Get(), NETLINK_ADD_MEMBERSHIP, group);
}

void NetlinkSocket::SetRef(const Napi::CallbackInfo& info) {
  const bool referenced = Boolean(info[0], {kName, "setRef argument"});
  CheckOpen(info.Env(), "setRef");
  referenced_ = referenced;
  if (poller_ != nullptr) poller_->SetRef(referenced);
}

void NetlinkSocket::Close(const Napi::CallbackInfo&) { CloseAll(); }

}  // namespace lunette

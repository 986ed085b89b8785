// HOT PATH: one Take and one Raise a batch of commands.
#include "event-descriptor.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "syscall-error.h"

namespace lunette {

namespace {

/**
 * Take the pending signal. @returns 0, EAGAIN where there is none, or the errno of a descriptor that failed
 * @param count how many were given: to an eventfd since it was read last, to a UIO device ever
 */
int Take(int fd, std::size_t width, std::uint64_t& count) {
  count = 0;
  ssize_t size;
  do {
    size = ::read(fd, &count, width);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return errno;
  // End of file: no descriptor of ours has one, and it would stay readable for ever.
  return size == 0 ? EIO : 0;
}

}  // namespace

EventDescriptor EventDescriptor::Create(Napi::Env env) {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd.IsOpen()) throw SyscallError(env, errno, "eventfd");
  return EventDescriptor(std::move(fd), kEventfdWidth);
}

EventDescriptor::EventDescriptor(UniqueFd fd, std::size_t width, std::string path)
    : fd_(std::move(fd)), width_(width), path_(std::move(path)) {}

void EventDescriptor::Raise(Napi::Env env) {
  // eventfd adds the value; UIO ignores it.
  const std::uint64_t one = 1;
  ssize_t size;
  do {
    size = ::write(fd_.Get(), &one, width_);
  } while (size < 0 && errno == EINTR);
  // EAGAIN: the counter is full, so the other side has signals enough to wake it.
  if (size < 0 && errno != EAGAIN) throw SyscallError(env, errno, "write", path_);
}

void EventDescriptor::Listen(Napi::Object receiver, Napi::Function callback, const char* name,
                             std::function<bool()> wanted) {
  if (poller_ != nullptr) throw Napi::Error::New(receiver.Env(), std::string(name) + " has a listener already");
  const auto ready = [last = std::uint64_t{0}, fd = fd_.Get(), width = width_, path = path_,
                      wanted = std::move(wanted)](Poller& poller, int status) mutable {
    std::uint64_t count = 0;
    const int error = status < 0 ? -status : Take(fd, width, count);
    if (error == 0) {
      const bool isTotal = width != EventDescriptor::kEventfdWidth;
      poller.NoteSeveral((isTotal ? static_cast<std::uint32_t>(count - last) : count) > 1);
      last = count;
      return wanted() ? poller.Call() : void();
    }
    if (error == EAGAIN) return;
    // A removed device stays readable: polling on would spin.
    poller.Close();
    poller.Call(SyscallError(poller.Env(), error, status < 0 ? "epoll_wait" : "read", path).Value());
  };
  poller_ = Poller::Open(receiver, callback, fd_.Get(), name, ready, Poller::Rhythm::dense);
  poller_->SetRef(referenced_);
}

void EventDescriptor::SetRef(bool referenced) {
  referenced_ = referenced;
  if (poller_ != nullptr) poller_->SetRef(referenced);
}

void EventDescriptor::Close() {
  if (poller_ != nullptr) poller_->Close();
  fd_.Close();
}

}  // namespace lunette

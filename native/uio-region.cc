#include "uio-region.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>

#include "syscall-error.h"

namespace lunette {

namespace {

/** drivers/uio/uio.c reads and writes an s32, and nothing else. */
constexpr std::size_t kUioCounterWidth = 4;

UniqueFd OpenDevice(Napi::Env env, const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!fd.IsOpen()) throw SyscallError(env, errno, "open", path);
  struct stat status;
  if (::fstat(fd.Get(), &status) != 0) throw SyscallError(env, errno, "fstat", path);
  // A regular file could be mapped, and its end would be a SIGBUS: refuse it as the kernel refuses a device
  // without memory.
  if (!S_ISCHR(status.st_mode)) throw SyscallError(env, ENODEV, "mmap", path);
  return fd;
}

}  // namespace

Napi::Function UioRegion::Define(Napi::Env env) { return DefineClass(env, kName, ConsumerMethods()); }

UioRegion::UioRegion(const Napi::CallbackInfo& info) : RegionHandle(info) {
  const Napi::Env env = info.Env();
  const std::string path = Path(info[0], {kName, "path"});
  const std::int64_t size = Integer(info[1], {kName, "size"}, RegionMemory::kMinSize, kMaxSafeInteger);

  UniqueFd fd = OpenDevice(env, path);
  memory_ = RegionMemory(env, std::make_unique<Mapping>(env, fd.Get(), static_cast<std::size_t>(size), path));
  wake_ = EventDescriptor(std::move(fd), kUioCounterWidth, path);
  DefineMemory();
}

}  // namespace lunette

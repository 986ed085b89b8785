#include "mapped-file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "arguments.h"
#include "syscall-error.h"
#include "unique-fd.h"

namespace lunette {

namespace {

UniqueFd OpenFile(Napi::Env env, const std::string& path, std::int64_t size) {
  // O_NOFOLLOW: the directory may be one that others can write to.
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
  if (!fd.IsOpen()) throw SyscallError(env, errno, "open", path);
  struct stat status;
  if (::fstat(fd.Get(), &status) != 0) throw SyscallError(env, errno, "fstat", path);
  if (!S_ISREG(status.st_mode)) throw SyscallError(env, ENODEV, "mmap", path);
  // Whoever owns it could make it shorter, and its end would be a SIGBUS.
  if (status.st_uid != ::geteuid()) throw SyscallError(env, EPERM, "open", path);
  if (::ftruncate(fd.Get(), size) != 0) throw SyscallError(env, errno, "ftruncate", path);
  const int error = ::posix_fallocate(fd.Get(), 0, size);
  if (error != 0) throw SyscallError(env, error, "fallocate", path);
  return fd;
}

}  // namespace

Napi::Function MappedFile::Define(Napi::Env env) {
  return DefineClass(env, kName, {InstanceMethod("close", &MappedFile::Close)});
}

MappedFile::MappedFile(const Napi::CallbackInfo& info) : Napi::ObjectWrap<MappedFile>(info) {
  const Napi::Env env = info.Env();
  const std::string path = Path(info[0], {kName, "path"});
  const std::int64_t size = Integer(info[1], {kName, "size"}, 1, kMaxSafeInteger);

  const UniqueFd fd = OpenFile(env, path, size);
  mapping_ = std::make_shared<Mapping>(env, fd.Get(), static_cast<std::size_t>(size), path);
  const Napi::ArrayBuffer buffer = BufferOf(env, mapping_, mapping_->Size());
  buffer_ = Napi::Persistent(buffer);
  Value().DefineProperty(Napi::PropertyDescriptor::Value("buffer", buffer, napi_enumerable));
}

void MappedFile::Close(const Napi::CallbackInfo&) {
  if (mapping_ == nullptr) return;
  Napi::ArrayBuffer buffer = buffer_.Value();
  // Detached by someone else: its memory moved to another ArrayBuffer, which unmaps it when it is collected.
  if (!buffer.IsDetached()) {
    buffer.Detach();
    mapping_->Unmap();
  }
  mapping_.reset();
}

}  // namespace lunette

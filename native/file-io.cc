// HOT PATH: preadv, pwritev, preadNow and pwriteNow run once a command.
#include "file-io.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "arguments.h"
#include "syscall-error.h"

namespace lunette {

namespace {

/** Call until no signal breaks it. */
template <class SystemCall>
auto Retry(SystemCall call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

/** The arguments `fd, offset, length` that four of the functions share; bytes. */
struct Range {
  Range(const Napi::CallbackInfo& info, const char* callee)
      : fd(Descriptor(info[0], {callee, "fd"})),
        offset(Integer(info[1], {callee, "offset"}, 0, kMaxSafeInteger)),
        length(Integer(info[2], {callee, "length"}, 0, kMaxSafeInteger)) {}

  int fd;
  std::int64_t offset;
  std::int64_t length;
};

void Fallocate(Napi::Env env, const Range& range, int mode) {
  const int result = Retry([&] { return ::fallocate(range.fd, mode, range.offset, range.length); });
  if (result != 0) throw SyscallError(env, errno, "fallocate");
}

void BlockRequest(Napi::Env env, const Range& range, unsigned long request) {
  const std::uint64_t bytes[2] = {static_cast<std::uint64_t>(range.offset),
                                  static_cast<std::uint64_t>(range.length)};
  const int result = Retry([&] { return ::ioctl(range.fd, request, bytes); });
  if (result != 0) throw SyscallError(env, errno, "ioctl");
}

void PunchHole(const Napi::CallbackInfo& info) {
  Fallocate(info.Env(), Range(info, "punchHole"), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

void ZeroRange(const Napi::CallbackInfo& info) {
  Fallocate(info.Env(), Range(info, "zeroRange"), FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE);
}

void DiscardBlocks(const Napi::CallbackInfo& info) {
  BlockRequest(info.Env(), Range(info, "discardBlocks"), BLKDISCARD);
}

void ZeroBlocks(const Napi::CallbackInfo& info) {
  BlockRequest(info.Env(), Range(info, "zeroBlocks"), BLKZEROOUT);
}

Napi::Value BlockDeviceSize(const Napi::CallbackInfo& info) {
  const int fd = Descriptor(info[0], {"blockDeviceSize", "fd"});
  std::uint64_t size = 0;
  if (::ioctl(fd, BLKGETSIZE64, &size) != 0) throw SyscallError(info.Env(), errno, "ioctl");
  return Napi::Number::New(info.Env(), static_cast<double>(size));
}

Napi::Value Seek(const Napi::CallbackInfo& info) {
  const int fd = Descriptor(info[0], {"seek", "fd"});
  const std::int64_t offset = Integer(info[1], {"seek", "offset"}, 0, kMaxSafeInteger);
  const std::string whence = String(info[2], {"seek", "whence"});
  if (whence != "data" && whence != "hole") {
    throw Napi::RangeError::New(info.Env(), "seek: whence must be 'data' or 'hole', not '" + whence + "'");
  }
  const off_t found = ::lseek(fd, offset, whence == "data" ? SEEK_DATA : SEEK_HOLE);
  if (found < 0 && errno != ENXIO) throw SyscallError(info.Env(), errno, "lseek");
  return Napi::Number::New(info.Env(), found < 0 ? -1 : static_cast<double>(found));
}

/** One buffer, or the first IOV_MAX of an array: a longer list is a short transfer. */
class BufferList {
 public:
  BufferList(Napi::Value value, ArgumentName name) {
    if (value.IsTypedArray()) {
      const Bytes bytes = ByteArray(value, name);
      vectors_[0] = {bytes.data, bytes.size};
      count_ = 1;
      return;
    }
    if (!value.IsArray()) {
      throw Napi::TypeError::New(value.Env(), std::string(name.callee) + ": buffers must be a Uint8Array or an array of them");
    }
    const Napi::Array array = value.As<Napi::Array>();
    count_ = static_cast<int>(std::min<std::uint32_t>(array.Length(), IOV_MAX));
    // All elements before any address: fetching one may run JS (a getter), which could detach another.
    napi_value elements[IOV_MAX];
    for (int i = 0; i < count_; i++) elements[i] = array.Get(static_cast<std::uint32_t>(i));
    for (int i = 0; i < count_; i++) {
      const Bytes bytes = ByteArray(Napi::Value(value.Env(), elements[i]), name);
      vectors_[i] = {bytes.data, bytes.size};
    }
  }

  const iovec* Data() const { return vectors_; }
  int Count() const { return count_; }

 private:
  int count_;
  iovec vectors_[IOV_MAX];
};

using Transfer = ssize_t (*)(int, const iovec*, int, off_t);

Napi::Value TransferVectors(const Napi::CallbackInfo& info, const char* name, Transfer transfer) {
  const int fd = Descriptor(info[0], {name, "fd"});
  const std::int64_t offset = Integer(info[2], {name, "offset"}, 0, kMaxSafeInteger);
  const BufferList buffers(info[1], {name, "each of buffers"});
  const ssize_t size = Retry([&] { return transfer(fd, buffers.Data(), buffers.Count(), offset); });
  if (size < 0) throw SyscallError(info.Env(), errno, name);
  return Napi::Number::New(info.Env(), static_cast<double>(size));
}

Napi::Value Preadv(const Napi::CallbackInfo& info) { return TransferVectors(info, "preadv", ::preadv); }

Napi::Value Pwritev(const Napi::CallbackInfo& info) { return TransferVectors(info, "pwritev", ::pwritev); }

/** What preadNow and pwriteNow return where nothing was transferred; src/native/addon.ts has them too. */
constexpr int kWouldWait = -1;
constexpr int kCannotTell = -2;

using FlaggedTransfer = ssize_t (*)(int, const iovec*, int, off_t, int);

Napi::Value TransferNow(const Napi::CallbackInfo& info, const char* name, const char* call,
                        FlaggedTransfer transfer) {
  const int fd = Descriptor(info[0], {name, "fd"});
  const std::int64_t offset = Integer(info[2], {name, "offset"}, 0, kMaxSafeInteger);
  const BufferList buffers(info[1], {name, "each of buffers"});
  ssize_t size = Retry([&] { return transfer(fd, buffers.Data(), buffers.Count(), offset, RWF_NOWAIT); });
  if (size < 0) {
    if (errno == EAGAIN) size = kWouldWait;
    // The file system does not know, or the kernel has no such call.
    else if (errno == EOPNOTSUPP || errno == ENOSYS) size = kCannotTell;
    else throw SyscallError(info.Env(), errno, call);
  }
  return Napi::Number::New(info.Env(), static_cast<double>(size));
}

Napi::Value PreadNow(const Napi::CallbackInfo& info) { return TransferNow(info, "preadNow", "preadv2", ::preadv2); }

Napi::Value PwriteNow(const Napi::CallbackInfo& info) {
  return TransferNow(info, "pwriteNow", "pwritev2", ::pwritev2);
}

Napi::Value AlignedBuffer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto size = static_cast<std::size_t>(Integer(info[0], {"alignedBuffer", "size"}, 1, kMaxSafeInteger));
  const auto alignment =
      static_cast<std::size_t>(Integer(info[1], {"alignedBuffer", "alignment"}, 1, std::int64_t{1} << 30));
  if ((alignment & (alignment - 1)) != 0) {
    throw Napi::RangeError::New(env, "alignedBuffer: alignment must be a power of two, not " +
                                         std::to_string(alignment));
  }
  // calloc with room to align in, not posix_memalign and memset: pages fresh from the kernel are zero already.
  void* memory = std::calloc(size + alignment - 1, 1);
  if (memory == nullptr) throw SyscallError(env, ENOMEM, "calloc");
  const auto aligned = (reinterpret_cast<std::uintptr_t>(memory) + alignment - 1) & ~(alignment - 1);
  try {
    return Napi::ArrayBuffer::New(
        env, reinterpret_cast<void*>(aligned), size, [](Napi::Env, void*, void* base) { std::free(base); },
        memory);
  } catch (const Napi::Error&) {
    std::free(memory);
    throw;
  }
}

}  // namespace

void DefineFileIo(Napi::Env env, Napi::Object exports) {
  exports.Set("punchHole", Napi::Function::New(env, PunchHole, "punchHole"));
  exports.Set("zeroRange", Napi::Function::New(env, ZeroRange, "zeroRange"));
  exports.Set("discardBlocks", Napi::Function::New(env, DiscardBlocks, "discardBlocks"));
  exports.Set("zeroBlocks", Napi::Function::New(env, ZeroBlocks, "zeroBlocks"));
  exports.Set("blockDeviceSize", Napi::Function::New(env, BlockDeviceSize, "blockDeviceSize"));
  exports.Set("seek", Napi::Function::New(env, Seek, "seek"));
  exports.Set("preadv", Napi::Function::New(env, Preadv, "preadv"));
  exports.Set("pwritev", Napi::Function::New(env, Pwritev, "pwritev"));
  exports.Set("preadNow", Napi::Function::New(env, PreadNow, "preadNow"));
  exports.Set("pwriteNow", Napi::Function::New(env, PwriteNow, "pwriteNow"));
  exports.Set("alignedBuffer", Napi::Function::New(env, AlignedBuffer, "alignedBuffer"));
}

}  // namespace lunette

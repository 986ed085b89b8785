#include "page-memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <memory>

#include "arguments.h"
#include "syscall-error.h"

namespace lunette {

namespace {

constexpr std::int64_t kPage = 4096;

/** Unmaps when the ArrayBuffer is gone. */
struct Pages {
  void* data;
  std::size_t size;
  ~Pages() { ::munmap(data, size); }
};

}  // namespace

Napi::Value PageMemory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto size = static_cast<std::size_t>(Integer(info[0], {"pageMemory", "size"}, 1, kMaxSafeInteger));
  // NORESERVE: most of it may never be written.
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) throw SyscallError(env, errno, "mmap");
  auto pages = std::unique_ptr<Pages>(new Pages{data, size});
  const Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(
      env, data, size, [](Napi::Env, void*, Pages* pages) { delete pages; }, pages.get());
  pages.release();
  return buffer;
}

void DropPages(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsArrayBuffer()) throw Napi::TypeError::New(env, "dropPages: memory must be an ArrayBuffer");
  auto memory = info[0].As<Napi::ArrayBuffer>();
  const auto size = static_cast<std::int64_t>(memory.ByteLength());
  const std::int64_t offset = Integer(info[1], {"dropPages", "offset"}, 0, size);
  const std::int64_t length = Integer(info[2], {"dropPages", "length"}, 0, size - offset);
  if (((offset | length) & (kPage - 1)) != 0) {
    throw Napi::RangeError::New(env, "dropPages: offset and length must be multiples of 4096");
  }
  if (::madvise(static_cast<std::uint8_t*>(memory.Data()) + offset, static_cast<std::size_t>(length),
                MADV_DONTNEED) != 0) {
    throw SyscallError(env, errno, "madvise");
  }
}

}  // namespace lunette

#include "mapping.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>

#include "syscall-error.h"

namespace lunette {

namespace {

/** What an ArrayBuffer holds of its mapping. */
struct Share {
  std::shared_ptr<Mapping> mapping;
  std::int64_t size;
};

void DropShare(Napi::Env env, void*, Share* share) {
  Napi::MemoryManagement::AdjustExternalMemory(env, share->size);
  delete share;
}

}  // namespace

Mapping::Mapping(Napi::Env env, int fd, std::size_t size, const std::string& path) : size_(size) {
  data_ = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (data_ == MAP_FAILED) throw SyscallError(env, errno, "mmap", path);
}

void Mapping::Unmap() {
  if (data_ == nullptr) return;
  ::munmap(data_, size_);
  data_ = nullptr;
}

Napi::ArrayBuffer BufferOf(Napi::Env env, const std::shared_ptr<Mapping>& mapping, std::size_t size) {
  auto share = std::make_unique<Share>(Share{mapping, static_cast<std::int64_t>(size)});
  // Before V8 counts the ArrayBuffer itself: it would have begun to collect.
  Napi::MemoryManagement::AdjustExternalMemory(env, -share->size);
  const Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, mapping->Data(), size, DropShare, share.get());
  share.release();
  return buffer;
}

}  // namespace lunette

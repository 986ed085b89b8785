#include "mapping.h"

#include <sys/mman.h>

#include <cerrno>

#include "syscall-error.h"

namespace lunette {

Mapping::Mapping(Napi::Env env, int fd, std::size_t size, const std::string& path) : size_(size) {
  data_ = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (data_ == MAP_FAILED) throw SyscallError(env, errno, "mmap", path);
}

void Mapping::Unmap() {
  if (data_ == nullptr) return;
  ::munmap(data_, size_);
  data_ = nullptr;
}

}  // namespace lunette

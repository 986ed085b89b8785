#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>
#include <string>

namespace lunette {

/** A shared, writable mapping of a descriptor from its offset 0: unmaps when it goes. */
class Mapping {
 public:
  /**
   * @param size bytes, passed to mmap(2) as it is: UIO refuses anything but the exact size
   * @param path only names the file in an error
   */
  Mapping(Napi::Env env, int fd, std::size_t size, const std::string& path = {});
  ~Mapping() { Unmap(); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  void* Data() const { return data_; }
  std::size_t Size() const { return size_; }
  /** Idempotent. */
  void Unmap();

 private:
  void* data_;
  std::size_t size_;
};

/**
 * An ArrayBuffer over the first bytes of a mapping, which lasts until nobody shares it any more. V8 is told that
 * collecting it would free nothing; it believes that of less than 64 MiB (V8's kExternalAllocationSoftLimit) at a time,
 * and collects all garbage for every ArrayBuffer that is larger.
 */
Napi::ArrayBuffer BufferOf(Napi::Env env, const std::shared_ptr<Mapping>& mapping, std::size_t size);

}  // namespace lunette

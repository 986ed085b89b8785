#pragma once

#include <napi.h>

#include <cstddef>
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

}  // namespace lunette

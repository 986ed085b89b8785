#include "unique-fd.h"

#include <unistd.h>

namespace lunette {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = other.Release();
  }
  return *this;
}

void UniqueFd::Close() {
  // Linux frees the descriptor even where close() says EINTR: never close twice.
  if (IsOpen()) ::close(Release());
}

int UniqueFd::Release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

}  // namespace lunette

#pragma once

#include <napi.h>

#include <memory>

#include "mapping.h"

namespace lunette {

/**
 * A file of a fixed size, mapped shared and writable. What was stored in it stays when the process is killed: it is
 * in the page cache, not in the process. Its space is allocated, because a store where there is none left would be
 * a SIGBUS.
 */
class MappedFile : public Napi::ObjectWrap<MappedFile> {
 public:
  static constexpr const char* kName = "MappedFile";
  static Napi::Function Define(Napi::Env env);
  explicit MappedFile(const Napi::CallbackInfo& info);

 private:
  void Close(const Napi::CallbackInfo&);

  // Shared with the ArrayBuffer: a handle that is collected, unclosed, leaves the memory to the views on it.
  std::shared_ptr<Mapping> mapping_;
  Napi::Reference<Napi::ArrayBuffer> buffer_;
};

}  // namespace lunette

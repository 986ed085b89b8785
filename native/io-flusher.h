#pragma once

#include <napi.h>

namespace lunette {

/** `setIoFlusher` in src/native/addon.ts. */
Napi::Value SetIoFlusher(const Napi::CallbackInfo& info);

}  // namespace lunette

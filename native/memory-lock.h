#pragma once

#include <napi.h>

namespace lunette {

/** `lockMemory` in src/native/addon.ts. */
Napi::Value LockMemory(const Napi::CallbackInfo& info);

}  // namespace lunette

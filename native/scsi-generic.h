#pragma once

#include <napi.h>

namespace lunette {

/** `inquire` in src/native/addon.ts. */
Napi::Value Inquire(const Napi::CallbackInfo& info);

}  // namespace lunette

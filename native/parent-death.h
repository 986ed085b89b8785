#pragma once

#include <napi.h>

namespace lunette {

/** `dieWithParent` in src/native/addon.ts. */
Napi::Value DieWithParent(const Napi::CallbackInfo& info);

}  // namespace lunette

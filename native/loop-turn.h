#pragma once

#include <napi.h>

namespace lunette {

/** openTurn() of src/native/addon.ts. */
Napi::Value OpenTurn(const Napi::CallbackInfo& info);

}  // namespace lunette

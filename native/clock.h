/*
 * The monotonic clock without a number that has to be allocated: openClock of NativeBinding in src/native/addon.ts.
 */
#pragma once

#include <napi.h>

namespace lunette {

Napi::Value OpenClock(const Napi::CallbackInfo& info);

}  // namespace lunette

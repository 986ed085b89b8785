/*
 * Memory that is given back page by page: pageMemory and dropPages of NativeBinding in src/native/addon.ts.
 */
#pragma once

#include <napi.h>

namespace lunette {

Napi::Value PageMemory(const Napi::CallbackInfo& info);
void DropPages(const Napi::CallbackInfo& info);

}  // namespace lunette

/*
 * Memory that is given back page by page: pageMemory and what concerns it of NativeBinding in src/native/addon.ts.
 */
#pragma once

#include <napi.h>

namespace lunette {

Napi::Value PageMemory(const Napi::CallbackInfo& info);
void ReadPages(const Napi::CallbackInfo& info);
Napi::Value CollapsePages(const Napi::CallbackInfo& info);
void DropPages(const Napi::CallbackInfo& info);

}  // namespace lunette

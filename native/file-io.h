#pragma once

#include <napi.h>

namespace lunette {

/** Put the file functions of NativeBinding (src/native/addon.ts) on `exports`. */
void DefineFileIo(Napi::Env env, Napi::Object exports);

}  // namespace lunette

#pragma once

#include <napi.h>

namespace lunette {

/** `peerCredentials` in src/native/addon.ts: SO_PEERCRED of a connected Unix socket. */
Napi::Value PeerCredentials(const Napi::CallbackInfo& info);

}  // namespace lunette

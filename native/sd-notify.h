#pragma once

#include <napi.h>

namespace lunette {

/** `notify` in src/native/addon.ts: sd_notify(3)'s protocol, one datagram to $NOTIFY_SOCKET. */
Napi::Value Notify(const Napi::CallbackInfo& info);

}  // namespace lunette

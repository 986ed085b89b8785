#pragma once

#include <napi.h>

namespace bench {

/** adopt(pid, descriptor): a descriptor of this process for what another one has open (pidfd_getfd(2), Linux 5.6). */
Napi::Value AdoptDescriptor(const Napi::CallbackInfo& info);

/** release(descriptor): close it. Node warns of one that it has not opened itself. */
void ReleaseDescriptor(const Napi::CallbackInfo& info);

}  // namespace bench

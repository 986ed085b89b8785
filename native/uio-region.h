#pragma once

#include <napi.h>

#include "region-handle.h"

namespace lunette {

/** The mapped region of a UIO device of the kernel's target_core_user. */
class UioRegion : public RegionHandle<UioRegion> {
 public:
  static constexpr const char* kName = "UioRegion";
  static Napi::Function Define(Napi::Env env);
  explicit UioRegion(const Napi::CallbackInfo& info);
};

}  // namespace lunette

#pragma once

#include <napi.h>

#include "region-handle.h"

namespace lunette {

/**
 * A region of ordinary shared memory with two eventfds in the place of the UIO device: what UioRegion does,
 * without a kernel, and the producer's side as well.
 */
class MemoryRegion : public RegionHandle<MemoryRegion> {
 public:
  static constexpr const char* kName = "MemoryRegion";
  static Napi::Function Define(Napi::Env env);
  explicit MemoryRegion(const Napi::CallbackInfo& info);

 protected:
  EventDescriptor& Doorbell() override { return doorbell_; }
  void CloseAll() override;

 private:
  static Napi::Value Attach(const Napi::CallbackInfo& info);
  void CreateNew(Napi::Env env, Napi::Value size);
  void AttachTo(Napi::Env env, Napi::Object descriptors);
  void Map(Napi::Env env, std::int64_t size);
  Napi::Object Descriptors(Napi::Env env) const;

  void StoreHead(const Napi::CallbackInfo& info);
  Napi::Value LoadTail(const Napi::CallbackInfo& info);
  void Wake(const Napi::CallbackInfo& info);
  void OnDoorbell(const Napi::CallbackInfo& info);

  UniqueFd file_;
  EventDescriptor doorbell_;
};

}  // namespace lunette

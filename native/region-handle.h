// HOT PATH: Publish runs once or more a batch of commands.
#pragma once

#include <napi.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "arguments.h"
#include "event-descriptor.h"
#include "region-memory.h"

namespace lunette {

/**
 * The consumer's side of a region, as RegionHandle in src/native/addon.ts declares it, for a JS class T. T has
 * `static constexpr const char* kName` and fills `memory_` and `wake_`; `Doorbell()` is where kick() goes.
 */
template <class T>
class RegionHandle : public Napi::ObjectWrap<T> {
 public:
  explicit RegionHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<T>(info) {}

 protected:
  using Methods = std::vector<Napi::ClassPropertyDescriptor<T>>;

  static Methods ConsumerMethods() {
    return {
        T::InstanceMethod("whole", &RegionHandle::Whole),
        T::InstanceMethod("loadHead", &RegionHandle::LoadHead),
        T::InstanceMethod("storeTail", &RegionHandle::StoreTail),
        T::InstanceMethod("kick", &RegionHandle::Kick),
        T::InstanceMethod("publish", &RegionHandle::Publish),
        T::InstanceMethod("onCommand", &RegionHandle::OnCommand),
        T::InstanceMethod("setRef", &RegionHandle::SetRef),
        T::InstanceMethod("close", &RegionHandle::Close),
    };
  }

  virtual EventDescriptor& Doorbell() { return wake_; }

  /** Stop polling, unmap, close the descriptors. Idempotent. */
  virtual void CloseAll() {
    wake_.Close();
    memory_.Close();
  }

  /** `size`, `buffer` and `fetched`. */
  void DefineMemory() {
    DefineProperty("size", Napi::Number::New(this->Env(), static_cast<double>(memory_.Size())));
    DefineProperty("buffer", memory_.Buffer());
    DefineProperty("fetched", memory_.Fetched());
  }

  /** Own, read-only: a getter on the prototype would cost a call, and could be called on a stranger. */
  void DefineProperty(const char* name, Napi::Value value) {
    this->Value().DefineProperty(Napi::PropertyDescriptor::Value(name, value, napi_enumerable));
  }

  /** Throws after close(). */
  void CheckOpen(Napi::Env env, const char* method) const {
    if (memory_.IsOpen()) return;
    throw Napi::Error::New(env, std::string(T::kName) + "." + method + ": the region is closed");
  }

  /** Argument 0: a byte offset into the command ring. */
  static std::uint32_t Position(const Napi::CallbackInfo& info, const char* name) {
    return static_cast<std::uint32_t>(Integer(info[0], {T::kName, name}, 0, UINT32_MAX));
  }

  RegionMemory memory_;
  EventDescriptor wake_;

 private:
  Napi::Value Whole(const Napi::CallbackInfo& info) {
    CheckOpen(info.Env(), "whole");
    return memory_.Whole(info.Env());
  }

  Napi::Value LoadHead(const Napi::CallbackInfo& info) {
    CheckOpen(info.Env(), "loadHead");
    return Napi::Number::New(info.Env(), memory_.LoadHead());
  }

  void StoreTail(const Napi::CallbackInfo& info) {
    const std::uint32_t tail = Position(info, "tail");
    CheckOpen(info.Env(), "storeTail");
    memory_.StoreTail(tail);
  }

  void Kick(const Napi::CallbackInfo& info) {
    CheckOpen(info.Env(), "kick");
    Doorbell().Raise(info.Env());
  }

  void Publish(const Napi::CallbackInfo& info) {
    const std::uint32_t tail = Position(info, "tail");
    CheckOpen(info.Env(), "publish");
    memory_.StoreTail(tail);
    Doorbell().Raise(info.Env());
  }

  void OnCommand(const Napi::CallbackInfo& info) {
    const Napi::Function callback = Function(info[0], {T::kName, "onCommand callback"});
    CheckOpen(info.Env(), "onCommand");
    // The poller keeps this object until it is closed.
    wake_.Listen(this->Value(), callback, T::kName, [this] { return memory_.HasNews(); });
  }

  void SetRef(const Napi::CallbackInfo& info) {
    const bool referenced = Boolean(info[0], {T::kName, "setRef argument"});
    CheckOpen(info.Env(), "setRef");
    wake_.SetRef(referenced);
    if (&Doorbell() != &wake_) Doorbell().SetRef(referenced);
  }

  void Close(const Napi::CallbackInfo&) { CloseAll(); }
};

}  // namespace lunette

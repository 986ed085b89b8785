#pragma once

#include <napi.h>

#include <cstddef>

namespace lunette {

/** A JS function that the event loop calls, with nothing of JS below it on the stack. */
class LoopCallback {
 public:
  explicit LoopCallback(Napi::Env env) : env_(env) {}
  LoopCallback(const LoopCallback&) = delete;
  LoopCallback& operator=(const LoopCallback&) = delete;

  Napi::Env Env() const { return env_; }

  /**
   * Keep the function and its `this`, until Release(); throws what Node-API reports.
   * @param resource names the async resource: `UioRegion`
   */
  void Keep(Napi::Object receiver, Napi::Function callback, const char* resource);
  void Release();

  /** Only from the event loop, in a handle scope. What the function throws becomes an uncaught exception. */
  void Call(std::size_t count = 0, const napi_value* arguments = nullptr);

 private:
  Napi::Env env_;
  napi_ref receiver_ = nullptr;
  napi_ref callback_ = nullptr;
  napi_async_context context_ = nullptr;
};

/** Throw where a call of Node-API failed. */
void Check(Napi::Env env, napi_status status);

}  // namespace lunette

// HOT PATH: Call runs once a wake-up.
#include "loop-callback.h"

namespace lunette {

void Check(Napi::Env env, napi_status status) {
  if (status != napi_ok) throw Napi::Error::New(env);
}

void LoopCallback::Keep(Napi::Object receiver, Napi::Function callback, const char* resource) {
  Check(env_, napi_create_reference(env_, receiver, 1, &receiver_));
  Check(env_, napi_create_reference(env_, callback, 1, &callback_));
  Check(env_, napi_async_init(env_, receiver, Napi::String::New(env_, resource), &context_));
}

void LoopCallback::Release() {
  if (context_ != nullptr) napi_async_destroy(env_, context_);
  if (callback_ != nullptr) napi_delete_reference(env_, callback_);
  if (receiver_ != nullptr) napi_delete_reference(env_, receiver_);
  context_ = nullptr;
  callback_ = receiver_ = nullptr;
}

void LoopCallback::Call(std::size_t count, const napi_value* arguments) {
  // Plain Node-API here: while a worker is being terminated these calls fail with no exception to wrap, and
  // node-addon-api would end the process.
  napi_value receiver;
  napi_value callback;
  napi_value result;
  if (napi_get_reference_value(env_, receiver_, &receiver) != napi_ok) return;
  if (napi_get_reference_value(env_, callback_, &callback) != napi_ok) return;
  const napi_status status =
      napi_make_callback(env_, context_, receiver, callback, count, arguments, &result);
  if (status != napi_pending_exception) return;
  // No JS frame below this one to throw to: it becomes an 'uncaughtException'.
  napi_value error;
  if (napi_get_and_clear_last_exception(env_, &error) == napi_ok) napi_fatal_exception(env_, error);
}

}  // namespace lunette

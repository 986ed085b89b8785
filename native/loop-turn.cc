// HOT PATH: Request and OnCheck run once a millisecond of a busy ring.
#include "loop-turn.h"

#include <uv.h>

#include "arguments.h"
#include "loop-callback.h"

namespace lunette {

namespace {

/**
 * A turn of the event loop that is asked for. While it is, an idle handle keeps the loop from waiting, and a check
 * handle calls back when the loop has looked at everything: what node:timers does for immediates.
 *
 * Lives until the environment goes, and for as long as libuv has the handles.
 */
class LoopTurn {
 public:
  LoopTurn(Napi::Object receiver, Napi::Function callback) : callback_(receiver.Env()) {
    const Napi::Env env = receiver.Env();
    uv_loop_t* loop = nullptr;
    Check(env, napi_get_uv_event_loop(env, &loop));
    callback_.Keep(receiver, callback, "requestTurn");
    uv_idle_init(loop, &idle_);
    uv_check_init(loop, &check_);
    idle_.data = check_.data = this;
    uv_unref(reinterpret_cast<uv_handle_t*>(&idle_));
    uv_unref(reinterpret_cast<uv_handle_t*>(&check_));
  }

  /** From then on it deletes itself. */
  void CloseWith(Napi::Env env) { Check(env, napi_add_async_cleanup_hook(env, OnEnvironmentCleanup, this, &hook_)); }

  void Request() {
    uv_idle_start(&idle_, [](uv_idle_t*) {});
    uv_check_start(&check_, OnCheck);
  }

 private:
  static void OnCheck(uv_check_t* handle) {
    auto* turn = static_cast<LoopTurn*>(handle->data);
    uv_idle_stop(&turn->idle_);
    uv_check_stop(&turn->check_);
    Napi::HandleScope scope(turn->callback_.Env());
    turn->callback_.Call();
  }

  static void OnEnvironmentCleanup(napi_async_cleanup_hook_handle, void* data) {
    auto* turn = static_cast<LoopTurn*>(data);
    uv_close(reinterpret_cast<uv_handle_t*>(&turn->idle_), OnClosed);
    uv_close(reinterpret_cast<uv_handle_t*>(&turn->check_), OnClosed);
  }

  static void OnClosed(uv_handle_t* handle) {
    auto* turn = static_cast<LoopTurn*>(handle->data);
    if (--turn->handles_ > 0) return;
    Napi::HandleScope scope(turn->callback_.Env());
    turn->callback_.Release();
    // Last: the environment may go as soon as the hook is gone.
    napi_remove_async_cleanup_hook(turn->hook_);
    delete turn;
  }

  LoopCallback callback_;
  uv_idle_t idle_{};
  uv_check_t check_{};
  /** Of the two, those that libuv still has. */
  int handles_ = 2;
  napi_async_cleanup_hook_handle hook_ = nullptr;
};

void Request(const Napi::CallbackInfo& info) { static_cast<LoopTurn*>(info.Data())->Request(); }

}  // namespace

Napi::Value OpenTurn(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Function callback = Function(info[0], {"openTurn", "callback"});
  auto* turn = new LoopTurn(Napi::Object::New(env), callback);
  turn->CloseWith(env);
  return Napi::Function::New(env, Request, "requestTurn", turn);
}

}  // namespace lunette

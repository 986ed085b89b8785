// HOT PATH: OnPoll and Call run once a wake-up.
#include "poller.h"

#include "syscall-error.h"

namespace lunette {

namespace {

void Check(Napi::Env env, napi_status status) {
  if (status != napi_ok) throw Napi::Error::New(env);
}

}  // namespace

std::shared_ptr<Poller> Poller::Open(Napi::Object receiver, Napi::Function callback, int fd,
                                     const char* resource, Ready ready, Rhythm rhythm) {
  std::shared_ptr<Poller> poller(new Poller(receiver.Env(), std::move(ready)));
  poller->Start(receiver, callback, fd, resource, rhythm);
  return poller;
}

void Poller::Start(Napi::Object receiver, Napi::Function callback, int fd, const char* resource,
                   Rhythm rhythm) {
  uv_loop_t* loop = nullptr;
  Check(env_, napi_get_uv_event_loop(env_, &loop));
  // A handle that failed to initialise must not be closed: so this comes first, and alone.
  const int initialised = uv_poll_init(loop, &poll_, fd);
  if (initialised != 0) throw SyscallError(env_, -initialised, "epoll_ctl");
  uv_prepare_init(loop, &prepare_);
  uv_unref(reinterpret_cast<uv_handle_t*>(&prepare_));
  handles_ = 2;
  poll_.data = prepare_.data = this;
  if (rhythm == Rhythm::dense) wait_.emplace(loop, fd);
  self_ = shared_from_this();

  try {
    Check(env_, napi_add_async_cleanup_hook(env_, OnEnvironmentCleanup, this, &hook_));
    Check(env_, napi_create_reference(env_, receiver, 1, &receiver_));
    Check(env_, napi_create_reference(env_, callback, 1, &callback_));
    Check(env_, napi_async_init(env_, receiver, Napi::String::New(env_, resource), &context_));
    const int started = uv_poll_start(&poll_, UV_READABLE, OnPoll);
    if (started != 0) throw SyscallError(env_, -started, "epoll_ctl");
  } catch (const Napi::Error&) {
    Close();
    throw;
  }
}

void Poller::SetRef(bool referenced) {
  if (!IsOpen()) return;
  auto* handle = reinterpret_cast<uv_handle_t*>(&poll_);
  referenced ? uv_ref(handle) : uv_unref(handle);
}

void Poller::Close() {
  if (!IsOpen()) return;
  closing_ = true;
  // Takes the descriptor out of epoll at once: its owner may close it when this returns.
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), OnClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&prepare_), OnClosed);
}

void Poller::Call() { Call(0, nullptr); }

void Poller::Call(napi_value argument) { Call(1, &argument); }

void Poller::Call(std::size_t count, const napi_value* arguments) {
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

void Poller::OnPoll(uv_poll_t* handle, int status, int) {
  auto* poller = static_cast<Poller*>(handle->data);
  poller->Serve(status);
  if (poller->wait_ && poller->IsOpen()) uv_prepare_start(&poller->prepare_, OnPrepare);
}

void Poller::OnPrepare(uv_prepare_t* handle) {
  auto* poller = static_cast<Poller*>(handle->data);
  uv_prepare_stop(handle);
  poller->wait_->Run([poller] {
    poller->Serve(0);
    return poller->IsOpen();
  });
}

void Poller::Serve(int status) {
  Napi::HandleScope scope(env_);
  try {
    ready_(*this, status);
  } catch (const Napi::Error& error) {
    napi_fatal_exception(env_, error.Value());
  }
}

void Poller::OnClosed(uv_handle_t* handle) {
  auto* poller = static_cast<Poller*>(handle->data);
  if (--poller->handles_ > 0) return;
  Napi::HandleScope scope(poller->env_);
  if (poller->context_ != nullptr) napi_async_destroy(poller->env_, poller->context_);
  if (poller->callback_ != nullptr) napi_delete_reference(poller->env_, poller->callback_);
  if (poller->receiver_ != nullptr) napi_delete_reference(poller->env_, poller->receiver_);
  // Last: the environment may go as soon as the hook is gone.
  if (poller->hook_ != nullptr) napi_remove_async_cleanup_hook(poller->hook_);
  poller->self_.reset();
}

void Poller::OnEnvironmentCleanup(napi_async_cleanup_hook_handle, void* poller) {
  static_cast<Poller*>(poller)->Close();
}

}  // namespace lunette

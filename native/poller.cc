// HOT PATH: OnPoll and Call run once a wake-up.
#include "poller.h"

#include "syscall-error.h"

namespace lunette {

std::shared_ptr<Poller> Poller::Open(Napi::Object receiver, Napi::Function callback, int fd,
                                     const char* resource, Ready ready, Rhythm rhythm) {
  std::shared_ptr<Poller> poller(new Poller(receiver.Env(), std::move(ready)));
  poller->Start(receiver, callback, fd, resource, rhythm);
  return poller;
}

void Poller::Start(Napi::Object receiver, Napi::Function callback, int fd, const char* resource,
                   Rhythm rhythm) {
  uv_loop_t* loop = nullptr;
  Check(Env(), napi_get_uv_event_loop(Env(), &loop));
  // A handle that failed to initialise must not be closed: so this comes first, and alone.
  const int initialised = uv_poll_init(loop, &poll_, fd);
  if (initialised != 0) throw SyscallError(Env(), -initialised, "epoll_ctl");
  uv_prepare_init(loop, &prepare_);
  uv_unref(reinterpret_cast<uv_handle_t*>(&prepare_));
  handles_ = 2;
  poll_.data = prepare_.data = this;
  if (rhythm == Rhythm::dense) wait_.emplace(loop, fd);
  self_ = shared_from_this();

  try {
    Check(Env(), napi_add_async_cleanup_hook(Env(), OnEnvironmentCleanup, this, &hook_));
    callback_.Keep(receiver, callback, resource);
    const int started = uv_poll_start(&poll_, UV_READABLE, OnPoll);
    if (started != 0) throw SyscallError(Env(), -started, "epoll_ctl");
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

void Poller::Call() { callback_.Call(); }

void Poller::Call(napi_value argument) { callback_.Call(1, &argument); }

void Poller::OnPoll(uv_poll_t* handle, int status, int) {
  auto* poller = static_cast<Poller*>(handle->data);
  poller->Serve(status);
  if (poller->wait_ && !poller->several_ && poller->IsOpen()) uv_prepare_start(&poller->prepare_, OnPrepare);
}

void Poller::OnPrepare(uv_prepare_t* handle) {
  auto* poller = static_cast<Poller*>(handle->data);
  uv_prepare_stop(handle);
  poller->wait_->Run([poller] {
    poller->Serve(0);
    return poller->IsOpen() && !poller->several_;
  });
}

void Poller::Serve(int status) {
  Napi::HandleScope scope(Env());
  try {
    ready_(*this, status);
  } catch (const Napi::Error& error) {
    napi_fatal_exception(Env(), error.Value());
  }
}

void Poller::OnClosed(uv_handle_t* handle) {
  auto* poller = static_cast<Poller*>(handle->data);
  if (--poller->handles_ > 0) return;
  Napi::HandleScope scope(poller->Env());
  poller->callback_.Release();
  // Last: the environment may go as soon as the hook is gone.
  if (poller->hook_ != nullptr) napi_remove_async_cleanup_hook(poller->hook_);
  poller->self_.reset();
}

void Poller::OnEnvironmentCleanup(napi_async_cleanup_hook_handle, void* poller) {
  static_cast<Poller*>(poller)->Close();
}

}  // namespace lunette

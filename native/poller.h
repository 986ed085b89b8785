#pragma once

#include <napi.h>
#include <uv.h>

#include <functional>
#include <memory>
#include <optional>

#include "direct-wait.h"
#include "loop-callback.h"

namespace lunette {

/**
 * One descriptor watched for input in the event loop of the thread that opened the poller, and the JS function
 * its input is handed to.
 *
 * An open poller keeps `receiver`, the handle that owns the descriptor, from being collected: like a server of
 * node:net, a handle that listens lives until it is closed. Closing is idempotent, and happens by itself when
 * the environment goes (a terminated worker). libuv's handle outlives Close() by a turn of the loop, so the
 * poller owns itself until then; the owner's pointer may go at any time.
 */
class Poller : public std::enable_shared_from_this<Poller> {
 public:
  /**
   * `dense`: one input often follows close upon another, and is waited for without a turn of the event loop, unless
   * several signals come at a time.
   */
  enum class Rhythm { sparse, dense };

  /** Runs when the descriptor has input (status 0) or polling failed (a negative errno); hands input to Call(). */
  using Ready = std::function<void(Poller&, int status)>;

  /**
   * @param receiver `this` of the callback
   * @param fd must stay open until Close()
   * @param resource names the async resource: `UioRegion`
   * @param rhythm how input comes
   */
  static std::shared_ptr<Poller> Open(Napi::Object receiver, Napi::Function callback, int fd,
                                      const char* resource, Ready ready, Rhythm rhythm);
  ~Poller() = default;
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  Napi::Env Env() const { return callback_.Env(); }
  bool IsOpen() const { return self_ != nullptr && !closing_; }
  /**
   * Only from Ready: the input stands for several signals. The next ones, too, come together where the loop has its turn
   * first, and are served at less cost than one by one.
   */
  void NoteSeveral(bool several) { several_ = several; }
  /** Keep, or no longer keep, the event loop alive. */
  void SetRef(bool referenced);
  void Close();

  /** Only from Ready. What the callback throws becomes an uncaught exception. */
  void Call();
  void Call(napi_value argument);

 private:
  Poller(Napi::Env env, Ready ready) : ready_(std::move(ready)), callback_(env) {}
  void Start(Napi::Object receiver, Napi::Function callback, int fd, const char* resource, Rhythm rhythm);
  void Serve(int status);

  static void OnPoll(uv_poll_t* handle, int status, int events);
  static void OnPrepare(uv_prepare_t* handle);
  static void OnClosed(uv_handle_t* handle);
  static void OnEnvironmentCleanup(napi_async_cleanup_hook_handle hook, void* poller);

  Ready ready_;
  uv_poll_t poll_{};
  /** Active from an input to the end of the event loop's turn: then the next one is waited for. */
  uv_prepare_t prepare_{};
  std::optional<DirectWait> wait_;
  /** Of the two handles, those that libuv still has. */
  int handles_ = 0;
  bool several_ = false;
  bool closing_ = false;
  LoopCallback callback_;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  std::shared_ptr<Poller> self_;
};

}  // namespace lunette

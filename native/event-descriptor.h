#pragma once

#include <napi.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "poller.h"
#include "unique-fd.h"

namespace lunette {

/**
 * A descriptor that signals by a counter: read it to take a pending signal, write it to give one. An eventfd's
 * counter is 8 bytes wide, a UIO device's 4.
 */
class EventDescriptor {
 public:
  /** Bytes of an eventfd's counter. */
  static constexpr std::size_t kEventfdWidth = 8;

  EventDescriptor() = default;
  /** A new eventfd. */
  static EventDescriptor Create(Napi::Env env);
  /** @param path only names the file in an error */
  EventDescriptor(UniqueFd fd, std::size_t width, std::string path = {});
  ~EventDescriptor() { Close(); }
  EventDescriptor(EventDescriptor&&) = default;
  EventDescriptor& operator=(EventDescriptor&&) = default;

  int Fd() const { return fd_.Get(); }
  /** Give the signal. */
  void Raise(Napi::Env env);
  /**
   * Call back at each signal; it is taken off the descriptor first, so that one which comes during the callback
   * calls again. Where the descriptor fails, polling stops and the callback gets the error.
   *
   * @param name of the class, for messages and the async resource
   * @param wanted asked at each signal that was taken: false where the callback would find nothing to do
   */
  void Listen(Napi::Object receiver, Napi::Function callback, const char* name,
              std::function<bool()> wanted = [] { return true; });
  /** Whether listening keeps the event loop alive; may come before Listen(). */
  void SetRef(bool referenced);
  void Close();

 private:
  UniqueFd fd_;
  std::size_t width_ = 0;
  std::string path_;
  bool referenced_ = true;
  std::shared_ptr<Poller> poller_;
};

}  // namespace lunette

#pragma once

#include <napi.h>

#include <memory>

#include "poller.h"
#include "unique-fd.h"

namespace lunette {

/** A generic-netlink socket: whole datagrams in and out, no parsing. */
class NetlinkSocket : public Napi::ObjectWrap<NetlinkSocket> {
 public:
  static constexpr const char* kName = "NetlinkSocket";
  static Napi::Function Define(Napi::Env env);
  explicit NetlinkSocket(const Napi::CallbackInfo& info);
  ~NetlinkSocket() override { CloseAll(); }

 private:
  void SetReceiveBuffer(Napi::Env env, int size);
  void Bind(Napi::Env env);
  void DefineNumber(const char* name, double value);
  void CheckOpen(Napi::Env env, const char* method) const;
  void CloseAll();

  void Send(const Napi::CallbackInfo& info);
  void OnMessage(const Napi::CallbackInfo& info);
  void JoinGroup(const Napi::CallbackInfo& info);
  void SetRef(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  UniqueFd fd_;
  bool referenced_ = true;
  std::shared_ptr<Poller> poller_;
};

}  // namespace lunette

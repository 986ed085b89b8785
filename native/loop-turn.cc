// HOT PATH: Request runs once a millisecond of a busy ring.
#include "loop-turn.h"

#include "arguments.h"
#include "event-descriptor.h"

namespace lunette {

namespace {

void Request(const Napi::CallbackInfo& info) { static_cast<EventDescriptor*>(info.Data())->Raise(info.Env()); }

}  // namespace

Napi::Value OpenTurn(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Function callback = Function(info[0], {"openTurn", "callback"});
  auto* event = new EventDescriptor(EventDescriptor::Create(env));
  Napi::Function request = Napi::Function::New(env, Request, "requestTurn", event);
  request.AddFinalizer([](Napi::Env, EventDescriptor* event) { delete event; }, event);
  // A listener keeps its receiver: the descriptor stays open until the environment goes.
  event->Listen(request, callback, "requestTurn");
  event->SetRef(false);
  return request;
}

}  // namespace lunette

// HOT PATH: Read runs for one command in sixteen.
#include "clock.h"

#include <time.h>

namespace lunette {

namespace {

/** Where the time goes. Lives as long as the function that reads the clock. */
struct Time {
  Napi::Reference<Napi::ArrayBuffer> buffer;
  double* milliseconds;
};

void Read(const Napi::CallbackInfo& info) {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  *static_cast<Time*>(info.Data())->milliseconds =
      static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

}  // namespace

Napi::Value OpenClock(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, sizeof(double));
  auto* time = new Time{Napi::Persistent(buffer), static_cast<double*>(buffer.Data())};
  Napi::Function read = Napi::Function::New(env, Read, "readClock", time);
  read.AddFinalizer([](Napi::Env, Time* time) { delete time; }, time);
  Napi::Object clock = Napi::Object::New(env);
  clock.Set("time", buffer);
  clock.Set("read", read);
  return clock;
}

}  // namespace lunette

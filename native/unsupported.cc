#include <napi.h>

namespace {

Napi::Object Initialise(Napi::Env env, Napi::Object) {
  throw Napi::Error::New(env, "lunette: TCMU, netlink and the file I/O of the addon need Linux");
}

}  // namespace

NODE_API_MODULE(lunette, Initialise)

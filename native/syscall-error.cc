#include "syscall-error.h"

#include <uv.h>

namespace lunette {

Napi::Error SyscallError(Napi::Env env, int error, const char* syscall, const std::string& path) {
  // libuv's names and texts, so that these errors read like those of node:fs.
  char code[64];
  char text[128];
  uv_err_name_r(-error, code, sizeof code);
  uv_strerror_r(-error, text, sizeof text);

  std::string message = std::string(syscall) + ": " + code + ", " + text;
  if (!path.empty()) message += " '" + path + "'";

  Napi::Error result = Napi::Error::New(env, message);
  Napi::Object properties = result.Value();
  properties.Set("code", Napi::String::New(env, code));
  properties.Set("errno", Napi::Number::New(env, -error));
  properties.Set("syscall", Napi::String::New(env, syscall));
  if (!path.empty()) properties.Set("path", Napi::String::New(env, path));
  return result;
}

}  // namespace lunette

#include "arguments.h"

#include <climits>
#include <cmath>

namespace lunette {

namespace {

std::string Label(ArgumentName name) { return std::string(name.callee) + ": " + name.argument; }

[[noreturn]] void ThrowType(Napi::Value value, ArgumentName name, const char* expected) {
  throw Napi::TypeError::New(value.Env(), Label(name) + " must be " + expected);
}

}  // namespace

std::int64_t Integer(Napi::Value value, ArgumentName name, std::int64_t min, std::int64_t max) {
  if (!value.IsNumber()) ThrowType(value, name, "a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  // The comparison is false for NaN as well.
  const bool inRange = number >= static_cast<double>(min) && number <= static_cast<double>(max);
  if (!inRange || std::trunc(number) != number) {
    throw Napi::RangeError::New(value.Env(), Label(name) + " must be an integer from " + std::to_string(min) +
                                                 " to " + std::to_string(max));
  }
  return static_cast<std::int64_t>(number);
}

int Descriptor(Napi::Value value, ArgumentName name) {
  return static_cast<int>(Integer(value, name, 0, INT_MAX));
}

bool Boolean(Napi::Value value, ArgumentName name) {
  if (!value.IsBoolean()) ThrowType(value, name, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

std::string String(Napi::Value value, ArgumentName name) {
  if (!value.IsString()) ThrowType(value, name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

std::string Path(Napi::Value value, ArgumentName name) {
  std::string path = String(value, name);
  if (path.empty() || path.find('\0') != std::string::npos) {
    ThrowType(value, name, "a path: not empty and without a NUL");
  }
  return path;
}

Napi::Function Function(Napi::Value value, ArgumentName name) {
  if (!value.IsFunction()) ThrowType(value, name, "a function");
  return value.As<Napi::Function>();
}

Bytes ByteArray(Napi::Value value, ArgumentName name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    ThrowType(value, name, "a Uint8Array");
  }
  // The plain call: Napi::Uint8Array would ask for the ArrayBuffer too and refuse a SharedArrayBuffer's view.
  Bytes bytes{nullptr, 0};
  void* data = nullptr;
  const napi_status status =
      napi_get_typedarray_info(value.Env(), value, nullptr, &bytes.size, &data, nullptr, nullptr);
  if (status != napi_ok) throw Napi::Error::New(value.Env());
  bytes.data = static_cast<std::uint8_t*>(data);
  return bytes;
}

}  // namespace lunette

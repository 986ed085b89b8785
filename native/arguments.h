/*
 * Checked arguments: each function throws a TypeError or RangeError that names the callee and the argument.
 */
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace lunette {

/** The largest integer a JS number holds exactly. */
constexpr std::int64_t kMaxSafeInteger = (std::int64_t{1} << 53) - 1;

/** What a message calls the argument: `punchHole: length`. */
struct ArgumentName {
  const char* callee;
  const char* argument;
};

std::int64_t Integer(Napi::Value value, ArgumentName name, std::int64_t min, std::int64_t max);

/** A file descriptor number; whether it is open is for the system call to say. */
int Descriptor(Napi::Value value, ArgumentName name);

bool Boolean(Napi::Value value, ArgumentName name);

std::string String(Napi::Value value, ArgumentName name);

/** A file system path: not empty, no NUL. */
std::string Path(Napi::Value value, ArgumentName name);

Napi::Function Function(Napi::Value value, ArgumentName name);

/** Memory of a Uint8Array (or Buffer), good until JS runs again. Of a detached one the size is 0. */
struct Bytes {
  std::uint8_t* data;
  std::size_t size;
};
Bytes ByteArray(Napi::Value value, ArgumentName name);

}  // namespace lunette

#pragma once

#include <napi.h>

#include <string>

namespace lunette {

/**
 * An Error for a failed system call, with the properties `code`, `errno` (negative), `syscall` and, where one
 * is given, `path`. Its message reads `open: EBUSY, resource busy or locked '/dev/uio0'`.
 *
 * @param error errno as the call left it, positive
 */
Napi::Error SyscallError(Napi::Env env, int error, const char* syscall, const std::string& path = {});

}  // namespace lunette

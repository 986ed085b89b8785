#include "scsi-generic.h"

#include <fcntl.h>
#include <poll.h>
#include <scsi/sg.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <string>

#include "arguments.h"
#include "syscall-error.h"
#include "unique-fd.h"

namespace lunette {

namespace {

constexpr std::uint8_t kInquiry = 0x12;
constexpr std::uint8_t kLength = 36;

}  // namespace

/*
 * write(2) and read(2) of the sg driver, not SG_IO: a command that nobody answers then costs the wait that was asked
 * for, and no process hangs in the kernel. Its time-out is long, so that the initiator's error handling, which
 * resets devices, is not begun for its sake.
 */
Napi::Value Inquire(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = Path(info[0], {"inquire", "path"});
  const int wait = static_cast<int>(Integer(info[1], {"inquire", "milliseconds"}, 0, 60'000));
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd.IsOpen()) throw SyscallError(env, errno, "open", path);

  std::array<std::uint8_t, 6> cdb{kInquiry, 0, 0, 0, kLength, 0};
  std::array<std::uint8_t, kLength> data{};
  std::array<std::uint8_t, 32> sense{};
  sg_io_hdr_t header{};
  header.interface_id = 'S';
  header.dxfer_direction = SG_DXFER_FROM_DEV;
  header.cmdp = cdb.data();
  header.cmd_len = cdb.size();
  header.dxferp = data.data();
  header.dxfer_len = data.size();
  header.sbp = sense.data();
  header.mx_sb_len = sense.size();
  header.timeout = 600'000;
  if (::write(fd.Get(), &header, sizeof header) < 0) throw SyscallError(env, errno, "write", path);

  pollfd waiting{fd.Get(), POLLIN, 0};
  int ready;
  do {
    ready = ::poll(&waiting, 1, wait);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) throw SyscallError(env, errno, "poll", path);
  if (ready == 0) return env.Undefined();
  if (::read(fd.Get(), &header, sizeof header) < 0) throw SyscallError(env, errno, "read", path);

  Napi::Object answer = Napi::Object::New(env);
  answer.Set("status", Napi::Number::New(env, header.status));
  Napi::ArrayBuffer bytes = Napi::ArrayBuffer::New(env, header.sb_len_wr);
  std::copy(sense.begin(), sense.begin() + header.sb_len_wr, static_cast<std::uint8_t*>(bytes.Data()));
  answer.Set("sense", Napi::Uint8Array::New(env, header.sb_len_wr, bytes, 0));
  return answer;
}

}  // namespace lunette

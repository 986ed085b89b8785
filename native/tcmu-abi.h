/*
 * The TCMU shared-memory layout, ABI version 2, of a 64-bit little-endian Linux (uapi/linux/target_core_user.h,
 * 6.1). Declared here because that header does not compile as C++. src/ring/abi.ts has the same numbers.
 */
#pragma once

#include <cstddef>
#include <cstdint>

namespace lunette::tcmu {

/** At the start of the region. `cmd_head` is the kernel's to write, `cmd_tail` ours, each on its cache line. */
struct Mailbox {
  std::uint16_t version;
  std::uint16_t flags;
  std::uint32_t cmdr_off;
  std::uint32_t cmdr_size;
  std::uint32_t cmd_head;
  std::uint8_t pad0[48];
  std::uint32_t cmd_tail;
  std::uint8_t pad1[60];
};

struct EntryHeader {
  std::uint32_t len_op;
  std::uint16_t cmd_id;
  std::uint8_t kflags;
  std::uint8_t uflags;
};

struct Iovec {
  std::uint64_t base;
  std::uint64_t length;
};

/** A command as the kernel writes it; `sizeof(CommandResponse)` is the least length of an entry. */
struct CommandRequest {
  EntryHeader hdr;
  std::uint32_t iov_cnt;
  std::uint32_t iov_bidi_cnt;
  std::uint32_t iov_dif_cnt;
  std::uint64_t cdb_off;
  std::uint64_t pad1;
  std::uint64_t pad2;
  Iovec iov[1];
};

/** The answer, written over the request. */
struct CommandResponse {
  EntryHeader hdr;
  std::uint8_t scsi_status;
  std::uint8_t pad1;
  std::uint16_t pad2;
  std::uint32_t read_len;
  std::uint8_t sense_buffer[96];
};

struct TmrEntry {
  EntryHeader hdr;
  std::uint8_t tmr_type;
  std::uint8_t pad1;
  std::uint16_t pad2;
  std::uint32_t cmd_cnt;
  std::uint64_t pad3;
  std::uint64_t pad4;
  std::uint16_t cmd_ids[1];
};

static_assert(sizeof(Mailbox) == 128);
static_assert(offsetof(Mailbox, version) == 0);
static_assert(offsetof(Mailbox, flags) == 2);
static_assert(offsetof(Mailbox, cmdr_off) == 4);
static_assert(offsetof(Mailbox, cmdr_size) == 8);
static_assert(offsetof(Mailbox, cmd_head) == 12);
static_assert(offsetof(Mailbox, cmd_tail) == 64);

static_assert(sizeof(EntryHeader) == 8);
static_assert(offsetof(EntryHeader, len_op) == 0);
static_assert(offsetof(EntryHeader, cmd_id) == 4);
static_assert(offsetof(EntryHeader, kflags) == 6);
static_assert(offsetof(EntryHeader, uflags) == 7);

static_assert(sizeof(Iovec) == 16);
static_assert(offsetof(CommandRequest, iov_cnt) == 8);
static_assert(offsetof(CommandRequest, iov_bidi_cnt) == 12);
static_assert(offsetof(CommandRequest, iov_dif_cnt) == 16);
static_assert(offsetof(CommandRequest, cdb_off) == 24);
static_assert(offsetof(CommandRequest, iov) == 48);

static_assert(sizeof(CommandResponse) == 112);
static_assert(offsetof(CommandResponse, scsi_status) == 8);
static_assert(offsetof(CommandResponse, read_len) == 12);
static_assert(offsetof(CommandResponse, sense_buffer) == 16);

static_assert(offsetof(TmrEntry, tmr_type) == 8);
static_assert(offsetof(TmrEntry, cmd_cnt) == 12);
static_assert(offsetof(TmrEntry, cmd_ids) == 32);

}  // namespace lunette::tcmu

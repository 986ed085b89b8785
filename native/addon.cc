#include <napi.h>

#include "clock.h"
#include "file-io.h"
#include "mapped-file.h"
#include "io-flusher.h"
#include "loop-turn.h"
#include "memory-lock.h"
#include "memory-region.h"
#include "netlink-socket.h"
#include "scsi-generic.h"
#include "page-memory.h"
#include "parent-death.h"
#include "peer-credentials.h"
#include "sd-notify.h"
#include "uio-region.h"

namespace lunette {

namespace {

/** NativeBinding in src/native/addon.ts. Runs once for each thread that loads the addon. */
Napi::Object Initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("UioRegion", UioRegion::Define(env));
  exports.Set("MappedFile", MappedFile::Define(env));
  exports.Set("MemoryRegion", MemoryRegion::Define(env));
  exports.Set("NetlinkSocket", NetlinkSocket::Define(env));
  exports.Set("notify", Napi::Function::New(env, Notify, "notify"));
  exports.Set("setIoFlusher", Napi::Function::New(env, SetIoFlusher, "setIoFlusher"));
  exports.Set("lockMemory", Napi::Function::New(env, LockMemory, "lockMemory"));
  exports.Set("dieWithParent", Napi::Function::New(env, DieWithParent, "dieWithParent"));
  exports.Set("inquire", Napi::Function::New(env, Inquire, "inquire"));
  exports.Set("peerCredentials", Napi::Function::New(env, PeerCredentials, "peerCredentials"));
  exports.Set("openClock", Napi::Function::New(env, OpenClock, "openClock"));
  exports.Set("openTurn", Napi::Function::New(env, OpenTurn, "openTurn"));
  exports.Set("pageMemory", Napi::Function::New(env, PageMemory, "pageMemory"));
  exports.Set("readPages", Napi::Function::New<ReadPages>(env, "readPages"));
  exports.Set("collapsePages", Napi::Function::New(env, CollapsePages, "collapsePages"));
  exports.Set("dropPages", Napi::Function::New(env, DropPages, "dropPages"));
  DefineFileIo(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(lunette, Initialise)

}  // namespace lunette

#include "region-memory.h"

namespace lunette {

namespace {

using Share = std::shared_ptr<Mapping>;

void DropShare(Napi::Env, void*, Share* share) { delete share; }

}  // namespace

RegionMemory::RegionMemory(Napi::Env env, std::unique_ptr<Mapping> mapping) : mapping_(std::move(mapping)) {
  auto share = std::make_unique<Share>(mapping_);
  const Napi::ArrayBuffer buffer =
      Napi::ArrayBuffer::New(env, mapping_->Data(), mapping_->Size(), DropShare, share.get());
  share.release();
  buffer_ = Napi::Persistent(buffer);
  Napi::Uint32Array fetched =
      Napi::Uint32Array::New(env, 1, Napi::ArrayBuffer::New(env, sizeof(std::uint32_t)), 0);
  // No position: a consumer that never notes one is called at each wake-up.
  fetched.Data()[0] = UINT32_MAX;
  fetchedPosition_ = fetched.Data();
  fetched_ = Napi::Persistent(fetched);
}

void RegionMemory::Close() {
  if (!IsOpen()) return;
  Napi::ArrayBuffer buffer = buffer_.Value();
  // Detached by someone else: its memory moved to another ArrayBuffer, which unmaps it when it is collected.
  if (!buffer.IsDetached()) {
    buffer.Detach();
    mapping_->Unmap();
  }
  mapping_.reset();
}

}  // namespace lunette

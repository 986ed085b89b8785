#include "region-memory.h"

namespace lunette {

namespace {

using Share = std::shared_ptr<Mapping>;

void DropShare(Napi::Env, void*, Share* share) { delete share; }

using Position = std::shared_ptr<std::uint32_t>;

void DropPosition(Napi::Env, void*, Position* position) { delete position; }

}  // namespace

RegionMemory::RegionMemory(Napi::Env env, std::unique_ptr<Mapping> mapping) : mapping_(std::move(mapping)) {
  auto share = std::make_unique<Share>(mapping_);
  const Napi::ArrayBuffer buffer =
      Napi::ArrayBuffer::New(env, mapping_->Data(), mapping_->Size(), DropShare, share.get());
  share.release();
  buffer_ = Napi::Persistent(buffer);
  auto position = std::make_unique<Position>(fetchedPosition_);
  const Napi::ArrayBuffer fetched =
      Napi::ArrayBuffer::New(env, fetchedPosition_.get(), sizeof(std::uint32_t), DropPosition, position.get());
  position.release();
  fetched_ = Napi::Persistent(Napi::Uint32Array::New(env, 1, fetched, 0));
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

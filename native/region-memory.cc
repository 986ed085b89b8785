#include "region-memory.h"

#include <algorithm>

namespace lunette {

namespace {

using Position = std::shared_ptr<std::uint32_t>;

void DropPosition(Napi::Env, void*, Position* position) { delete position; }

}  // namespace

RegionMemory::RegionMemory(Napi::Env env, std::unique_ptr<Mapping> mapping) : mapping_(std::move(mapping)) {
  buffer_ = Napi::Persistent(BufferOf(env, mapping_, std::min(mapping_->Size(), kBufferSize)));
  auto position = std::make_unique<Position>(fetchedPosition_);
  const Napi::ArrayBuffer fetched =
      Napi::ArrayBuffer::New(env, fetchedPosition_.get(), sizeof(std::uint32_t), DropPosition, position.get());
  position.release();
  fetched_ = Napi::Persistent(Napi::Uint32Array::New(env, 1, fetched, 0));
}

Napi::Value RegionMemory::Whole(Napi::Env env) {
  if (mapping_->Size() <= kBufferSize) return buffer_.Value();
  if (whole_.IsEmpty()) whole_ = Napi::Persistent(BufferOf(env, mapping_, mapping_->Size()));
  return whole_.Value();
}

void RegionMemory::Close() {
  if (!IsOpen()) return;
  bool isShared = false;
  for (const auto* reference : {&buffer_, &whole_}) {
    if (reference->IsEmpty()) continue;
    Napi::ArrayBuffer buffer = reference->Value();
    // Detached by someone else: its memory moved to another ArrayBuffer, which unmaps it when it is collected.
    if (buffer.IsDetached()) isShared = true;
    else buffer.Detach();
  }
  if (!isShared) mapping_->Unmap();
  mapping_.reset();
}

}  // namespace lunette

// HOT PATH: ReadPages runs once a command.
#include "page-memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>

#include "arguments.h"
#include "syscall-error.h"

namespace lunette {

namespace {

constexpr std::int64_t kPage = 4096;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

/** MADV_COLLAPSE of Linux 6.1; Debian 12's headers lack it. */
constexpr int kCollapse = 25;

/** Has the kernel copy memory into huge pages, in a thread of libuv's: it takes some 10 ms for each. */
class CollapseWorker : public Napi::AsyncWorker {
 public:
  CollapseWorker(Napi::Env env, Napi::ArrayBuffer memory)
      : Napi::AsyncWorker(env, "collapsePages"),
        memory_(Napi::Persistent(memory)),
        data_(memory.Data()),
        size_(memory.ByteLength()),
        deferred_(Napi::Promise::Deferred::New(env)) {}

  Napi::Promise Promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    // Else a page of it that is dropped and written again splits it for good.
    ::madvise(data_, size_, MADV_HUGEPAGE);
    collapsed_ = ::madvise(data_, size_, kCollapse) == 0;
  }
  void OnOK() override { deferred_.Resolve(Napi::Boolean::New(Env(), collapsed_)); }

 private:
  /** Keeps the memory mapped. */
  Napi::Reference<Napi::ArrayBuffer> memory_;
  void* data_;
  std::size_t size_;
  bool collapsed_ = false;
  Napi::Promise::Deferred deferred_;
};

/** Unmaps when the ArrayBuffer is gone. */
struct Pages {
  void* data;
  std::size_t size;
  ~Pages() { ::munmap(data, size); }
};

/** Address space that begins where a huge page can. */
void* MapAligned(std::size_t size) {
  // NORESERVE: most of it may never be written.
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* mapped = ::mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE, kFlags, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* start = static_cast<std::uint8_t*>(mapped);
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(start) & (kHugePage - 1);
  if (before != 0) ::munmap(start, before);
  const std::size_t used = (size + kPage - 1) & -static_cast<std::size_t>(kPage);
  ::munmap(start + before + used, kHugePage - before + size - used);
  return start + before;
}

}  // namespace

Napi::Value PageMemory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto size = static_cast<std::size_t>(Integer(info[0], {"pageMemory", "size"}, 1, kMaxSafeInteger));
  void* data = MapAligned(size);
  if (data == nullptr) throw SyscallError(env, errno, "mmap");
  auto pages = std::unique_ptr<Pages>(new Pages{data, size});
  const Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(
      env, data, size, [](Napi::Env, void*, Pages* pages) { delete pages; }, pages.get());
  pages.release();
  return buffer;
}

void ReadPages(const Napi::CallbackInfo& info) {
  // Plain Node-API: what a wrapper would check once more is a tenth of a copy of 4 KiB.
  const Napi::Env env = info.Env();
  void* memory = nullptr;
  std::size_t size = 0;
  double offset = 0;
  if (napi_get_arraybuffer_info(env, info[0], &memory, &size) != napi_ok) {
    throw Napi::TypeError::New(env, "readPages: memory must be an ArrayBuffer");
  }
  if (napi_get_value_double(env, info[1], &offset) != napi_ok) {
    throw Napi::TypeError::New(env, "readPages: offset must be a number");
  }
  const Bytes buffer = ByteArray(info[2], {"readPages", "buffer"});
  // False for NaN as well.
  if (!(offset >= 0 && buffer.size <= size && offset <= static_cast<double>(size - buffer.size))) {
    throw Napi::RangeError::New(env, "readPages: offset and the buffer's length reach out of the memory");
  }
  // Nothing to copy may have no address.
  if (buffer.size == 0) return;
  std::memcpy(buffer.data, static_cast<std::uint8_t*>(memory) + static_cast<std::size_t>(offset), buffer.size);
}

Napi::Value CollapsePages(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsArrayBuffer()) throw Napi::TypeError::New(env, "collapsePages: memory must be an ArrayBuffer");
  auto worker = std::make_unique<CollapseWorker>(env, info[0].As<Napi::ArrayBuffer>());
  const Napi::Promise promise = worker->Promise();
  worker->Queue();
  // It deletes itself.
  worker.release();
  return promise;
}

void DropPages(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsArrayBuffer()) throw Napi::TypeError::New(env, "dropPages: memory must be an ArrayBuffer");
  auto memory = info[0].As<Napi::ArrayBuffer>();
  const auto size = static_cast<std::int64_t>(memory.ByteLength());
  const std::int64_t offset = Integer(info[1], {"dropPages", "offset"}, 0, size);
  const std::int64_t length = Integer(info[2], {"dropPages", "length"}, 0, size - offset);
  if (((offset | length) & (kPage - 1)) != 0) {
    throw Napi::RangeError::New(env, "dropPages: offset and length must be multiples of 4096");
  }
  if (::madvise(static_cast<std::uint8_t*>(memory.Data()) + offset, static_cast<std::size_t>(length),
                MADV_DONTNEED) != 0) {
    throw SyscallError(env, errno, "madvise");
  }
}

}  // namespace lunette

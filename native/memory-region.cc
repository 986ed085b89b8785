#include "memory-region.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "syscall-error.h"

namespace lunette {

namespace {

/** What makes a mapping of the whole file safe: it can never become shorter than it was. */
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

std::int64_t Size(Napi::Value value) {
  return Integer(value, {MemoryRegion::kName, "size"}, RegionMemory::kMinSize, kMaxSafeInteger);
}

UniqueFd Duplicate(Napi::Env env, int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy.IsOpen()) throw SyscallError(env, errno, "fcntl");
  return copy;
}

}  // namespace

Napi::Function MemoryRegion::Define(Napi::Env env) {
  Methods methods = ConsumerMethods();
  methods.push_back(InstanceMethod("storeHead", &MemoryRegion::StoreHead));
  methods.push_back(InstanceMethod("loadTail", &MemoryRegion::LoadTail));
  methods.push_back(InstanceMethod("wake", &MemoryRegion::Wake));
  methods.push_back(InstanceMethod("onDoorbell", &MemoryRegion::OnDoorbell));
  methods.push_back(StaticMethod("attach", &MemoryRegion::Attach));
  const Napi::Function constructor = DefineClass(env, kName, methods);
  // For attach(), which makes an instance; nothing else of the addon needs instance data.
  env.SetInstanceData(new Napi::FunctionReference(Napi::Persistent(constructor)));
  return constructor;
}

MemoryRegion::MemoryRegion(const Napi::CallbackInfo& info) : RegionHandle(info) {
  const Napi::Env env = info.Env();
  // attach() comes this way too, with the other's descriptors in the place of a size.
  if (info[0].IsObject()) {
    AttachTo(env, info[0].As<Napi::Object>());
  } else {
    CreateNew(env, info[0]);
  }
  DefineMemory();
  DefineProperty("descriptors", Descriptors(env));
}

Napi::Value MemoryRegion::Attach(const Napi::CallbackInfo& info) {
  if (!info[0].IsObject()) {
    throw Napi::TypeError::New(info.Env(), "MemoryRegion.attach: descriptors must be an object");
  }
  return info.Env().GetInstanceData<Napi::FunctionReference>()->New({info[0]});
}

void MemoryRegion::CreateNew(Napi::Env env, Napi::Value value) {
  const std::int64_t size = Size(value);
  file_ = UniqueFd(::memfd_create("lunette-region", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file_.IsOpen()) throw SyscallError(env, errno, "memfd_create");
  if (::ftruncate(file_.Get(), size) != 0) throw SyscallError(env, errno, "ftruncate");
  if (::fcntl(file_.Get(), F_ADD_SEALS, kSeals) != 0) throw SyscallError(env, errno, "fcntl");
  wake_ = EventDescriptor::Create(env);
  doorbell_ = EventDescriptor::Create(env);
  Map(env, size);
}

void MemoryRegion::AttachTo(Napi::Env env, Napi::Object descriptors) {
  const int memory = Descriptor(descriptors.Get("memory"), {kName, "memory"});
  const int wake = Descriptor(descriptors.Get("wake"), {kName, "wake"});
  const int doorbell = Descriptor(descriptors.Get("doorbell"), {kName, "doorbell"});
  const std::int64_t size = Size(descriptors.Get("size"));

  file_ = Duplicate(env, memory);
  struct stat status;
  if (::fstat(file_.Get(), &status) != 0) throw SyscallError(env, errno, "fstat");
  // Also what tells a region's memory from a number that meanwhile names another file.
  if (::fcntl(file_.Get(), F_GET_SEALS) != kSeals || status.st_size != size) {
    throw Napi::Error::New(env, "MemoryRegion.attach: descriptor " + std::to_string(memory) +
                                    " is not the memory of an open MemoryRegion of " + std::to_string(size) +
                                    " bytes");
  }
  wake_ = EventDescriptor(Duplicate(env, wake), EventDescriptor::kEventfdWidth);
  doorbell_ = EventDescriptor(Duplicate(env, doorbell), EventDescriptor::kEventfdWidth);
  Map(env, size);
}

void MemoryRegion::Map(Napi::Env env, std::int64_t size) {
  memory_ = RegionMemory(env, std::make_unique<Mapping>(env, file_.Get(), static_cast<std::size_t>(size)));
}

Napi::Object MemoryRegion::Descriptors(Napi::Env env) const {
  Napi::Object descriptors = Napi::Object::New(env);
  descriptors.Set("memory", file_.Get());
  descriptors.Set("wake", wake_.Fd());
  descriptors.Set("doorbell", doorbell_.Fd());
  descriptors.Set("size", static_cast<double>(memory_.Size()));
  return descriptors;
}

void MemoryRegion::StoreHead(const Napi::CallbackInfo& info) {
  const std::uint32_t head = Position(info, "head");
  CheckOpen(info.Env(), "storeHead");
  memory_.StoreHead(head);
}

Napi::Value MemoryRegion::LoadTail(const Napi::CallbackInfo& info) {
  CheckOpen(info.Env(), "loadTail");
  return Napi::Number::New(info.Env(), memory_.LoadTail());
}

void MemoryRegion::Wake(const Napi::CallbackInfo& info) {
  CheckOpen(info.Env(), "wake");
  wake_.Raise(info.Env());
}

void MemoryRegion::OnDoorbell(const Napi::CallbackInfo& info) {
  const Napi::Function callback = Function(info[0], {kName, "onDoorbell callback"});
  CheckOpen(info.Env(), "onDoorbell");
  doorbell_.Listen(Value(), callback, kName);
}

void MemoryRegion::CloseAll() {
  RegionHandle::CloseAll();
  doorbell_.Close();
  file_.Close();
}

}  // namespace lunette

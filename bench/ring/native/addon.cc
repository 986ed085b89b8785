#include <napi.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "adopt-descriptor.h"
#include "consumer.h"
#include "generator-group.h"

/*
 * What bench/ring/native.ts declares. The one caller is there, and passes what it should: arguments are not checked.
 */
namespace bench {

namespace {

double Number(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Number>().DoubleValue();
}

Descriptors DescriptorsOf(const Napi::Value& value) {
  const auto object = value.As<Napi::Object>();
  return {static_cast<int>(Number(object, "memory")), static_cast<int>(Number(object, "wake")),
          static_cast<int>(Number(object, "doorbell")), static_cast<std::size_t>(Number(object, "size"))};
}

/** One ring's descriptors, or an array of those of several. */
std::vector<Descriptors> RingsOf(const Napi::Value& value) {
  if (!value.IsArray()) return {DescriptorsOf(value)};
  const auto array = value.As<Napi::Array>();
  std::vector<Descriptors> rings;
  for (std::uint32_t index = 0; index < array.Length(); index++) rings.push_back(DescriptorsOf(array.Get(index)));
  return rings;
}

Load LoadOf(const Napi::Object& object) {
  Load load;
  load.depth = static_cast<unsigned>(Number(object, "depth"));
  load.bytes = static_cast<std::size_t>(Number(object, "bytes"));
  load.reads = static_cast<unsigned>(Number(object, "reads"));
  load.fill = object.Get("fill").ToBoolean();
  load.diskBytes = static_cast<std::uint64_t>(Number(object, "diskBytes"));
  load.content = object.Get("stamps").ToBoolean() ? Content::kStamps : Content::kZeroes;
  load.duration = static_cast<std::uint64_t>(Number(object, "milliseconds") * 1e6);
  load.commands = static_cast<std::uint64_t>(Number(object, "commands"));
  load.copies = object.Get("copies").ToBoolean();
  load.wakeEach = object.Get("wakeEach").ToBoolean();
  load.spin = static_cast<std::uint64_t>(Number(object, "spinMicroseconds") * 1e3);
  load.cpu = static_cast<int>(Number(object, "cpu"));
  return load;
}

/** The value below which `share` of the sorted latencies lie, in microseconds. */
double Percentile(const std::vector<std::uint32_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto index = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
  return sorted[index] / 1e3;
}

Napi::Object ToObject(Napi::Env env, const Outcome& outcome) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("commands", static_cast<double>(outcome.commands));
  object.Set("seconds", static_cast<double>(outcome.nanoseconds) / 1e9);
  object.Set("errors", static_cast<double>(outcome.errors));
  object.Set("checked", static_cast<double>(outcome.checked));
  object.Set("mismatches", static_cast<double>(outcome.mismatches));
  object.Set("wakeUps", static_cast<double>(outcome.wakeUps));
  object.Set("cpuSeconds", static_cast<double>(outcome.cpuTime) / 1e9);
  object.Set("p50", Percentile(outcome.latencies, 0.5));
  object.Set("p99", Percentile(outcome.latencies, 0.99));
  object.Set("longestGap", static_cast<double>(outcome.longestGap) / 1e3);
  object.Set("stalled", outcome.stalled);
  return object;
}

/** The JS class of a Generator or a GeneratorGroup. @tparam Argument gives its constructor's */
template <class T, auto Argument>
class GeneratorHandle : public Napi::ObjectWrap<GeneratorHandle<T, Argument>> {
 public:
  static Napi::Function Define(Napi::Env env, const char* name) {
    return GeneratorHandle::DefineClass(env, name,
                                        {GeneratorHandle::InstanceMethod("run", &GeneratorHandle::Run)});
  }

  explicit GeneratorHandle(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<GeneratorHandle<T, Argument>>(info) {
    try {
      generator_ = std::make_shared<T>(Argument(info[0]));
    } catch (const std::runtime_error& error) {
      throw Napi::Error::New(info.Env(), error.what());
    }
  }

 private:
  /** In a thread of its own: not one of libuv's, which file handlers need. */
  Napi::Value Run(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const Load load = LoadOf(info[0].As<Napi::Object>());
    const auto deferred = Napi::Promise::Deferred::New(env);
    const auto done =
        Napi::ThreadSafeFunction::New(env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}), "Generator",
                                      1, 1);
    std::thread([generator = generator_, load, deferred, done]() mutable {
      auto* outcome = new Outcome(generator->Run(load));
      std::sort(outcome->latencies.begin(), outcome->latencies.end());
      done.BlockingCall(outcome, [deferred](Napi::Env env, Napi::Function, Outcome* outcome) {
        deferred.Resolve(ToObject(env, *outcome));
        delete outcome;
      });
      done.Release();
    }).detach();
    return deferred.Promise();
  }

  std::shared_ptr<T> generator_;
};

class ConsumerHandle : public Napi::ObjectWrap<ConsumerHandle> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Consumer", {InstanceMethod("close", &ConsumerHandle::Close)});
  }

  explicit ConsumerHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ConsumerHandle>(info) {
    const auto options = info[1].As<Napi::Object>();
    const std::string storage = options.Get("storage").As<Napi::String>();
    const std::string path = options.Get("path").ToString();
    const Storage kind = storage == "null"     ? Storage::kNull
                         : storage == "memory" ? Storage::kMemory
                                               : Storage::kFile;
    try {
      consumer_ = std::make_unique<Consumer>(RingsOf(info[0]), kind,
                                             static_cast<std::uint64_t>(Number(options, "diskBytes")), path,
                                             static_cast<int>(Number(options, "cpu")));
    } catch (const std::runtime_error& error) {
      throw Napi::Error::New(info.Env(), error.what());
    }
  }

 private:
  void Close(const Napi::CallbackInfo&) { consumer_.reset(); }

  std::unique_ptr<Consumer> consumer_;
};

void Pin(const Napi::CallbackInfo& info) {
  PinThread(info[0].As<Napi::Number>().Int32Value(), info[1].IsNumber() ? info[1].As<Napi::Number>().Int32Value() : 0);
}

Napi::Object Initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("pin", Napi::Function::New(env, Pin, "pin"));
  exports.Set("Generator", GeneratorHandle<Generator, DescriptorsOf>::Define(env, "Generator"));
  exports.Set("GeneratorGroup", GeneratorHandle<GeneratorGroup, RingsOf>::Define(env, "GeneratorGroup"));
  exports.Set("Consumer", ConsumerHandle::Define(env));
  exports.Set("adopt", Napi::Function::New(env, AdoptDescriptor, "adopt"));
  exports.Set("release", Napi::Function::New(env, ReleaseDescriptor, "release"));
  return exports;
}

NODE_API_MODULE(ring_bench, Initialise)

}  // namespace

}  // namespace bench

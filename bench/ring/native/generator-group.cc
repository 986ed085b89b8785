#include "generator-group.h"

#include <algorithm>

namespace bench {

GeneratorGroup::GeneratorGroup(const std::vector<Descriptors>& rings) {
  for (const auto& descriptors : rings) {
    generators_.push_back(std::make_unique<Generator>(descriptors));
    doorbells_.push_back({generators_.back()->Doorbell(), POLLIN, 0});
  }
}

bool GeneratorGroup::HasAnswers() const {
  return std::any_of(generators_.begin(), generators_.end(),
                     [](const auto& generator) { return generator->HasAnswers(); });
}

/** Sleep until a doorbell rings that has not been heard. */
void GeneratorGroup::AwaitDoorbell() {
  if (::poll(doorbells_.data(), doorbells_.size(), 100) <= 0) return;
  for (const auto& doorbell : doorbells_) {
    if (doorbell.revents != 0) TakeSignal(doorbell.fd);
  }
}

/** Until one of the consumers moves its tail. @returns false where none does for too long */
bool GeneratorGroup::Wait(const Load& load) {
  const std::uint64_t start = Now();
  for (std::uint64_t now = start; now - start < load.spin; now = Now()) {
    if (HasAnswers()) return true;
    __builtin_ia32_pause();
  }
  while (!HasAnswers()) {
    AwaitDoorbell();
    if (Now() - start > kPatience) return false;
  }
  return true;
}

Outcome GeneratorGroup::Run(const Load& load) {
  PinThread(load.cpu);
  Outcome outcome;
  outcome.latencies.reserve(1 << 20);
  for (const auto& generator : generators_) generator->Begin(load);
  const std::uint64_t cpu = ThreadCpuTime();
  const std::uint64_t start = Now();
  std::uint64_t now = start;
  while (true) {
    const bool ending = load.duration != 0 && now - start >= load.duration;
    bool any = false;
    bool idle = true;
    for (const auto& generator : generators_) {
      if (generator->HasAnswers()) {
        generator->Complete(load, outcome);
        any = true;
      }
      if (!ending && generator->QueueAll(load, outcome, now)) any = true;
      if (!generator->IsIdle()) idle = false;
    }
    if (idle) break;
    if (!any && !Wait(load)) {
      outcome.stalled = true;
      break;
    }
    const std::uint64_t before = now;
    now = Now();
    outcome.longestGap = std::max(outcome.longestGap, now - before);
  }
  outcome.nanoseconds = Now() - start;
  outcome.cpuTime = ThreadCpuTime() - cpu;
  return outcome;
}

}  // namespace bench

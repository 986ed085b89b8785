#pragma once

#include <poll.h>

#include <memory>
#include <vector>

#include "generator.h"

namespace bench {

/**
 * Several rings fed by one thread, as one CPU of a kernel feeds the devices whose submitters run on it: round robin,
 * each ring's consumer woken for itself. How many rings there are then changes nothing about the producer.
 */
class GeneratorGroup {
 public:
  /** Throws std::runtime_error. */
  explicit GeneratorGroup(const std::vector<Descriptors>& rings);
  GeneratorGroup(const GeneratorGroup&) = delete;
  GeneratorGroup& operator=(const GeneratorGroup&) = delete;

  /**
   * Blocks. Every command is answered when it returns, unless it stalled.
   * @param load `depth` and `commands` are those of each ring
   */
  Outcome Run(const Load& load);

 private:
  bool HasAnswers() const;
  void AwaitDoorbell();
  bool Wait(const Load& load);

  std::vector<std::unique_ptr<Generator>> generators_;
  /** For poll(2), which waits on them only while it sleeps: an epoll set would make each doorbell dearer. */
  std::vector<pollfd> doorbells_;
};

}  // namespace bench

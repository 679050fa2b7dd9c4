/// The simulated microcontroller: its bytes, its inputs, its resets, its memory.
#ifndef SPIKEDAQ_SIMULATOR_PROCESSOR_H_
#define SPIKEDAQ_SIMULATOR_PROCESSOR_H_

#include <stddef.h>
#include <stdint.h>

#include <functional>
#include <string>
#include <vector>

#include "options.h"

struct avr_t;
struct avr_irq_t;

namespace spikedaq {
namespace simulator {

class Processor {
 public:
  /// `on_byte` is called for each byte that leaves UART0.
  Processor(const Options& options, std::function<void(uint8_t)> on_byte);
  Processor(const Processor&) = delete;
  Processor& operator=(const Processor&) = delete;

  enum class State : uint8_t { kAlive, kEnded, kCrashed };
  /// Runs up to this cycle or a little beyond. kEnded: it sleeps with interrupts disabled, from which nothing wakes it.
  State RunTo(uint64_t cycle);
  uint64_t cycle() const;
  /// Cycles in which it did not sleep.
  uint64_t busy_cycles() const { return cycle() - slept_; }

  /// Hands bytes to the UART, as many as its queue takes. @returns how many.
  size_t Feed(const uint8_t* bytes, size_t n);
  void Apply(const InputChange& change);
  /// The power comes back, or else the reset button is pressed.
  void Reset(bool power);
  /// Nothing runs for so many cycles. Only right after a reset: no peripheral has begun anything then.
  void Pause(uint64_t cycles);

  /// Resets since the start, the first not counted: the watchdog's and those asked for.
  unsigned resets() const { return resets_; }
  unsigned watchdog_resets() const { return watchdog_resets_; }
  /// Of the memory between static data and stack, the bytes that no stack has reached in any boot.
  size_t untouched_ram() const;
  size_t static_ram() const { return static_ram_; }

  void LoadEeprom(const std::string& path);
  void SaveEeprom(const std::string& path) const;

 private:
  static void OnByte(avr_irq_t* irq, uint32_t value, void* self);
  static void OnRoom(avr_irq_t* irq, uint32_t value, void* self);
  static void OnFull(avr_irq_t* irq, uint32_t value, void* self);
  static void OnReset(avr_t* avr);
  static void OnSleep(avr_t* avr, uint64_t cycles);
  avr_irq_t* IrqOf(const InputChange& input);
  void AfterReset();

  avr_t* avr_;
  std::function<void(uint8_t)> on_byte_;
  avr_irq_t* uart_in_ = nullptr;
  bool has_room_ = true;
  bool reset_seen_ = false;
  unsigned resets_ = 0;
  unsigned watchdog_resets_ = 0;
  uint64_t slept_ = 0;
  size_t static_ram_ = 0;
  size_t first_free_ = 0;
  std::vector<InputChange> inputs_;  // the newest of each input, to be there again after a reset
};

}  // namespace simulator
}  // namespace spikedaq

#endif  // SPIKEDAQ_SIMULATOR_PROCESSOR_H_

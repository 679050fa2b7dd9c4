#include "processor.h"

#include <simavr/avr_adc.h>
#include <simavr/avr_eeprom.h>
#include <simavr/avr_ioport.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>
#include <simavr/sim_irq.h>
#include <simavr/sim_regbit.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace spikedaq {
namespace simulator {
namespace {

constexpr uint8_t kPaint = 0xA5;  // of memory that nothing has been written to

// simavr's callbacks for reset and sleep carry no pointer of ours, and there is one processor in a process.
Processor* the_processor = nullptr;
void (*reset_of_core)(avr_t*) = nullptr;

// stdout is for the ready line, and what the library says of a good image is of no use.
void Log(avr_t*, const int level, const char* format, va_list arguments) {
  if (level <= LOG_ERROR) vfprintf(stderr, format, arguments);
}

}  // namespace

Processor::Processor(const Options& options, std::function<void(uint8_t)> on_byte) : on_byte_(std::move(on_byte)) {
  if (access(options.elf.c_str(), R_OK) != 0) {
    Fail(1, "--elf " + options.elf + ": cannot be read; build the image first (make firmware-v1)");
  }
  avr_global_logger_set(Log);
  elf_firmware_t firmware;
  memset(&firmware, 0, sizeof firmware);
  if (elf_read_firmware(options.elf.c_str(), &firmware) != 0) Fail(1, "--elf " + options.elf + ": is no AVR image");
  avr_ = avr_make_mcu_by_name(options.mcu.c_str());
  if (avr_ == nullptr) Fail(2, "--mcu " + options.mcu + ": libsimavr knows no such processor");
  the_processor = this;
  avr_init(avr_);
  snprintf(firmware.mmcu, sizeof firmware.mmcu, "%s", options.mcu.c_str());
  firmware.frequency = options.hz;
  avr_load_firmware(avr_, &firmware);
  avr_->frequency = options.hz;
  avr_->vcc = avr_->avcc = avr_->aref = 5000;
  avr_->log = LOG_ERROR;
  avr_->sleep = OnSleep;
  reset_of_core = avr_->reset;
  avr_->reset = OnReset;

  static_ram_ = firmware.datasize + firmware.bsssize;
  first_free_ = avr_->ioend + 1u + static_ram_;
  if (first_free_ > avr_->ramend) Fail(1, "--elf " + options.elf + ": its data alone is larger than the memory");
  memset(avr_->data + first_free_, kPaint, avr_->ramend + 1u - first_free_);

  avr_irq_register_notify(avr_io_getirq(avr_, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), OnByte, this);
  avr_irq_register_notify(avr_io_getirq(avr_, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XON), OnRoom, this);
  avr_irq_register_notify(avr_io_getirq(avr_, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XOFF), OnFull, this);
  uart_in_ = avr_io_getirq(avr_, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
  AfterReset();
}

void Processor::OnByte(avr_irq_t*, uint32_t value, void* self) {
  static_cast<Processor*>(self)->on_byte_(static_cast<uint8_t>(value));
}

void Processor::OnRoom(avr_irq_t*, uint32_t, void* self) { static_cast<Processor*>(self)->has_room_ = true; }
void Processor::OnFull(avr_irq_t*, uint32_t, void* self) { static_cast<Processor*>(self)->has_room_ = false; }

void Processor::OnReset(avr_t* avr) {
  if (reset_of_core != nullptr) reset_of_core(avr);
  the_processor->reset_seen_ = true;
}

void Processor::OnSleep(avr_t*, uint64_t cycles) { the_processor->slept_ += cycles; }

// What a reset of simavr's peripherals forgets, though the world around the board has not changed.
void Processor::AfterReset() {
  uint32_t flags = 0;
  avr_ioctl(avr_, AVR_IOCTL_UART_GET_FLAGS('0'), &flags);
  flags &= ~static_cast<uint32_t>(AVR_UART_FLAG_STDIO | AVR_UART_FLAG_POLL_SLEEP);
  avr_ioctl(avr_, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
  has_room_ = true;
  const std::vector<InputChange> inputs = inputs_;
  for (const InputChange& input : inputs) {
    IrqOf(input)->value = !input.value;  // simavr tells the port of changes only, and the port has forgotten the level
    Apply(input);
  }
}

uint64_t Processor::cycle() const { return avr_->cycle; }

Processor::State Processor::RunTo(uint64_t cycle) {
  while (avr_->cycle < cycle) {
    const int state = avr_run(avr_);
    if (reset_seen_) {
      reset_seen_ = false;
      ++resets_;
      ++watchdog_resets_;
      AfterReset();
    }
    if (state == cpu_Done) return State::kEnded;
    if (state == cpu_Crashed) return State::kCrashed;
  }
  return State::kAlive;
}

size_t Processor::Feed(const uint8_t* bytes, size_t n) {
  size_t taken = 0;
  while (has_room_ && taken < n) avr_raise_irq(uart_in_, bytes[taken++]);
  return taken;
}

avr_irq_t* Processor::IrqOf(const InputChange& input) {
  avr_irq_t* irq = input.analogue ? avr_io_getirq(avr_, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_ADC0 + input.channel)
                                  : avr_io_getirq(avr_, AVR_IOCTL_IOPORT_GETIRQ(input.port), input.channel);
  if (irq == nullptr) Fail(2, "this processor has no such input");
  return irq;
}

void Processor::Apply(const InputChange& change) {
  avr_raise_irq(IrqOf(change), change.value);
  for (InputChange& input : inputs_) {
    if (input.analogue == change.analogue && input.port == change.port && input.channel == change.channel) {
      input = change;
      return;
    }
  }
  inputs_.push_back(change);
}

void Processor::Reset(bool power) {
  avr_reset(avr_);
  avr_regbit_set(avr_, power ? avr_->reset_flags.porf : avr_->reset_flags.extrf);
  reset_seen_ = false;  // not the watchdog's
  ++resets_;
  AfterReset();
}

void Processor::Pause(uint64_t cycles) {
  avr_->cycle += cycles;
  slept_ += cycles;
}

size_t Processor::untouched_ram() const {
  size_t at = first_free_;
  while (at <= avr_->ramend && avr_->data[at] == kPaint) ++at;
  return at - first_free_;
}

void Processor::LoadEeprom(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return;  // the first run makes it
  std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (bytes.size() != avr_->e2end + 1u) {
    Fail(1, "--eeprom " + path + ": is " + std::to_string(bytes.size()) + " bytes, this processor has " +
                std::to_string(avr_->e2end + 1u) + "; delete the file or name another");
  }
  avr_eeprom_desc_t all = {reinterpret_cast<uint8_t*>(bytes.data()), 0, static_cast<uint32_t>(bytes.size())};
  avr_ioctl(avr_, AVR_IOCTL_EEPROM_SET, &all);
}

void Processor::SaveEeprom(const std::string& path) const {
  avr_eeprom_desc_t all = {nullptr, 0, avr_->e2end + 1u};
  avr_ioctl(avr_, AVR_IOCTL_EEPROM_GET, &all);
  if (all.ee == nullptr) return;
  std::ofstream file(path + ".new", std::ios::binary);
  file.write(reinterpret_cast<const char*>(all.ee), static_cast<std::streamsize>(all.size));
  file.close();
  if (!file || rename((path + ".new").c_str(), path.c_str()) != 0) Fail(1, "--eeprom " + path + ": cannot be written");
}

}  // namespace simulator
}  // namespace spikedaq

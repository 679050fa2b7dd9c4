// Spikeling v1: the step in the timer's interrupt, everything else in the loop below.
#include <avr/interrupt.h>
#include <avr/wdt.h>

#include "board/device.h"
#include "identity.h"
#include "profile.h"
#include "timer.h"
#include "uart.h"
#include "v1_board.h"

namespace spikedaq {
namespace v1 {
namespace {

// Sizes: docs/reference/boards/v1.md.
constexpr uint8_t kBlocks = 3;
constexpr uint8_t kBlockSamples = 6;
constexpr uint8_t kEvents = 5;
constexpr uint8_t kMaxRequestBytes = 64;
constexpr uint8_t kSlicesPerPump = 16;
constexpr uint16_t kRingBytes = 152;

uint8_t request[wire::CobsBound(kMaxRequestBytes)];
uint8_t ring[kRingBytes];
sampling::BlockHead heads[kBlocks];
int16_t values[kBlocks * kBlockSamples * kChannelCount];
board::Event events[kEvents];

constexpr board::Memory kMemory = {
    request,       kMaxRequestBytes, nullptr, 0,       ring,    sizeof ring, heads, values, kBlocks,
    kBlockSamples, kBlockSamples,    events,  kEvents, nullptr, nullptr,     0,     nullptr};

V1Board v1_board;
board::Device device(&v1_board, kMemory, board::Settings{kStepUs, 1, kSlicesPerPump});

}  // namespace

// The step may be interrupted by the UART, the converter and the counter's wrap, but not by itself.
ISR(TIMER1_COMPB_vect) {
  v1_board.WokenUp();
  timer::HoldSteps();
  while (timer::IsDue()) {
    sei();
    device.Step();
    timer::DueAfter(device.neuron_parameters().step_us());
    cli();
  }
  timer::ReleaseSteps();
}

}  // namespace v1
}  // namespace spikedaq

int main() {
  using namespace spikedaq::v1;
  v1_board.Begin();
  device.Boot(NextBootId());
  v1_board.StartSteps();
  while (!device.reboot_wanted()) {
    v1_board.Poll();
    device.Pump();
    if (device.drained() || uart::IsNearlyFull()) v1_board.Idle();
  }
  while (device.wants_write()) device.Pump();
  cli();
  wdt_enable(WDTO_30MS);  // long enough for what the UART still holds
  sei();
  for (;;) {
  }
}

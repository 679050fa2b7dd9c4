/// The registers used, of the Cortex-M4 and of the CMSDK peripherals on the MPS2.
///
/// Sources: Armv7-M Architecture Reference Manual, B3; Arm Cortex-M System Design Kit, UART and timer; Arm application
/// note AN386, memory map and interrupts.
#ifndef SPIKEDAQ_QEMU_CM4_REGISTERS_H_
#define SPIKEDAQ_QEMU_CM4_REGISTERS_H_

#include <stdint.h>

namespace spikedaq {
namespace cm4 {

constexpr uint32_t kClockHz = 25000000;  // of the processor, SysTick and the timers

inline volatile uint32_t& Register(uint32_t address) { return *reinterpret_cast<volatile uint32_t*>(address); }

constexpr uint32_t kUart0 = 0x40004000;
constexpr uint32_t kUartData = kUart0 + 0x00;
constexpr uint32_t kUartState = kUart0 + 0x04;
constexpr uint32_t kUartControl = kUart0 + 0x08;
constexpr uint32_t kUartInterrupts = kUart0 + 0x0C;
constexpr uint32_t kUartDivider = kUart0 + 0x10;
constexpr uint32_t kTxFull = 1u << 0, kRxFull = 1u << 1;                              // state
constexpr uint32_t kTxEnable = 1u << 0, kRxEnable = 1u << 1, kRxInterrupt = 1u << 3;  // control
constexpr uint32_t kRxInterruptFlag = 1u << 1;
constexpr uint32_t kUart0RxLine = 0;  // number of its interrupt

constexpr uint32_t kTimer0 = 0x40000000;
constexpr uint32_t kTimerControl = kTimer0 + 0x00;
constexpr uint32_t kTimerValue = kTimer0 + 0x04;  // counts down
constexpr uint32_t kTimerReload = kTimer0 + 0x08;
constexpr uint32_t kTimerEnable = 1u << 0;

constexpr uint32_t kSysTickControl = 0xE000E010;
constexpr uint32_t kSysTickReload = 0xE000E014;
constexpr uint32_t kSysTickValue = 0xE000E018;
constexpr uint32_t kSysTickOn = 7;  // enabled, with interrupt, on the processor's clock
constexpr uint32_t kInterruptEnable = 0xE000E100;
constexpr uint32_t kCoprocessorAccess = 0xE000ED88;
constexpr uint32_t kFpuFullAccess = 0xFu << 20;

inline void DisableInterrupts() { __asm volatile("cpsid i" ::: "memory"); }
inline void EnableInterrupts() { __asm volatile("cpsie i" ::: "memory"); }
/// Sleeps until an interrupt is there, be it masked or not.
inline void WaitForInterrupt() { __asm volatile("dsb\n wfi" ::: "memory"); }

}  // namespace cm4
}  // namespace spikedaq

#endif  // SPIKEDAQ_QEMU_CM4_REGISTERS_H_

// From reset to main: vectors, floating point, memory, constructors.
#include <stdint.h>

#include "registers.h"
#include "semihosting.h"

extern "C" {

extern uint32_t __data_load[], __data_start[], __data_end[], __bss_start[], __bss_end[], __stack_top[];
extern void (*__init_array_start[])();
extern void (*__init_array_end[])();

int main();

[[noreturn]] void Fault_Handler() {
  spikedaq::cm4::Say("spikedaq-cm4: the processor stopped with a fault\n");
  spikedaq::cm4::Exit(false);
}
[[noreturn]] void Reset_Handler() {
  using namespace spikedaq::cm4;
  Register(kCoprocessorAccess) |= kFpuFullAccess;
  __asm volatile("dsb\n isb" ::: "memory");
  const uint32_t* from = __data_load;
  for (uint32_t* to = __data_start; to != __data_end; ++to) *to = *from++;
  for (uint32_t* to = __bss_start; to != __bss_end; ++to) *to = 0;
  for (void (**f)() = __init_array_start; f != __init_array_end; ++f) (*f)();
  main();
  Exit(true);
}
void Nothing_Handler() {}
// An image that has a use for them defines them.
void SysTick_Handler() __attribute__((weak, alias("Nothing_Handler")));
void Uart0Rx_Handler() __attribute__((weak, alias("Nothing_Handler")));

__attribute__((section(".vectors"), used)) const void* const vectors[] = {
    __stack_top,
    reinterpret_cast<const void*>(&Reset_Handler),
    reinterpret_cast<const void*>(&Fault_Handler),  // NMI
    reinterpret_cast<const void*>(&Fault_Handler),  // hard fault
    reinterpret_cast<const void*>(&Fault_Handler),  // memory, bus and usage fault
    reinterpret_cast<const void*>(&Fault_Handler),
    reinterpret_cast<const void*>(&Fault_Handler),
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    reinterpret_cast<const void*>(&Fault_Handler),  // SVCall
    reinterpret_cast<const void*>(&Fault_Handler),  // debug monitor
    nullptr,
    reinterpret_cast<const void*>(&Fault_Handler),  // PendSV
    reinterpret_cast<const void*>(&SysTick_Handler),
    reinterpret_cast<const void*>(&Uart0Rx_Handler),  // interrupt 0
};

}  // extern "C"

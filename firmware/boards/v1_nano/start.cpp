// What must happen before main.
#include <avr/io.h>
#include <avr/wdt.h>

// A watchdog that has bitten stays on, at its shortest period, until the reason is cleared.
extern "C" void QuietWatchdog() __attribute__((naked, used, section(".init3")));
void QuietWatchdog() {
  MCUSR = 0;
  wdt_disable();
}

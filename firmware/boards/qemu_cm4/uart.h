/// UART0, which QEMU connects to a socket, a file or a terminal.
#ifndef SPIKEDAQ_QEMU_CM4_UART_H_
#define SPIKEDAQ_QEMU_CM4_UART_H_

#include <stddef.h>
#include <stdint.h>

namespace spikedaq {
namespace cm4 {

void StartUart();
/// Both return the number of bytes moved, and never wait.
size_t WriteUart(const uint8_t* bytes, size_t n);
size_t ReadUart(uint8_t* bytes, size_t n);

}  // namespace cm4
}  // namespace spikedaq

#endif  // SPIKEDAQ_QEMU_CM4_UART_H_

/// The UART, with an interrupt and a ring of bytes for each direction.
#ifndef SPIKEDAQ_V1_UART_H_
#define SPIKEDAQ_V1_UART_H_

#include <stdint.h>

namespace spikedaq {
namespace v1 {
namespace uart {

void Begin();
/// Both return the number of bytes moved, and never wait.
uint8_t Write(const uint8_t* bytes, uint8_t n);
uint8_t Read(uint8_t* bytes, uint8_t n);
/// Bytes are there to be read.
bool HasInput();
/// Little more can be written now.
bool IsNearlyFull();

}  // namespace uart
}  // namespace v1
}  // namespace spikedaq

#endif  // SPIKEDAQ_V1_UART_H_

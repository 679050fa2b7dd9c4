/// One run over the whole library, as lines of text that must be the same on every target.
#ifndef SPIKEDAQ_GOLDEN_TRACE_H_
#define SPIKEDAQ_GOLDEN_TRACE_H_

#include <stdint.h>

namespace spikedaq {
namespace golden {

/// One byte of the text; of the target.
void PutByte(uint8_t byte);

/// Writes every line, the last of which is "end".
void Trace();

}  // namespace golden
}  // namespace spikedaq

#endif  // SPIKEDAQ_GOLDEN_TRACE_H_

/// How a call ended. One list for all firmware libraries, which use no exceptions.
#ifndef SPIKEDAQ_WIRE_STATUS_H_
#define SPIKEDAQ_WIRE_STATUS_H_

#include <stdint.h>

namespace spikedaq {

enum class Status : uint8_t {
  kOk = 0,
  kExhausted,    ///< No room: a buffer or a queue is full.
  kMalformed,    ///< Not msgpack, or a field is missing or of the wrong type.
  kUnknownType,  ///< A good message of a type that this side does not know.
  kBadCobs,      ///< Bytes that no COBS encoder makes.
  kOutOfRange,   ///< An index or a value is outside what the description says.
  kReadOnly,     ///< The parameter cannot be set by the host.
};

}  // namespace spikedaq

#endif  // SPIKEDAQ_WIRE_STATUS_H_

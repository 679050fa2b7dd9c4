/// Version and hash of the source, which the build gives.
#ifndef SPIKEDAQ_NATIVE_BUILD_INFO_H_
#define SPIKEDAQ_NATIVE_BUILD_INFO_H_

#ifndef SPIKEDAQ_VERSION
#define SPIKEDAQ_VERSION "unknown"
#endif
#ifndef SPIKEDAQ_BUILD_HASH
#define SPIKEDAQ_BUILD_HASH "unknown"
#endif

#endif  // SPIKEDAQ_NATIVE_BUILD_INFO_H_

// Stand-in: declarations of the calls that hal_idf.cpp and start.cpp make, so that a host compiler can check them.
// Written for this project; the real header comes with ESP-IDF.
#ifndef SPIKEDAQ_STAND_IN_FREERTOS_H_
#define SPIKEDAQ_STAND_IN_FREERTOS_H_
#include <stdint.h>

typedef int BaseType_t;
typedef unsigned UBaseType_t;
typedef uint32_t TickType_t;
struct QueueDefinition;
typedef QueueDefinition* QueueHandle_t;
#endif

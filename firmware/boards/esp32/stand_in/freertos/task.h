// Stand-in: declarations of the calls that hal_idf.cpp and start.cpp make, so that a host compiler can check them.
// Written for this project; the real header comes with ESP-IDF.
#ifndef SPIKEDAQ_STAND_IN_TASK_H_
#define SPIKEDAQ_STAND_IN_TASK_H_
#include <stdint.h>

#include "freertos/FreeRTOS.h"

struct tskTaskControlBlock;
typedef tskTaskControlBlock* TaskHandle_t;
typedef void (*TaskFunction_t)(void*);
BaseType_t xTaskCreatePinnedToCore(TaskFunction_t function, const char* name, uint32_t stack_bytes, void* argument,
                                   UBaseType_t priority, TaskHandle_t* task, BaseType_t core);
void vTaskDelay(TickType_t ticks);
void vTaskDelete(TaskHandle_t task);
#endif

/// What is at the board's inputs, and when.
#ifndef SPIKEDAQ_SIMULATOR_INPUTS_H_
#define SPIKEDAQ_SIMULATOR_INPUTS_H_

#include <string>
#include <vector>

#include "options.h"

namespace spikedaq {
namespace simulator {

/// Reads "3" and "2500" as 2500 mV at ADC channel 3, "D2" and "1" as a high level at pin 2 of port D.
bool ParseInput(const std::string& where, const std::string& value, InputChange* change);

/// Appends the lines of a script. A bad line ends the program, which says which it was.
void ReadScript(const std::string& path, std::vector<InputChange>* changes);

/// Changes of the same time keep their order.
void SortByTime(std::vector<InputChange>* changes);

}  // namespace simulator
}  // namespace spikedaq

#endif  // SPIKEDAQ_SIMULATOR_INPUTS_H_

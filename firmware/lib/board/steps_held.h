/// A guard around what a step must not find half done.
#ifndef SPIKEDAQ_BOARD_STEPS_HELD_H_
#define SPIKEDAQ_BOARD_STEPS_HELD_H_

#include "board/board.h"

namespace spikedaq {
namespace board {

/// While it lives, no step is made in an interrupt.
class StepsHeld {
 public:
  explicit StepsHeld(Board* board) : board_(board) { board_->HoldSteps(); }
  ~StepsHeld() { board_->ReleaseSteps(); }
  StepsHeld(const StepsHeld&) = delete;
  StepsHeld& operator=(const StepsHeld&) = delete;

 private:
  Board* board_;
};

}  // namespace board
}  // namespace spikedaq

#endif  // SPIKEDAQ_BOARD_STEPS_HELD_H_

// Cables between virtual devices: real Unix sockets in a folder of their own.
#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "wiring.h"

using spikedaq::native::Axon;
using spikedaq::native::SynapseJack;

namespace {

struct Folder {
  char path[32] = "/tmp/spikedaq-test-XXXXXX";
  Folder() { REQUIRE(mkdtemp(path) != nullptr); }
  ~Folder() { rmdir(path); }
  std::string File(const char* name) const { return std::string(path) + "/" + name; }
};

struct Row {
  float vm;
  bool level;
};

Row Play(SynapseJack* jack) {
  Row row;
  jack->Play(&row.vm, &row.level);
  return row;
}

}  // namespace

TEST_CASE("wiring: rows come out as they went in, one per step, and the last is held") {
  Folder folder;
  SynapseJack jack(folder.File("s"));
  Axon axon({folder.File("s"), folder.File("nobody")});
  for (int k = 0; k < 20; ++k) axon.Step(static_cast<uint64_t>(k), static_cast<int16_t>(-7000 + k), k % 3 == 0);
  axon.Flush();
  jack.Receive(1000);
  for (int k = 0; k < 20; ++k) {
    const Row row = Play(&jack);
    CHECK(row.vm == doctest::Approx(-70 + 0.01 * k));
    CHECK(row.level == (k % 3 == 0));
  }
  CHECK(Play(&jack).vm == doctest::Approx(-69.81));
  CHECK(jack.dropped() == 0);
}

TEST_CASE("wiring: 100 ms without data is an unplugged jack: 0 mV and low") {
  Folder folder;
  SynapseJack jack(folder.File("s"));
  CHECK(Play(&jack).vm == 0);
  Axon axon({folder.File("s")});
  axon.Step(0, 3000, true);
  axon.Step(1, 3000, true);
  axon.Flush();
  jack.Receive(0);
  CHECK(Play(&jack).level);
  jack.Receive(200000000);  // late, but what has come is played first
  CHECK(Play(&jack).level);
  axon.Step(2, 3000, true);
  axon.Flush();
  jack.Receive(0);
  CHECK(Play(&jack).level);
  jack.Receive(100000000);
  CHECK(Play(&jack).level);
  jack.Receive(100000001);
  CHECK_FALSE(Play(&jack).level);
  CHECK(Play(&jack).vm == 0);
}

TEST_CASE("wiring: a jack that is not read drops the oldest rows and counts them") {
  Folder folder;
  SynapseJack jack(folder.File("s"));
  Axon axon({folder.File("s")});
  for (int k = 0; k < 1000; ++k) {
    axon.Step(static_cast<uint64_t>(k), static_cast<int16_t>(k), false);
    if (k % 10 == 9) {
      axon.Flush();
      jack.Receive(1);
    }
  }
  CHECK(jack.dropped() == 1000 - 256);
  CHECK(Play(&jack).vm == doctest::Approx(0.01 * (1000 - 256)));
}

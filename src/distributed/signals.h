#pragma once
#include <signal.h>

namespace tapegrad::distributed {

/// Ctrl-C reaches all ranks; what it means is rank 0's to say.
inline void leave_signals_to_root() {
  for (int signal : {SIGINT, SIGTERM}) ::signal(signal, SIG_IGN);
}

}  // namespace tapegrad::distributed

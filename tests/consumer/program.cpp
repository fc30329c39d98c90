// A user's program: only the public header, and an exit code that says whether it worked.
#include <tapegrad/parallel.h>

int main() {
  tapegrad::set_num_threads(2);
  return tapegrad::get_num_threads() == 2 ? 0 : 1;
}

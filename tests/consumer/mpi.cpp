// A user's program on as many ranks as mpirun starts: here one.
#include <tapegrad/distributed.h>

int main(int argc, char** argv) {
  tapegrad::distributed::Context mpi(argc, argv);
  return mpi.sum(1) == mpi.ranks() ? 0 : 1;
}

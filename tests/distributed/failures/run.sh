#!/usr/bin/env bash
# failures/run.sh VICTIM MPIRUN KILLS EXCEPTIONS STOPS: what becomes of a job of 4 ranks when a rank is killed at a random moment,
# throws, or is stopped. After each it goes on with 2 ranks from the last checkpoint, and must end with the same bits as a
# job that nothing happened to. Prints a line for each kind: how many ended, and after how many seconds.
set -u
victim=$1 mpirun=$2 kills=$3 exceptions=$4 stops=$5
steps=400 ranks=4
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_mpi_yield_when_idle=1 TAPEGRAD_NUM_THREADS=1
failed=0

mkdir "$root/straight"
expected=$("$victim" "$root/straight" $steps 60) || { echo "the job fails by itself: $expected"; exit 1; }

# one KIND DEADLINE: runs the job in $dir, lets it happen, and judges.
one() {
  local kind=$1 deadline=$2 dir=$root/run begin seconds status rank=$((RANDOM % ranks)) job
  rm -rf "$dir"
  mkdir "$dir"
  local extra=()
  if [ "$kind" = exception ]; then extra=("$rank" $((15 + RANDOM % (steps - 15)))); fi
  "$mpirun" -n $ranks "$victim" "$dir" $steps "$deadline" "${extra[@]}" >"$dir/out" 2>"$dir/err" &
  job=$!
  if [ "$kind" != exception ]; then
    while ! compgen -G "$dir/step-*" >/dev/null && kill -0 $job 2>/dev/null; do sleep 0.02; done
    sleep 0.$((RANDOM % 4))$((RANDOM % 10))
    begin=$(date +%s.%N)
    if [ "$kind" = kill ]; then kill -9 "$(cat "$dir/pid.$rank")"; else kill -STOP "$(cat "$dir/pid.$rank")"; fi
  fi
  wait $job
  status=$?
  if [ "$kind" = exception ]; then begin=$(date -r "$dir/thrown" +%s.%N); fi
  seconds=$(echo "$(date +%s.%N) $begin" | awk '{print $1 - $2}')
  times="$times $seconds"
  if [ $status = 0 ]; then echo "$kind: the job ended with 0"; return 1; fi
  case $kind in
    exception) grep -q "rank $rank of $ranks ends the job at step ${extra[1]}: a disk is full" "$dir/err" || { cat "$dir/err"; return 1; } ;;
    stop) grep -q "it waited $deadline s for rank" "$dir/err" || { cat "$dir/err"; return 1; } ;;
  esac
  if pgrep -f "$victim $dir " >/dev/null; then echo "$kind: a rank lives on"; return 1; fi
  local again
  again=$("$mpirun" -n 2 "$victim" "$dir" $steps 60 2>"$dir/err")
  if [ "$again" != "$expected" ]; then echo "$kind: went on to '$again', not '$expected'"; cat "$dir/err"; return 1; fi
}

many() {  # many KIND COUNT DEADLINE
  local good=0
  times=
  for ((i = 0; i < $2; ++i)); do if one "$1" "$3"; then good=$((good + 1)); else failed=1; fi; done
  if [ "$2" -gt 0 ]; then
    echo "$1: $good of $2 ended with a message and went on with the same bits; seconds to the end:" \
      "$(echo "$times" | tr ' ' '\n' | sort -n | awk 'NF {v[++n] = $1} END {printf "median %.2f, most %.2f", v[int((n + 1) / 2)], v[n]}')"
  fi
}

many kill "$kills" 60
many exception "$exceptions" 60
many stop "$stops" 5
exit $failed

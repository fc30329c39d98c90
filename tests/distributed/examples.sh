#!/usr/bin/env bash
# An example of training on one rank, and with the same shards on 2, 3 and 4: the same words, and the same bytes in its folder.
# One that records its run is then travelled back to the middle by one rank, and goes on from there on 3.
#
# Whether it learned enough, which its exit code says, is not asked.
#
#   examples.sh MPIEXEC PROGRAM [ARGUMENT...]
set -euo pipefail
mpiexec=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
without_clock() { sed -E 's/, [0-9]+ s$//' "$1"; }
differ() { echo "$program: $1 of $ranks ranks and of one differ"; exit 1; }
program=$(basename "$1")

"$@" --shards 8 --run "$work/1" >"$work/1.out" || true
without_clock "$work/1.out" | tail -n 3
for ranks in 2 3 4; do
  "$mpiexec" -n "$ranks" "$@" --run "$work/$ranks" >"$work/$ranks.out" || true
  cmp <(without_clock "$work/1.out") <(without_clock "$work/$ranks.out") || differ words
  shared=0  # a Recorder saves by the clock, so one run may have files that the other has not
  for file in "$work/1"/*; do
    [[ -e $work/$ranks/${file##*/} ]] || continue
    cmp "$file" "$work/$ranks/${file##*/}" || differ "${file##*/}"
    shared=$((shared + 1))
  done
  [[ $shared -gt 0 && -s $work/1.out ]] || differ folders
done

log=$work/4/log.jsonl
if [[ -e $log ]]; then
  middle=$(($(wc -l <"$log") / 2)) ranks=3
  "$@" --shards 8 --travel "$work/4" --step $middle --branch "$work/branch" >/dev/null
  "$mpiexec" -n $ranks "$@" --run "$work/branch" >/dev/null || true
  cmp <(tail -n +$((middle + 1)) "$log") "$work/branch/log.jsonl" || differ "the rest"
fi

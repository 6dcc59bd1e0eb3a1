#!/bin/bash
# Trains on hosts that are reached with ssh; run it from the repository's root, which
# must lie at the same path on all of them, as must data and --workdir:
#
#   launch/cluster/hosts.sh "node1 node2" --config=configs/yelp.py --workdir=runs/yelp
#
# The first host coordinates. On each host a supervisor starts the training again when
# it fails. Ctrl-C stops the run, which saves first. Variables: PYTHON, PORT, SSH.
set -eu

if [ $# -lt 2 ]; then
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
read -r -a hosts <<<"$1"
shift
address=${hosts[0]}:${PORT:-12355}
words=""
for word in "$@"; do words+=" $(printf '%q' "$word")"; done

processes=()
trap 'kill -TERM "${processes[@]}" 2>/dev/null || true' INT TERM
for number in "${!hosts[@]}"; do
  # -tt: when this script goes, so does what it started there.
  ${SSH:-ssh -tt} "${hosts[$number]}" "cd $(printf '%q' "$PWD") && \
JAX_COORDINATOR_ADDRESS=$address JAX_NUM_PROCESSES=${#hosts[@]} \
JAX_PROCESS_ID=$number exec ${PYTHON:-python} -m launch.supervise --$words" &
  processes+=($!)
done
code=0
for process in "${processes[@]}"; do
  wait "$process" || code=$?
done
exit "$code"

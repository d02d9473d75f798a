#!/bin/sh
# What a machine with a GPU and no network does in a quarter of an hour, from the project's folder:
#
#   sh benchmarks/quarter_hour.sh OUT SECONDS [WHEELS]
#
# tests of the step on the GPU, times of all networks, then trainings of the profile gpu, in its order, for as many
# seconds. In OUT come the tests' report, the times, and parts for `python -m gampl_book unpack`. WHEELS is a folder with
# the packages that the machine's Python lacks. Parts that were brought back before, in the folder PARTS,
# are unpacked first, and nothing that they hold is trained again. PROFILE=smoke tries it on a CPU.
set -eu
out=$1 seconds=$2 wheels=${3:-} profile=${PROFILE:-gpu}
mkdir -p "$out"
export PYTHONPATH="$PWD" GAMPL_STORE="${GAMPL_STORE:-$PWD/.store}" TQDM_DISABLE=1
python=${PYTHON:-python3}
if [ -n "$wheels" ]; then
    "$python" -m pip install --quiet --no-index --no-deps "$wheels"/*.whl
fi
if [ -n "${PARTS:-}" ]; then
    "$python" -m gampl_book unpack "$PARTS"/part-*.tar
fi
"$python" -m pytest -q -p no:cacheprovider -o addopts= tests/training/test_step.py tests/training/test_devices.py \
    > "$out/tests.txt" 2>&1 || echo "tests of the step failed: $out/tests.txt"
tail -n 3 "$out/tests.txt"
"$python" benchmarks/gpu.py ${QUICK:+--quick} --seconds "${TIMING:-120}" > "$out/times.txt" 2>&1 || echo "not all networks were timed: $out/times.txt"
tail -n 40 "$out/times.txt"
"$python" -m gampl_book train --profile "$profile" --seconds "$seconds"
"$python" -m gampl_book pack --profile "$profile" "$out"

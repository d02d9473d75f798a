#!/bin/sh
# What a machine with a GPU and no network does in a quarter of an hour, from the project's folder:
#
#   sh benchmarks/quarter_hour.sh OUT SECONDS [WHEELS]
#
# tests of the step on the GPU (TESTS=120 seconds at most), times of all networks (TIMING=120), then trainings of the
# profile gpu, in its order, until so many seconds are over in all. In OUT come logs, the times, and parts for
# `python -m gampl_book unpack`. WHEELS is a folder with the packages that the machine's Python lacks. What was brought
# back before, and lies in data/parts (or in the folder PARTS), is unpacked first and not trained again.
#
# One training keeps a GPU busy; a second process trains while the first makes ready, generates, or answers the pages'
# questions on the CPU. More of them only share the GPU. PROFILE=smoke tries all this on a CPU.
set -eu
out=$1 end=$(($(date +%s) + $2)) wheels=${3:-} profile=${PROFILE:-gpu}
parts=${PARTS:-data/parts/$profile} tests=${TESTS:-120} timing=${TIMING:-120} workers=${WORKERS:-2}
mkdir -p "$out"
export PYTHONPATH="$PWD" GAMPL_STORE="${GAMPL_STORE:-$PWD/.store}" TQDM_DISABLE=1 PYTHONUNBUFFERED=1
python=${PYTHON:-python3}
if [ -n "$wheels" ]; then
    "$python" -m pip install --quiet --no-index --no-deps "$wheels"/*.whl
fi
if [ -d "$parts" ]; then
    "$python" -m gampl_book unpack --other-code "$parts"/part-*.tar
fi
if [ "$tests" -gt 0 ]; then # side by side where pytest-xdist is there, as most of their time is compiling
    side_by_side=$("$python" -c "import xdist" 2> /dev/null && echo "-n 6" || true)
    # shellcheck disable=SC2086
    OMP_NUM_THREADS=1 TORCHINDUCTOR_COMPILE_THREADS=2 timeout "$tests" "$python" -m pytest $side_by_side -v -rf \
        -p no:cacheprovider -p no:benchmark -o addopts= tests/training/test_step.py tests/training/test_devices.py \
        > "$out/tests.txt" 2>&1 || echo "tests of the step failed or were not done: $out/tests.txt"
    tail -n 3 "$out/tests.txt"
fi
if [ "$timing" -gt 0 ]; then
    "$python" benchmarks/gpu.py ${QUICK:+--quick} --calls 50 --seconds "$timing" > "$out/times.txt" 2> "$out/times.err" \
        || echo "not all networks were timed: $out/times.err"
    cat "$out/times.txt"
fi
worker=0
while [ "$worker" -lt "$workers" ]; do
    names=$("$python" -c "from gampl_book.event_studies import in_order; print(*in_order('$profile', 1)[$worker::$workers])")
    # shellcheck disable=SC2086
    "$python" -m gampl_book train --profile "$profile" --seconds $((end - $(date +%s))) $names > "$out/train-$worker.txt" 2>&1 &
    worker=$((worker + 1))
done
wait
cat "$out"/train-*.txt
"$python" -m gampl_book pack --profile "$profile" "$out"

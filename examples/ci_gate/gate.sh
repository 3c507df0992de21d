#!/usr/bin/env bash
# gate.sh MODEL.onnx [PROFILE]: bench a model, leave bench.xml and bench.md, and end with the bench's exit code.
# 0 fits, 3 does not fit, 4 the evidence is too weak to decide, 2 wrong usage or input. GATE_OPTIONS: more for the bench.
set -uo pipefail
model=${1:?usage: gate.sh MODEL.onnx [PROFILE]}
profile=${2:-raspberry-pi}

# shellcheck disable=SC2086  # GATE_OPTIONS is several words
edgekit bench "$model" --profile "$profile" --junit bench.xml --markdown bench.md ${GATE_OPTIONS:-}
code=$?

if [ -f bench.md ] && [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    cat bench.md >> "$GITHUB_STEP_SUMMARY"
fi
case $code in
    0) echo "gate: $model fits $profile" ;;
    3) echo "gate: $model does not fit $profile" ;;
    4) echo "gate: can't decide whether $model fits $profile; bench.md says what would decide" ;;
    *) echo "gate: the bench did not run (exit code $code)" ;;
esac
exit "$code"

#!/usr/bin/env bash
# The figures of BENCHMARKS.md: whole processes, on a copy of the sample zoo in a temporary folder.
# Needs hyperfine and Python. With models in ../shared (or AXZOO_SHARED) beside the checkout, their tests are timed too.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --quiet
axzoo=$PWD/target/release/axzoo
benches=$PWD/benches
zoo=$(mktemp -d)
trap 'rm -rf "$zoo"' EXIT
cp -r model_cards configs weights data pipeline-template "$zoo"
cd "$zoo"

echo "== cold build of the sample zoo"
hyperfine --warmup 1 --runs 10 --prepare 'rm -rf build cache' "$axzoo build all"

echo "== second build: nothing to do"
"$axzoo" build all > /dev/null 2>&1
hyperfine --shell=none --warmup 3 --runs 20 "$axzoo build all"

echo "== one setting of lowering changed and changed back"
hyperfine --shell=none --warmup 1 --runs 10 "$axzoo build all --set resources_used=0.25 --set tiling_depth=2" \
    "$axzoo build all"

echo "== check"
hyperfine --shell=none --warmup 3 --runs 20 "$axzoo check"

echo "== one model of a zoo of 1,000 cards"
python3 "$benches/make_cards.py" 1000 "$zoo/large"
cd "$zoo/large"
hyperfine --shell=none --warmup 3 --runs 30 "$axzoo config show net-00003-coco-onnx"

echo "== check of 10,000 cards: without a memory, then with one"
python3 "$benches/make_cards.py" 10000 "$zoo/huge"
cd "$zoo/huge"
hyperfine --shell=none --ignore-failure --warmup 1 --runs 5 --prepare 'rm -rf cache' "$axzoo check --format json"
"$axzoo" check > /dev/null 2>&1 || true
hyperfine --shell=none --ignore-failure --warmup 2 --runs 10 "$axzoo check --format json"

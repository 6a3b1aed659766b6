#!/usr/bin/env bash
# The engine beside ninja and b3sum, in one run: graphs of benches/make_graph.py in a temporary folder, two jobs, files in the
# system's cache. Needs ninja, b3sum, hyperfine, Python, GNU time; about 10 GB of disk for all of it.
#
#     bash benches/engine.sh [FOLDER]      FOLDER keeps the graphs for the next run
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --quiet
axzoo=$PWD/target/release/axzoo
benches=$PWD/benches
folder=${1:-$(mktemp -d)}
[ $# -gt 0 ] || trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"
cd "$folder"
quick=(hyperfine --shell=none --warmup 2)

for n in 100 1000 10000; do
    [ -d "graph-$n" ] || python3 "$benches/make_graph.py" $n "graph-$n"
    (cd "graph-$n" && ninja -j2 > /dev/null && ninja -f four.ninja -j2 > /dev/null && "$axzoo" build -j2 > /dev/null 2>&1)
    # What was changed just before it was read is certain one run later.
    (cd "graph-$n" && "$axzoo" build > /dev/null 2>&1)
    echo "== nothing to do, $n cards: ninja with the same graph, ninja with four steps a card, axzoo, and without what it remembers"
    (cd "graph-$n" && "${quick[@]}" --runs 10 ninja "ninja -f four.ninja" "$axzoo build")
    (cd "graph-$n" && "${quick[@]}" --runs 3 --prepare "sh -c 'rm -f cache/builds/*/fresh-1'" "$axzoo build")
    (cd "graph-$n" && command time -f "peak %M KB" "$axzoo" build)
done

echo "== one card of 10,000 edited: until its first step has a log"
python3 "$benches/first_work.py" "$axzoo" graph-10000 net-00007 5

echo "== first build of 1,000 cards, two jobs: ninja with the same graph, ninja with four steps a card, axzoo"
(cd graph-1000 && hyperfine --runs 3 --prepare 'rm -rf ninja .ninja_log .ninja_deps' 'ninja -j2' \
    --prepare 'rm -rf four .ninja_log .ninja_deps' 'ninja -f four.ninja -j2' \
    --prepare 'rm -rf build cache' "$axzoo build -j2")

echo "== reading: 64 files of 32 MiB, then 10,000 of 64 KiB; b3sum, axzoo with an empty stat index"
[ -d graph-64 ] || python3 "$benches/make_graph.py" 64 graph-64 --weights 32768
(cd graph-64 && hyperfine --warmup 1 --runs 5 'b3sum weights/*/*.onnx' "$axzoo build -n --quantize-only")
(cd graph-10000 && hyperfine --warmup 1 --runs 5 'find weights -name "*.onnx" | xargs b3sum')
(cd graph-10000 && hyperfine --warmup 1 --runs 5 --prepare 'rm -rf empty' "$axzoo build -n --cache empty --build-root none")

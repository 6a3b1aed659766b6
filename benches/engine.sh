#!/usr/bin/env bash
# The engine beside ninja and b3sum, in one run: graphs of benches/make_graph.py in a temporary folder, two jobs, files in the
# system's cache. Needs ninja, b3sum, hyperfine, Python, GNU time; about 20 GB of disk for all of it.
#
#     bash benches/engine.sh [FOLDER]      FOLDER keeps the graphs for the next run
#     AXZOO=PROGRAM bash benches/engine.sh FOLDER      measures a program that is there
#     LARGE=300 bash benches/engine.sh      a quick look: 300 cards where there are 10,000 otherwise
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${AXZOO:-}" ]; then
    cargo build --release --quiet
    AXZOO=$PWD/target/release/axzoo
fi
hashing=$(cargo bench --bench hashing --no-run --message-format json 2> /dev/null |
    sed -n 's/.*"executable":"\([^"]*hashing[^"]*\)".*/\1/p')
benches=$PWD/benches
large=${LARGE:-10000}
folder=${1:-$(mktemp -d)}
[ $# -gt 0 ] || trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"
cd "$folder"
axzoo=$folder/axzoo
cp "$AXZOO" "$axzoo"
quick=(hyperfine --shell=none --warmup 2)

# What an earlier run made is moved away, not removed: ext4 does not give out an inode that was in use a moment ago, and looking for
# others takes a third of the time of a build that makes many files.
cat > away.sh <<'AWAY'
away=$(mktemp -d away.XXXXXX)
for old in build cache ninja four .ninja_log .ninja_deps empty none; do [ ! -e $old ] || mv $old $away; done
sync
AWAY

nothing_to_do() {
    local n=$1
    [ -d "graph-$n" ] || python3 "$benches/make_graph.py" "$n" "graph-$n"
    (cd "graph-$n" && ninja -j2 > /dev/null && ninja -f four.ninja -j2 > /dev/null && "$axzoo" build -j2 > /dev/null 2>&1)
    # What was changed just before it was read is certain one run later.
    (cd "graph-$n" && "$axzoo" build > /dev/null 2>&1)
    echo "== nothing to do, $n cards: ninja with the same graph, ninja with four steps a card, axzoo, and without what it remembers"
    (cd "graph-$n" && "${quick[@]}" --runs 10 ninja "ninja -f four.ninja" "$axzoo build")
    (cd "graph-$n" && "${quick[@]}" --runs 3 --prepare "sh -c 'rm -f cache/builds/*/fresh-2'" "$axzoo build")
    (cd "graph-$n" && command time -f "peak %M KB" "$axzoo" build)
}

nothing_to_do 100
nothing_to_do 1000

echo "== contents changed with mtime and size put back: what runs"
weights=graph-1000/weights/000/net-00007.onnx
touch -r $weights moment
sed -i 's/a/b/' $weights
touch -r moment $weights
(cd graph-1000 && ninja | tail -1 && "$axzoo" build 2> /dev/null | tail -1)

echo "== first build of 1,000 cards, two jobs: ninja with the same graph, ninja with four steps a card, axzoo"
(cd graph-1000 && hyperfine --runs 3 --prepare 'bash ../away.sh' 'ninja -j2' 'ninja -f four.ninja -j2' "$axzoo build -j2")
rm -rf graph-1000/away.*

nothing_to_do "$large"

echo "== one card of $large edited: until its first step has a log"
python3 "$benches/first_work.py" "$axzoo" "graph-$large" net-00007 5

echo "== reading: 64 files of 32 MiB, then $large of 64 KiB; b3sum, the same files with an empty stat index"
[ -d graph-64 ] || python3 "$benches/make_graph.py" 64 graph-64 --weights 32768
for graph in graph-64 "graph-$large"; do
    cat $graph/weights/*/*.onnx > /dev/null
    (cd $graph && hyperfine --warmup 1 --runs 10 'b3sum weights/*/*.onnx' "$hashing weights/*/*.onnx")
done

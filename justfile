# Recipes for people who work on axzoo; `just --list` shows them.

# Everything CI runs.
check:
    bash .ci/run

# Accept new snapshots and regenerate what tests compare against (docs/config.md).
accept:
    INSTA_UPDATE=always AXZOO_ACCEPT=1 cargo test

# The figures of BENCHMARKS.md.
bench:
    bash benches/run.sh

# Licences, duplicates and sources of the dependencies (needs cargo-deny).
deny:
    cargo deny check licenses bans sources

# Every exported model in ONNX Runtime, optimizations off and on (needs Python with numpy, onnxruntime and pillow).
onnxruntime:
    cargo run --release -- build all
    python3 tools/check_onnxruntime.py build

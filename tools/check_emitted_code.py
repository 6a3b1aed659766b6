"""Compiles the C code of models with every compiler and level of optimization, and compares it with the integer reference.

For each model a zoo of one card is made as tools/compare_onnxruntime.py makes it, and built; the compiled model is run by
`axzoo run` and as C on the same random int8 inputs. Every output must be the same to the bit. Run by hand:

    python tools/check_emitted_code.py MODELS IMAGES [--axzoo target/release/axzoo] [--only NAME …] [--keep FOLDER] [--quick]

`--compiled FOLDER …` does it for models that are compiled already, without graphs that the host runs (`run_graph_cleaner = false`).

MODELS holds `index.json` (how each model's input is made) and the models. `--keep` leaves the zoos in a folder, and takes those
that are there. `--quick` leaves out what runs long: code without optimization, and under sanitizers, of large models.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import compare_onnxruntime

ROOT = Path(__file__).resolve().parent.parent
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
VARIANTS = [
    ["-std=c99", "-O0"],
    ["-std=c99", "-O2"],
    ["-std=c99", "-O3", "-march=native"],
    ["-std=gnu17", "-O0"],
    ["-std=gnu17", "-O2"],
    ["-std=gnu17", "-O3", "-march=native"],
    ["-std=gnu17", "-O0", "-march=native"],
    ["-std=gnu17", "-O3", "-march=haswell"],
    ["-std=c99", "-O0", "-mavx2"],
    ["-std=gnu17", "-O2", "-march=native", *SANITIZERS],
    ["-std=c99", "-O1", *SANITIZERS],
]
SLOW = ("-O0", "-O1", "-fsanitize=address,undefined")
# Seconds of compiling or running one variant that are worth a line.
LONG = 60

MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernel_function.c"
static void *memory(size_t bytes) {
    unsigned char *all = malloc(bytes + 64);
    if (!all) exit(2);
    return all + (64 - (uintptr_t)all % 64);
}
static void *file(const char *name, size_t bytes) {
    void *all = memory(bytes);
    FILE *from = fopen(name, "rb");
    if (!from || fread(all, 1, bytes, from) != bytes) exit(2);
    fclose(from);
    return all;
}
int main(void) {
    FILE *to = fopen("output.bin", "wb");
    /* Bytes that are written before they are read could hide behind zeros. */
    void *work = memory(@_WORKSPACE_BYTES);
    memset(work, 0x5a, @_WORKSPACE_BYTES);
    if (!to) return 2;
    {
        @DECLARE
        if (@CALL) return 3;
        @WRITE
    }
    return fclose(to) != 0;
}
"""


def port_bytes(source, kind):
    """Bytes of each input or output."""
    return [int(size) for size in re.findall(rf"^#define \w+?_{kind}_\d+_BYTES (\d+)$", source, re.MULTILINE)]


def main_program(source):
    name = re.search(r"^int (\w+)\(", source, re.MULTILINE).group(1)
    macros = name.upper()
    inputs = range(len(port_bytes(source, "INPUT")))
    outputs = range(len(port_bytes(source, "OUTPUT")))
    declare = [f'int8_t *i{n} = file("input_{n}.bin", {macros}_INPUT_{n}_BYTES);' for n in inputs]
    declare += [f"int8_t *o{n} = memory({macros}_OUTPUT_{n}_BYTES);" for n in outputs]
    declare.append(f'void *constants = file("pool_l2_const.bin", {macros}_CONSTANTS_BYTES);')
    arguments = [f"i{n}" for n in inputs] + [f"o{n}" for n in outputs] + ["constants", "work"]
    write = [f"if (fwrite(o{n}, 1, {macros}_OUTPUT_{n}_BYTES, to) != {macros}_OUTPUT_{n}_BYTES) return 4;" for n in outputs]
    text = MAIN.replace("@DECLARE", " ".join(declare)).replace("@WRITE", "\n        ".join(write))
    return text.replace("@CALL", f"{name}({', '.join(arguments)})").replace("@_", f"{macros}_")


def channels_last(array):
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == 4 else array


def build(arguments, entry, zoo):
    """The folder of the compiled model."""
    compiled = zoo / "build/model/model/1"
    if not compiled.is_dir():
        shutil.rmtree(zoo, ignore_errors=True)
        pictures = compare_onnxruntime.split(Path(arguments.images))
        images = [[compare_onnxruntime.picture(path, entry["pre"]) for path in paths[:8]] for paths in pictures]
        compare_onnxruntime.write_zoo(zoo, Path(arguments.models) / entry["file"], entry["pre"], images, None)
        card = zoo / "model_cards/model.yaml"
        card.write_text(card.read_text().replace('"num_cal_images": 32', '"num_cal_images": 8'))
    command = [arguments.axzoo, "-C", zoo, "build", "all", "--cache", zoo / "cache", "--build-root", zoo / "build"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError((done.stdout + done.stderr)[-600:])
    return compiled


def check(arguments, compiled, work, is_large):
    """Variants of a compiled model that were compared, elements of its outputs, and the problems."""
    work.mkdir(parents=True, exist_ok=True)
    source = (compiled / "kernel_function.c").read_text()
    for name in ("kernel_function.c", "pool_l2_const.bin"):
        shutil.copy(compiled / name, work / name)
    (work / "main.c").write_text(main_program(source))
    ports = json.loads((compiled / "model.json").read_text())
    random = np.random.default_rng(7)
    command = [arguments.axzoo, "run", compiled, "--output", work / "reference", "--format", "json"]
    for number, port in enumerate(ports["inputs"]):
        array = random.integers(-128, 128, port["shape"], dtype=np.int8)
        np.save(work / f"input_{number}.npy", array)
        channels_last(array).tofile(work / f"input_{number}.bin")
        command += ["--input", work / f"input_{number}.npy"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-600:])
    expected = []
    for port, output in zip(ports["outputs"], json.loads(done.stdout)["outputs"]):
        real = np.load(work / "reference" / Path(output["file"]).name)
        steps = np.rint(real / np.float32(port["scale"])) + port["zero_point"]
        expected.append(channels_last(steps.astype(np.int8)).ravel())
    expected = np.concatenate(expected)
    compared, problems = 0, []
    for compiler in arguments.compilers:
        for flags in VARIANTS:
            if arguments.quick and any(flag in SLOW for flag in flags) and is_large:
                continue
            start = time.perf_counter()
            made = subprocess.run([compiler, *WARNINGS, *flags, "main.c", "-o", "program"], cwd=work, capture_output=True,
                                  text=True, check=False)
            if made.returncode != 0 or made.stderr:
                problems.append(f"{compiler} {' '.join(flags)}: {made.stderr[:400]}")
                continue
            compiled_at = time.perf_counter()
            ran = subprocess.run(["./program"], cwd=work, capture_output=True, text=True, check=False,
                                 env={"ASAN_OPTIONS": "detect_leaks=0"})
            found = np.fromfile(work / "output.bin", np.int8)
            different = expected.size if found.size != expected.size else int((found != expected).sum())
            if ran.returncode != 0 or different:
                problems.append(f"{compiler} {' '.join(flags)}: {different} of {expected.size} differ; {ran.stderr[:300]}")
            took = compiled_at - start, time.perf_counter() - compiled_at
            if max(took) > LONG:
                print(f"    {compiler} {' '.join(flags)}: compiled in {took[0]:.0f} s, ran for {took[1]:.0f} s", flush=True)
            compared += 1
    return compared, expected.size, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="?")
    parser.add_argument("images", nargs="?")
    parser.add_argument("--compiled", nargs="*", type=Path, default=[])
    parser.add_argument("--axzoo", default=ROOT / "target/release/axzoo")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    arguments.compilers = [name for name in ("gcc", "clang") if shutil.which(name)]
    index = json.loads((Path(arguments.models) / "index.json").read_text())["models"] if arguments.models else []
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        entries = [(entry["file"].removesuffix(".onnx"), entry, None) for entry in index]
        entries += [("/".join(path.resolve().parts[-3:-1]), None, path.resolve()) for path in arguments.compiled]
        for name, entry, compiled in entries:
            if arguments.only and name not in arguments.only:
                continue
            start = time.perf_counter()
            try:
                is_large = entry is not None and (Path(arguments.models) / entry["file"]).stat().st_size > 1 << 20
                compiled = compiled or build(arguments, entry, folder / name)
                compared, elements, problems = check(arguments, compiled, folder / name / "work", is_large)
            except RuntimeError as error:
                compared, elements, problems = 0, 0, [str(error)]
            failed += bool(problems)
            seconds = time.perf_counter() - start
            verdict = "DIFFERENT" if problems else "identical"
            print(f"{name:32} {compared:3} variants of {elements:8} elements {verdict} ({seconds:.0f} s)", flush=True)
            for problem in problems:
                print("   ", problem, flush=True)
    print(f"{failed} models failed" if failed else "all identical")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

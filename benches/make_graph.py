#!/usr/bin/env python3
"""Writes a zoo of N cards that can be built at once, and the same graph for ninja: what the benchmarks of the engine read.

    python3 benches/make_graph.py N FOLDER [--weights KIB]

Each card has one model with weights of its own (64 KiB unless said), and the steps copy them on (`scripted` toolchain): fetch,
clean, quantize, lower, pack, bundle. `FOLDER/build.ninja` has the same six steps a card with the same number of files, each
step a `cp`; `FOLDER/four.ninja` the first four only, one file each. The same bytes for the same N.
"""

import argparse
import random
from pathlib import Path

SETTINGS = """\
[toolchain]
use = "scripted"

[scripted]
clean = 'exec cp "$AXZOO_INPUT_MODEL_MODEL_ONNX" model.onnx'
quantize = 'exec cp "$AXZOO_INPUT_MODEL" quantized_model.json'
lower = 'echo "{}" > manifest.json; exec cp "$AXZOO_INPUT_QUANTIZED_QUANTIZED_MODEL_JSON" model.json'
"""

CARD = """\
axelera-model-format: 1.0.0
name: {name}
description: number {index} of a large zoo
pipeline:
  - classifications:
      model_name: {name}
      preprocess:
        - resize:
            width: 224
            height: 224
        - torch-totensor:
        - normalize:
            mean: 0.485, 0.456, 0.406
            std: 0.229, 0.224, 0.225
      postprocess:
        - topk:
            k: 5
models:
  {name}:
    class: Net
    class_path: net.py
    weight_path: {up}weights/{folder}/{name}.onnx
    task_category: Classification
    input_tensor_layout: NCHW
    input_tensor_shape: [1, 3, 224, 224]
    input_color_format: RGB
    num_classes: 1000
    dataset: Pictures
    extra_kwargs:
      num_cal_images: 1
      compilation_config:
        quantization_scheme: per_tensor_histogram
datasets:
  Pictures:
    class: Folder
    class_path: net.py
    data_dir_name: pictures
    repr_imgs_dir_path: {up}data/pictures
"""

RULES = """\
rule cp
  command = cp $in $out
rule two
  command = echo "{{}}" > $dir/manifest.json; cp $in $dir/model.json
rule pack
  command = cp $in $dir/package.axm; echo 1 > $dir/a.json; echo 2 > $dir/b.json; echo 3 > $dir/c.toml
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=int, default=64, metavar="KIB")
    arguments = parser.parse_args()
    root = arguments.folder
    (root / "data/pictures").mkdir(parents=True, exist_ok=True)
    (root / "data/pictures/one.png").write_bytes(b"a picture")
    (root / "axzoo.toml").write_text(SETTINGS)
    # Each with a log of its own: ninja reads all of it each time.
    six, four = [RULES.replace("{{}}", "{}")], ["builddir = four\n" + RULES.replace("{{}}", "{}")]
    for index in range(arguments.count):
        name, folder = f"net-{index:05}", f"{index // 50:03}"
        card = root / "model_cards" / folder / f"{name}.yaml"
        weights = root / "weights" / folder / f"{name}.onnx"
        card.parent.mkdir(parents=True, exist_ok=True)
        weights.parent.mkdir(parents=True, exist_ok=True)
        card.write_text(CARD.format(name=name, index=index, folder=folder, up="../../"))
        # JSON, so that every step's output may be a copy.
        size = arguments.weights * 512 - 1
        weights.write_text('"' + random.Random(index).randbytes(size).hex() + '"')
        source, card, out = f"weights/{folder}/{name}.onnx", f"model_cards/{folder}/{name}.yaml", f"ninja/{name}"
        six.append(
            f"build {out}/fetch: cp {source} | {card}\n"
            f"build {out}/clean: cp {out}/fetch\n"
            f"build {out}/quantized/model.json: cp {out}/clean\n"
            f"build {out}/1/manifest.json {out}/1/model.json: two {out}/quantized/model.json\n  dir = {out}/1\n"
            f"build {out}/package.axm {out}/a.json {out}/b.json {out}/c.toml: pack {out}/1/model.json\n  dir = {out}\n"
            f"build {out}/bundle.zip: cp {out}/package.axm\n"
        )
        out = f"four/{name}"
        four.append(
            f"build {out}/fetch: cp {source} | {card}\n"
            f"build {out}/clean: cp {out}/fetch\n"
            f"build {out}/quantized: cp {out}/clean\n"
            f"build {out}/lowered: cp {out}/quantized\n"
        )
    (root / "build.ninja").write_text("".join(six))
    (root / "four.ninja").write_text("".join(four))


main()

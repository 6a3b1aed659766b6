"""Cuts every model of a folder as axzoo does by default, and compares the parts with the whole in ONNX Runtime.

For each ONNX file it makes a zoo of one card, builds it (random calibration), and then runs the preamble, the float core
and the postamble one after the other, values found by their names, on the same input as the file itself. All parts, and the
quantized model that holds all of them, must pass onnx.checker and load in ONNX Runtime; the outputs of the float parts must
agree with the whole's, those of the quantized model must have the whole's names and shapes. The float core is found in
axzoo's store, by its digest in no other way than by its name: the clean step keeps it as `model.onnx`.

Run by hand: `python tools/check_graph_split.py target/debug/axzoo FOLDER [NAME…]`; skips, and says so, without the folder.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

# Sizes for open dimensions, by file: (N, C, H, W).
SIZES = {"ppocr_cls": (1, 3, 48, 192), "rw_squeezenet1_1_dyn_op17": (1, 3, 224, 224), "yunet_n_dynamic": (1, 3, 320, 320)}

CARD = """axelera-model-format: 1.0.0
name: net
description: a network to cut
pipeline:
  - find:
      model_name: net
      preprocess:
        - resize: {{width: {width}, height: {height}}}
        - torch-totensor:
models:
  net:
    weight_path: ../net.onnx
    input_tensor_layout: {layout}
    input_tensor_shape: {shape}
    input_color_format: {color}
    dataset: none
    extra_kwargs: {{aipu_cores: 1, num_cal_images: 2}}
datasets:
  none:
    data_dir_name: none
"""


def session(source):
    return onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])


def run(path, known):
    """Runs a file on known values; adds its outputs to them."""
    model = session(str(path))
    feeds = {value.name: known[value.name] for value in model.get_inputs()}
    names = [value.name for value in model.get_outputs()]
    outputs = dict(zip(names, model.run(names, feeds)))
    known.update(outputs)
    return outputs


def shape_of(path):
    graph = onnx.load(path, load_external_data=False).graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    dims = [dim.dim_value if dim.dim_value > 0 else None for dim in inputs[0].type.tensor_type.shape.dim]
    if len(inputs) != 1 or len(dims) != 4:
        return None
    given = SIZES.get(path.stem, (1, None, None, None))
    shape = [dim or size for dim, size in zip(dims, given)]
    return None if None in shape else (inputs[0].name, shape, inputs[0].type.tensor_type.elem_type)


def check(axzoo, path):
    """What is wrong, and a line that says what was found."""
    found = shape_of(path)
    if found is None:
        return [], "skipped: not one image of known size"
    name, shape, element = found
    is_last = shape[3] in (1, 3) and shape[1] not in (1, 3)
    _, channels, height, width = (shape[0], shape[3], shape[1], shape[2]) if is_last else shape
    with tempfile.TemporaryDirectory() as folder:
        zoo = Path(folder)
        (zoo / "model_cards").mkdir()
        (zoo / "net.onnx").write_bytes(path.read_bytes())
        (zoo / "axzoo.toml").write_text("")
        card = CARD.format(
            width=width, height=height, shape=shape, layout="NHWC" if is_last else "NCHW",
            color="GRAY" if channels == 1 else "RGB",
        )
        (zoo / "model_cards/net.yaml").write_text(card)
        arguments = [str(axzoo), "build", "--allow-random", "--num-cal-images", "2"]
        built = subprocess.run(arguments, cwd=zoo, capture_output=True, text=True)
        if built.returncode != 0:
            return [f"it does not build: {built.stderr.strip()[-300:]}"], ""
        quantized = zoo / "build/net/net/quantized"
        manifest = json.loads((zoo / "build/net/net/1/manifest.json").read_text())
        host = [manifest[key] for key in ("preprocess_graph", "postprocess_graph")]
        parts = [quantized / file if file else None for file in host]
        wrong = []
        for file, part in zip(host, parts):
            if part and (zoo / "build/net/net/1" / file).read_bytes() != part.read_bytes():
                wrong.append(f"{file} differs between quantized/ and 1/")
        core = core_in(zoo / "cache")
        files = [file for file in [parts[0], core, parts[1], quantized / "quantized_model.onnx"] if file]
        for file in files:
            try:
                onnx.checker.check_model(onnx.load(file), full_check=True)
            except Exception as error:
                wrong.append(f"{file.name} is not valid: {error}")
        random = np.random.default_rng(7)
        image = random.random(shape, dtype=np.float32)
        kind = np.float16 if element == onnx.TensorProto.FLOAT16 else np.float32
        whole = session(str(path))
        names = [value.name for value in whole.get_outputs()]
        expected = dict(zip(names, whole.run(names, {name: image.astype(kind)})))
        known = {name: image}
        for part in [parts[0], core, parts[1]]:
            if part:
                last = run(part, known)
        worst = 0.0
        for output, value in expected.items():
            if output not in last:
                wrong.append(f"the parts make no `{output}`")
                continue
            scale = max(float(np.abs(value).max()), 1e-6)
            worst = max(worst, float(np.abs(last[output] - value).max()) / scale)
        if worst > (2e-2 if kind == np.float16 else 1e-3):
            wrong.append(f"the parts differ from the whole by {worst:.1e} of the largest element")
        answers = run(quantized / "quantized_model.onnx", {name: image})
        for output, value in expected.items():
            if output not in answers or answers[output].shape != value.shape:
                wrong.append(f"the quantized model has no `{output}` of the shape {value.shape}")
        counts = [len(onnx.load(file).graph.node) if file else 0 for file in [parts[0], core, parts[1]]]
        return wrong, f"{counts[0]:>3} | {counts[1]:>3} | {counts[2]:>3} nodes, largest difference {worst:.1e}"


def core_in(cache):
    """The clean step's `model.onnx`: of the ONNX blobs the one that is neither a host graph nor quantized."""
    found = []
    for blob in cache.rglob("*"):
        if not blob.is_file() or blob.stat().st_size < 16:
            continue
        try:
            model = onnx.load_model_from_string(blob.read_bytes())
        except Exception:
            continue
        operators = {node.op_type for node in model.graph.node}
        is_part = model.graph.name.endswith(("-preamble", "-postamble"))
        if model.producer_name == "axzoo" and operators and not is_part and "QuantizeLinear" not in operators:
            found.append(blob)
    return found[0] if len(found) == 1 else None


def main():
    axzoo, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    if not folder.is_dir():
        print(f"skipped: there is no folder {folder}")
        return
    failed = False
    for path in sorted(folder.glob("*.onnx")):
        if len(sys.argv) > 3 and path.stem not in sys.argv[3:]:
            continue
        wrong, line = check(axzoo, path)
        print(f"{path.stem:<30} {line}", flush=True)
        for problem in wrong:
            print(f"    {problem}")
        failed |= bool(wrong)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

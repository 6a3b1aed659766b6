"""Measures the sample zoo without axzoo: top-1 on the held-out images, in float and as int8.

Float runs in ONNX Runtime. Int8 is ONNX Runtime's own static quantization (QDQ, int8, weights per channel), calibrated
on the calibration images, with minima and maxima and with entropy. The preprocess is written here once more from the
cards, with Pillow and NumPy, so that a mistake elsewhere shows. Also prints how large the zoo's files are.

Run by hand from the project's root: `python tools/check_sample_zoo.py`.
"""

import logging
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime import quantization
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("model_cards", "configs", "data", "weights", "pipeline-template", "axzoo.toml")


def digits(image):
    image = image.convert("L").resize((16, 16), Image.Resampling.BILINEAR)
    return (np.float32(image) / 255 - 0.305) / 0.376


def finder(image):
    image = image.convert("L")
    assert image.size == (64, 48)
    return np.pad(np.float32(image), ((8, 8), (0, 0)), constant_values=114) / 255


def reader(image):
    image = image.convert("L").resize((18, 18), Image.Resampling.BILINEAR)
    return np.float32(image.crop((1, 1, 17, 17))) / 127.5 - 1


MODELS = [
    ("digits", "digits", digits),
    ("digit-finder", "scenes", finder),
    ("digit-reader", "crops", reader),
]


class Calibration(quantization.CalibrationDataReader):
    """Hands the calibration images to ONNX Runtime, one at a time."""

    def __init__(self, inputs):
        self.inputs = iter(inputs)

    def get_next(self):
        tensor = next(self.inputs, None)
        return None if tensor is None else {"image": tensor}


def load(path, preprocess):
    with Image.open(path) as image:
        return preprocess(image).astype(np.float32)[None, None]


def held_out(folder, preprocess):
    """[(tensor, class)]: the class is the place of the image's folder among the sorted folders."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    return [(load(path, preprocess), index) for index, label in enumerate(classes) for path in sorted(label.iterdir())]


def answers(path, cases):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [session.run(None, {"image": tensor})[0] for tensor, _ in cases]


def score(logits, cases):
    return sum(int(np.argmax(found)) == wanted for found, (_, wanted) in zip(logits, cases))


def measure(name, folder, preprocess):
    weights = ROOT / "weights" / f"{name}.onnx"
    cases = held_out(ROOT / "data" / folder / "held-out", preprocess)
    calibration = [load(path, preprocess) for path in sorted((ROOT / "data" / folder / "calibration").iterdir())]
    exact = answers(weights, cases)
    count = len(cases)
    right = score(exact, cases)
    print(f"{name}: {count} held-out images, {len(calibration)} for calibration, {weights.stat().st_size} bytes")
    print(f"  float          {right}/{count} = {100 * right / count:.2f} %")
    gaps = sorted(float(np.diff(np.sort(found[0])[-2:])[0]) for found in exact)
    print(f"  smallest gaps between the first and second logit: {', '.join(f'{gap:.2f}' for gap in gaps[:4])}")
    methods = quantization.CalibrationMethod
    for words, method, per_channel in (
        ("int8 min/max", methods.MinMax, True),
        ("int8 entropy", methods.Entropy, True),
        ("  per tensor", methods.MinMax, False),
    ):
        with tempfile.TemporaryDirectory() as temporary:
            target = Path(temporary) / "int8.onnx"
            quantization.quantize_static(
                str(weights), str(target), Calibration(calibration), quant_format=quantization.QuantFormat.QDQ,
                activation_type=quantization.QuantType.QInt8, weight_type=quantization.QuantType.QInt8,
                per_channel=per_channel, calibrate_method=method,
            )
            found = answers(target, cases)
        right8 = score(found, cases)
        agree = sum(int(a.argmax() == b.argmax()) for a, b in zip(exact, found))
        noise = np.sum(np.square(np.subtract(exact, found)))
        decibels = 10 * np.log10(np.sum(np.square(exact)) / noise)
        print(f"  {words}   {right8}/{count} = {100 * right8 / count:.2f} %, agrees on {agree}, {decibels:.1f} dB")


def main():
    logging.disable(logging.WARNING)
    for model in MODELS:
        measure(*model)
    paths = [path for name in FOLDERS for path in [ROOT / name, *(ROOT / name).rglob("*")] if path.exists()]
    paths = [path for path in paths if "__pycache__" not in path.parts]
    files = [path for path in paths if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    blocks = sum((path.stat().st_size + 4095) // 4096 * 4096 if path.is_file() else 4096 for path in paths)
    print(f"{len(files)} files, {size} bytes, {blocks} bytes in blocks of 4 KiB, folders included")


if __name__ == "__main__":
    main()

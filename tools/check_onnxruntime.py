"""Runs every quantized model of a build in ONNX Runtime, optimizations off and on, and compares it with float.

Top-1 is taken on the sample zoo's held-out images, through the preprocess that `check_sample_zoo.py` writes down on its
own, so that neither the exported model nor its accuracy is taken on axzoo's word. Fails when a model does not load, or
when its top-1 is more than one point under float's.

Run by hand after a build: `python tools/check_onnxruntime.py build`.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from check_sample_zoo import ROOT, digits, finder, load, reader

# Model → images, preprocess, float weights.
MODELS = {
    "digits": ("digits", digits, "digits"),
    "digits-inline": ("digits", digits, "digits"),
    "digits-minmax": ("digits", digits, "digits"),
    "digit-finder": ("scenes", finder, "digit-finder"),
    "digit-reader": ("crops", reader, "digit-reader"),
}


def session(path, optimized):
    options = onnxruntime.SessionOptions()
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimized else level.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def top1(path, optimized, images, preprocess):
    model = session(path, optimized)
    name = model.get_inputs()[0].name
    classes = sorted(folder for folder in images.iterdir() if folder.is_dir())
    right = total = 0
    for label, folder in enumerate(classes):
        for image in sorted(folder.glob("*.png")):
            output = model.run(None, {name: load(image, preprocess)})[0]
            right += int(np.argmax(output) == label)
            total += 1
    return right / total


def main():
    build = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build")
    failed = False
    print(f"{'model':<28} {'float':>8} {'int8, optimizations off':>24} {'on':>8}")
    for path in sorted(build.glob("*/*/quantized/quantized_model.onnx")):
        model = path.parent.parent.name
        folder, preprocess, weights = MODELS[model]
        images = ROOT / "data" / folder / "held-out"
        exact = top1(ROOT / "weights" / f"{weights}.onnx", True, images, preprocess)
        off, on = (top1(path, optimized, images, preprocess) for optimized in (False, True))
        failed |= min(off, on) < exact - 0.01
        print(f"{model:<28} {exact:>8.2%} {off:>24.2%} {on:>8.2%}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

"""Quantizes models with axzoo and with ONNX Runtime on the same images, and compares the results in ONNX Runtime.

For each model a zoo of one card is written into a temporary folder, `axzoo build --quantize-only` quantizes it with 32
calibration images, and the QDQ file is run in ONNX Runtime (optimizations off: simulation in float; on: integer kernels) on
16 other images against the float model. Images are ordered by the SHA-256 of their file's name: the first 32
calibrate, the next 16 measure.

SQNR: 10·log10 of the sum of squares over all images and outputs, by that of the difference; centred: the signal less its
mean over the images. Run by hand:

    python tools/compare_onnxruntime.py MODELS IMAGES [--axzoo target/release/axzoo] [--only NAME …] [--onnxruntime]
        [--markdown FILE] [--scheme SCHEME] [--set KEY=VALUE …] [--salt WORD] [--memory]

MODELS holds `index.json` (how each model's input is made) and the models; with an `ONNXRUNTIME.md` beside it, its rows are
shown for comparison. `--onnxruntime` also runs `quantize_static` (MinMax and Percentile, int8) here, in a process of its own that
reads the same picture files, pre-processes the model as ONNX Runtime does by default and quantizes it: for times of whole processes side
by side, and for the interval of the median gain (95 %, images drawn anew 2000 times, the same ones for both quantizers). In
brackets the seconds without symbolic shape inference, the part of the pre-processing that may be skipped; where it fails, the
seconds are without it, and marked so.

`--salt` puts a word before each name that is hashed: another split of the images, for trying things out that the first split shall
judge. `--memory` only compares peak memory (the largest resident set of a process): of `axzoo build` with 32 and with 200 calibration
images (the 32 again and again), and of processes that quantize with MinMax and with Percentile.

Fair is only what computes as much on integers: the share of multiplications on integers is shown, and an output that no
DequantizeLinear makes is an error. Seconds are those of a build with the calibration images alone, which is what `quantize_static`
does; in brackets those with the report on the held-out images, which it has no counterpart to.
"""

import argparse
import hashlib
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnx.version_converter
import onnxruntime
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process
from PIL import Image

CALIBRATION, EVALUATION = 32, 16
METHODS = ("MinMax", "Percentile")
ROOT = Path(__file__).resolve().parent.parent
MODELS = [
    "squeezenet_fp32_from_fp16",
    "ultraface_rfb_320",
    "yunet_n_320",
    "nanodet_m_320",
    "rw_mobilenet_v2_op17",
    "fastestdet",
    "deeplab_v3_mnv2_tf",
    "rw_yolov8n_320_op17",
    "super_resolution_10",
    "mp_face_landmark",
]


def split(folder, salt=""):
    files = [path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
    files.sort(key=lambda path: hashlib.sha256((salt + path.name).encode()).hexdigest())
    return files[:CALIBRATION], files[CALIBRATION : CALIBRATION + EVALUATION]


def picture(path, pre):
    """The image at the model's size: both sides are given the same pixels."""
    with Image.open(path) as image:
        mode = "L" if pre["order"] == "Y" else "RGB"
        return image.convert(mode).resize((pre["w"], pre["h"]), Image.Resampling.BILINEAR)


def tensor(image, pre):
    pixels = np.asarray(image, np.float32)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pre["order"] == "BGR":
        pixels = pixels[..., ::-1]
    pixels = (pixels - np.float32(pre["mean"])) / np.float32(pre["std"])
    return np.ascontiguousarray(pixels if pre["layout"] == "NHWC" else pixels.transpose(2, 0, 1))[None]


def write_zoo(zoo, weights, pre, pictures, scheme):
    """A zoo of one card; the pictures' names keep their order."""
    for kind, images in zip(("calibration", "held-out"), pictures):
        (zoo / kind).mkdir(parents=True)
        for index, image in enumerate(images):
            image.save(zoo / kind / f"{index:03}.png")
    (zoo / "model_cards").mkdir()
    channels = len(pre["mean"])
    sizes = [pre["h"], pre["w"], channels] if pre["layout"] == "NHWC" else [channels, pre["h"], pre["w"]]
    color = "GRAY" if pre["order"] == "Y" else pre["order"]
    # The whole network is compared: nothing at its ends is left to float.
    config = {"graph_cleaner_split_pre_post_processing": False}
    if scheme:
        config["quantization_scheme"] = scheme
    card = {
        "axelera-model-format": "1.0.0",
        "name": "model",
        "description": "compared with ONNX Runtime",
        "pipeline": [{"detections": {
            "model_name": "model",
            "input": {"type": "image", "color_format": color},
            "preprocess": [
                {"torch-totensor": {"scale": False}},
                {"normalize": {"mean": pre["mean"], "std": pre["std"]}},
            ],
        }}],
        "models": {"model": {
            "class": "Model",
            "class_path": "model.py",
            "weight_path": str(weights),
            "weight_md5": hashlib.md5(weights.read_bytes()).hexdigest(),
            "task_category": "ObjectDetection",
            "input_tensor_layout": pre["layout"],
            "input_tensor_shape": [1, *sizes],
            "input_color_format": color,
            "num_classes": 1000,
            "dataset": "Photographs",
            "extra_kwargs": {"num_cal_images": len(pictures[0]), "compilation_config": config},
        }},
        "datasets": {"Photographs": {
            "class": "Photographs",
            "class_path": "photographs.py",
            "data_dir_name": "calibration",
            "repr_imgs_dir_path": "../calibration",
            "val_data": "../held-out",
        }},
    }
    (zoo / "model_cards" / "model.yaml").write_text(json.dumps(card, indent=1))
    (zoo / "axzoo.toml").write_text("")


def measured(command):
    """Runs a process; its seconds from start to end, its peak memory in MiB, its exit code and what it printed."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        return seconds, usage.ru_maxrss / 1024, process.returncode, printed.read()


def build(arguments, zoo, into=""):
    """Builds the zoo from nothing; seconds of the whole process and its peak memory in MiB."""
    command = [arguments.axzoo, "-C", zoo, "build", "all", "--quantize-only", "--cache", zoo / f"cache{into}",
               "--build-root", zoo / f"build{into}"]
    for setting in arguments.set:
        command += ["--set", setting]
    if arguments.threads:
        command += ["-j", str(arguments.threads)]
    seconds, memory, code, printed = measured(command)
    if code != 0:
        message = re.search(r"error.*", printed)
        raise RuntimeError(message.group(0) if message else printed[-400:])
    return seconds, memory


def build_unmeasured(arguments, zoo):
    """Seconds of a build that quantizes only, as `quantize_static` does: with no held-out images, so no report on them."""
    path = zoo / "model_cards" / "model.yaml"
    card = json.loads(path.read_text())
    del card["datasets"]["Photographs"]["val_data"]
    path.write_text(json.dumps(card, indent=1))
    return build(arguments, zoo, "-unmeasured")[0]


LEVELS = onnxruntime.GraphOptimizationLevel


def session(path, level):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def outputs(path, level, tensors):
    """For each image all outputs, one after another."""
    model = session(path, level)
    name = model.get_inputs()[0].name
    run = lambda tensor: np.concatenate([np.ravel(output) for output in model.run(None, {name: tensor})])
    return np.stack([run(tensor) for tensor in tensors]).astype(np.float64)


def quantized_outputs(path):
    """Whether every output of a QDQ file is a dequantized int8 tensor."""
    graph = onnx.load(path).graph
    made = {name: node.op_type for node in graph.node for name in node.output}
    return all(made.get(output.name) == "DequantizeLinear" for output in graph.output)


def interval(exact, found, others):
    """The 95 % interval of the median gain over models, in dB, when the images are drawn anew. By model: all outputs of each
    image in float, as axzoo's, and as each of ONNX Runtime's."""
    noise = lambda pair: np.sum((pair[0] - pair[1]) ** 2, axis=1)
    ours = [noise(pair) for pair in zip(exact, found)]
    theirs = [[noise((float32, other)) for other in of] for float32, of in zip(exact, others)]
    random, medians = np.random.default_rng(1), []
    for _ in range(2000):
        drawn = random.integers(0, EVALUATION, EVALUATION)
        gain = lambda own, rows: 10 * np.log10(min(row[drawn].sum() for row in rows) / own[drawn].sum())
        medians.append(np.median([gain(own, rows) for own, rows in zip(ours, theirs)]))
    return np.percentile(medians, [2.5, 97.5])


def quality(exact, found):
    """SQNR in dB, centred SQNR in dB, images with the same largest output."""
    noise = np.sum((exact - found) ** 2)
    centred = np.sum((exact - exact.mean(axis=0)) ** 2)
    same = int(np.sum(exact.argmax(axis=1) == found.argmax(axis=1)))
    return 10 * np.log10(np.sum(exact**2) / noise), 10 * np.log10(centred / noise), same


def on_integers(built, exact, tensors):
    """SQNR with ONNX Runtime's integer kernels: with all its optimizations, else with as many as run, and which these are."""
    for level, note in ((LEVELS.ORT_ENABLE_ALL, ""), (LEVELS.ORT_ENABLE_EXTENDED, " (extended only)")):
        try:
            return f"{quality(exact, outputs(built, level, tensors))[0]:.2f}{note}"
        except Exception:  # Its own kernels fail on some networks, with errors of many classes.
            continue
    return "fails"


class Calibration(quantization.CalibrationDataReader):
    def __init__(self, name, tensors):
        self.name = name
        self.tensors = iter(tensors)

    def get_next(self):
        tensor = next(self.tensors, None)
        return None if tensor is None else {self.name: tensor}


def quantize_static(source, tensors, method, symbolic, found):
    """`quantize_static` with its pre-processing, with or without symbolic shape inference, into a file; the pre-processing's
    files go beside it."""
    model = onnx.load(source)
    if model.opset_import[0].version < 13:
        model = onnx.version_converter.convert_version(model, 13)
    converted, prepared = found.with_name("converted.onnx"), found.with_name("prepared.onnx")
    onnx.save(model, converted)
    quant_pre_process(converted, prepared, skip_symbolic_shape=not symbolic)
    name = onnxruntime.InferenceSession(prepared, providers=["CPUExecutionProvider"]).get_inputs()[0].name
    quantization.quantize_static(
        prepared, found, Calibration(name, tensors), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
        activation_type=quantization.QuantType.QInt8, weight_type=quantization.QuantType.QInt8,
        calibrate_method=method)


def quantize_alone(options, pre):
    """What a process does that quantizes one model and nothing else: reading the pictures, and the calls."""
    name, method, shapes, zoo = options.alone
    tensors = [tensor(picture(path, pre), pre) for path in sorted((Path(zoo) / "calibration").iterdir())[:CALIBRATION]]
    source, found = (options.models / f"{name}.onnx").resolve(), Path(zoo) / f"{method}.onnx"
    quantize_static(source, tensors, quantization.CalibrationMethod[method], shapes == "symbolic", found)


def process_of(options, name, method, zoo, shapes="symbolic"):
    """Seconds of such a process from its start to its end, and its peak memory in MiB; it leaves METHOD.onnx in the zoo."""
    command = [sys.executable, __file__, options.models, options.images, "--alone", name, method, shapes, zoo]
    seconds, memory, code, printed = measured(command)
    if code != 0:
        raise RuntimeError(printed[-400:])
    return seconds, memory


def times_of(options, name, method, zoo):
    """Seconds of the process with the default pre-processing, in brackets without symbolic shape inference."""
    without = f"{process_of(options, name, method, zoo, 'plain')[0]:.2f}"
    try:
        return f"{process_of(options, name, method, zoo)[0]:.2f} ({without})"
    except RuntimeError:
        return f"{without} (no symbolic shapes)"


def compare_memory(options, index, files):
    print("model | axzoo, 32 images | axzoo, 200 images | MinMax | Percentile")
    for name in options.only:
        pre, weights = index[name]["pre"], (options.models / f"{name}.onnx").resolve()
        row = [name]
        for count in (CALIBRATION, 200):
            with tempfile.TemporaryDirectory() as folder:
                pictures = [[picture(path, pre) for path in part] for part in files]
                pictures[0] = [pictures[0][place % CALIBRATION] for place in range(count)]
                write_zoo(Path(folder) / "zoo", weights, pre, pictures, options.scheme)
                row.append(f"{build(options, Path(folder) / 'zoo')[1]:.0f}")
                if count == 200:
                    row += [f"{process_of(options, name, method, folder + '/zoo')[1]:.0f}" for method in METHODS]
        print(" | ".join(row), flush=True)


def published(folder):
    """Rows of ONNXRUNTIME.md: model → (best plain SQNR, best centred SQNR, seconds of MinMax with pre-processing)."""
    path, rows = folder / "ONNXRUNTIME.md", {}
    for line in path.read_text().splitlines() if path.is_file() else []:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) > 10 and cells[1] in ("MinMax", "Percentile"):
            plain, centred, seconds = float(cells[3]), float(cells[5]), float(cells[8]) + float(cells[9])
            best = rows.get(cells[0], (-np.inf, -np.inf, np.inf))
            rows[cells[0]] = (max(best[0], plain), max(best[1], centred), min(best[2], seconds))
    return rows


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--axzoo", default=ROOT / "target/release/axzoo", type=Path)
    parser.add_argument("--only", nargs="*", default=MODELS)
    parser.add_argument("--scheme")
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--integer", action="store_true", help="also run with optimizations on")
    parser.add_argument("--onnxruntime", action="store_true", help="also run quantize_static here")
    parser.add_argument("--alone", nargs=4, metavar=("NAME", "METHOD", "SHAPES", "ZOO"),
                        help="only run quantize_static on one model, with the pictures of a zoo; SHAPES is symbolic or plain")
    parser.add_argument("--salt", default="", help="put before each name that is hashed")
    parser.add_argument("--memory", action="store_true", help="only compare peak memory")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder for the reports")
    return parser.parse_args()


def main():
    logging.disable(logging.WARNING)
    options = arguments()
    options.axzoo = options.axzoo.resolve()
    index = {Path(model["file"]).stem: model for model in json.loads((options.models / "index.json").read_text())["models"]}
    rows, files = published(options.models.resolve()), split(options.images, options.salt)
    head = ["model", "SQNR dB", "centred dB", "best row", "gain dB", "same class", "integer MACs", "kept", "build s (and report)"]
    head += ["integer dB"] if options.integer else []
    head += ["MinMax dB", "process s", "Percentile dB", "process s"] if options.onnxruntime else []
    if options.alone:
        quantize_alone(options, index[options.alone[0]]["pre"])
        return
    if options.memory:
        compare_memory(options, index, files)
        return
    table, gains, answers = [head, ["---"] * len(head)], [], []
    print(" | ".join(head), flush=True)
    for name in options.only:
        pre, weights = index[name]["pre"], (options.models / f"{name}.onnx").resolve()
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            pictures = [[picture(path, pre) for path in part] for part in files]
            held_out = [tensor(image, pre) for image in pictures[1]]
            exact = outputs(weights, LEVELS.ORT_ENABLE_ALL, held_out)
            write_zoo(folder / "zoo", weights, pre, pictures, options.scheme)
            try:
                seconds, _ = build(options, folder / "zoo")
                built = next((folder / "zoo" / "build").glob("**/quantized_model.onnx"))
                if not quantized_outputs(built):
                    raise RuntimeError("an output is not quantized")
                found = outputs(built, LEVELS.ORT_DISABLE_ALL, held_out)
                plain, centred, same = quality(exact, found)
                report = json.loads((built.parent / "report.json").read_text())
                kept = ", ".join(tried["technique"] for tried in report["techniques"] if tried["kept"])
                best = rows.get(name, (np.nan, np.nan, np.nan))
                gains.append(plain - best[0])
                row = [name, f"{plain:.2f}", f"{centred:.2f}", f"{best[0]:.2f} / {best[1]:.2f}",
                       f"{gains[-1]:+.2f} / {centred - best[1]:+.2f}", f"{same}/{EVALUATION}",
                       f"{report['integer_mac_share']:.2%}", kept.replace("_", " "),
                       f"{build_unmeasured(options, folder / 'zoo'):.2f} ({seconds:.2f})"]
                if options.integer:
                    row.append(on_integers(built, exact, held_out))
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    for kind in ("txt", "json"):
                        text = (built.parent / f"report.{kind}").read_text()
                        (options.keep / f"{name}.{kind}").write_text(text)
            except (RuntimeError, StopIteration) as error:
                row, found = [name, str(error), *[""] * 7] + ([""] if options.integer else []), None
            if options.onnxruntime:
                others = []
                for method in METHODS:
                    taken = times_of(options, name, method, folder / "zoo")
                    others.append(outputs(folder / "zoo" / f"{method}.onnx", LEVELS.ORT_DISABLE_ALL, held_out))
                    row += [f"{quality(exact, others[-1])[0]:.2f}", taken]
                if found is not None:
                    answers.append((exact, found, others))
            table.append(row)
            print(" | ".join(row), flush=True)
    if gains:
        print(f"gain over the best row: median {np.median(gains):+.2f} dB, least {min(gains):+.2f} dB")
    if answers:
        print("95 %% interval of the median gain over what ran here: %+.2f to %+.2f dB" % tuple(interval(*zip(*answers))))
    if options.markdown:
        options.markdown.write_text("".join(f"| {' | '.join(row)} |\n" for row in table))


if __name__ == "__main__":
    main()

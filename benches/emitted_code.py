"""Times the C code of models against ONNX Runtime's int8, one thread each, in one process and in turns.

The models are built as tools/check_emitted_code.py builds them; the C code is compiled with -O3 and -march (native). ONNX Runtime runs
our QDQ file (s8), and what its own `quantize_static` makes with unsigned activations and signed weights per channel (u8), both
with all optimizations. Milliseconds are the least of the runs, which what else runs on the machine disturbs the least. Run by hand:

    python benches/emitted_code.py MODELS IMAGES [--axzoo target/release/axzoo] [--compiler gcc] [--march native] [--runs 30] [--keep FOLDER] [--only NAME …]
"""

import argparse
import ctypes
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime import quantization

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import check_emitted_code  # noqa: E402
import compare_onnxruntime  # noqa: E402

MODELS = ["rw_mobilenet_v2_op17", "squeezenet_fp32_from_fp16", "ultraface_rfb_320", "rw_yolov8n_320_op17"]


def aligned(size):
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size]


def emitted(folder, compiler, machine):
    """A call of the compiled code on random input."""
    source = (folder / "kernel_function.c").read_text()
    library = folder.parent / "emitted.so"
    command = [compiler, "-std=gnu17", "-O3", f"-march={machine}", "-shared", "-fPIC", folder / "kernel_function.c", "-o", library]
    subprocess.run(command, check=True)
    function = getattr(ctypes.CDLL(str(library)), re.search(r"^int (\w+)\(", source, re.MULTILINE).group(1))
    workspace = int(re.search(r"_WORKSPACE_BYTES (\d+)", source).group(1))
    random = np.random.default_rng(1)
    arrays = [random.integers(-128, 128, size, np.int8) for size in check_emitted_code.port_bytes(source, "INPUT")]
    arrays += [np.zeros(size, np.int8) for size in check_emitted_code.port_bytes(source, "OUTPUT")]
    constants = np.fromfile(folder / "pool_l2_const.bin", np.uint8)
    pool = aligned(constants.size)
    pool[:] = constants
    arrays += [pool, aligned(workspace)]
    arguments = [ctypes.c_void_p(array.ctypes.data) for array in arrays]

    def call(kept=tuple(arrays)):
        if function(*arguments):
            raise RuntimeError("the function refuses its arguments")

    return call


def in_onnxruntime(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(1)
    feeds = {port.name: random.standard_normal([size if isinstance(size, int) else 1 for size in port.shape]).astype(np.float32)
             for port in session.get_inputs()}
    return lambda: session.run(None, feeds)


def unsigned(entry, arguments, folder):
    """The model as ONNX Runtime's quantizer makes it for its fastest kernels."""
    pre = entry["pre"]
    paths = compare_onnxruntime.split(Path(arguments.images))[0][:4]
    tensors = [compare_onnxruntime.tensor(compare_onnxruntime.picture(path, pre), pre) for path in paths]
    source = Path(arguments.models) / entry["file"]
    # For its preparation; what it quantizes is signed.
    compare_onnxruntime.quantize_static(source, tensors[:1], quantization.CalibrationMethod.MinMax, True, folder / "signed.onnx")
    name = onnxruntime.InferenceSession(folder / "prepared.onnx", providers=["CPUExecutionProvider"]).get_inputs()[0].name
    found = folder / "unsigned.onnx"
    quantization.quantize_static(
        folder / "prepared.onnx", found, compare_onnxruntime.Calibration(name, tensors),
        quant_format=quantization.QuantFormat.QDQ, per_channel=True,
        activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8)
    return found


def main():
    onnxruntime.set_default_logger_severity(3)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models")
    parser.add_argument("images")
    parser.add_argument("--axzoo", default=ROOT / "target/release/axzoo")
    parser.add_argument("--compiler", default="gcc")
    parser.add_argument("--march", default="native", help="the processor that the C code is compiled for, such as haswell")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--only", nargs="*", default=MODELS)
    arguments = parser.parse_args()
    index = json.loads((Path(arguments.models) / "index.json").read_text())["models"]
    print("| model | C, ms | ONNX Runtime s8, ms | ONNX Runtime u8, ms | s8 by C | u8 by C |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for name in arguments.only:
            entry = next(entry for entry in index if entry["file"] == f"{name}.onnx")
            zoo = (arguments.keep or Path(temporary)) / name
            compiled = check_emitted_code.build(arguments, entry, zoo)
            own = Path(temporary) / f"{name}-unsigned"
            own.mkdir(parents=True)
            calls = [
                emitted(compiled, arguments.compiler, arguments.march),
                in_onnxruntime(zoo / "build/model/model/quantized/quantized_model.onnx"),
                in_onnxruntime(unsigned(entry, arguments, own)),
            ]
            least = [float("inf")] * len(calls)
            for _ in range(arguments.runs):
                for place, call in enumerate(calls):
                    start = time.perf_counter()
                    call()
                    least[place] = min(least[place], time.perf_counter() - start)
            ours, s8, u8 = (seconds * 1e3 for seconds in least)
            print(f"| {name} | {ours:.2f} | {s8:.2f} | {u8:.2f} | {s8 / ours:.1f} | {u8 / ours:.1f} |", flush=True)


if __name__ == "__main__":
    main()

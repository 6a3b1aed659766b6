"""Writes tests/ops/<family>/*.json: single-operator references from ONNX Runtime's CPU kernels.

Run by hand, never in CI:  python tools/make_operator_references.py
Needs numpy, onnx, onnxruntime. The same versions and seed write the same files; both are in each file's header.
Tensors are base64 of their bytes (int8, or little-endian int32 and float32), row-major.
"""

import base64
import json
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

SEED = 20261121
ROOT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "ops"
rng = np.random.default_rng(SEED)


def encoded(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def tensor(array):
    kinds = {"int8": "int8", "int32": "int32", "float32": "float32"}
    return {"type": kinds[str(array.dtype)], "shape": list(array.shape), "data": encoded(array)}


def run(op_type, inputs, attributes, domain="", out_type=TensorProto.INT8):
    """One node, everything given as a graph input, all optimizations off."""
    types = {"int8": TensorProto.INT8, "int32": TensorProto.INT32, "float32": TensorProto.FLOAT}
    infos = [helper.make_tensor_value_info(f"i{n}", types[str(a.dtype)], a.shape) for n, a in enumerate(inputs)]
    # Scales, zero points and weights have to be constants for some kernels; only the first int8 tensor need not be.
    constants = [helper.make_tensor(f"i{n}", types[str(a.dtype)], a.shape, a.tobytes(), raw=True)
                 for n, a in enumerate(inputs)]
    node = helper.make_node(op_type, [f"i{n}" for n in range(len(inputs))], ["y"], domain=domain, **attributes)
    graph = helper.make_graph([node], "one", infos[:0], [helper.make_tensor_value_info("y", out_type, None)], constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {})[0]


def scale(low=0.002, high=0.2):
    return np.float32(rng.uniform(low, high))


def zero():
    return np.int8(rng.integers(-128, 128))


def int8(*shape, low=-128):
    return rng.integers(low, 128, size=shape, dtype=np.int64).astype(np.int8)


def encoding(s, z):
    # Bits, so that no decimal conversion stands between the two programs.
    return {"scale_bits": int(np.float32(s).view(np.uint32)), "zero_point": int(z)}


def write(family, name, operator, cases):
    header = {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__, "numpy": np.__version__, "seed": SEED}
    path = ROOT / family / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    body = ",\n".join("  " + json.dumps(case, separators=(",", ":")) for case in cases)
    head = json.dumps(header)
    path.write_text(f'{{"made_with":{head},\n "operator":"{operator}",\n "cases":[\n{body}\n ]}}\n')


def conv_cases(count):
    cases = []
    for n in range(count):
        kind = ["plain", "pointwise", "depthwise", "grouped"][n % 4]
        group = {"plain": 1, "pointwise": 1, "depthwise": int(rng.integers(1, 7)), "grouped": 2}[kind]
        per_in = 1 if kind == "depthwise" else int(rng.integers(1, 7))
        per_out = int(rng.integers(1, 4)) if kind in ("depthwise", "grouped") else int(rng.integers(1, 10))
        k = [1, 1] if kind == "pointwise" else [int(rng.integers(1, 5)), int(rng.integers(1, 5))]
        d = [1, 1] if kind == "pointwise" else [int(rng.integers(1, 3)), int(rng.integers(1, 3))]
        st = [int(rng.integers(1, 4)), int(rng.integers(1, 4))]
        p = [0] * 4 if kind == "pointwise" and n % 8 < 4 else [int(rng.integers(0, 3)) for _ in range(4)]
        h = int(rng.integers(6, 12)) + (k[0] - 1) * d[0] - p[0]
        w = int(rng.integers(6, 12)) + (k[1] - 1) * d[1] - p[1]
        x, weights = int8(1 + n % 2, group * per_in, h, w), int8(group * per_out, per_in, *k, low=-127)
        length = per_in * k[0] * k[1]
        sx, sw, zx, zy = scale(), rng.uniform(0.001, 0.02, group * per_out).astype(np.float32), zero(), zero()
        sy = np.float32(sx * sw.max() * 127 * 100 * np.sqrt(length) / 128)
        bias = rng.integers(-20000, 20000, group * per_out).astype(np.int32)
        attributes = {"kernel_shape": k, "dilations": d, "strides": st, "pads": p, "group": group}
        y = run("QLinearConv", [x, np.array(sx), np.array(zx), weights, sw, np.zeros_like(sw, np.int8), np.array(sy),
                                np.array(zy), bias], attributes)
        cases.append({"name": f"{kind}_{n}", "inputs": [tensor(x)], "input_encodings": [encoding(sx, zx)],
                      "weights": tensor(weights), "weight_scales": tensor(sw), "bias": tensor(bias),
                      "output_encoding": encoding(sy, zy), "attributes": attributes, "output": tensor(y)})
    return cases


def transposed_cases(count):
    """There is no integer kernel: dequantized, convolved in float, quantized."""
    cases = []
    for n in range(count):
        group = [1, 1, 2, 3][n % 4]
        inputs, outputs = group * int(rng.integers(1, 5)), int(rng.integers(1, 5))
        k, d, st = ([int(rng.integers(1, top)) for _ in range(2)] for top in (5, 3, 4))
        p = [int(rng.integers(0, (k[i % 2] - 1) * d[i % 2] + 1)) for i in range(4)]
        op = [int(rng.integers(0, st[i])) for i in range(2)]
        x = int8(1 + n % 2, inputs, int(rng.integers(5, 9)), int(rng.integers(5, 9)))
        weights = int8(inputs, outputs, *k, low=-127)
        sx, sw, zx, zy = scale(), rng.uniform(0.001, 0.02, group * outputs).astype(np.float32), zero(), zero()
        bias = rng.integers(-20000, 20000, group * outputs).astype(np.int32)
        sy = np.float32(sx * sw.max() * 127 * 100 * np.sqrt(inputs / group * k[0] * k[1] / st[0] / st[1] + 1) / 128)
        attributes = {"kernel_shape": k, "dilations": d, "strides": st, "pads": p, "output_padding": op, "group": group}
        real_x = run("DequantizeLinear", [x, np.array(sx), np.array(zx)], {}, out_type=TensorProto.FLOAT)
        by_group = sw.reshape(group, 1, outputs, 1, 1)
        real_w = (weights.reshape(group, -1, outputs, *k) * by_group).astype(np.float32).reshape(weights.shape)
        real_b = (bias * (sx * sw)).astype(np.float32)
        real_y = run("ConvTranspose", [real_x, real_w, real_b], attributes, out_type=TensorProto.FLOAT)
        y = run("QuantizeLinear", [real_y, np.array(sy), np.array(zy)], {})
        cases.append({"name": f"transposed_{n}", "inputs": [tensor(x)], "input_encodings": [encoding(sx, zx)],
                      "weights": tensor(weights), "weight_scales": tensor(sw), "bias": tensor(bias),
                      "output_encoding": encoding(sy, zy), "attributes": attributes, "output": tensor(y)})
    return cases


def matmul_cases(count):
    cases = []
    for n in range(count):
        k, m = int(rng.integers(1, 70)), int(rng.integers(1, 24))
        lead = [int(rng.integers(1, 5))] if n % 2 else [2, int(rng.integers(1, 5))]
        x, weights = int8(*lead, k), int8(k, m, low=-127)
        sx, sw, zx, zy = scale(), rng.uniform(0.001, 0.02, m).astype(np.float32), zero(), zero()
        sy = np.float32(sx * sw.max() * 127 * 100 * np.sqrt(k) / 128)
        y = run("QLinearMatMul", [x, np.array(sx), np.array(zx), weights, sw, np.zeros_like(sw, np.int8), np.array(sy),
                                  np.array(zy)], {})
        cases.append({"name": f"matmul_{n}", "inputs": [tensor(x)], "input_encodings": [encoding(sx, zx)],
                      "weights": tensor(weights), "weight_scales": tensor(sw),
                      "bias": tensor(np.zeros(m, np.int32)), "output_encoding": encoding(sy, zy), "output": tensor(y)})
    return cases


def quantize_cases():
    cases = []
    for n in range(6):
        s, z = scale(), zero()
        x = (rng.normal(size=200) * s * 90).astype(np.float32)
        # Exact ties, both signs, and values far outside.
        x[:60] = (np.arange(60) - 30 + 0.5).astype(np.float32) * s
        x[60:64] = [1e30, -1e30, 0.0, -0.0]
        y = run("QuantizeLinear", [x, np.array(s), np.array(z)], {})
        cases.append({"name": f"quantize_{n}", "inputs": [tensor(x)], "output_encoding": encoding(s, z),
                      "output": tensor(y)})
    return cases


def dequantize_cases():
    cases = []
    for n in range(3):
        s, z = scale(), zero()
        x = np.arange(-128, 128).astype(np.int8)
        y = run("DequantizeLinear", [x, np.array(s), np.array(z)], {}, out_type=TensorProto.FLOAT)
        cases.append({"name": f"dequantize_{n}", "inputs": [tensor(x)], "input_encodings": [encoding(s, z)],
                      "output": tensor(y)})
    return cases


def pool_attributes(n):
    k = [int(rng.integers(2, 5)), int(rng.integers(2, 5))]
    p = [int(rng.integers(0, (k[i % 2] + 1) // 2)) for i in range(4)]
    return {"kernel_shape": k, "strides": [int(rng.integers(1, 4)), int(rng.integers(1, 4))], "pads": p,
            "ceil_mode": n % 2}


def maxpool_cases(count):
    cases = []
    for n in range(count):
        attributes = pool_attributes(n) | {"dilations": [1 + n % 2, 1 + n // 2 % 2]}
        x = int8(1, 3, int(rng.integers(9, 14)), int(rng.integers(9, 14)))
        y = run("MaxPool", [x], attributes)
        same = encoding(0.1, -3)
        cases.append({"name": f"maximum_{n}", "inputs": [tensor(x)], "input_encodings": [same],
                      "output_encoding": same, "attributes": attributes, "output": tensor(y)})
    return cases


def average_cases(count):
    cases = []
    for n in range(count):
        # ONNX Runtime's contributed kernel and the standard disagree on padding that ceil_mode invents.
        attributes = pool_attributes(0) | {"count_include_pad": n // 2 % 2}
        x = int8(1, 4, int(rng.integers(9, 14)), int(rng.integers(9, 14)))
        sx, zx, zy = scale(), zero(), zero()
        sy = np.float32(sx * rng.uniform(0.4, 1.1))
        y = run("QLinearAveragePool", [x, np.array(sx), np.array(zx), np.array(sy), np.array(zy)], attributes,
                "com.microsoft")
        cases.append({"name": f"average_{n}", "inputs": [tensor(x)], "input_encodings": [encoding(sx, zx)],
                      "output_encoding": encoding(sy, zy), "attributes": attributes, "output": tensor(y)})
    return cases


def global_average_cases(count):
    cases = []
    for n in range(count):
        x = int8(1, 40, int(rng.integers(1, 9)), int(rng.integers(1, 9)))
        sx, zx, zy = scale(), zero(), zero()
        sy = np.float32(sx * rng.uniform(0.2, 1.1))
        y = run("QLinearGlobalAveragePool", [x, np.array(sx), np.array(zx), np.array(sy), np.array(zy)],
                {"channels_last": 0}, "com.microsoft")
        cases.append({"name": f"global_average_{n}", "inputs": [tensor(x)], "input_encodings": [encoding(sx, zx)],
                      "output_encoding": encoding(sy, zy), "output": tensor(y)})
    return cases


def arithmetic_cases(operator, count):
    shapes = [((1, 6, 8, 9), (1, 6, 8, 9)), ((1, 6, 8, 9), (1, 6, 1, 1)), ((1, 6, 8, 9), (1,)), ((1, 300, 2), (1, 300, 2)),
              ((1, 1, 8, 9), (1, 6, 1, 1))]
    cases = []
    for n in range(count):
        left, right = shapes[n % len(shapes)]
        a, b = int8(*left), int8(*right)
        sa, sb, za, zb, zy = scale(), scale(), zero(), zero(), zero()
        sy = np.float32((sa + sb) * rng.uniform(0.5, 1.0)) if operator == "QLinearAdd" else np.float32(sa * sb * rng.uniform(60, 120))
        y = run(operator, [a, np.array(sa), np.array(za), b, np.array(sb), np.array(zb), np.array(sy), np.array(zy)], {},
                "com.microsoft")
        cases.append({"name": f"{operator}_{n}", "inputs": [tensor(a), tensor(b)],
                      "input_encodings": [encoding(sa, za), encoding(sb, zb)], "output_encoding": encoding(sy, zy),
                      "output": tensor(y)})
    return cases


def function_cases(operator, attributes, count):
    cases = []
    for n in range(count):
        x = np.arange(-128, 128).astype(np.int8)
        sx, zx = scale(0.01, 0.1), zero()
        sy, zy = (np.float32(1 / 256), np.int8(-128)) if operator == "QLinearSigmoid" else (np.float32(sx * 0.97), zx)
        y = run(operator, [x, np.array(sx), np.array(zx), np.array(sy), np.array(zy)], attributes, "com.microsoft")
        cases.append({"name": f"{operator}_{n}", "inputs": [tensor(x)], "input_encodings": [encoding(sx, zx)],
                      "output_encoding": encoding(sy, zy), "attributes": attributes, "output": tensor(y)})
    return cases


def concat_cases(count):
    cases = []
    for n in range(count):
        axis = 1 + n % 3
        inputs, encodings = [], []
        sy, zy = scale(), zero()
        for part in range(2 + n % 2):
            shape = [1, 3, 6, 7]
            shape[axis] = int(rng.integers(1, 6))
            inputs.append(int8(*shape))
            encodings.append((sy, zy) if part == 1 else (np.float32(sy * rng.uniform(0.3, 1.5)), zero()))
        flat = [np.array(sy), np.array(zy)]
        for array, (s, z) in zip(inputs, encodings):
            flat += [array, np.array(s), np.array(z)]
        y = run("QLinearConcat", flat, {"axis": axis}, "com.microsoft")
        cases.append({"name": f"concat_{n}", "inputs": [tensor(a) for a in inputs],
                      "input_encodings": [encoding(s, z) for s, z in encodings], "output_encoding": encoding(sy, zy),
                      "attributes": {"axis": axis}, "output": tensor(y)})
    return cases


def product_cases(count):
    cases = []
    for n in range(count):
        rows, k, columns = (int(rng.integers(1, top)) for top in (9, 60, 9))
        lead = [([], []), ([3], [3]), ([1, 4], [1, 4])][n % 3]
        a, b = int8(*lead[0], rows, k), int8(*lead[1], k, columns)
        sa, sb, za, zb, zy = scale(), scale(), zero(), zero(), zero()
        sy = np.float32(sa * sb * 100 * 100 * np.sqrt(k) / 64)
        y = run("QLinearMatMul", [a, np.array(sa), np.array(za), b, np.array(sb), np.array(zb), np.array(sy), np.array(zy)],
                {})
        cases.append({"name": f"product_{n}", "inputs": [tensor(a), tensor(b)],
                      "input_encodings": [encoding(sa, za), encoding(sb, zb)], "output_encoding": encoding(sy, zy),
                      "output": tensor(y)})
    return cases


def float_cases(operator, inputs_of, count):
    """Operators without an integer kernel in the standard: dequantized, computed in float, quantized."""
    cases = []
    for n in range(count):
        x, constants, attributes = inputs_of(n)
        sx, zx = scale(0.01, 0.1), zero()
        # With the input's own scale every second element would be a tie, which float errors decide.
        sy, zy = (np.float32(1 / 256), np.int8(-128)) if operator == "Softmax" else (np.float32(sx * 0.983), zx)
        real = run("DequantizeLinear", [x, np.array(sx), np.array(zx)], {}, out_type=TensorProto.FLOAT)
        y = run(operator, [real, *constants], attributes, out_type=TensorProto.FLOAT)
        y = run("QuantizeLinear", [y, np.array(sy), np.array(zy)], {})
        cases.append({"name": f"{operator}_{n}", "inputs": [tensor(x)], "input_encodings": [encoding(sx, zx)],
                      "output_encoding": encoding(sy, zy), "output": tensor(y)}
                     | {"attributes": {"axis": attributes["axis"]} if operator == "Softmax" else resize_attributes(n)})
    return cases


def softmax_input(n):
    return int8(2, [10, 300, 1000][n % 3], 3), [], {"axis": 1}


def resize_attributes(n):
    mode = ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"][n % 4]
    return {"coordinates": mode, "scales": [2 + n // 4 % 2, 2 + n // 8 % 3 * 2]}


def channel_cases(count):
    """What a depth-wise convolution reads has an encoding for each channel (`axis` 1), of which every third case writes
    such a tensor, too: there is no integer kernel, so dequantized, convolved in float, quantized."""
    cases = []
    for n in range(count):
        channels, per_out = int(rng.integers(2, 7)), 1 if n % 3 == 2 else int(rng.integers(1, 4))
        k, d, st = ([int(rng.integers(1, top)) for _ in range(2)] for top in (5, 3, 4))
        p = [int(rng.integers(0, 3)) for _ in range(4)]
        h, w = (int(rng.integers(6, 12)) + (k[i] - 1) * d[i] for i in range(2))
        x, weights = int8(1 + n % 2, channels, h, w), int8(channels * per_out, 1, *k, low=-127)
        sx, zx = np.array([scale() for _ in range(channels)]), np.array([zero() for _ in range(channels)])
        sw, by_output = rng.uniform(0.001, 0.02, channels * per_out).astype(np.float32), np.repeat(sx, per_out)
        bias = rng.integers(-20000, 20000, channels * per_out).astype(np.int32)
        width = (by_output * sw * np.float32(127 * 100 * np.sqrt(k[0] * k[1]) / 128)).astype(np.float32)
        own = n % 3 == 2
        sy = width if own else width.max()
        zy = np.array([zero() for _ in width]) if own else zero()
        attributes = {"kernel_shape": k, "dilations": d, "strides": st, "pads": p, "group": channels}
        real_x = run("DequantizeLinear", [x, sx, zx], {"axis": 1}, out_type=TensorProto.FLOAT)
        real_w = run("DequantizeLinear", [weights, sw, np.zeros_like(sw, np.int8)], {"axis": 0}, out_type=TensorProto.FLOAT)
        real_y = run("Conv", [real_x, real_w, (bias * (by_output * sw)).astype(np.float32)], attributes,
                     out_type=TensorProto.FLOAT)
        y = run("QuantizeLinear", [real_y, np.array(sy), np.array(zy)], {"axis": 1} if own else {})
        # The whole tensor's encoding stands beside those of the channels, as in the quantized graph.
        cases.append({"name": f"channels_{n}", "inputs": [tensor(x)], "input_encodings": [encoding(sx[0], zx[0])],
                      "input_channels": [encoding(s, z) for s, z in zip(sx, zx)], "weights": tensor(weights),
                      "weight_scales": tensor(sw), "bias": tensor(bias),
                      "output_encoding": encoding(*((sy[0], zy[0]) if own else (sy, zy))),
                      "output_channels": [encoding(s, z) for s, z in zip(sy, zy)] if own else [],
                      "attributes": attributes, "output": tensor(y)})
    return cases


def resize_input(n):
    attributes = resize_attributes(n)
    x = int8(1, 2, int(rng.integers(4, 9)), int(rng.integers(4, 9)))
    scales = np.array([1, 1, *attributes["scales"]], np.float32)
    return x, [np.zeros(0, np.float32), scales], {"mode": "linear",
                                                  "coordinate_transformation_mode": attributes["coordinates"]}


def main():
    write("convolution", "qlinear_conv", "QLinearConv", conv_cases(48))
    write("dense", "qlinear_matmul", "QLinearMatMul", matmul_cases(12))
    write("quantization", "quantize_linear", "QuantizeLinear", quantize_cases())
    write("quantization", "dequantize_linear", "DequantizeLinear", dequantize_cases())
    write("pooling", "max_pool", "MaxPool", maxpool_cases(16))
    write("pooling", "qlinear_average_pool", "QLinearAveragePool", average_cases(12))
    write("pooling", "qlinear_global_average_pool", "QLinearGlobalAveragePool", global_average_cases(12))
    write("arithmetic", "qlinear_add", "QLinearAdd", arithmetic_cases("QLinearAdd", 15))
    write("arithmetic", "qlinear_mul", "QLinearMul", arithmetic_cases("QLinearMul", 15))
    write("function", "qlinear_sigmoid", "QLinearSigmoid", function_cases("QLinearSigmoid", {}, 12))
    write("function", "qlinear_leaky_relu", "QLinearLeakyRelu", function_cases("QLinearLeakyRelu", {"alpha": 0.0173}, 12))
    write("movement", "qlinear_concat", "QLinearConcat", concat_cases(12))
    # New cases go behind the others, whose random numbers then stay as they are.
    write("convolution", "conv_transpose", "ConvTranspose", transposed_cases(32))
    write("dense", "qlinear_matmul_of_two", "QLinearMatMul", product_cases(12))
    write("softmax", "softmax", "Softmax", float_cases("Softmax", softmax_input, 6))
    write("resize", "resize_linear", "Resize", float_cases("Resize", resize_input, 12))
    write("convolution", "conv_of_channels", "Conv", channel_cases(24))


if __name__ == "__main__":
    main()

"""Makes the ONNX files of `tests/errors/onnx`, one small network for each code.

    pip install onnx
    python3 tools/make_error_models.py

The values of the weights do not matter there, so they follow a formula: the files are the same each time.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

ROOT = Path(__file__).resolve().parent.parent / "tests/errors/onnx"
OPSET = 17
IR_VERSION = 8
IMAGE = [1, 3, 8, 8]


def weights(name, *shape):
    """Values from -0.5 to 0.5."""
    count = int(np.prod(shape))
    return numpy_helper.from_array(((np.arange(count) * 7 % 16 / 15) - 0.5).astype(np.float32).reshape(shape), name)


def floats(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def node(operator, inputs, output, **attributes):
    """A node that is named like its output."""
    return helper.make_node(operator, inputs, [output], name=output, **attributes)


def network(nodes, output, constants=(), inputs=None, opset=OPSET):
    graph = helper.make_graph(nodes, "net", inputs or [floats("image", IMAGE)], [output], list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION)


def plain(image=None, opset=OPSET):
    """A convolution and an activation."""
    batch, _, *size = image or IMAGE
    nodes = [node("Conv", ["image", "w1"], "conv1", pads=[1, 1, 1, 1]), node("Relu", ["conv1"], "out")]
    output = floats("out", [batch, 4, *size])
    return network(nodes, output, [weights("w1", 4, 3, 3, 3)], [floats("image", image or IMAGE)], opset)


def external_data():
    model = plain()
    for tensor in model.graph.initializer:
        set_external_data(tensor, "net.onnx.data", offset=0, length=len(tensor.raw_data))
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
    return model


def host_after():
    nodes = [
        node("Conv", ["image", "w1"], "conv1", pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", ["conv1"], "pooled"),
        node("Flatten", ["pooled"], "logits"),
        node("Softmax", ["logits"], "out", axis=1),
    ]
    return network(nodes, floats("out", [1, 4]), [weights("w1", 4, 3, 3, 3)])


def host_before():
    nodes = [
        node("Transpose", ["image"], "to_nchw", perm=[0, 3, 1, 2]),
        node("Conv", ["to_nchw", "w1"], "conv1", pads=[1, 1, 1, 1]),
        node("Relu", ["conv1"], "out"),
    ]
    image = floats("image", [1, 8, 8, 3])
    return network(nodes, floats("out", [1, 4, 8, 8]), [weights("w1", 4, 3, 3, 3)], [image])


def inputs():
    nodes = [
        node("Conv", ["image", "w1"], "conv1", pads=[1, 1, 1, 1]),
        node("Mul", ["conv1", "scale"], "out"),
    ]
    given = [floats("image", IMAGE), floats("scale", [1])]
    return network(nodes, floats("out", [1, 4, 8, 8]), [weights("w1", 4, 3, 3, 3)], given)


def no_core():
    nodes = [node("Conv", ["image", "w1"], "conv1", auto_pad="SAME_UPPER"), node("Relu", ["conv1"], "out")]
    return network(nodes, floats("out", [1, 4, 8, 8]), [weights("w1", 4, 3, 3, 3)])


def not_supported():
    nodes = [
        node("Conv", ["image", "w1"], "conv1", pads=[1, 1, 1, 1]),
        node("Sinh", ["conv1"], "sinh1"),
        node("Conv", ["sinh1", "w2"], "out", pads=[1, 1, 1, 1]),
    ]
    constants = [weights("w1", 4, 3, 3, 3), weights("w2", 4, 4, 3, 3)]
    return network(nodes, floats("out", [1, 4, 8, 8]), constants)


def operator():
    nodes = [
        node("Conv", ["image", "w1"], "conv1", pads=[1, 1, 1, 1]),
        node("Transpose", ["conv1"], "turned", perm=[0, 1, 3, 2]),
        node("Conv", ["turned", "w2"], "out", pads=[1, 1, 1, 1]),
    ]
    constants = [weights("w1", 4, 3, 3, 3), weights("w2", 4, 4, 3, 3)]
    return network(nodes, floats("out", [1, 4, 8, 8]), constants)


# `unreadable` has no model: the page that a failed download leaves was written by hand.
MODELS = {
    "channels": plain(),
    "dynamic-shape": plain(["batch", 3, "height", "width"]),
    "external-data": external_data(),
    "host-after": host_after(),
    "host-before": host_before(),
    "input-shape": plain(),
    "inputs": inputs(),
    "layout": plain(),
    "no-core": no_core(),
    "not-supported": not_supported(),
    "operator": operator(),
    "opset": plain(opset=20),
}


def main():
    for name, model in MODELS.items():
        path = ROOT / name / "model_cards/net.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(model.SerializeToString(deterministic=True))
        print(f"{name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()

"""Makes the sample zoo: images in `data/`, and networks trained on them in `weights/`.

Run once by hand from the project's root, never in CI: `python tools/train_sample_zoo.py` (PyTorch, scikit-learn, onnx,
Pillow, NumPy), or with some of `images`, `digits`, `cascade` to make only these. Seeds are fixed and one thread is used, so the same versions of these libraries give the same files. It
prints the md5 of each ONNX file; the cards name them. `tools/check_sample_zoo.py` measures the result independently.

The digits are those of scikit-learn (`load_digits`, from the UCI repository; see data/README.md). They are split once
into three sets that share no image: training, calibration and held-out. The scenes of the cascade are drawn here from
the digits of the same set.
"""

import hashlib
import operator
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "model_cards" / "python"))
from digit_networks import DigitClassifier, DigitFinder, DigitReader  # noqa: E402

SEED = 20251
COLUMNS, ROWS, CELL = 4, 3, 16
MEAN, DEVIATION = 0.305, 0.376  # of the digits at 16 x 16, as the card's `normalize` has them


# Images


def split_digits():
    """{"training" | "calibration" | "held-out": [ten lists of 8 x 8 uint8 images]}, disjoint."""
    digits = load_digits()
    images = np.round(digits.images * 255 / 16).astype(np.uint8)
    order = np.random.default_rng(SEED)
    sets = {"training": [], "calibration": [], "held-out": []}
    for label in range(10):
        chosen = images[order.permutation(np.flatnonzero(digits.target == label))]
        sets["held-out"].append(chosen[:30])
        sets["calibration"].append(chosen[30:38])
        sets["training"].append(chosen[38:])
    return sets


def draw_scene(random, digit, cell):
    """A 64 x 48 grey scene: a dark background, strokes, noise, and `digit` (8 x 8) inside cell number `cell`; and the
    cell's box."""
    background = int(random.integers(0, 50))
    scene = Image.new("L", (COLUMNS * CELL, ROWS * CELL), background)
    pen = ImageDraw.Draw(scene)
    left, top = cell % COLUMNS * CELL, cell // COLUMNS * CELL
    for _ in range(random.integers(2, 6)):
        start = random.integers(-4, [COLUMNS * CELL + 4, ROWS * CELL + 4])
        end = start + random.integers(-22, 23, size=2)
        shade = int(random.integers(70, 190))
        pen.line([*map(int, start), *map(int, end)], fill=shade, width=int(random.integers(1, 3)))
    # Strokes end at the digit's cell, as if something lay on top of them.
    pen.rectangle([left, top, left + CELL - 1, top + CELL - 1], fill=background)
    size = int(random.integers(12, 15))
    at = random.integers(0, CELL - size + 1, size=2)
    ink = Image.fromarray(digit).resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(scene, dtype=np.float32).copy()
    y, x = top + at[1], left + at[0]
    strength = random.uniform(0.75, 1.0)
    patch = pixels[y : y + size, x : x + size]
    np.maximum(patch, np.asarray(ink, dtype=np.float32) * strength, out=patch)
    pixels += random.normal(0, random.uniform(1, 7), size=pixels.shape)
    scene = np.clip(np.round(pixels), 0, 255).astype(np.uint8)
    return scene, (left, top, left + CELL, top + CELL)


def crop(scene, box):
    """What the second task of the cascade gets."""
    left, top, right, bottom = box
    return scene[top:bottom, left:right]


def save(image, path):
    """Writes a grey PNG, the smallest that Pillow makes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, optimize=True)


def write_images(sets):
    """Fills `data/`: calibration folders are flat, held-out ones have a folder a class."""
    data = ROOT / "data"
    for name in ("digits", "scenes", "crops"):
        shutil.rmtree(data / name, ignore_errors=True)
    random = np.random.default_rng(SEED + 1)
    for label in range(10):
        for number in range(20):
            save(sets["held-out"][label][number], data / f"digits/held-out/{label}/{number:02}.png")
        for number in range(4):
            save(sets["calibration"][label][number], data / f"digits/calibration/{label}-{number}.png")
    for cell in range(COLUMNS * ROWS):
        for number in range(10):
            label = (cell + number) % 10
            digit = sets["held-out"][label][random.integers(30)]
            scene, _ = draw_scene(random, digit, cell)
            save(scene, data / f"scenes/held-out/{cell:02}/{number:02}.png")
    for label in range(10):
        for number in range(12):
            digit = sets["held-out"][label][number * 2 + label % 2]
            scene, box = draw_scene(random, digit, int(random.integers(COLUMNS * ROWS)))
            save(crop(scene, box), data / f"crops/held-out/{label}/{number:02}.png")
    for number in range(36):
        digit = sets["calibration"][number % 10][number // 10]
        scene, _ = draw_scene(random, digit, number % (COLUMNS * ROWS))
        save(scene, data / f"scenes/calibration/{number:02}.png")
    for number in range(30):
        digit = sets["calibration"][number % 10][4 + number // 10]
        scene, box = draw_scene(random, digit, number % (COLUMNS * ROWS))
        save(crop(scene, box), data / f"crops/calibration/{number:02}.png")
    (data / "digits/labels.txt").write_text("".join(f"{label}\n" for label in range(10)))
    cells = (f"row {row} column {column}\n" for row in range(ROWS) for column in range(COLUMNS))
    (data / "scenes/labels.txt").write_text("".join(cells))


# What the preprocess operators of the cards make of an image, for training


def digits_input(image):
    """resize 16 x 16, torch-totensor, normalize."""
    resized = Image.fromarray(image).resize((16, 16), Image.Resampling.BILINEAR)
    return (np.asarray(resized, dtype=np.float32) / 255 - MEAN) / DEVIATION


def finder_input(scene):
    """letterbox 64 x 64, torch-totensor."""
    framed = np.full((64, 64), 114, dtype=np.float32)
    framed[8:56] = scene
    return framed / 255


def reader_input(image):
    """resize 18, centercrop 16, torch-totensor without scale, linear-scaling."""
    resized = Image.fromarray(image).resize((18, 18), Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.float32)[1:17, 1:17] / 127.5 - 1


# Training


def warp(images, background):
    """Each image turned, scaled and moved a little; what comes in from outside is `background`."""
    count = len(images)
    angle = (torch.rand(count) - 0.5) * 0.42
    scale = 1 + (torch.rand(count) - 0.5) * 0.3
    shear = (torch.rand(count) - 0.5) * 0.3
    move = (torch.rand(count, 2) - 0.5) * 0.3
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = torch.stack([cosine, -sine + shear, move[:, 0], sine, cosine, move[:, 1]], dim=1)
    grid = nn.functional.affine_grid(rows.view(-1, 2, 3), images.shape, align_corners=False)
    return nn.functional.grid_sample(images - background, grid, align_corners=False) + background


def train(network, images, labels, epochs, augment, rate=4e-3):
    """AdamW with a one-cycle rate; label smoothing and weight decay keep ranges narrow, which int8 likes."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)
    batch = 128
    steps = epochs * (len(images) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    loss_function = nn.CrossEntropyLoss(label_smoothing=0.05)
    network.train()
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for start in range(0, len(images) - batch + 1, batch):
            chosen = order[start : start + batch]
            loss = loss_function(network(augment(images[chosen])), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()
    return loss.item()


def tensors(images, labels):
    """Images [N, 1, H, W] and labels [N] for PyTorch."""
    return torch.tensor(np.stack(images)[:, None]), torch.tensor(labels)


def train_digits(sets):
    images = [digits_input(image) for group in sets["training"] for image in group]
    labels = [label for label, group in enumerate(sets["training"]) for _ in group]
    network = DigitClassifier()
    black = -MEAN / DEVIATION

    def augment(batch):
        return warp(batch, black) + torch.randn_like(batch) * 0.05

    print("digits: last loss", train(network, *tensors(images, labels), 150, augment))
    return network


def train_cascade(sets):
    random = np.random.default_rng(SEED + 2)
    scenes, cells, crops, labels = [], [], [], []
    for number in range(16000):
        label, cell = number % 10, int(random.integers(COLUMNS * ROWS))
        group = sets["training"][label]
        scene, box = draw_scene(random, group[random.integers(len(group))], cell)
        scenes.append(finder_input(scene))
        crops.append(reader_input(crop(scene, box)))
        cells.append(cell)
        labels.append(label)
    finder, reader = DigitFinder(), DigitReader()

    def dim(batch):
        return batch * (0.9 + 0.2 * torch.rand(len(batch), 1, 1, 1))

    def turn(batch):
        return warp(batch, -0.9)

    print("finder: last loss", train(finder, *tensors(scenes, cells), 12, dim))
    print("reader: last loss", train(reader, *tensors(crops, labels), 60, turn))
    return finder, reader


# ONNX


def export(network, size, path):
    """Writes the traced network as ONNX (opset 17, static shape, weights inline); batch normalization stays a node of
    its own, as many published models have it. Returns the file's md5."""
    graph = torch.fx.symbolic_trace(network)
    modules = dict(graph.named_modules())
    nodes, weights, values, count = [], [], {}, {}

    def weight(name, tensor):
        weights.append(numpy_helper.from_array(tensor.detach().numpy(), name))
        return name

    def emit(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, [output], name=f"/{output}/{kind}", **attributes))

    for node in graph.graph.nodes:
        inputs = [values[argument] for argument in node.args if argument in values]
        if node.op == "placeholder":
            values[node] = "image"
            continue
        if node.op == "output":
            break
        base = node.target.replace(".", "/") if node.op == "call_module" else "add"
        count[base] = count.get(base, 0) + 1
        output = f"{base}_{count[base]}" if count[base] > 1 else base
        output = "logits" if base == "head" else output
        module = modules.get(node.target) if node.op == "call_module" else None
        values[node] = output
        if node.op == "call_function" and node.target is operator.add:
            emit("Add", inputs, output)
        elif isinstance(module, nn.Conv2d):
            inputs.append(weight(f"{node.target}.weight", module.weight))
            pads = [*module.padding, *module.padding]
            emit("Conv", inputs, output, kernel_shape=list(module.kernel_size), strides=list(module.stride), pads=pads,
                 dilations=list(module.dilation), group=module.groups)
        elif isinstance(module, nn.BatchNorm2d):
            parts = ("weight", "bias", "running_mean", "running_var")
            inputs += [weight(f"{node.target}.{part}", getattr(module, part)) for part in parts]
            emit("BatchNormalization", inputs, output, epsilon=module.eps)
        elif isinstance(module, nn.ReLU6):
            limits = [("relu.low", 0.0), ("relu.high", 6.0)]
            if output == base:
                for name, limit in limits:
                    weight(name, torch.tensor(limit))
            emit("Clip", inputs + [name for name, _ in limits], output)
        elif isinstance(module, nn.ReLU):
            emit("Relu", inputs, output)
        elif isinstance(module, nn.MaxPool2d):
            emit("MaxPool", inputs, output, kernel_shape=[module.kernel_size] * 2, strides=[module.stride] * 2)
        elif isinstance(module, nn.AdaptiveAvgPool2d):
            emit("GlobalAveragePool", inputs, output)
        elif isinstance(module, nn.Flatten):
            emit("Flatten", inputs, output, axis=1)
        elif isinstance(module, nn.Linear):
            inputs += [weight(f"{node.target}.{part}", getattr(module, part)) for part in ("weight", "bias")]
            emit("Gemm", inputs, output, transB=1)
            classes = module.out_features
        else:
            raise NotImplementedError(f"no ONNX form for {node.format_node()}")
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, size, size])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, classes])
    body = helper.make_graph(nodes, type(network).__name__, [image], [logits], weights)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], producer_name="train_sample_zoo")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return hashlib.md5(path.read_bytes()).hexdigest()


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    sets = split_digits()
    only = set(sys.argv[1:])
    if not only or "images" in only:
        write_images(sets)
    if not only or "digits" in only:
        print("digits.onnx", export(train_digits(sets), 16, ROOT / "weights/digits.onnx"))
    if not only or "cascade" in only:
        torch.manual_seed(SEED)
        finder, reader = train_cascade(sets)
        print("digit-finder.onnx", export(finder, 64, ROOT / "weights/digit-finder.onnx"))
        print("digit-reader.onnx", export(reader, 16, ROOT / "weights/digit-reader.onnx"))


if __name__ == "__main__":
    main()

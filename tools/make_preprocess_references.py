"""Makes the pictures and tensors that `src/imaging/tests.rs` compares with: `tests/fixtures/preprocess/`.

Run by hand from the project's root: `python tools/make_preprocess_references.py` (Pillow, NumPy, torchvision and
opencv-python-headless; the versions used are written into the result). Pictures are drawn here from formulas and fixed
seeds. To add a case, add a line to CASES.

`cases.json` has, for each case, the picture's file, the colours the first operator sees, the operators as a card has
them, and where its values lie in `tensors.bin`: channels, height, width, as bytes where all values are whole numbers
from 0 to 255, else as 32-bit floats, little end first. `step` is what one step of a pixel, of 255, is worth in them.
"""

import io
import json
from pathlib import Path

import cv2
import numpy as np
import PIL
import torch
import torchvision
from PIL import Image, ImageDraw, ImageOps
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

FOLDER = Path(__file__).resolve().parent.parent / "tests/fixtures/preprocess"
FILTERS = {word: InterpolationMode[word.upper()] for word in ("nearest", "bilinear", "bicubic", "lanczos")}


# Pictures


def draw(width, height):
    """Slopes, hard edges, a thin line and noise, in RGB."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    planes = np.stack([x, y, 0.5 + 0.5 * np.sin(9 * x * y + 4 * x)], axis=2) * 255
    picture = Image.fromarray(planes.round().astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    pen.ellipse([width * 0.1, height * 0.2, width * 0.4, height * 0.7], fill=(250, 20, 90))
    pen.rectangle([width * 0.6, height * 0.5, width * 0.9, height * 0.9], fill=(0, 60, 255), outline=(255, 255, 255))
    pen.line([0, height, width, 0], fill=(10, 10, 10))
    noise = np.random.default_rng(7).integers(-12, 13, size=(height, width, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def sixteen_bits(color_type, values):
    """A PNG with 16 bits a channel, which Pillow cannot write in colour."""
    import struct
    import zlib

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def write_pictures():
    """Every picture; those of the decoder are small."""
    small = draw(24, 18)
    opacity = Image.linear_gradient("L").resize(small.size)
    with_opacity = small.copy()
    with_opacity.putalpha(opacity)
    grey_with_opacity = small.convert("L")
    grey_with_opacity.putalpha(opacity)
    # Few and smooth colours for JPEG: decoders may round differently, and edges of colour make that large.
    smooth = draw(24, 18).resize((6, 5)).resize((40, 32), Image.Resampling.BICUBIC)
    pictures = {
        "photo.png": (draw(53, 37), {"optimize": True}),
        "tall.png": (draw(20, 45), {"optimize": True}),
        "grey.png": (small.convert("L"), {"optimize": True}),
        "palette.png": (small.quantize(16), {"optimize": True}),
        "opacity.png": (with_opacity, {"optimize": True}),
        "grey-opacity.png": (grey_with_opacity, {"optimize": True}),
        "two-levels.png": (small.convert("1"), {}),
        "rgb.bmp": (small, {}),
        "grey.bmp": (small.convert("L"), {}),
        "lossless.webp": (small, {"lossless": True}),
        "lossy.webp": (smooth, {"quality": 90}),
        "photo.jpg": (smooth, {"quality": 92, "subsampling": 0}),
        "subsampled.jpg": (smooth, {"quality": 92, "subsampling": 2}),
        "progressive.jpg": (smooth, {"quality": 92, "progressive": True}),
        "grey.jpg": (smooth.convert("L"), {"quality": 92}),
        "cmyk.jpg": (smooth.convert("CMYK"), {"quality": 95, "subsampling": 0}),
    }
    for orientation in (2, 3, 5, 6, 7, 8):
        pictures[f"turned-{orientation}.png"] = (draw(9, 6), {"exif": exif(orientation)})
    pictures["turned-6.jpg"] = (smooth, {"quality": 92, "subsampling": 0, "exif": exif(6)})
    for name, (picture, options) in pictures.items():
        picture.save(FOLDER / name, **options)
    values = np.random.default_rng(8).integers(0, 65536, size=(7, 9, 4))
    (FOLDER / "rgb-16.png").write_bytes(sixteen_bits(2, values[:, :, :3]))
    (FOLDER / "opacity-16.png").write_bytes(sixteen_bits(6, values))
    (FOLDER / "grey-16.png").write_bytes(sixteen_bits(0, values[:, :, 0]))
    return [*pictures, "rgb-16.png", "opacity-16.png", "grey-16.png"]


# Operators, as the SDK's documentation describes them, in terms of the libraries it calls


def resize(picture, size=0, width=0, height=0, interpolation="bilinear", half_pixel_centers=False, **_):
    if not half_pixel_centers:
        return F.resize(picture, size or (height, width), FILTERS[interpolation], antialias=True)
    if size:
        scale = size / min(picture.size)
        width, height = (int(side * scale) for side in picture.size)
    flag = {"bilinear": cv2.INTER_LINEAR, "nearest": cv2.INTER_NEAREST}[interpolation]
    return Image.fromarray(cv2.resize(np.asarray(picture), (width, height), interpolation=flag))


def letterbox(picture, width, height, scaleup=True, half_pixel_centers=False, pad_val=114):
    ratio = min(width / picture.width, height / picture.height)
    ratio = ratio if scaleup else min(ratio, 1.0)
    inner = round(picture.width * ratio), round(picture.height * ratio)
    if inner != picture.size:
        picture = resize(picture, 0, *inner, half_pixel_centers=half_pixel_centers)
    left, top = (width - inner[0]) / 2, (height - inner[1]) / 2
    border = round(left - 0.1), round(top - 0.1), round(left + 0.1), round(top + 0.1)
    return ImageOps.expand(picture, border, fill=(pad_val,) * len(picture.getbands()) if picture.mode != "L" else pad_val)


def numbers(text):
    return [float(part) for part in str(text).split(",")]


def run(picture, operators):
    for name, arguments in operators:
        if name == "resize":
            picture = resize(picture, **arguments)
        elif name == "centercrop":
            picture = F.center_crop(picture, (arguments["height"], arguments["width"]))
        elif name == "letterbox":
            picture = letterbox(picture, **arguments)
        elif name == "convert-color":
            source, target = arguments["format"].split("2")
            if target == "GRAY":
                red_first = picture if source == "RGB" else Image.merge("RGB", picture.split()[::-1])
                picture = red_first.convert("L")
            elif source == "GRAY":
                picture = picture.convert("RGB")
            else:
                picture = Image.merge("RGB", picture.split()[::-1])
        elif name == "torch-totensor":
            picture = F.pil_to_tensor(picture).float()
            picture = picture / 255 if arguments.get("scale", True) else picture
        elif name == "normalize":
            picture = F.normalize(picture, numbers(arguments["mean"]), numbers(arguments["std"]))
        elif name == "linear-scaling":
            mean, shift = (torch.tensor(numbers(arguments[key])).view(-1, 1, 1) for key in ("mean", "shift"))
            picture = picture / mean + shift
    return picture.numpy()


def read(name, color):
    """The picture as Pillow reads it, turned upright, in the colours asked for."""
    if name == "grey-16.png":
        # Pillow clips 16-bit grey at 255; axzoo keeps the upper 8 bits, as OpenCV does.
        grey = cv2.imread(str(FOLDER / name), cv2.IMREAD_GRAYSCALE)
        return Image.fromarray(grey).convert("RGB")
    with Image.open(FOLDER / name) as picture:
        picture = ImageOps.exif_transpose(picture).convert("RGB")
    if color == "BGR":
        return Image.merge("RGB", picture.split()[::-1])
    return picture.convert("L") if color == "GRAY" else picture


RAW = ("torch-totensor", {"scale": False})
TENSOR = ("torch-totensor", {})
IMAGENET = ("normalize", {"mean": "0.485, 0.456, 0.406", "std": "0.229, 0.224, 0.225"})
CASES = [
    # picture, colours of the first operator, operators
    *[("photo.png", "RGB", [("resize", {"size": 20, "interpolation": word}), RAW]) for word in FILTERS],
    *[("photo.png", "RGB", [("resize", {"width": 31, "height": 50, "interpolation": word}), RAW]) for word in FILTERS],
    ("photo.png", "RGB", [("resize", {"width": 120, "height": 11}), RAW]),
    ("tall.png", "RGB", [("resize", {"size": 11}), RAW]),
    ("tall.png", "RGB", [("resize", {"size": 33}), RAW]),
    ("tall.png", "RGB", [("resize", {"size": 20}), RAW]),
    ("photo.png", "GRAY", [("resize", {"size": 16}), RAW]),
    ("photo.png", "RGB", [("resize", {"size": 25, "half_pixel_centers": True}), RAW]),
    ("photo.png", "RGB", [("resize", {"width": 64, "height": 48, "half_pixel_centers": True}), RAW]),
    ("photo.png", "RGB", [("resize", {"width": 17, "height": 60, "half_pixel_centers": True}), RAW]),
    (
        "photo.png",
        "RGB",
        [("resize", {"width": 29, "height": 47, "half_pixel_centers": True, "interpolation": "nearest"}), RAW],
    ),
    ("photo.png", "RGB", [("centercrop", {"width": 20, "height": 20}), RAW]),
    ("photo.png", "RGB", [("centercrop", {"width": 31, "height": 12}), RAW]),
    ("photo.png", "RGB", [("centercrop", {"width": 60, "height": 20}), RAW]),
    ("tall.png", "RGB", [("centercrop", {"width": 25, "height": 48}), RAW]),
    ("photo.png", "RGB", [("letterbox", {"width": 32, "height": 32}), RAW]),
    ("tall.png", "RGB", [("letterbox", {"width": 40, "height": 33, "pad_val": 7}), RAW]),
    ("photo.png", "RGB", [("letterbox", {"width": 64, "height": 61, "scaleup": True}), RAW]),
    ("photo.png", "RGB", [("letterbox", {"width": 60, "height": 44, "scaleup": False}), RAW]),
    ("photo.png", "RGB", [("letterbox", {"width": 40, "height": 40, "half_pixel_centers": True}), RAW]),
    ("photo.png", "GRAY", [("letterbox", {"width": 30, "height": 31}), RAW]),
    ("photo.png", "BGR", [("resize", {"size": 14, "input_color_format": "bgr"}), RAW]),
    ("photo.png", "RGB", [("convert-color", {"format": "RGB2BGR"}), ("resize", {"size": 12}), RAW]),
    ("photo.png", "RGB", [("convert-color", {"format": "RGB2GRAY"}), ("resize", {"size": 12}), RAW]),
    ("photo.png", "BGR", [("convert-color", {"format": "BGR2GRAY"}), ("resize", {"size": 12}), RAW]),
    ("grey.png", "GRAY", [("convert-color", {"format": "GRAY2RGB"}), ("centercrop", {"width": 9, "height": 9}), RAW]),
    # The SDK's templates for torchvision, TensorFlow and Caffe models
    (
        "photo.png",
        "RGB",
        [("resize", {"size": 18}), ("centercrop", {"width": 16, "height": 16}), TENSOR, IMAGENET],
    ),
    (
        "photo.png",
        "RGB",
        [
            ("resize", {"size": 18, "half_pixel_centers": True}),
            ("centercrop", {"width": 16, "height": 16}),
            RAW,
            ("linear-scaling", {"mean": 127.5, "shift": -1.0}),
        ],
    ),
    (
        "photo.png",
        "BGR",
        [
            ("centercrop", {"width": 12, "height": 12}),
            RAW,
            ("linear-scaling", {"mean": "1, 1, 1", "shift": "-103.939, -116.779, -123.68"}),
        ],
    ),
    ("photo.png", "GRAY", [("centercrop", {"width": 12, "height": 12}), TENSOR, ("normalize", {"mean": 0.3, "std": 0.4})]),
]


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.iterdir():
        path.unlink()
    whole = [(name, "RGB", [RAW]) for name in write_pictures() if name not in ("photo.png", "tall.png")]
    cases, values = [], io.BytesIO()

    def step(operators, bands):
        """What one of 255 steps of a pixel becomes."""
        place = next(index for index, (name, _) in enumerate(operators) if name == "torch-totensor")
        mode = "RGB" if bands == 3 else "L"
        black, grey = (run(Image.new(mode, (1, 1), (level,) * bands), operators[place:]) for level in (0, 1))
        return float(np.abs(grey - black).max())

    for name, color, operators in whole + CASES:
        tensor = run(read(name, color), operators).astype("<f4")
        is_bytes = bool(np.all(tensor == np.clip(tensor.round(), 0, 255)))
        case = {"picture": name, "color": color, "operators": operators, "shape": list(tensor.shape)}
        case |= {"offset": values.tell(), "values": "bytes" if is_bytes else "floats"}
        case["step"] = step(operators, tensor.shape[0])
        values.write((tensor.astype(np.uint8) if is_bytes else tensor).tobytes())
        cases.append(case)
    versions = {module.__name__: module.__version__ for module in (PIL, torchvision, cv2)}
    text = ",\n".join(json.dumps(case) for case in cases)
    (FOLDER / "cases.json").write_text(f'{{"made_with": {json.dumps(versions)}, "cases": [\n{text}\n]}}\n')
    (FOLDER / "tensors.bin").write_bytes(values.getvalue())
    print(len(cases), "cases,", sum(path.stat().st_size for path in FOLDER.iterdir()), "bytes")


if __name__ == "__main__":
    main()

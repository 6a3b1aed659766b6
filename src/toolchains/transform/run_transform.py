"""Calls the get_preprocess_transform of a user's file on images and saves what it returns as .npy.

argv: the file of the request. Standard output carries one JSON object a line, and nothing that the user's file prints.
"""

import importlib.util
import json
import os
import sys
import traceback

FUNCTION = "get_preprocess_transform"


class Stop(Exception):
    def __init__(self, **message):
        super().__init__()
        self.message = message


def load_backend(name):
    """A function from a path to an image in the colours that were asked for."""
    if name == "OPENCV":
        try:
            import cv2
        except ImportError as error:
            raise Stop(kind="missing", module="cv2", package="opencv-python", detail=str(error))
        conversions = {"RGB": cv2.COLOR_BGR2RGB, "GRAY": cv2.COLOR_BGR2GRAY}

        def read(path, colors):
            image = cv2.imread(path, cv2.IMREAD_COLOR)
            if image is None:
                raise ValueError("OpenCV cannot read it")
            return cv2.cvtColor(image, conversions[colors]) if colors in conversions else image

        return read
    try:
        from PIL import Image
    except ImportError as error:
        raise Stop(kind="missing", module="PIL", package="pillow", detail=str(error))

    def read(path, colors):
        with Image.open(path) as image:
            image = image.convert("L" if colors == "GRAY" else "RGB")
        return Image.merge("RGB", image.split()[::-1]) if colors == "BGR" else image

    return read


def load_function(path):
    sys.path.insert(0, os.path.dirname(path))
    sys.argv = [path]
    spec = importlib.util.spec_from_file_location("preprocess_transform", path)
    if spec is None:
        raise Stop(kind="not-python")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise Stop(kind="missing", module=error.name or "?", package=error.name or "?", detail="script")
    except BaseException as error:
        raise Stop(kind="script", message=describe(error), trace=trace(path))
    function = getattr(module, FUNCTION, None)
    if not callable(function):
        defined = sorted(name for name, value in vars(module).items() if callable(value) and not name.startswith("_"))
        raise Stop(kind="no-function", defined=defined[:20])
    return function


def describe(error):
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def trace(path):
    """The part of the traceback that is in the user's own files."""
    lines = traceback.format_exc().splitlines()
    first = next((place for place, line in enumerate(lines) if f'"{path}"' in line), 0)
    return "\n".join(lines[first:])


def main(request, say):
    try:
        import numpy
    except ImportError as error:
        raise Stop(kind="missing", module="numpy", package="numpy", detail=str(error))
    read = load_backend(request["backend"])
    script = request["script"]
    function = load_function(script)
    for index, path in enumerate(request["images"]):
        try:
            image = read(path, request["colors"])
        except Exception as error:
            raise Stop(kind="image", index=index, message=describe(error))
        try:
            result = function(image)
        except ModuleNotFoundError as error:
            raise Stop(kind="missing", module=error.name or "?", package=error.name or "?", detail="script")
        except BaseException as error:
            raise Stop(kind="transform", index=index, message=describe(error), trace=trace(script))
        if result is None or callable(result):
            raise Stop(kind="result", index=index, found=type(result).__name__)
        try:
            if hasattr(result, "detach"):
                result = result.detach().cpu().numpy()
            tensor = numpy.ascontiguousarray(numpy.asarray(result), dtype="<f4")
        except Exception as error:
            raise Stop(kind="result", index=index, found=f"{type(result).__name__} ({describe(error)})")
        if not numpy.isfinite(tensor).all():
            raise Stop(kind="result", index=index, found="numbers that are not finite")
        numpy.save(os.path.join(request["output"], f"{index:06}.npy"), tensor)
        say(kind="done", index=index, shape=list(tensor.shape))
    say(kind="end")


if __name__ == "__main__":
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(**message):
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    with open(sys.argv[1], encoding="utf-8") as file:
        wanted = json.load(file)
    try:
        main(wanted, tell)
    except Stop as stop:
        tell(**stop.message)
        sys.exit(3)

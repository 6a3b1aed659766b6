"""The data sets of the sample zoo: folders of small grey PNG images."""

from pathlib import Path

from PIL import Image


class DigitFolder:
    """Calibration images of a flat folder, or held-out images with one folder for each class.

    A class is the place of its folder among the folders sorted by name.
    """

    def __init__(self, root):
        self.root = Path(root)

    def calibration_images(self):
        """Every image below the folder, sorted by path."""
        for path in sorted(self.root.rglob("*.png")):
            yield Image.open(path)

    def held_out_images(self):
        """(image, class) for every image."""
        folders = sorted(path for path in self.root.iterdir() if path.is_dir())
        for index, folder in enumerate(folders):
            for path in sorted(folder.glob("*.png")):
                yield Image.open(path), index

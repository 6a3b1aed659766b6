"""The postprocess operator of digit-finder: from logits over a grid to a box."""

import numpy as np


class DecodeCell:
    """The surest cell of a `columns` x `rows` grid as one box with its score; none below `conf_threshold`."""

    def __init__(self, columns, rows, conf_threshold=0.3):
        self.columns = columns
        self.rows = rows
        self.conf_threshold = conf_threshold

    def __call__(self, logits, width, height):
        """`logits` has one value for each cell, row by row; `width` and `height` are those of the scene in pixels.
        Returns [(left, top, right, bottom, score)]."""
        logits = np.asarray(logits, dtype=np.float64).reshape(-1)
        powers = np.exp(logits - logits.max())
        scores = powers / powers.sum()
        best = int(scores.argmax())
        if scores[best] < self.conf_threshold:
            return []
        row, column = divmod(best, self.columns)
        wide, high = width / self.columns, height / self.rows
        box = (column * wide, row * high, (column + 1) * wide, (row + 1) * high)
        return [(*box, float(scores[best]))]

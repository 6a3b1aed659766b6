"""The networks of the sample zoo, as `tools/train_sample_zoo.py` trains and exports them.

axzoo reads the exported ONNX files and treats `class` and `class_path` in a card as data; these classes say what the
weights mean, and a toolchain that runs Python can load them.
"""

from torch import nn


def convolution(inputs, outputs, kernel=3, stride=1, groups=1):
    """A convolution without bias and its batch normalization; padded so that stride 1 keeps the size."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    )


class DigitClassifier(nn.Module):
    """Ten classes from [1, 1, 16, 16]: plain convolutions, a depth-wise one and a residual sum."""

    def __init__(self):
        super().__init__()
        self.stem = convolution(1, 16)
        self.widen = convolution(16, 32)
        self.pool = nn.MaxPool2d(2)
        self.depthwise = convolution(32, 32, groups=32)
        self.pointwise = convolution(32, 32, kernel=1)
        self.narrow = convolution(32, 48, stride=2)
        self.relu = nn.ReLU()
        self.average = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(48, 10)

    def forward(self, image):
        features = self.relu(self.stem(image))
        features = self.pool(self.relu(self.widen(features)))
        inner = self.relu(self.depthwise(features))
        features = self.relu(self.pointwise(inner) + features)
        features = self.relu(self.narrow(features))
        return self.head(self.flatten(self.average(features)))


class DigitFinder(nn.Module):
    """Which of the 4 x 3 cells of a scene holds the digit, from [1, 1, 64, 64]: twelve logits, row by row."""

    def __init__(self):
        super().__init__()
        self.stem = convolution(1, 12, kernel=5, stride=2)
        self.widen = convolution(12, 24, stride=2)
        self.first = convolution(24, 24)
        self.second = convolution(24, 24)
        self.pool = nn.MaxPool2d(2)
        self.narrow = convolution(24, 32, stride=2)
        self.relu = nn.ReLU()
        self.flatten = nn.Flatten()
        self.head = nn.Linear(32 * 4 * 4, 12)

    def forward(self, image):
        features = self.relu(self.stem(image))
        features = self.relu(self.widen(features))
        inner = self.relu(self.first(features))
        features = self.relu(self.second(inner) + features)
        features = self.relu(self.narrow(self.pool(features)))
        return self.head(self.flatten(features))


class DigitReader(nn.Module):
    """Ten classes from [1, 1, 16, 16]: depth-wise separable, with activations limited to 6."""

    def __init__(self):
        super().__init__()
        self.stem = convolution(1, 16)
        self.depthwise1 = convolution(16, 16, stride=2, groups=16)
        self.pointwise1 = convolution(16, 32, kernel=1)
        self.depthwise2 = convolution(32, 32, groups=32)
        self.pointwise2 = convolution(32, 32, kernel=1)
        self.depthwise3 = convolution(32, 32, stride=2, groups=32)
        self.pointwise3 = convolution(32, 64, kernel=1)
        self.relu = nn.ReLU6()
        self.average = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(64, 10)

    def forward(self, image):
        features = self.relu(self.stem(image))
        features = self.relu(self.depthwise1(features))
        features = self.relu(self.pointwise1(features))
        inner = self.relu(self.depthwise2(features))
        features = self.pointwise2(inner) + features
        features = self.relu(self.depthwise3(features))
        features = self.relu(self.pointwise3(features))
        return self.head(self.flatten(self.average(features)))

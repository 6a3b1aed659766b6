//! Compiled models that are run.

use super::super::Severity;
use super::{Entry, Placed};

/// The rows.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "run/failed",
        severity: Severity::Error,
        placed: Placed::Nowhere,
        title: "a compiled model cannot be run",
        meaning: "The model was loaded, and the graph that the host runs before or behind it failed on these inputs.",
        why: "There are no outputs.",
        remedy: "Build the model again with this version of axzoo.",
        example: "axzoo run build/net/model/1 --input x.npy",
        no_case: Some("needs a host's graph that loads and does not run; none is known"),
    },
    Entry {
        code: "run/image",
        severity: Severity::Warning,
        placed: Placed::Nowhere,
        title: "an image is brought to the input's size and to 0 to 1",
        meaning: "The compiled model does not say how its images are prepared: it was calibrated on random data or by a \
              Python file, or made by an older version. So an image is resized with the bilinear filter to the input's \
              height and width, in RGB or grey by the number of channels, and its values divided by 255.",
        why: "A model that was trained on images prepared otherwise gives other answers.",
        remedy: "Prepare the tensor as the model was trained (a card says it under `preprocess`), and give it as a `.npy` file.",
        example: "axzoo run build/net/model/1 --input photo.jpg",
        no_case: Some("needs a compiled model; `tests/cli/run.rs` builds one"),
    },
    Entry {
        code: "run/input",
        severity: Severity::Error,
        placed: Placed::Nowhere,
        title: "an input does not fit the model",
        meaning: "A file is missing, is no array of float32 or int8 and no image, has another shape than the model's \
              input, or there are more or fewer files than inputs.",
        why: "The model can only be run on what it takes.",
        remedy: "Give one file for each input, of the shape that the hint names.",
        example: "axzoo run build/net/model/1 --input wrong-shape.npy",
        no_case: Some("needs a compiled model; `tests/cli/run.rs` builds one"),
    },
    Entry {
        code: "run/model",
        severity: Severity::Error,
        placed: Placed::Nowhere,
        title: "what is named is no compiled model",
        meaning: "The path does not exist, holds no `manifest.json`, names a model that is only quantized, or its files \
              are damaged: they cannot be read, do not fit each other, or the constants do not have the digest that the \
              program expects.",
        why: "There is nothing that could be run.",
        remedy: "Name a folder such as `build/NETWORK/MODEL/1`, or build the model again.",
        example: "axzoo run build/net --input x.npy",
        no_case: None,
    },
    Entry {
        code: "run/output",
        severity: Severity::Error,
        placed: Placed::Nowhere,
        title: "an output cannot be written",
        meaning: "The folder after `--output` cannot be made, a file in it cannot be written, or the file of an output is one that was given \
                  with `--input`.",
        why: "The results would be lost, or the input.",
        remedy: "Name a folder that may be written to.",
        example: "axzoo run build/net/model/1 --input x.npy --output /proc/x",
        no_case: Some("needs a compiled model; `tests/cli/run.rs` builds one"),
    },
];

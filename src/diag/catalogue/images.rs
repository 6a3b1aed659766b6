//! What the images that a model is calibrated on are like.

use super::super::Severity;
use super::{Entry, Placed};

const NO_CASE: Option<&str> = Some("is seen while a model is quantized; a test of `tests/cli` builds one");

/// The rows.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "images/blank",
        severity: Severity::Warning,
        placed: Placed::Nowhere,
        title: "calibration images are blank",
        meaning: "Nearly all pixels of an image are equally bright: at least 199 of 200, to within one of 255 steps.",
        why: "A blank image says nothing of what the network will see, and takes the place of one that does.",
        remedy: "Remove these images. Where many are blank that should not be, look at how they were made.",
        example: "data/photos/0007.jpg   # black, recorded with the cover on",
        no_case: NO_CASE,
    },
    Entry {
        code: "images/channels",
        severity: Severity::Warning,
        placed: Placed::Nowhere,
        title: "a channel of the input says nothing",
        meaning: "One channel of the network's input has the same value in every pixel of every calibration image, or \
              all calibration images are grey though the network takes colors.",
        why: "The ranges of the first layers are measured on less than what the network will see.",
        remedy: "Calibrate on images as they will be; look at `input_color_format` and at the preprocess.",
        example: "repr_imgs_dir_path: scans   # grey scans for a network that takes RGB photos",
        no_case: NO_CASE,
    },
    Entry {
        code: "images/duplicate",
        severity: Severity::Warning,
        placed: Placed::Nowhere,
        title: "calibration images are copies of others",
        meaning: "Several files that are calibrated on have the same content, byte for byte.",
        why: "There are fewer different images than it seems, and ranges measured on few may miss what is rare.",
        remedy: "Remove the copies, and add other images where too few remain.",
        example: "data/photos/a.jpg\ndata/photos/copy-of-a.jpg",
        no_case: NO_CASE,
    },
    Entry {
        code: "images/held-out",
        severity: Severity::Warning,
        placed: Placed::Nowhere,
        title: "held-out images are calibrated on too",
        meaning: "An image that int8 is measured on has the same content as one that the model is calibrated on.",
        why: "The report then says better things of the model than other images would.",
        remedy: "Keep the images of `val_data` apart from those for calibration.",
        example: "datasets:\n  photos:\n    data_dir_name: photos\n    val_data: photos-again   # the same images",
        no_case: NO_CASE,
    },
    Entry {
        code: "images/scale",
        severity: Severity::Warning,
        placed: Placed::Nowhere,
        title: "the numbers that the network gets look wrong",
        meaning: "After `normalize` the mean of a channel is beyond 10 or no channel deviates by 0.05, or no pixel of the \
              calibration images is brighter than 1 of 255.",
        why: "Networks are trained on numbers around 0 that deviate by about 1. Other numbers come from a preprocess that \
              scales twice or not at all, or from label masks instead of images, and the ranges fit nothing.",
        remedy: "Look at `scale` of `torch-totensor` and at `mean` and `std` of `normalize`: they are in the unit of what \
              `torch-totensor` makes, 0 to 1 unless `scale` is false.",
        example: "preprocess:\n  - torch-totensor: {scale: false}\n  - normalize: {mean: 0.485, std: 0.229}",
        no_case: NO_CASE,
    },
    Entry {
        code: "images/small",
        severity: Severity::Warning,
        placed: Placed::Nowhere,
        title: "calibration images are far smaller than the network's input",
        meaning: "An image has less than half of the rows or of the columns of the network's input.",
        why: "Enlarged images are smoother than those the network will see, and ranges measured on them are too small.",
        remedy: "Calibrate on images of at least the size of the input.",
        example: "data/thumbnails/0001.jpg   # 64x64 for an input of 640x640",
        no_case: NO_CASE,
    },
];

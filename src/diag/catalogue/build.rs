//! What a build needs and does not find.

use super::super::Severity;
use super::{Entry, Placed};

/// The rows.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "build/held-out",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "`val_data` names no folder",
        meaning: "Held-out images, which the report compares int8 with float on, are to come from `val_data`, and it \
              is not a folder.",
        why: "The report can only use images that are left over from calibration, if there are any.",
        remedy: "Name a folder of images below the dataset's folder or beside the card, or remove `val_data`.",
        example: "datasets:\n  digits:\n    val_data: val.txt",
        no_case: None,
    },
    Entry {
        code: "build/lost-layer",
        severity: Severity::Warning,
        placed: Placed::Nowhere,
        title: "int8 keeps next to nothing of a layer",
        meaning: "On the held-out images the noise of a layer's int8 results has nearly as much power as the results \
              themselves have in float (SQNR under 1 dB).",
        why: "Outputs that are made of it say nothing. The SQNR of all outputs together hides that where others are much \
              larger: scores of 0 to 1 that are concatenated with coordinates of 0 to 640 share their range.",
        remedy: "Let the network end before the two are joined (the graph cleaner's properties, or another export), so that \
              each has a range of its own.",
        example: "# scores of 0 to 1 and boxes of 0 to 640 in one output\nweight_path: weights/joined.onnx",
        no_case: Some("it takes images and a build; the tests of quantization cause it"),
    },
    Entry {
        code: "build/missing-weights",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "the weights of a model are not there",
        meaning: "The file that `weight_path` names does not exist. This version does not download it.",
        why: "There is nothing to build.",
        remedy: "Download the file from the card's `weight_url`, put it in place, or correct `weight_path`.",
        example: "weight_path: weights/net.onnx",
        no_case: None,
    },
    Entry {
        code: "build/no-images",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "there are no images to calibrate a model on",
        meaning: "The folder that the model's dataset names does not exist, or holds no image. JPEG, PNG, BMP and \
              WebP are read, in folders below it too.",
        why: "The ranges of activations are measured on images; without any there is nothing to measure.",
        remedy: "Put pictures there that are like what the model will see. `--allow-random` calibrates on random \
              data, for a build whose accuracy does not matter.",
        example: "datasets:\n  digits:\n    repr_imgs_dir_path: ../data/digits/calibration",
        no_case: None,
    },
    Entry {
        code: "build/not-supported",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "this version cannot build such a model",
        meaning: "The model has no ONNX weights, and no quantized model that could stand in for them.",
        why: "No toolchain at hand reads it. `--skip-unsupported` builds the others and does not fail for it.",
        remedy: "Export the model to ONNX and name the file as `weight_path`.",
        example: "weight_path: weights/net.pt",
        no_case: None,
    },
    Entry {
        code: "build/prequantized",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "there is no quantized model to lower",
        meaning: "`compiler_mode: lower_only`, or a card without weights, lowers a model that is quantized already: \
              `prequantized_path` is its manifest, with the files that it names beside it, or a ZIP archive of them. The \
              file is not named, not there, or no such thing; or the build is to stop after quantizing, which is done.",
        why: "Lowering starts from the quantized graph; without one there is nothing to lower.",
        remedy: "Name `build/<network>/<model>/quantized/quantized_model_manifest.json` of an earlier build, copied to \
              where it stays, or give weights and let the model be quantized.",
        example: "prequantized_path: quantized/quantized_model_manifest.json",
        no_case: None,
    },
    Entry {
        code: "build/random-calibration",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "a model is calibrated on random data",
        meaning: "There are no images, and `--allow-random`, or `allow_random` under `[calibration]`, lets the build \
              go on with seeded random data.",
        why: "Ranges that are measured on noise say nothing about pictures: the accuracy of the result means nothing.",
        remedy: "Give the model pictures of what it will see before using the result.",
        example: "axzoo build --allow-random",
        no_case: None,
    },
    Entry {
        code: "build/run",
        severity: Severity::Error,
        placed: Placed::Nowhere,
        title: "the store or the results cannot be used",
        meaning: "The cache or the build folder cannot be created, locked, read or written.",
        why: "Nothing can be built, or remembered.",
        remedy: "Do what the hint says. `--cache` and `--build-root` choose other folders.",
        example: "axzoo build --cache /read-only/cache",
        no_case: None,
    },
    Entry {
        code: "build/too-few-images",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "there are fewer calibration images than wanted",
        meaning: "The folder holds fewer images than `num_cal_images` of the model, or than `images` under \
              `[calibration]`, asks for. All of them are used. Fewer than `--num-cal-images` asks for is an error.",
        why: "Ranges measured on few images may miss what is rare.",
        remedy: "Add images, or set `num_cal_images` to what there is.",
        example: "extra_kwargs:\n  num_cal_images: 400   # the folder has 120",
        no_case: None,
    },
    Entry {
        code: "build/unknown-owner",
        severity: Severity::Error,
        placed: Placed::Nowhere,
        title: "it is not known whose results are stale",
        meaning: "`axzoo clean --stale` removes the results of networks whose cards are gone, and `axzoo cache gc` what no card \
              needs; but it is not known which cards there are. A folder of cards is missing, cannot be listed or holds no card; or \
              a card is so broken that not even its name can be read; or another zoo builds into the same build root.",
        why: "The results of a network that is merely being edited, or of a folder that is not mounted, would be removed.",
        remedy: "Mend the card (`axzoo check` says what is wrong with it), bring the folder back, or name the networks to remove; \
             `axzoo clean all` and `axzoo cache clear` remove everything.",
        example: "axzoo clean --stale",
        no_case: None,
    },
    Entry {
        code: "build/unreadable",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a folder of images cannot be read",
        meaning: "The system refuses to list the folder that a dataset names, or one below it.",
        why: "The model cannot be calibrated.",
        remedy: "Change the permissions of the folder and of those above it.",
        example: "repr_imgs_dir_path: /root/images",
        no_case: Some("needs a folder that may not be read, and root may read all"),
    },
    Entry {
        code: "build/weights",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "weights, or the files beside them, cannot be read",
        meaning: "The ONNX file is there, but the system refuses to read it or its folder.",
        why: "There is nothing to build.",
        remedy: "Change the permissions of the file and of its folder.",
        example: "weight_path: /root/net.onnx",
        no_case: Some("needs a file that may not be read, and root may read all"),
    },
];

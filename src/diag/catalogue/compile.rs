//! What `axzoo compile` cannot do, or does otherwise than one may think.

use super::super::Severity;
use super::{Entry, Placed};

/// The rows.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "compile/arguments",
        severity: Severity::Error,
        placed: Placed::Nowhere,
        title: "an argument of `compile` cannot be followed",
        meaning: "A file or folder is missing or of the wrong kind, or a value is none that the flag takes. All of them are \
                  told at once, and in `compilation_report.json` where `-o` names a folder.",
        why: "Nothing is compiled before all arguments are understood.",
        remedy: "Do what the hint says; `axzoo compile --help` lists what each flag takes.",
        example: "axzoo compile -i model.onnx --input-shape 1,3,x -o out",
        no_case: None,
    },
    Entry {
        code: "compile/cli-args",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "an entry of a `cli_args.json` cannot be followed",
        meaning: "The file that `--cli-args` names is no JSON object, or has a key that is no argument, or a value that the \
                  argument does not take.",
        why: "The run would not be the one that the file describes.",
        remedy: "Correct the entry; the file that each run writes has every argument, null where it was not given.",
        example: "{ \"color_format\": \"RBG\" }",
        no_case: None,
    },
    Entry {
        code: "compile/cores",
        severity: Severity::Note,
        placed: Placed::Line,
        title: "a memory share that is small for the cores",
        meaning: "Each core of a device stands for an equal part of its memory. The model is compiled for several cores with \
                  less than their parts. `--aipu-cores` sets `aipu_cores_used`, and nothing follows from it.",
        why: "It may be meant so; it may also be a `resources_used` of a run on fewer cores.",
        remedy: "Set `resources_used` to what the cores may use together, or leave it.",
        example: "axzoo compile -i model.onnx --conf quarter.toml --aipu-cores 4 -o out",
        no_case: Some("notes of `compile` are in its log, not on the terminal; `tests/cli/compile` looks there"),
    },
    Entry {
        code: "compile/default-transform",
        severity: Severity::Warning,
        placed: Placed::Nowhere,
        title: "images are prepared in the default way",
        meaning: "There is an `--imageset` and no `--transform`. Images are resized to the input's width and height \
                  (bilinear, without regard to the aspect), and scaled to numbers from 0 to 1.",
        why: "Ranges are measured on what comes out. A model that was trained on other numbers, such as those less a mean, \
              loses accuracy without an error.",
        remedy: "Say in a `--transform` how the model's images are prepared: a YAML list of a card's preprocess operators, or a \
                 Python file with `get_preprocess_transform`.",
        example: "axzoo compile -i model.onnx --imageset photos -o out",
        no_case: Some(
            "it comes in the middle of a run, among lines that say how long a stage took; `tests/cli/compile` has it",
        ),
    },
    Entry {
        code: "compile/failed",
        severity: Severity::Error,
        placed: Placed::Nowhere,
        title: "a stage of the compiler failed",
        meaning: "The message begins with the status that `compilation_report.json` has too, and names the node where there \
                  is one.",
        why: "There is no compiled model.",
        remedy: "Do what the hint says; `compilation_log.txt` has every stage up to there.",
        example: "axzoo compile -i not_onnx.onnx -o out",
        no_case: None,
    },
    Entry {
        code: "compile/mode",
        severity: Severity::Error,
        placed: Placed::Nowhere,
        title: "the input does not go with what is to be done",
        meaning: "A model that is quantized already is to be quantized only, or one that is not is to be lowered only.",
        why: "There would be nothing to do, or nothing to do it with.",
        remedy: "Name the other file with `-i`, or change `compiler_mode` or `--quantize-only`.",
        example: "axzoo compile -i quantized_model_manifest.json --quantize-only -o out",
        no_case: None,
    },
    Entry {
        code: "compile/no-effect",
        severity: Severity::Warning,
        placed: Placed::Nowhere,
        title: "a flag of `compile` that has no effect",
        meaning: "What the flag is about does not happen in this run: preparation of images without images, or anything \
                  about quantization for a model that is quantized already.",
        why: "It may have been meant for something else.",
        remedy: "Leave the flag out, or give what the message says is missing.",
        example: "axzoo compile -i model.onnx --color-format BGR -o out",
        no_case: None,
    },
    Entry {
        code: "compile/output",
        severity: Severity::Error,
        placed: Placed::Nowhere,
        title: "the folder of results cannot be used",
        meaning: "It is a file, cannot be written, is being written by another `axzoo compile`, or `--generate-config` would \
                  replace a configuration that somebody edited.",
        why: "There is no place for results, nor for a report.",
        remedy: "Name another folder, or do what the hint says.",
        example: "axzoo compile -i model.onnx -o model.onnx",
        no_case: None,
    },
    Entry {
        code: "compile/random-data",
        severity: Severity::Warning,
        placed: Placed::Nowhere,
        title: "a model is calibrated on random data",
        meaning: "There is no `--imageset`. The ranges of activations are measured on uniform random numbers from 0 to 1, \
                  always the same ones.",
        why: "The model compiles and runs, and its accuracy means nothing.",
        remedy: "Name a folder of pictures of what the model will see with `--imageset`.",
        example: "axzoo compile -i model.onnx -o out",
        no_case: Some(
            "it comes in the middle of a run, among lines that say how long a stage took; `tests/cli/compile` has it",
        ),
    },
    Entry {
        code: "compile/transform",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a list of operators that cannot be read",
        meaning: "A YAML file of `--transform` is a list of preprocess operators as cards have them, alone or under \
                  `preprocess:`. Something in it is no such operator.",
        why: "The model would be calibrated on numbers that it never sees.",
        remedy: "Correct the line; the message lists what there is.",
        example: "- resize:\n    width: 224",
        no_case: Some("it is told inside the failure of the stage, whose code is `compile/failed`"),
    },
];

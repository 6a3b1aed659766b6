//! Cards: values, operators and paths.

use super::super::Severity;
use super::{Entry, Placed};

/// The rows.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "card/format",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a card is of another format",
        meaning: "`axelera-model-format` is not `1.0.0`. Where the key is absent the card is read as `1.0.0`: a \
              warning, since the SDK refuses such a card.",
        why: "Another format may mean other things by the same keys.",
        remedy: "Write `axelera-model-format: 1.0.0` if the card follows that format.",
        example: "axelera-model-format: 2.0.0",
        no_case: None,
    },
    Entry {
        code: "card/input-shape",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "an input shape is not three or four whole numbers",
        meaning: "`input_tensor_shape` is a list of three or four whole numbers above 0, in the order of \
              `input_tensor_layout`. Three dimensions gain a batch of 1.",
        why: "A model is compiled for one fixed shape.",
        remedy: "Write the shape with numbers only; a batch that is free in the ONNX file is 1 here.",
        example: "input_tensor_shape: [batch, 3, 224, 224]",
        no_case: None,
    },
    Entry {
        code: "card/md5",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a checksum is not an md5",
        meaning: "A value under a key that ends in `_md5` is not 32 hexadecimal digits.",
        why: "No file could ever match it.",
        remedy: "Copy the digits again; `md5sum FILE` prints them.",
        example: "weight_md5: 3b4e7",
        no_case: None,
    },
    Entry {
        code: "card/operator",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a preprocess operator cannot be read",
        meaning: "An operator is unknown, is one that the embedded compiler does not run, or has arguments that it \
              does not take. Each operator is `- name:` with its arguments indented below it.",
        why: "Calibration prepares images exactly as the card says; an operator that is left out would change every \
              range.",
        remedy: "Correct the operator; the hint names the nearest one or the arguments that it takes.",
        example: "preprocess:\n  - resize: {widht: 224, height: 224}",
        no_case: None,
    },
    Entry {
        code: "card/preprocess",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "the preprocess does not make the model's input",
        meaning: "The operators can be read one by one, but together they do not make a tensor of the model's shape: \
              an order, a size or a colour does not fit.",
        why: "The model would see something other than what it was trained on.",
        remedy: "Compare the operators with `input_tensor_shape`, `input_tensor_layout` and `input_color_format` of \
              the model, and with `color_format` of the task's input.",
        example: "preprocess:\n\
              \x20 - resize: {width: 256, height: 256}\n\
              \x20 - torch-totensor:\n\
              input_tensor_shape: [1, 3, 224, 224]",
        no_case: None,
    },
    Entry {
        code: "card/substitution",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a mark names no setting of the model",
        meaning: "`{{name}}` stands for a setting in the model's `extra_kwargs`, for a field of the model such as \
              `num_classes`, or for `input_width`, `input_height` or `input_channel`. This name is none of them, or \
              what the marks stand for is too large.",
        why: "The operator would get the mark instead of a number.",
        remedy: "Correct the name, give it under `extra_kwargs`, or give a default: `{{name:0.5}}`.",
        example: "- topk: {k: \"{{top_k}}\"}   # no `top_k` in `extra_kwargs`",
        no_case: None,
    },
    Entry {
        code: "card/task",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "an item of the pipeline is not a task",
        meaning: "Each item of `pipeline` is one name with the task's settings below it.",
        why: "The task cannot be told from its settings.",
        remedy: "Write `- name:` and indent the settings by four more blanks.",
        example: "pipeline:\n  - classify:\n    model_name: net   # two blanks too few",
        no_case: None,
    },
    Entry {
        code: "card/type",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a value is of another type than its key takes",
        meaning: "The message says what the key takes and what was found.",
        why: "The value cannot be used for anything.",
        remedy: "Write a value of the type that the message names; text that looks like a number goes between quotes.",
        example: "models:\n  net:\n    num_classes: many",
        no_case: None,
    },
    Entry {
        code: "card/undefined-variable",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "a path has a variable that is not set",
        meaning: "A path of the card has `$NAME`, and the environment has no such variable. `check` warns; a build \
              fails where it needs the path.",
        why: "The file cannot be found.",
        remedy: "Set the variable, or write the path out.",
        example: "weight_path: $AXELERA_FRAMEWORK/weights/net.onnx",
        no_case: None,
    },
    Entry {
        code: "card/unknown-key",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a key of a card looks misspelt",
        meaning: "The key is none of those that a card, task or model has, and one of those differs from it by a \
              letter or two. Other unknown keys are left to newer versions of the SDK.",
        why: "A misspelt setting has no effect, and nobody would know why.",
        remedy: "Write the key that the hint names. If the key is right, add it to `allow_keys` under `[zoo]` in \
              `axzoo.toml`.",
        example: "models:\n  net:\n    input_tensor_shap: [1, 3, 224, 224]",
        no_case: None,
    },
    Entry {
        code: "card/value",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a value is not one of those that its key takes",
        meaning: "The value has the right type, but means nothing under this key: an unknown colour format, layout \
              or kind of model, or a share that is not between 0 and 1.",
        why: "Another value would have to be guessed.",
        remedy: "Write one of the values that the message names.",
        example: "input_color_format: RBG",
        no_case: None,
    },
    Entry {
        code: "card/yaml-versions",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "a value that YAML 1.1 and 1.2 read differently",
        meaning: "The SDK reads YAML 1.1, where `yes` and `on` are booleans, `010` is 8, and `1e-5` is text. axzoo \
              reads the value in the same way and says so.",
        why: "Other tools read it differently, and so may a later SDK.",
        remedy: "Write a value that both read alike: `true`, `8`, `0.00001`, or text between quotes.",
        example: "extra_kwargs:\n  threshold: 1e-5",
        no_case: None,
    },
];

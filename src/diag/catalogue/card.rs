//! Cards: their parts and what they name.

use super::super::Severity;
use super::{Entry, Placed};

/// The rows.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "card/dataset-missing",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a model names no dataset to calibrate it on",
        meaning: "The model has no `dataset:`. A build needs images to find the ranges of activations, and takes \
              them from the model's dataset.",
        why: "Without images a model cannot be quantized; `--allow-random` would do it on random data, whose ranges \
              mean nothing for accuracy.",
        remedy: "Give the model a `dataset:` and describe it under `datasets:` with `repr_imgs_dir_path`, `cal_data` \
              or `data_dir_name`.",
        example: "models:\n  net:\n    weight_path: net.onnx   # no `dataset:` below it",
        no_case: None,
    },
    Entry {
        code: "card/dataset-undefined",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a model names a dataset that the card does not define",
        meaning: "The name after `dataset:` is not a key under `datasets:` of the same card.",
        why: "The model would have no images to calibrate on and no labels.",
        remedy: "Correct the name, or add the dataset under `datasets:`.",
        example: "models:\n  net:\n    dataset: digit\ndatasets:\n  digits: {data_dir_name: digits}",
        no_case: None,
    },
    Entry {
        code: "card/duplicate-name",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "two cards have the same name",
        meaning: "A network is known by the `name` of its card, and two cards of this zoo give the same one.",
        why: "Both would write to `build/NAME`, and a target could mean either. Neither is built; all others are.",
        remedy: "Give one of the cards another name, or leave one out with `exclude` under `[zoo]` in `axzoo.toml`.",
        example: "name: yolov8s   # in a.yaml\nname: yolov8s   # in b.yaml",
        no_case: None,
    },
    Entry {
        code: "card/exclude",
        severity: Severity::Error,
        placed: Placed::Nowhere,
        title: "a pattern of `exclude` is not a glob",
        meaning: "A pattern of `zoo.exclude`, `AXZOO_EXCLUDE` or `--exclude` cannot be read as a glob over card paths.",
        why: "Cards that were to be left out are read, and may be built.",
        remedy: "Write a glob: `*` for anything but `/`, `**` for any folders, `?`, `[abc]`, `{a,b}`.",
        example: "[zoo]\nexclude = [\"drafts/[a-*.yaml\"]",
        no_case: None,
    },
    Entry {
        code: "card/expression",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a card has an expression where only names can be substituted",
        meaning: "`${…}` in a card is not evaluated: reading a card runs no code. Settings of the model are written \
              `{{name}}` or `${{name}}`.",
        why: "The text would go into the pipeline as it is, where it means nothing.",
        remedy: "Write the value itself, or put it under `extra_kwargs` and name it with `{{name}}`.",
        example: "preprocess:\n  - resize: {size: \"${input_width * 2}\"}",
        no_case: None,
    },
    Entry {
        code: "card/missing-key",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a card or model lacks a key that it needs",
        meaning: "`name` and `models` are needed by every card, and `input_tensor_shape` by every model that is \
              compiled. Where `description`, `pipeline` or `datasets` is absent it is a warning: axzoo can do \
              without, the SDK refuses the card.",
        why: "Without a name there is no folder to build in; without a shape nothing can be compiled.",
        remedy: "Add the key. `pipeline: null` says that there is no pipeline.",
        example: "axelera-model-format: 1.0.0\nmodels: {}   # no `name:`",
        no_case: None,
    },
    Entry {
        code: "card/name",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a name cannot be the name of a folder",
        meaning: "The network's and each model's name become folders below `build/`, so a name has no `/`, is not \
              `.` or `..`, is not empty, has no control characters and is at most 200 bytes long. \
              No model is called `NETWORK.zip`: that is the network's bundle, in the same folder.",
        why: "Results would lie outside `build/`, or could not be written at all.",
        remedy: "Choose a name of letters, digits, `-`, `_` and `.`.",
        example: "name: yolo/v8s",
        no_case: None,
    },
    Entry {
        code: "card/no-images",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a dataset names no images",
        meaning: "The model's dataset has none of `repr_imgs_dir_path`, `cal_data` and `data_dir_name`.",
        why: "Without images a model cannot be quantized.",
        remedy: "Give one of the three: a folder of images, or the dataset's folder below the data root.",
        example: "datasets:\n  digits:\n    class: DataAdapter",
        no_case: None,
    },
    Entry {
        code: "card/no-models",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a card defines no models",
        meaning: "`models:` is empty.",
        why: "There is nothing to build.",
        remedy: "Describe a model under `models:`, or remove the card.",
        example: "models: {}",
        no_case: None,
    },
    Entry {
        code: "card/no-preprocess",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "a model has no preprocess that axzoo can read",
        meaning: "Neither the model's task in the pipeline, nor its template, nor `extra_kwargs.axzoo.preprocess` \
              lists preprocess operators. With the SDK the model's class may bring them as code, which axzoo does \
              not run. `check` warns; a build that has to calibrate the model fails.",
        why: "Calibration on images that are not prepared as at run time gives wrong ranges, and a model that is \
              wrong without a word.",
        remedy: "List the operators under `preprocess:` of the task, or under `extra_kwargs.axzoo.preprocess` of the \
              model.",
        example: "extra_kwargs:\n\
              \x20 axzoo:\n\
              \x20   preprocess:\n\
              \x20     - resize: {width: 224, height: 224}\n\
              \x20     - torch-totensor:",
        no_case: None,
    },
    Entry {
        code: "card/none",
        severity: Severity::Warning,
        placed: Placed::Nowhere,
        title: "there is no card",
        meaning: "The zoo's folders of cards have no `*.yaml` file, or `exclude` leaves all of them out.",
        why: "The command has nothing to do, which is hardly meant.",
        remedy: "Put a card there, or name the right folders with `--cards` or `cards` under `[zoo]` in `axzoo.toml`.",
        example: "[zoo]\ncards = [\"drafts\"]   # a folder without cards",
        no_case: None,
    },
    Entry {
        code: "card/not-a-card",
        severity: Severity::Warning,
        placed: Placed::File,
        title: "a YAML file among the cards is not a card",
        meaning: "The file lies in a folder of cards but has neither `axelera-model-format` nor `models`, nor both \
              `name` and `pipeline`. It is left out.",
        why: "If it was meant as a card, its network is not built.",
        remedy: "Add what a card needs; or leave the file out with `exclude` under `[zoo]`, or move it to another \
              folder.",
        example: "# model_cards/anchors.yaml\nanchors: [10, 13, 16, 30]",
        no_case: None,
    },
    Entry {
        code: "card/root-missing",
        severity: Severity::Error,
        placed: Placed::File,
        title: "a folder of cards does not exist",
        meaning: "A folder that `zoo.cards`, `AXZOO_CARDS` or `--cards` names is not there.",
        why: "Its networks are not built, and nobody would miss them.",
        remedy: "Create the folder or correct the name. Folders are relative to the root of the zoo.",
        example: "axzoo check --cards ax_model",
        no_case: None,
    },
    Entry {
        code: "card/template",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a pipeline template cannot be used",
        meaning: "The file that `template_path` names does not exist, cannot be read, or is not a mapping. The path \
              is relative to the card.",
        why: "The task's operators would be missing, and the model calibrated on images that are not prepared.",
        remedy: "Correct `template_path`, or put the template there.",
        example: "pipeline:\n  - classify:\n      template_path: pipelines/missing.yaml",
        no_case: None,
    },
    Entry {
        code: "card/template-merge",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "operators of a card do not fit its template",
        meaning: "A task's `preprocess` may repeat operators of its template, in the template's order, to change \
              arguments. Its `postprocess` either repeats all of the template's operators and then adds some, or \
              only adds some.",
        why: "It would be unclear which operators run, and in which order.",
        remedy: "Use the template's operators in its order, or leave out `template_path` and list all operators in \
              the card.",
        example: "# the template has: resize, torch-totensor\npreprocess:\n  - centercrop: {width: 224, height: 224}",
        no_case: None,
    },
    Entry {
        code: "card/unreadable",
        severity: Severity::Error,
        placed: Placed::File,
        title: "a card, or a folder of cards, cannot be read",
        meaning: "The file is too large, is not UTF-8, or the system refuses to open it.",
        why: "Its network cannot be built; all other cards are read.",
        remedy: "Do what the hint says: save the file as UTF-8, or change its permissions. A card is at most 4 MiB.",
        example: "$ file model_cards/net.yaml\nnet.yaml: Unicode text, UTF-16, little-endian",
        no_case: None,
    },
    Entry {
        code: "card/too-many",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a section of a card has too many entries",
        meaning: "At most 1000 tasks, models or datasets of one card are read.",
        why: "A file that is meant to exhaust memory must not; a real card has a few.",
        remedy: "Split the card, or check how the file was made.",
        example: "datasets: {d0: {}, d1: {}, d2: {}}   # … and so on to d1000",
        no_case: Some("a card of more than a thousand entries; `cards::tests` makes one"),
    },
];

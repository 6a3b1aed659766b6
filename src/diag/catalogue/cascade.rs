//! Cores and memory of the device.

use super::super::Severity;
use super::{Entry, Placed};

/// The rows.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "cascade/guess",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "a split is written although the cost of a model is not known",
        meaning: "`axzoo cascade --apply` weighs models by the multiplications in their ONNX files. One of the files is \
              not there or cannot be read, so that every model counts the same.",
        why: "The split that is written may be slower than the one that it replaces.",
        remedy: "Put the weights in place and run the command again; with `--strict` nothing is written until then.",
        example: "axzoo cascade net --apply   # without the weights of its models",
        no_case: None,
    },
    Entry {
        code: "cascade/idle",
        severity: Severity::Note,
        placed: Placed::Line,
        title: "a network leaves cores or memory of the device idle",
        meaning: "The models of the network take fewer cores, or less memory, than the device has. The message shows \
              both sums.",
        why: "There may be throughput to gain.",
        remedy: "Nothing, if it is meant. Otherwise give a model more cores, or run another network beside it.",
        example: "compilation_config: {aipu_cores_used: 1, resources_used: 1.0}",
        no_case: None,
    },
    Entry {
        code: "cascade/inconsistent",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "a model has less memory than comes with its cores",
        meaning: "`resources_used` is smaller than the share of the model's cores, each of which brings 1/(cores of \
              the board).",
        why: "All of those cores are taken, so that no other model can use the memory that lies idle, and smaller \
              tiles make this one slower.",
        remedy: "Raise `resources_used`, or lower `aipu_cores_used`.",
        example: "compilation_config: {aipu_cores_used: 4, resources_used: 0.25}",
        no_case: None,
    },
    Entry {
        code: "cascade/instances",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a model does not run a whole number of times on its cores",
        meaning: "The cores that the model is to run on are not a multiple of the cores that it is compiled for.",
        why: "Some cores could not be used by any copy of the model.",
        remedy: "Set `aipu_cores` to a multiple of `aipu_cores_used`, as the hint says.",
        example: "extra_kwargs:\n  aipu_cores: 3\n  compilation_config: {aipu_cores_used: 2}",
        no_case: None,
    },
    Entry {
        code: "cascade/no-aipu-cores",
        severity: Severity::Note,
        placed: Placed::Line,
        title: "a model of a cascade says its cores where one tool of the SDK does not look",
        meaning: "The model has `aipu_cores_used` and `resources_used` in its compiler configuration and no \
              `aipu_cores` in its `extra_kwargs`. axzoo reads both; `deploy.py` of the SDK reads `extra_kwargs` \
              only.",
        why: "The card is right here, and the SDK refuses to build it.",
        remedy: "Add `aipu_cores` to the model's `extra_kwargs` if the SDK is to build it too; otherwise nothing.",
        example: "models:\n  detector:\n    extra_kwargs:\n      compilation_config: {aipu_cores_used: 1, resources_used: 0.25}",
        no_case: None,
    },
    Entry {
        code: "cascade/no-cores",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a model of a cascade does not say how many cores it gets",
        meaning: "A network of several models shares the device between them, and this model has neither \
              `aipu_cores` nor both `aipu_cores_used` and `resources_used`.",
        why: "Each model would take the whole device by default, and the cascade could not be loaded.",
        remedy: "Say `aipu_cores` in the model's `extra_kwargs`, or both properties in its config.",
        example: "models:\n  detector: {extra_kwargs: {aipu_cores: 3}}\n  reader: {}",
        no_case: None,
    },
    Entry {
        code: "cascade/not-applied",
        severity: Severity::Error,
        placed: Placed::Nowhere,
        title: "a split is not written into the card",
        meaning: "`axzoo cascade --apply` could not edit the card so that it says the split and nothing else: settings \
              stand behind an alias or a merge key, or the edited card would mean something else. Or the card would \
              no longer fit another board that it fits now, which the message names. Or the card changed meanwhile, \
              or cannot be written.",
        why: "An edit that changes other models too would be worse than none. The card is as it was.",
        remedy: "Write the settings that the hint lists by hand, after writing out what models share; or run the \
              command again if the card changed.",
        example: "detector: {extra_kwargs: &shared {aipu_cores: 2}}\nreader: {extra_kwargs: *shared}",
        no_case: None,
    },
    Entry {
        code: "cascade/over-budget",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "the models do not fit the device together",
        meaning: "The cores that all instances of all models run on are more than the device has, or their shares of \
              memory are more than 1.0. The message shows both sums.",
        why: "Loading the network on the device would fail, after all models have been compiled.",
        remedy: "Make the change that the hint proposes: it is the smallest one that fits.",
        example: "models:\n  detector: {extra_kwargs: {aipu_cores: 3}}\n  reader: {extra_kwargs: {aipu_cores: 2}}",
        no_case: None,
    },
    Entry {
        code: "cascade/other-folder",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "the SDK will look for the files of a model in another folder",
        meaning: "Compiled files lie in a folder that is named after `aipu_cores_used`. The SDK looks for them in that \
              of the cores it derives from `extra_kwargs` alone (`aipu_cores`, `max_compiler_cores`, \
              `max_execution_cores`), and the two differ.",
        why: "The model is compiled, and running it with the SDK fails because files are missing.",
        remedy: "Add the settings that the hint names to the model's `extra_kwargs`.",
        example: "extra_kwargs:\n  compilation_config: {aipu_cores_used: 4, resources_used: 1.0}",
        no_case: None,
    },
    Entry {
        code: "cascade/too-many-cores",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "a model asks for more cores than the device has",
        meaning: "`aipu_cores`, or `--aipu-cores`, is more than the cores of the device. The model runs on as many as \
              there are.",
        why: "The card says one thing and another happens; beside other models the rest is missing.",
        remedy: "Say what the device has. What is meant for a larger board stands in that board's block.",
        example: "extra_kwargs:\n  aipu_cores: 8   # pcie and m2 have 4",
        no_case: None,
    },
];

//! Cores and memory of the device.

use super::super::Severity;
use super::{Entry, Placed};

/// The rows.
pub(super) const ENTRIES: &[Entry] = &[
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
];

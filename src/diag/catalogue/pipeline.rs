//! Tasks of a pipeline.

use super::super::Severity;
use super::{Entry, Placed};

/// The rows.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "pipeline/duplicate-task",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "two tasks have the same name",
        meaning: "A task is known by its name: `where` of a later one refers to it.",
        why: "It would be unclear whose results are meant.",
        remedy: "Give each task a name of its own; which model it uses is said by `model_name`.",
        example: "pipeline:\n  - detect: {model_name: faces}\n  - detect: {model_name: plates}",
        no_case: None,
    },
    Entry {
        code: "pipeline/preprocess",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "two tasks prepare images differently for one model",
        meaning: "Two tasks use the same model with different preprocess operators. Calibration takes those of the \
              first.",
        why: "The ranges may not suit what the model sees in the second task.",
        remedy: "Use the same operators in both tasks, or define two models.",
        example: "pipeline:\n\
              \x20 - whole: {model_name: net, preprocess: [resize: {size: 224}]}\n\
              \x20 - crops: {model_name: net, preprocess: [resize: {size: 256}]}",
        no_case: None,
    },
    Entry {
        code: "pipeline/source",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "a task takes its images from a source that is not known",
        meaning: "`source` of a task's `input` is `full` for whole pictures, `roi` for regions of an earlier task, or \
              `image_processing` for pictures that are corrected first. A newer SDK may know more.",
        why: "A misspelt word makes the task take something else than was meant, or fail in the SDK.",
        remedy: "Write the word that the hint names.",
        example: "input: {source: rois, where: detect}",
        no_case: None,
    },
    Entry {
        code: "pipeline/unknown-model",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a task uses a model that the card does not define",
        meaning: "The task's `model_name`, or its own name where that is absent, is not a key under `models:`.",
        why: "The task could not run.",
        remedy: "Correct the name, or define the model under `models:`.",
        example: "pipeline:\n  - detect: {model_name: yolov8}\nmodels:\n  yolov8s: {}",
        no_case: None,
    },
    Entry {
        code: "pipeline/unused-model",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "no task of the pipeline uses a model",
        meaning: "The model is defined under `models:`, and no task names it.",
        why: "It is compiled and packed, takes its share of the device, and never runs.",
        remedy: "Name it as `model_name` of a task, or remove it.",
        example: "pipeline:\n  - detect: {model_name: a}\nmodels:\n  a: {}\n  b: {}",
        no_case: None,
    },
    Entry {
        code: "pipeline/where",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a task takes regions of a task that does not come before it",
        meaning: "With `source: roi` a task works on the regions that an earlier task found, and `where:` names that \
              task.",
        why: "There would be no regions to work on.",
        remedy: "Name an earlier task with `where:`, or change the order of the tasks.",
        example: "pipeline:\n  - classify:\n      input: {source: roi, where: detect}\n  - detect: {}",
        no_case: None,
    },
];

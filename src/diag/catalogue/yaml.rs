//! The text of a card or template.

use super::super::Severity;
use super::{Entry, Placed};

/// The rows.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "yaml/duplicate-key",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a mapping has a key twice",
        meaning: "The same key stands twice in one mapping. The SDK would silently take the last.",
        why: "One of the two values has no effect, and which one depends on who reads the file.",
        remedy: "Remove one of the two.",
        example: "weight_path: a.onnx\nweight_path: b.onnx",
        no_case: None,
    },
    Entry {
        code: "yaml/edit",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a card cannot be edited there",
        meaning: "A command that edits a card, such as `axzoo cascade --apply`, is to change an entry that comes from \
              an alias or a merge key, that an anchor used elsewhere names, or that is written in a way that is \
              not edited, such as with a tag. The caret points at the obstacle.",
        why: "The edit would change more than it should. The card is as it was.",
        remedy: "Do what the hint says: mostly write the entry out where it is used.",
        example: "detector: {extra_kwargs: &shared {aipu_cores: 2}}\nreader: {extra_kwargs: *shared}",
        no_case: None,
    },
    Entry {
        code: "yaml/limit",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a YAML file is nested too deeply or is too large",
        meaning: "The text is nested deeper, has more nodes once its aliases are expanded, or has more brackets than \
              any real card.",
        why: "A file that is meant to exhaust memory must not.",
        remedy: "Write the structure out flatter, or check how the file was made.",
        example: "x: [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]   # … and so on",
        no_case: None,
    },
    Entry {
        code: "yaml/syntax",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a file is not YAML",
        meaning: "The text cannot be parsed. The caret points at the first place where that is certain; the cause \
              may be a line above it.",
        why: "Nothing in the file can be read; all other cards are.",
        remedy: "Correct the line: mostly it is the indentation, a missing `:`, or a quote that is not closed.",
        example: "name: net\n description: one blank too many",
        no_case: None,
    },
    Entry {
        code: "yaml/unsupported",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "YAML that a card cannot have",
        meaning: "The file has several documents, a tag such as `!!python/object`, a merge key on something else \
              than a mapping, or bytes that are no text.",
        why: "Reading a card runs no code and builds no objects.",
        remedy: "Remove what the caret points at.",
        example: "name: !!python/object:os.system ls",
        no_case: None,
    },
];

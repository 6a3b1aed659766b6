//! Inline configurations and JSON files that become TOML files.

use super::super::Severity;
use super::{Entry, Placed};

/// The rows.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "convert/changed",
        severity: Severity::Error,
        placed: Placed::File,
        title: "a card changed while it was converted",
        meaning: "Between reading the card and writing it, its text on the disk became another one.",
        why: "Writing would undo what an editor or another program has just saved. Nothing is written.",
        remedy: "Run the command again.",
        example: "axzoo convert net --in-place   # while an editor saves the card",
        no_case: Some("needs another program that writes the card between its reading and its writing"),
    },
    Entry {
        code: "convert/exists",
        severity: Severity::Error,
        placed: Placed::File,
        title: "another file stands where the new one is to go",
        meaning: "The place of the new TOML file is taken: by a file with other contents, by a folder, by something \
              that cannot be read, or by the result of another JSON file of the same command.",
        why: "Settings that somebody wrote by hand would be lost. Nothing is written, to no other file either.",
        remedy: "Name another place with `-o` or `--output-dir`, or replace the file with `--force`.",
        example: "axzoo convert net   # `net.toml` is there, with other settings",
        no_case: None,
    },
    Entry {
        code: "convert/not-equal",
        severity: Severity::Error,
        placed: Placed::File,
        title: "a conversion would change what a card means",
        meaning: "Before anything is written, every effective setting of every model on every board, and every other \
              part of the edited cards, is compared with what it was. The message names what would differ.",
        why: "A model would be compiled otherwise than before. Nothing is written.",
        remedy: "Convert the other models one by one, by `NETWORK/MODEL`, and report the card: this is a defect of axzoo.",
        example: "axzoo convert net --in-place",
        no_case: Some("guards against a defect of the conversion; no card is known that provokes it"),
    },
    Entry {
        code: "convert/not-toml",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "settings that TOML cannot say",
        meaning: "A kept setting has a list with null in it, for which TOML has no word, or the settings would make \
              one key both a value and a table.",
        why: "The TOML file would say something else than the card. The card is left as it is.",
        remedy: "Remove the null or the setting; no property of today's compiler takes such a value.",
        example: "compilation_config:\n  layer_names: [conv1, null]",
        no_case: None,
    },
    Entry {
        code: "convert/place",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "settings stand where a card cannot be edited",
        meaning: "The settings come from an alias or a merge key, are named by an anchor that is used elsewhere, or \
              are written in a way that is not edited, such as two keys of a block in one line.",
        why: "An edit there would change other models too, or lose comments. The card is left as it is; the others are \
              converted.",
        remedy: "Do what the hint says: mostly write the settings out where they are used.",
        example: "one: {compilation_config: &shared {tiling_depth: 6}}\n\
              two: {compilation_config: *shared}   # axzoo convert net/one --in-place",
        no_case: None,
    },
    Entry {
        code: "convert/several",
        severity: Severity::Error,
        placed: Placed::Nowhere,
        title: "one file is named for several configurations",
        meaning: "`-o` names one TOML file, and the targets have more than one configuration to write.",
        why: "Each would replace the one before. Nothing is written.",
        remedy: "Name a folder with `--output-dir`, name one model as `NETWORK/MODEL`, or, where the settings are the \
              same, write one file for all with `--share`.",
        example: "axzoo convert all -o settings.toml",
        no_case: None,
    },
    Entry {
        code: "convert/write",
        severity: Severity::Error,
        placed: Placed::File,
        title: "a converted file cannot be written",
        meaning: "The system refuses to write the TOML file or the card: the folder may not be written to, or the disk \
              is full.",
        why: "Each file is replaced as a whole, TOML files before the cards that name them: every card is as it was or \
              converted, and means the same.",
        remedy: "Do what the hint says, and run the command again: it goes on where it stopped.",
        example: "axzoo convert net --output-dir /read-only",
        no_case: Some("needs a folder that may not be written to, and root may write to all"),
    },
];

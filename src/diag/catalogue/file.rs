//! Files that a card names.

use super::super::Severity;
use super::{Entry, Placed};

/// The rows.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "file/kind",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "a path names a folder where a file is meant, or a file where a folder is",
        meaning: "Something lies at the path, but of the other kind.",
        why: "A build that needs it will fail.",
        remedy: "Correct the path.",
        example: "weight_path: weights   # the folder, not the file in it",
        no_case: None,
    },
    Entry {
        code: "file/md5",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a file has another checksum than the card says",
        meaning: "The file is there, and its md5 is not the one in the card.",
        why: "It is damaged, or another version than the card is for: accuracy may differ, or the file may not be \
              read at all.",
        remedy: "Download the file again, or correct the md5 if the file is right.",
        example: "weight_path: net.onnx\nweight_md5: 00000000000000000000000000000000",
        no_case: None,
    },
    Entry {
        code: "file/missing",
        severity: Severity::Warning,
        placed: Placed::Line,
        title: "a file or folder that a card names is not there",
        meaning: "Nothing lies at the path. Where the card gives a URL it is a note: the file can be fetched from \
              there.",
        why: "A build that needs it will fail.",
        remedy: "Put the file in place, or correct the path. Paths are relative to the card.",
        example: "weight_path: weights/net.onnx",
        no_case: None,
    },
    Entry {
        code: "file/unreadable",
        severity: Severity::Error,
        placed: Placed::Line,
        title: "a file that a card names cannot be read",
        meaning: "The file is there, but the system refuses to read it, so that its checksum cannot be compared.",
        why: "A build will not be able to read it either.",
        remedy: "Change the permissions of the file and of the folders above it.",
        example: "weight_path: /root/net.onnx",
        no_case: Some("needs a file that may not be read, and root may read all"),
    },
];

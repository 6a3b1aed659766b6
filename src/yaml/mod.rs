//! YAML, read by one parser everywhere: a tree with the bytes of every node, bounded in depth, size and aliases.
//!
//! Text such as `{{input_width}}` or `${{label_filter}}` is legal in cards although it is not legal YAML everywhere;
//! the parser takes it as part of a plain scalar. What a plain scalar means (number, boolean, null) is asked of the
//! [`Scalar`], and answered as `PyYAML` does.
//!
//! A file is changed by an [`Editor`]: edits of spans of its text, never a tree written out again.

mod edit;
mod error;
mod json;
mod marks;
mod meaning;
mod node;
mod parse;
mod references;
#[cfg(test)]
mod tests;

pub use edit::{Edit, EditError, EditErrorKind, Editor, apply, scalar_text};
pub use error::{YamlError, YamlErrorKind};
pub use node::{Kind, Meaning, Node, Scalar, Style};
pub use parse::{DEPTH_LIMIT, NODE_LIMIT, TEXT_LIMIT, parse};

//! YAML, read by one parser everywhere: a tree with the bytes of every node, bounded in depth, size and aliases.
//!
//! Text such as `{{input_width}}` or `${{label_filter}}` is legal in cards although it is not legal YAML everywhere;
//! the parser takes it as part of a plain scalar.

mod node;

pub use node::{Kind, Meaning, Node, Scalar, Style};

//! Inline configurations become TOML files, without changing a single effective value or comment.
//!
//! The way through: `select` finds the blocks of the chosen models, `body` merges a block with its base file and decides
//! what may be dropped, `comments` brings the block's comments along, `render` writes TOML, `names` names the files,
//! `conversion` edits the cards (by spans, [`crate::yaml::Editor`]), `prove` compares every effective configuration
//! before and after in memory, and `write` writes: every TOML before the first card that names it.
//!
//! What may be dropped: a value that equals its documented default, unless it is one of the three that a `cores` layer
//! sets. Those are always kept: `--aipu-cores`, a cascade's budget and the SDK's deploy tool all ask whether they are said.
//!
//! What a file is for: a model's general settings, or those of one board. The file of a general block holds the base file
//! with the block over it; so does a board's, whose own base takes the place of the general one.

mod body;
mod comments;
mod conversion;
mod diff;
mod json;
mod names;
mod prove;
mod render;
mod select;
#[cfg(test)]
mod tests;
mod write;

pub use conversion::{Conversion, Converted, NewCard, NewFile, Options, OutputPlace, Scope, convert};
pub use diff::unified_diff;
pub use json::convert_json;
pub use write::write;

//! The effective configuration of each model: layers, weakest first, every value with its origin and what it hides.
//!
//! A [`Resolver`] knows the zoo's folders and the board; a [`Request`] says what one card says. Nothing here reads cards:
//! the blocks of a card come in as YAML nodes. Nothing here asks the environment or starts an interpreter.

mod board;
mod built;
mod conf_file;
mod cores;
mod diff;
mod effective;
mod inline;
mod json_file;
mod layer;
mod old_names;
mod origin;
mod raw;
mod resolver;
mod schema;
mod search;
mod set;
mod settings;
mod show;
mod toml_file;

pub use board::{Board, Device};
pub use conf_file::{read_conf, settings_json};
pub use cores::{CoreSettings, DeployCores};
pub use diff::{Difference, diff, diff_to_json, render_diff};
pub use effective::Config;
pub use origin::{LayerKind, Origin, Traced};
pub use resolver::{BoardRequest, Request, Resolution, Resolver};
pub use schema::{CONFIG_DEFINITION, schema_definitions};
pub use search::{ConfigSource, ListedConfig, SearchPath};
pub use settings::{KeptValue, Setting, SettingMeaning};
pub use show::{render, to_json};

#[cfg(test)]
pub(crate) mod tests;

//! Model cards: found, read, validated, and asked.
//!
//! [`read_catalog`] walks the card roots, reads every card (YAML → raw card → [`Card`]) in parallel and keeps every
//! problem; a card that cannot be read never hides the others. Nothing here runs code, opens a connection or needs an
//! SDK: `class` and `class_path` are data.
//!
//! What a card says about other files is resolved when it is asked for: [`Card::resolve_task`] reads a task's template,
//! [`Card::preprocess_of`] makes the operators, [`Card::calibration`] chooses the folder of images.

mod card;
mod catalog;
mod dataset;
mod fields;
mod file;
mod keys;
mod model;
mod paths;
mod pipeline;
mod preprocess;
mod raw;
mod request;
mod schema;
mod settings;
mod spanned;
mod substitute;
mod target;
mod task;
mod template;
#[cfg(test)]
pub(crate) mod tests;
mod versions;

pub use card::Card;
pub use catalog::{
    BrokenCard, CardFile, CardReader, CardReading, Catalog, CatalogOptions, find_cards, read_card_file, read_cards,
    read_catalog,
};
pub use dataset::{Dataset, ImageFolder};
pub use model::{Model, ModelKind, Ready};
pub use paths::{PathValue, UndefinedVariable, Variables, expand};
pub use schema::{SchemaKind, json_schema};
pub use settings::{AxzooSettings, BOARDS, BoardSettings, ExtraSettings};
pub use spanned::Spanned;
pub use target::{Selected, UnknownTarget, UnknownTargets, select};
pub use task::{Operator, Task, TaskInput};
pub use template::ResolvedTask;

pub(crate) use substitute::is_path_key;

//! `axzoo config schema`: the JSON schema of cards, templates and configurations, for editors.

use super::super::args::{ConfigSchemaArgs, SchemaFor};
use super::super::output::Output;
use crate::cards::SchemaKind;
use crate::cards::json_schema;

/// Prints the schema; it depends on no zoo.
pub(crate) fn schema(arguments: &ConfigSchemaArgs, output: Output) {
    let kind = match arguments.kind {
        SchemaFor::Any => SchemaKind::Any,
        SchemaFor::Card => SchemaKind::Card,
        SchemaFor::Template => SchemaKind::Template,
        SchemaFor::Config => SchemaKind::Config,
    };
    output.data(&format!("{:#}\n", json_schema(kind)));
}

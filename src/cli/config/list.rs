//! `axzoo config list`: the configs that cards can name by a bare name, and which of them are hidden.

use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use super::super::args::{ConfigListArgs, Format};
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::settings::Flags;
use super::super::zoo::Zoo;
use crate::config::ListedConfig;
use crate::diag::Diagnostic;
use crate::diag::printable;
use crate::report::Align;
use crate::report::table;

/// Lists the configs; with a target also those beside its card.
pub(crate) fn list(arguments: &ConfigListArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let targets: &[String] = arguments.target.as_slice();
    let zoo = Zoo::load_named(&arguments.zoo, Flags::new(), directory, targets)?;
    let beside = match &arguments.target {
        Some(target) => Some(card_folder(&zoo, target, output)?),
        None => None,
    };
    let listed = zoo.search().list_configs(beside.as_deref());
    let places = zoo.search().places(beside.as_deref());
    match arguments.format {
        Format::Json => {
            let configs: Vec<Value> = listed.iter().map(to_json).collect();
            output.data(&format!("{:#}\n", json!({ "configs": configs, "looked_in": places })));
        }
        Format::Human if listed.is_empty() => {
            let places: Vec<String> = places.iter().map(|place| printable(place)).collect();
            let hint = "`--configs DIR` names another folder, `--sdk DIR` an installed SDK";
            output.note(&format!("there are no configs; looked in {}\nhint: {hint}\n", places.join(", ")));
        }
        Format::Human => {
            let head =
                [("config", Align::Left), ("source", Align::Left), ("file", Align::Left), ("hidden by", Align::Left)];
            let rows: Vec<Vec<String>> = listed.iter().map(row).collect();
            let any_hidden = listed.iter().any(|config| config.hidden_by.is_some());
            output.data(&table(head.get(..if any_hidden { 4 } else { 3 }).unwrap_or_default(), &rows));
        }
    }
    Ok(())
}

/// The folder of the one card that a target names.
fn card_folder(zoo: &Zoo, target: &str, output: Output) -> Result<PathBuf, Failure> {
    let targets = [target.to_owned()];
    let networks = zoo.select(&targets)?;
    let mut folders: Vec<PathBuf> = networks.iter().map(|selected| selected.card.folder.clone()).collect();
    folders.dedup();
    match folders.as_slice() {
        [folder] => Ok(folder.clone()),
        [] => {
            output.diagnostics(&zoo.card_problems(&[], &targets));
            Err(Failure::Reported)
        }
        several => {
            let message = format!("`{target}` names cards of {} folders", several.len());
            Err(Failure::Usage(vec![
                Diagnostic::error("target/several", message).hint("name one network; `axzoo list` shows all"),
            ]))
        }
    }
}

fn to_json(config: &ListedConfig) -> Value {
    json!({
        "name": config.name,
        "file": config.display,
        "source": config.source.word(),
        "hidden_by": config.hidden_by,
    })
}

fn row(config: &ListedConfig) -> Vec<String> {
    let hidden_by = config.hidden_by.as_deref().unwrap_or_default();
    [&config.name, config.source.word(), &config.display, hidden_by].map(printable).to_vec()
}

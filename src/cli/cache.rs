//! `axzoo cache`: how much the store holds, whether it is sound, and what may go.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::args::{CacheGcArgs, CacheStatsArgs, CacheVerifyArgs, ConfigFlags, Format, ZooFlags};
use super::failure::Failure;
use super::output::Output;
use super::plans::{Planned, check_cards_are_known, take};
use super::quantity::{AGES, SIZES, quantity};
use super::settings::Flags;
use super::zoo::Zoo;
use crate::base::fs;
use crate::base::moment;
use crate::diag::Diagnostic;
use crate::diag::counted;
use crate::exec;
use crate::report::Align;
use crate::report::bytes;
use crate::report::table;
use crate::store::Amount;
use crate::store::Limits;

/// Says how much the store holds.
pub(super) fn stats(arguments: &CacheStatsArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let zoo = Zoo::without_cards(&ZooFlags::default(), arguments.folders.settings(), directory)?;
    let mut store = zoo.opened_store()?;
    let usage = store.usage().map_err(|error| zoo.store_failure(&error))?;
    let rows = [
        ("artifacts", usage.artifacts),
        ("records", usage.records),
        ("logs", usage.logs),
        ("temporary", usage.temporary),
        ("other files", usage.others),
        ("total", usage.total()),
    ];
    let folder = zoo.shown(store.cache());
    let on_disk = fs::bytes_on_disk(store.cache());
    match arguments.format {
        Format::Json => {
            let amount = |amount: Amount| json!({ "files": amount.files, "bytes": amount.bytes });
            let mut value: Value = rows.iter().map(|&(name, of)| (name.replace(' ', "_"), amount(of))).collect();
            value["results"] = json!(usage.results);
            value["on_disk"] = json!(on_disk);
            value["folder"] = json!(folder);
            output.data(&format!("{value:#}\n"));
        }
        Format::Human => {
            let cells = |(name, of): (&str, Amount)| vec![name.to_owned(), of.files.to_string(), bytes(of.bytes)];
            let head = [("", Align::Left), ("files", Align::Right), ("size", Align::Right)];
            output.data(&table(&head, &rows.map(cells)));
            let results = counted(usage.results, "result");
            output.data(&format!(
                "\n{results} in `{folder}`; {} on the disk, where files are whole blocks\n",
                bytes(on_disk)
            ));
        }
    }
    Ok(())
}

/// Reads every artifact; damaged ones go, and make the command fail.
pub(super) fn verify(arguments: &CacheVerifyArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let zoo = Zoo::without_cards(&ZooFlags::default(), arguments.folders.settings(), directory)?;
    let mut store = zoo.opened_store()?;
    take(&mut store, "axzoo cache verify", &zoo, output)?;
    let found = store.verify().map_err(|error| zoo.store_failure(&error))?;
    let (count, size) = (counted(found.artifacts.files, "artifact"), bytes(found.artifacts.bytes));
    if found.damaged.is_empty() && found.lost.is_empty() {
        output.data(&format!("{count} ({size}) read: all sound\n"));
        return Ok(());
    }
    output.data(&format!("{count} ({size}) read: {} damaged and removed\n", found.damaged.len()));
    let lost: Vec<String> = found.lost.iter().map(|(step, count)| format!("{count} of {step}")).collect();
    if !lost.is_empty() {
        output
            .data(&format!("results that no longer count: {}; the next build makes what it needs\n", lost.join(", ")));
    }
    Err(Failure::Reported)
}

/// Removes what no card needs.
pub(super) fn collect(arguments: &CacheGcArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let mut flags = Flags::new();
    arguments.store.add_to(&mut flags);
    let limits = limits(arguments)?;
    let mut zoo = Zoo::without_cards(&arguments.zoo, flags, directory)?;
    let mut store = zoo.opened_store()?;
    if !arguments.dry_run {
        take(&mut store, "axzoo cache gc", &zoo, output)?;
    }
    // Not before: while this run waited, cards may have come and been built.
    zoo.read_cards(None);
    check_cards_are_known(&zoo, "axzoo cache clear")?;
    let networks = zoo.networks(&[], &ConfigFlags::default())?;
    let Planned { plan, .. } = zoo.plan(&networks, &arguments.store, false);
    let needed = exec::known_keys(&plan.graph, &mut store)
        .map_err(|error| Failure::Failed(Diagnostic::error("build/run", zoo.relative(&error.to_string()))))?;
    let mut there: BTreeSet<&str> = networks.iter().map(super::zoo::Network::name).collect();
    there.extend(zoo.catalog.broken.iter().filter_map(|broken| broken.name.as_deref()));
    let others = store.other_zoos(zoo.root()).map_err(|error| zoo.store_failure(&error))?;
    // A card that cannot be read, and does not even say its name, may be the one of any network; so may one of another zoo.
    let all = !others.is_empty() || zoo.catalog.broken.iter().any(|broken| broken.name.is_none());
    for other in others {
        let root = zoo.shown(store.build_root());
        let other = other.display();
        output.note(&format!("`{other}` builds into `{root}` too: what was built last of any network there stays\n"));
    }
    let is_there = |network: &str| all || there.contains(network);
    let found =
        store.collect(&needed, is_there, &limits, arguments.dry_run).map_err(|error| zoo.store_failure(&error))?;
    let verb = if arguments.dry_run { "would remove" } else { "removed" };
    output.data(&format!(
        "{verb} {} with {} ({}); {} ({}) stay\n",
        counted(found.results, "result"),
        counted(found.removed.files, "artifact"),
        bytes(found.removed.bytes),
        found.kept.files,
        bytes(found.kept.bytes),
    ));
    Ok(())
}

/// Removes everything.
pub(super) fn clear(arguments: &CacheVerifyArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let zoo = Zoo::without_cards(&ZooFlags::default(), arguments.folders.settings(), directory)?;
    let mut store = zoo.opened_store()?;
    take(&mut store, "axzoo cache clear", &zoo, output)?;
    let before =
        store.usage().and_then(|usage| store.clear().map(|()| usage)).map_err(|error| zoo.store_failure(&error))?;
    let artifacts = counted(before.artifacts.files, "artifact");
    output.data(&format!(
        "removed {artifacts} ({}) from `{}`\n",
        bytes(before.artifacts.bytes),
        zoo.shown(store.cache())
    ));
    Ok(())
}

fn limits(arguments: &CacheGcArgs) -> Result<Limits, Failure> {
    let mut problems = Vec::new();
    let mut read = |flag: &'static str, text: &Option<String>, units: &[(&str, u64)], example: &str| {
        let text = text.as_deref()?;
        let found = quantity(text, units);
        if found.is_none() {
            let source = crate::diag::Source::typed(flag, text);
            let names: Vec<&str> = units.iter().map(|(name, _)| *name).filter(|name| !name.is_empty()).collect();
            let message = format!("expected a number and one of {}, found `{text}`", names.join(", "));
            let place = crate::diag::Span::new(0, text.len());
            problems.push(
                Diagnostic::error("usage/quantity", message).at(&source, place).hint(format!("for instance {example}")),
            );
        }
        found
    };
    let size = read("--max-size", &arguments.max_size, &SIZES, "20GB");
    let age = read("--max-age", &arguments.max_age, &AGES, "30d");
    if !problems.is_empty() {
        return Err(Failure::Usage(problems));
    }
    let since =
        |age: u64| moment().saturating_sub(i64::try_from(age).unwrap_or(i64::MAX).saturating_mul(1_000_000_000));
    Ok(Limits { since: age.map(since), bytes: size })
}

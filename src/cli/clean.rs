//! `axzoo clean`: results go from the build root; the store keeps its artifacts, so that a build restores them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use globset::GlobBuilder;

use super::args::{CleanArgs, ZooFlags};
use super::failure::Failure;
use super::output::Output;
use super::plans::{check_cards_are_known, take};
use super::zoo::Zoo;
use crate::base::did_you_mean;
use crate::base::fs;
use crate::base::nearest;
use crate::diag;
use crate::diag::Diagnostic;
use crate::exec;
use crate::exec::NotRemoved;
use crate::report::bytes;
use crate::store::Store;

/// Removes the recorded files of the networks that are named, or of those whose cards are gone.
pub(super) fn clean(arguments: &CleanArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let (zoo_flags, flags) = (ZooFlags::default(), arguments.settings());
    let mut zoo = Zoo::without_cards(&zoo_flags, flags, directory)?;
    let mut store = zoo.opened_store()?;
    if !arguments.dry_run {
        take(&mut store, "axzoo clean", &zoo, output)?;
    }
    if arguments.stale {
        // Not before: while this run waited, cards may have come and been built.
        zoo.read_cards(None);
        check_cards_are_known(&zoo, "axzoo clean all")?;
        check_no_other_zoo(&zoo, &store)?;
    }
    let recorded = store.networks();
    let networks: Vec<String> = if arguments.stale {
        let there = names(&zoo)?;
        recorded.keys().filter(|network| !there.contains(network.as_str())).cloned().collect()
    } else {
        let meant = |target: &String| {
            let of_file = || zoo.network_of_file(target).map(Meant::Network);
            let known = recorded.contains_key(target).then(|| Meant::Network(target.clone()));
            known.filter(|_| target != "all").or_else(of_file).unwrap_or_else(|| Meant::Typed(target.clone()))
        };
        let targets: Vec<Meant> = arguments.targets.iter().map(meant).collect();
        named(&targets, &recorded.keys().map(String::as_str).collect::<Vec<_>>())?
    };
    let mut removed = Vec::new();
    let mut left = Vec::new();
    let size_of = |file: &String| fs::stat(&store.build_root().join(file)).map_or(0, |stat| stat.size);
    let meant = networks.iter().flat_map(|network| recorded.get(network).into_iter().flatten());
    let sizes: BTreeMap<&String, u64> = meant.map(|file| (file, size_of(file))).collect();
    if arguments.dry_run {
        removed.extend(networks.iter().flat_map(|network| recorded.get(network).into_iter().flatten().cloned()));
    } else {
        left = exec::clean(&mut store, &networks, |_, file| removed.push(file.to_owned()))
            .map_err(|error| zoo.store_failure(&error))?;
    }
    removed.sort();
    let freed: u64 = removed.iter().filter_map(|file| sizes.get(file)).sum();
    let root = zoo.shown(store.build_root());
    if arguments.dry_run {
        let lines: Vec<String> = removed.iter().map(|file| format!("{root}/{file}\n")).collect();
        output.data(&lines.concat());
    }
    let verb = if arguments.dry_run { "would remove" } else { "removed" };
    let (files, of) = (diag::counted(removed.len(), "file"), diag::counted(networks.len(), "network"));
    output.data(&format!("{verb} {files} of {of} from `{root}` ({})\n", bytes(freed)));
    if left.is_empty() {
        return Ok(());
    }
    let failed = |file: &NotRemoved| {
        Diagnostic::error("build/run", zoo.relative(&file.message))
            .hint("it stays recorded: remove it, or run `axzoo clean` again")
    };
    output.diagnostics(&left.iter().map(failed).collect::<Vec<_>>());
    Err(Failure::Reported)
}

/// Results of another zoo that builds into the same build root are not stale because this one has no cards of them.
fn check_no_other_zoo(zoo: &Zoo, store: &Store) -> Result<(), Failure> {
    let others = store.other_zoos(zoo.root()).map_err(|error| zoo.store_failure(&error))?;
    if others.is_empty() {
        return Ok(());
    }
    let build = if others.len() == 1 { "builds" } else { "build" };
    let others: Vec<String> = others.iter().map(|root| format!("`{}`", root.display())).collect();
    let (others, root) = (others.join(" and "), zoo.shown(store.build_root()));
    let message = format!("{others} {build} into `{root}` too, so it is not known whose results are stale");
    let hint = "name the networks to remove; or give each zoo a build root of its own";
    Err(Failure::Failed(Diagnostic::error("build/unknown-owner", message).hint(hint)))
}

/// The names of all cards. A card that cannot be read may be the one of any network.
fn names(zoo: &Zoo) -> Result<BTreeSet<String>, Failure> {
    let mut names: BTreeSet<String> = zoo.catalog.cards.iter().map(|card| card.name.value.clone()).collect();
    for broken in &zoo.catalog.broken {
        let Some(name) = &broken.name else {
            let message = format!("`{}` cannot be read, so it is not known whose results are stale", broken.file);
            let hint = "`axzoo check` says what is wrong with it; mend it, or name the networks to remove";
            return Err(Failure::Failed(Diagnostic::error("build/unknown-owner", message).hint(hint)));
        };
        names.insert(name.clone());
    }
    Ok(names)
}

/// What a target says.
enum Meant {
    /// One network, whatever its name looks like.
    Network(String),
    /// A name, a glob over names, or `all`.
    Typed(String),
}

/// The recorded networks that targets name.
fn named(targets: &[Meant], recorded: &[&str]) -> Result<Vec<String>, Failure> {
    let mut chosen = BTreeSet::new();
    let mut problems = Vec::new();
    for target in targets {
        let (target, is_typed) = match target {
            Meant::Network(network) => (network, false),
            Meant::Typed(text) => (text, true),
        };
        let glob = GlobBuilder::new(target).literal_separator(true).build().map(|glob| glob.compile_matcher());
        let is_all = is_typed && target == "all";
        let is_meant = |network: &str| {
            is_all || target == network || is_typed && glob.as_ref().is_ok_and(|glob| glob.is_match(network))
        };
        let before = chosen.len();
        chosen.extend(recorded.iter().filter(|network| is_meant(network)).map(|&network| network.to_owned()));
        if chosen.len() == before && !is_all && !chosen.iter().any(|network| is_meant(network)) {
            let whole = target.split_once('/').map(|(network, _)| network).filter(|network| recorded.contains(network));
            let hint = whole
                .map(|network| format!("`clean` removes the results of whole networks; name `{network}`"))
                .or_else(|| did_you_mean(&nearest(target, recorded.iter().copied())))
                .unwrap_or_else(|| "`axzoo clean all -n` shows what has results".to_owned());
            let message = format!("no network `{target}` has results in the build root");
            problems.push(Diagnostic::error("target/unknown", message).hint(hint));
        }
    }
    if problems.is_empty() { Ok(chosen.into_iter().collect()) } else { Err(Failure::Usage(problems)) }
}

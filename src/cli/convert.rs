//! `axzoo convert`: inline configurations, and JSON files, become TOML files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::args::{ConfigFlags, ConvertArgs};
use super::failure::Failure;
use super::output::Output;
use super::settings::Flags;
use super::zoo::Zoo;
use super::zoo::folder_failure;
use crate::base::fs;
use crate::cards::CatalogOptions;
use crate::cards::Selected;
use crate::cards::read_card_file;
use crate::config::Device;
use crate::config::Resolver;
use crate::config::SearchPath;
use crate::convert;
use crate::convert::Conversion;
use crate::convert::Options;
use crate::convert::OutputPlace;
use crate::convert::Scope;
use crate::diag::Diagnostic;
use crate::diag::Severity;
use crate::diag::Source;
use crate::diag::printable;

/// Largest JSON file that is read, as of TOML files.
const LARGEST: u64 = 1 << 20;

/// Converts what is named, or shows what it would write.
pub(super) fn convert(arguments: &ConvertArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let is_json = |target: &&String| Path::new(target).extension().is_some_and(|extension| extension == "json");
    let json = arguments.targets.iter().filter(is_json).count();
    if arguments.from_yaml.is_some() {
        return from_yaml(arguments, output, directory);
    }
    if json == 0 {
        return of_zoo(arguments, output, directory);
    }
    if json < arguments.targets.len() {
        return Err(arguments_failure(
            "JSON files and targets of a zoo are converted by separate commands",
            "convert the one first, then the other",
        ));
    }
    of_json(arguments, output, directory)
}

/// A path as typed, from where the user stands.
pub(super) fn standing(directory: Option<&Path>) -> Result<PathBuf, Failure> {
    let folder = std::env::current_dir()
        .map_err(|error| folder_failure(format!("the current folder cannot be read: {error}")))?;
    Ok(directory.map_or_else(|| folder.clone(), |directory| folder.join(directory)))
}

fn options(arguments: &ConvertArgs, place: OutputPlace, standing: &Path) -> Result<Options, Failure> {
    if let Some(file) = &arguments.output {
        // A card or a JSON file is never what is meant to be replaced, whatever `--force` says and whatever links there are.
        let real = fs::place_of(&standing.join(file));
        let source = ["yaml", "yml", "json"];
        if [file, &real].iter().any(|path| path.extension().is_some_and(|it| source.iter().any(|known| it == *known))) {
            let message =
                format!("`-o {}`: expected the name of a TOML file, found a card's or a JSON file's", file.display());
            return Err(arguments_failure(&message, "name a file that ends in `.toml`"));
        }
    }
    let place = match (&arguments.output, &arguments.output_dir) {
        (Some(file), _) => OutputPlace::File(standing.join(file)),
        (None, Some(folder)) => OutputPlace::Folder(standing.join(folder)),
        (None, None) => place,
    };
    Ok(Options {
        in_place: arguments.in_place,
        share: arguments.share,
        keep_defaults: arguments.no_exclude_defaults,
        force: arguments.force,
        place,
    })
}

fn of_zoo(arguments: &ConvertArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let zoo = Zoo::load(&arguments.zoo, Flags::new(), directory)?;
    let networks = zoo.networks(&arguments.targets, &ConfigFlags::default())?;
    let broken = zoo.broken(&arguments.targets);
    // Warnings are for `check`; what cannot be read is said here.
    let problems = zoo.card_problems(&networks, &arguments.targets);
    let errors: Vec<Diagnostic> = problems.into_iter().filter(|problem| problem.severity == Severity::Error).collect();
    output.diagnostics(&errors);
    let selected: Vec<Selected<'_>> =
        networks.iter().map(|network| Selected { card: network.card, model: network.only }).collect();
    let scope =
        Scope { catalog: &zoo.catalog, resolver: &zoo.resolver, allow_keys: &zoo.resolved.settings.zoo.allow_keys };
    let options = options(arguments, OutputPlace::Configs, &standing(None)?)?;
    let conversion = convert::convert(scope, &selected, &options).map_err(|problems| report_all(output, &problems))?;
    finish(arguments, output, &conversion, selected.len())?;
    if broken.is_empty() { Ok(()) } else { Err(Failure::Reported) }
}

fn from_yaml(arguments: &ConvertArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let Some(card) = &arguments.from_yaml else { return Ok(()) };
    let standing = standing(directory)?;
    let variables: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let sdk_roots = ["AXZOO_SDK", "VIRTUAL_ENV", "AXELERA_FRAMEWORK"].into_iter();
    let said = sdk_roots.filter_map(|name| variables.get(name)).filter(|folder| !folder.is_empty());
    let sdk_roots = said.map(|folder| standing.join(folder)).collect();
    let search = SearchPath { root: standing.clone(), config_folders: Vec::new(), sdk_roots };
    let catalog = read_card_file(
        &standing.join(card),
        &CatalogOptions { root: standing.clone(), variables, ..CatalogOptions::default() },
    );
    let errors: Vec<Diagnostic> =
        catalog.problems.iter().filter(|problem| problem.severity == Severity::Error).cloned().collect();
    let Some(only) = catalog.cards.first() else {
        let problems = if errors.is_empty() { &catalog.problems } else { &errors };
        return Err(report_all(output, problems));
    };
    let selected = [Selected { card: only, model: None }];
    let resolver = Resolver::new(search, Device::default());
    let scope = Scope { catalog: &catalog, resolver: &resolver, allow_keys: &[] };
    let options = options(arguments, OutputPlace::Configs, &standing)?;
    let conversion = convert::convert(scope, &selected, &options).map_err(|problems| report_all(output, &problems))?;
    finish(arguments, output, &conversion, 1)
}

fn of_json(arguments: &ConvertArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    for (flag, given) in [("--in-place", arguments.in_place), ("--share", arguments.share)] {
        if given {
            return Err(arguments_failure(
                &format!("`{flag}` is for cards; a JSON file names no models"),
                "leave the flag out",
            ));
        }
    }
    if arguments.output.is_some() && arguments.targets.len() > 1 {
        return Err(arguments_failure("`-o` is for one file", "name a folder with `--output-dir`"));
    }
    let standing = standing(directory)?;
    let search = SearchPath { root: standing.clone(), ..SearchPath::default() };
    let resolver = Resolver::new(search, Device::whole(crate::config::Board::Europa));
    let mut conversion = Conversion::default();
    let mut problems = Vec::new();
    for target in &arguments.targets {
        let path = standing.join(target);
        let source = match fs::read_limited(&path, LARGEST).map(String::from_utf8) {
            Ok(Ok(text)) => Source::new(target.as_str(), text.strip_prefix('\u{feff}').unwrap_or(&text)),
            Ok(Err(_)) => {
                problems.push(Diagnostic::error("config/not-utf8", format!("`{target}` is not UTF-8")));
                continue;
            }
            Err(error) => {
                problems.push(Diagnostic::error("config/unreadable", error.to_string()).maybe_hint(error.hint()));
                continue;
            }
        };
        let beside = path.with_extension("toml");
        let options = options(arguments, OutputPlace::Configs, &standing)?;
        let file = match options.place {
            OutputPlace::File(file) => file,
            OutputPlace::Folder(folder) => folder.join(beside.file_name().unwrap_or_default()),
            OutputPlace::Configs => beside,
        };
        if conversion.files.iter().any(|other: &convert::NewFile| other.path == file) {
            let message = format!("two JSON files would become `{}`", file.display());
            problems.push(Diagnostic::error("convert/exists", message).hint("convert them one by one with `-o`"));
            continue;
        }
        match convert::convert_json(&source, &resolver, file, options.keep_defaults, options.force) {
            Ok(one) => {
                conversion.files.extend(one.files);
                conversion.blocks.extend(one.blocks);
            }
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(report_all(output, &problems));
    }
    finish(arguments, output, &conversion, arguments.targets.len())
}

fn report_all(output: Output, problems: &[Diagnostic]) -> Failure {
    output.diagnostics(problems);
    Failure::Reported
}

/// Writes, or shows the difference, and says what was done.
fn finish(arguments: &ConvertArgs, output: Output, conversion: &Conversion, asked: usize) -> Result<(), Failure> {
    output.diagnostics(&conversion.refused);
    if arguments.dry_run {
        output.data(&convert::unified_diff(conversion));
        output.note(&report(conversion, asked, "would be"));
    } else {
        convert::write(conversion).map_err(|problems| report_all(output, &problems))?;
        output.data(&report(conversion, asked, "is"));
    }
    if conversion.refused.is_empty() { Ok(()) } else { Err(Failure::Reported) }
}

/// What was converted, a paragraph each, and the sum. `is` says whether it was done or would be.
fn report(conversion: &Conversion, asked: usize, is: &str) -> String {
    let mut text = String::new();
    for block in &conversion.blocks {
        let _ = writeln!(text, "{}  {}:{}", printable(&block.name), printable(&block.from), block.line);
        let same =
            conversion.files.iter().any(|file| file.shown == block.file && file.old.as_ref() == Some(&file.text));
        let already = if same { ", which holds it already" } else { "" };
        let _ = writeln!(text, "  → {}{already}", printable(&block.file));
        if let Some(base) = &block.base {
            let _ = writeln!(text, "    merged  over `{}`, which stays as it is", printable(base));
        }
        for (written, name) in &block.renamed {
            let _ = writeln!(text, "    renamed `{}` to `{name}`", printable(written));
        }
        for (name, why) in &block.dropped {
            let _ = writeln!(text, "    dropped `{}`: {why}", printable(name));
        }
        for name in &block.kept {
            let _ = writeln!(text, "    kept    `{}`, which is no property of today's compiler", printable(name));
        }
    }
    let files: BTreeSet<&str> = conversion.blocks.iter().map(|block| block.file.as_str()).collect();
    let cards = conversion.cards.len();
    let plural = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    if conversion.blocks.is_empty() && !conversion.refused.is_empty() {
        return "nothing was converted\n".to_owned();
    }
    if conversion.blocks.is_empty() {
        let what = plural(asked, "card");
        let _ = writeln!(text, "nothing to convert: no inline configuration in {what}; nothing {is} changed");
        return text;
    }
    let edited = if cards == 0 { "no card".to_owned() } else { plural(cards, "card") };
    let _ = writeln!(
        text,
        "{} in {}, {edited} edited; every effective value {is} as before",
        plural(conversion.blocks.len(), "configuration"),
        plural(files.len(), "TOML file"),
    );
    text
}

fn arguments_failure(message: &str, hint: &str) -> Failure {
    Failure::Usage(vec![Diagnostic::error("usage/arguments", message).hint(hint)])
}

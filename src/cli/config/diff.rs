//! `axzoo config diff`: two configurations, or one and what the last build was made with.

use std::path::Path;

use serde_json::Value;
use serde_json::json;

use super::super::args::{ConfigDiffArgs, Format};
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::settings::Flags;
use super::super::zoo::{Network, ResolvedModel, Zoo};
use super::nothing_compiled;
use super::problems_of;
use crate::base::fs;
use crate::cards::Card;
use crate::config::Config;
use crate::config::Difference;
use crate::config::diff_to_json;
use crate::config::render_diff;
use crate::diag::Diagnostic;
use crate::diag::Severity;
use crate::diag::Source;
use crate::diag::printable;

/// The largest file of a build that is read: a configuration has a hundred lines.
const LARGEST: u64 = 1 << 20;

/// One side of a comparison.
struct Side {
    /// The network and the model.
    names: [String; 2],
    /// Whether it is what a build was made with, not what cards say now.
    built: bool,
    /// The card, or the record of the build.
    file: String,
    /// Whether people need the file to know which card is meant.
    by_path: bool,
}

/// Two sides and where they differ. A model that one network has not got has one side only.
struct Comparison {
    left: Option<Side>,
    right: Option<Side>,
    differences: Vec<Difference>,
}

/// Compares A with B, or A with its last build. Differences are no failure.
pub(crate) fn diff(arguments: &ConfigDiffArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let mut flags = Flags::new();
    flags.extend(arguments.build_root.iter().map(|text| ("build-root", text.clone())));
    let targets: Vec<String> = std::iter::once(&arguments.left).chain(&arguments.right).cloned().collect();
    let named: Vec<String> = targets.iter().filter(|target| !is_card_file(target)).cloned().collect();
    let zoo = Zoo::load_named(&arguments.zoo, flags, directory, &named)?;
    // Cards by their path are read by themselves: they need lie in no folder of cards, and their name may be taken.
    let cards: Vec<Option<Card>> =
        targets.iter().map(|target| read_card(&zoo, target, output)).collect::<Result<_, _>>()?;
    let networks: Vec<Network<'_>> = targets
        .iter()
        .zip(&cards)
        .map(|(target, card)| network(&zoo, target, card.as_ref(), arguments, output))
        .collect::<Result<_, _>>()?;
    let mut failed = false;
    for network in &networks {
        let problems = problems_of(network);
        output.diagnostics(&problems);
        failed |= problems.iter().any(|problem| problem.severity == Severity::Error);
        if let Some(note) = nothing_compiled(network) {
            output.note(&note);
        }
    }
    if failed {
        // Values that could not be read would be compared as defaults.
        return Err(Failure::Reported);
    }
    let by_path: Vec<bool> = cards.iter().map(Option::is_some).collect();
    let (comparisons, problems) = match (networks.as_slice(), by_path.as_slice()) {
        ([left, right], [left_path, right_path]) => (between((left, *left_path), (right, *right_path))?, Vec::new()),
        ([now], [by_path]) => with_last_build(&zoo, now, *by_path),
        _ => (Vec::new(), Vec::new()),
    };
    output.diagnostics(&problems);
    let texts: Vec<String> = match arguments.format {
        Format::Human => comparisons.iter().map(to_text).collect(),
        Format::Json => comparisons.iter().map(|comparison| format!("{}\n", to_json(comparison))).collect(),
    };
    output.data(&texts.join(if arguments.format == Format::Human { "\n" } else { "" }));
    if problems.is_empty() { Ok(()) } else { Err(Failure::Reported) }
}

fn is_card_file(target: &str) -> bool {
    Path::new(target).extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// The card of a target that is a path to one; `None` for any other target.
fn read_card(zoo: &Zoo, target: &str, output: Output) -> Result<Option<Card>, Failure> {
    if !is_card_file(target) {
        return Ok(None);
    }
    let (card, problems) = zoo.read_card(target)?;
    output.diagnostics(&problems);
    card.map(Some).ok_or(Failure::Reported)
}

/// The one network that a target names.
fn network<'z>(
    zoo: &'z Zoo,
    target: &str,
    card: Option<&'z Card>,
    arguments: &ConfigDiffArgs,
    output: Output,
) -> Result<Network<'z>, Failure> {
    if let Some(card) = card {
        return zoo.network_of(card, &arguments.config);
    }
    let targets = [target.to_owned()];
    let mut networks = zoo.networks(&targets, &arguments.config)?;
    output.diagnostics(&zoo.card_problems(&networks, &targets));
    match (networks.pop(), networks.len()) {
        (Some(network), 0) => Ok(network),
        (None, _) => Err(Failure::Reported),
        (Some(_), others) => {
            let message = format!("`{target}` names {} networks; a side of a comparison is one", others + 1);
            Err(Failure::Usage(vec![
                Diagnostic::error("target/several", message).hint("name one network; `axzoo list` shows all"),
            ]))
        }
    }
}

fn side(network: &Network<'_>, model: &ResolvedModel<'_>, by_path: bool) -> Side {
    Side {
        names: [network.name().to_owned(), model.model.name.value.clone()],
        built: false,
        file: network.card.file.clone(),
        by_path,
    }
}

/// Two networks model by model: by name, but where each side is one model, those two.
fn between(left: (&Network<'_>, bool), right: (&Network<'_>, bool)) -> Result<Vec<Comparison>, Failure> {
    let models = |network: &'_ Network<'_>| network.wanted().count();
    let single = match (models(left.0), models(right.0)) {
        (1, 1) => true,
        // One model that was asked for has its counterpart by name; it is not all that the other network has.
        (1, _) if left.0.only.is_some() => return one_of_several(left, right, false),
        (_, 1) if right.0.only.is_some() => return one_of_several(right, left, true),
        _ => false,
    };
    let mut comparisons = Vec::new();
    for model in left.0.wanted() {
        let name = &model.model.name.value;
        let other = right.0.wanted().find(|other| single || other.model.name.value == *name);
        comparisons.push(Comparison {
            left: Some(side(left.0, model, left.1)),
            right: other.map(|other| side(right.0, other, right.1)),
            differences: other.map(|other| crate::config::diff(&model.config, &other.config)).unwrap_or_default(),
        });
    }
    let unmatched = right.0.wanted().filter(|other| {
        let name = &other.model.name.value;
        !single && left.0.wanted().all(|model| model.model.name.value != *name)
    });
    comparisons.extend(unmatched.map(|model| Comparison {
        left: None,
        right: Some(side(right.0, model, right.1)),
        differences: Vec::new(),
    }));
    Ok(comparisons)
}

/// One model against the model of its name in a network of several.
fn one_of_several(
    one: (&Network<'_>, bool),
    several: (&Network<'_>, bool),
    turned: bool,
) -> Result<Vec<Comparison>, Failure> {
    let Some(model) = one.0.wanted().next() else { return Ok(Vec::new()) };
    let name = &model.model.name.value;
    let Some(other) = several.0.wanted().find(|other| other.model.name.value == *name) else {
        let names: Vec<String> = several.0.wanted().map(|other| format!("`{}`", other.model.name.value)).collect();
        let message = format!("`{}` has no model `{name}` to compare with", several.0.name());
        let problem = Diagnostic::error("target/unknown", message).hint(format!("name one of {}", names.join(", ")));
        return Err(Failure::Usage(vec![problem]));
    };
    let mut sides = [(one, model), (several, other)];
    if turned {
        sides.reverse();
    }
    let [((left, left_path), left_model), ((right, right_path), right_model)] = sides;
    Ok(vec![Comparison {
        left: Some(side(left, left_model, left_path)),
        right: Some(side(right, right_model, right_path)),
        differences: crate::config::diff(&left_model.config, &right_model.config),
    }])
}

/// What each model's last build was made with against what cards say now; models without one are problems.
fn with_last_build(zoo: &Zoo, now: &Network<'_>, by_path: bool) -> (Vec<Comparison>, Vec<Diagnostic>) {
    let mut comparisons = Vec::new();
    let mut problems = Vec::new();
    for model in now.wanted() {
        match last_build(zoo, now.name(), &model.model.name.value) {
            Ok((built, file)) => {
                let right = side(now, model, by_path);
                comparisons.push(Comparison {
                    left: Some(Side { names: right.names.clone(), built: true, file, by_path: false }),
                    right: Some(right),
                    differences: crate::config::diff(&built, &model.config.as_packaged()),
                });
            }
            Err(problem) => problems.push(problem.network(now.name()).model(model.model.name.value.as_str())),
        }
    }
    (comparisons, problems)
}

/// The configuration that a model was last built with, and the file that says so.
fn last_build(zoo: &Zoo, network: &str, model: &str) -> Result<(Config, String), Diagnostic> {
    let folder = zoo.root().join(&zoo.resolved.settings.zoo.build).join(network).join(model);
    let read = |name: &str| {
        let path = folder.join(name);
        let shown = zoo.shown(&path);
        match fs::read_limited(&path, LARGEST) {
            Ok(bytes) => Ok(Some(Source::new(shown, String::from_utf8_lossy(&bytes)))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => {
                let problem = Diagnostic::error("config/unreadable", error.to_string()).in_file(shown);
                Err(problem.maybe_hint(error.hint()))
            }
        }
    };
    let Some(values) = read("compile_config.json")? else {
        let file = zoo.shown(&folder.join("compile_config.json"));
        let message = format!("`{network}/{model}` was never built: there is no `{file}`");
        let hint = format!(
            "`axzoo build {network}` builds it, `--build-root` names another build folder, a second target compares two cards"
        );
        return Err(Diagnostic::error("config/never-built", message).hint(hint));
    };
    let kept = read("compiler_config.toml")?.unwrap_or_else(|| Source::new("compiler_config.toml", ""));
    let config = Config::of_build(&values, &kept).map_err(|problem| *problem)?;
    Ok((config, values.name().to_owned()))
}

impl Side {
    /// `digits/digits`, `last build of digits/digits`, `digits/digits in old/digits.yaml`.
    fn label(&self) -> String {
        let [network, model] = &self.names;
        let before = if self.built { "last build of " } else { "" };
        let after = if self.by_path { format!(" in {}", self.file) } else { String::new() };
        printable(&format!("{before}{network}/{model}{after}"))
    }

    fn to_json(&self) -> Value {
        let [network, model] = &self.names;
        let from = if self.built { "build" } else { "card" };
        json!({ "network": network, "model": model, "from": from, "file": self.file })
    }
}

fn to_text(comparison: &Comparison) -> String {
    match (&comparison.left, &comparison.right) {
        (Some(left), Some(right)) => {
            format!("{} → {}\n{}", left.label(), right.label(), render_diff(&comparison.differences))
        }
        (Some(only), None) => format!("{} → nothing\n  only the first has this model\n", only.label()),
        (None, Some(only)) => format!("nothing → {}\n  only the second has this model\n", only.label()),
        (None, None) => String::new(),
    }
}

fn to_json(comparison: &Comparison) -> Value {
    json!({
        "left": comparison.left.as_ref().map(Side::to_json),
        "right": comparison.right.as_ref().map(Side::to_json),
        "differences": diff_to_json(&comparison.differences),
    })
}

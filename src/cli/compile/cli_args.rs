//! `cli_args.json`: read for `--cli-args`, and written.

use std::path::Path;

use serde_json::Map;
use serde_json::Value as Json;

use super::given::{Arguments, Given, NAMES, PATHS};
use crate::base::did_you_mean;
use crate::base::fs;
use crate::base::near_miss;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Source;
use crate::diag::Span;
use crate::yaml;
use crate::yaml::Node;

/// Largest file that is read.
const LARGEST: u64 = 1 << 20;

/// Keys that say nothing about a compilation; a file that was made from all flags has them.
const PASSED_OVER: [&str; 3] = ["cli_args", "generate_config", "help"];

/// The arguments of a file, and everything that is wrong with it. Names may be written with `-` or `_`; null is not given.
pub(super) fn read(path: &Path, name: &str, standing: &Path, problems: &mut Vec<Diagnostic>) -> Arguments {
    let unreadable = |why: String| {
        let hint = "name the `cli_args.json` of an earlier run";
        Diagnostic::error("compile/arguments", format!("`--cli-args {name}`: {why}")).hint(hint)
    };
    let text = match fs::read_limited(path, LARGEST).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => {
            problems.push(unreadable("it is not UTF-8".to_owned()));
            return Arguments::new();
        }
        Err(error) => {
            let hint = error.hint();
            let problem = unreadable(error.shown_as(name).to_string());
            problems.push(match hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            });
            return Arguments::new();
        }
    };
    let source = Source::new(name, text.as_str());
    let tree = match parse(&source) {
        Ok(tree) => tree,
        Err(problem) => {
            problems.push(*problem);
            return Arguments::new();
        }
    };
    let mut arguments = Arguments::new();
    for (key, value) in tree.entries() {
        let written = key.as_text().unwrap_or_default();
        let plain = written.trim_start_matches('-').replace('-', "_");
        let place = Place::new(&source, value.span);
        let Some(name) = NAMES.into_iter().find(|name| *name == plain) else {
            if !PASSED_OVER.contains(&plain.as_str()) {
                problems.push(unknown(written, &plain, &Place::new(&source, key.span)));
            }
            continue;
        };
        if value.is_null() {
            continue;
        }
        let Some(text) = argument(name, value) else {
            let message = format!("`{name}` takes {}, found {}", expected(name), value.describe());
            problems.push(Diagnostic::error("compile/cli-args", message).at_place(Some(&place)));
            continue;
        };
        let text = if PATHS.contains(&name) { standing.join(text).display().to_string() } else { text };
        arguments.insert(name, Given { text, place: Some(place) });
    }
    arguments
}

fn parse(source: &Source) -> Result<Node, Box<Diagnostic>> {
    let failed = |message: String, at: usize| {
        let problem = Diagnostic::error("compile/cli-args", message).at(source, Span::new(at, at));
        Box::new(problem.hint("name the `cli_args.json` of an earlier run"))
    };
    let json: Json = serde_json::from_str(source.text()).map_err(|error| {
        let start = source.line(error.line()).map_or(0, |(start, _)| start);
        let text = error.to_string();
        let message = text.split(" at line ").next().unwrap_or(&text);
        failed(format!("not JSON: {message}"), start + error.column().saturating_sub(1))
    })?;
    if !json.is_object() {
        return Err(failed("expected a JSON object of arguments".to_owned(), 0));
    }
    yaml::parse(source).map_err(|error| Box::new(error.diagnostic(source)))
}

fn unknown(written: &str, plain: &str, place: &Place) -> Diagnostic {
    let message = format!("there is no argument `{written}`");
    let problem = Diagnostic::error("compile/cli-args", message).at_place(Some(place));
    let known: Vec<String> = NAMES.iter().map(|name| format!("`{name}`")).collect();
    let near = near_miss(plain, NAMES.iter().copied());
    problem.hint(
        near.and_then(|near| did_you_mean(&[near]))
            .unwrap_or_else(|| format!("the arguments are {}", known.join(", "))),
    )
}

const fn expected(name: &str) -> &'static str {
    match name.as_bytes() {
        b"quantize_only" => "`true` or `false`",
        b"aipu_cores" => "a whole number",
        b"input_shape" => "a list of whole numbers, or a text such as `\"1,3,224,224\"`",
        _ => "a text",
    }
}

/// A value of the file as the flag would be typed; `None` when it is of another kind.
fn argument(name: &str, value: &Node) -> Option<String> {
    match name {
        "quantize_only" => value.as_bool().map(|value| value.to_string()),
        "input_shape" if value.is_sequence() => {
            let sides: Option<Vec<String>> =
                value.items().iter().map(|side| side.as_int().map(|side| side.to_string())).collect();
            sides.map(|sides| sides.join(","))
        }
        "aipu_cores" => value.as_text().map(str::to_owned),
        _ if value.meaning() == Some(yaml::Meaning::Text) => value.as_text().map(str::to_owned),
        _ => None,
    }
}

/// The file of these arguments: every name, null for what was not given.
pub(super) fn to_json(arguments: &Arguments) -> Vec<u8> {
    let value = |name: &str| {
        let Some(given) = arguments.get(name) else { return Json::Null };
        match name {
            "quantize_only" => given.text.parse().map_or(Json::Null, Json::Bool),
            "aipu_cores" => given.text.trim().parse::<i64>().map_or(Json::Null, Json::from),
            _ => Json::from(given.text.as_str()),
        }
    };
    let object: Map<String, Json> = NAMES.into_iter().map(|name| (name.to_owned(), value(name))).collect();
    format!("{:#}\n", Json::Object(object)).into_bytes()
}

//! The formats of `check`, and what holds for many problems.

use std::fs;

use axzoo::diag::catalogue;
use serde_json::Value;
use tempfile::TempDir;

use crate::case::{Case, Run, run};

const CARDS: usize = 300;

/// A zoo of many cards with the same two faults each.
fn many() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("model_cards")).expect("created");
    for index in 0..CARDS {
        let text = format!(
            "axelera-model-format: 1.0.0\nname: net{index}\nmodel: x\nmodels:\n  net:\n    weight_md5: {index}\n"
        );
        fs::write(folder.path().join(format!("model_cards/{index:03}.yaml")), text).expect("written");
    }
    folder
}

fn of(code: &str) -> TempDir {
    let case = Case::all().into_iter().find(|case| case.code == code);
    case.expect("a folder of tests/errors").zoo()
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| {
        assert_eq!(run.stdout, "", "{error}");
        Value::Null
    })
}

#[test]
fn many_problems_come_by_file_and_line_whatever_the_number_of_threads() {
    let zoo = many();
    let one = run(zoo.path(), "RAYON_NUM_THREADS=1 check");
    let eight = run(zoo.path(), "RAYON_NUM_THREADS=8 check");
    assert_eq!(one.stderr, eight.stderr);
    assert_eq!((one.code, one.stdout.lines().count()), (1, 1), "{}", one.stdout);
    let found = json(&run(zoo.path(), "RAYON_NUM_THREADS=8 check --format json"));
    let problems = found["diagnostics"].as_array().expect("a list");
    assert!(problems.len() >= 3 * CARDS, "{}", problems.len());
    let places: Vec<_> = problems
        .iter()
        .map(|problem| (problem["file"].as_str(), problem["line"].as_u64(), problem["column"].as_u64()))
        .collect();
    assert!(places.is_sorted());
}

#[test]
fn the_summary_counts_in_words_and_each_problem_once() {
    let zoo = of("card/md5");
    let run = run(zoo.path(), "check");
    assert_eq!(run.stdout, "checked 0 networks with 0 models: 1 error, 0 warnings, 0 notes\n");
}

#[test]
fn github_gets_a_line_for_each_problem_and_the_summary_goes_elsewhere() {
    let zoo = of("card/unknown-key");
    let run = run(zoo.path(), "check --format github");
    assert_eq!(run.code, 1);
    let first = run.stdout.lines().next().unwrap_or_default();
    assert!(first.starts_with("::error file=model_cards/net.yaml,line="), "{}", run.stdout);
    assert!(first.contains(",title=card/unknown-key::") && first.contains("%0Ahint: did you mean"), "{first}");
    assert!(run.stdout.lines().all(|line| line.starts_with("::")), "{}", run.stdout);
    assert!(run.stderr.starts_with("checked "), "{}", run.stderr);
}

#[test]
fn paths_are_those_of_the_checkout_where_a_workflow_runs() {
    let zoo = of("card/unknown-key");
    let root = fs::canonicalize(zoo.path()).expect("there");
    let (above, name) = (root.parent().expect("below a folder"), root.file_name().expect("a name").to_string_lossy());
    let command = format!("GITHUB_WORKSPACE={} check --format", above.display());
    let run_as = |format: &str| run(&root, &format!("{command} {format}")).stdout;
    assert!(
        run_as("github").starts_with(&format!("::error file={name}/model_cards/net.yaml,")),
        "{}",
        run_as("github")
    );
    assert!(run_as("sarif").contains(&format!("\"uri\": \"{name}/model_cards/net.yaml\"")), "{}", run_as("sarif"));
}

#[test]
fn sarif_has_a_rule_and_a_relative_place_for_every_result() {
    for case in Case::all() {
        let zoo = case.zoo();
        let run = run(zoo.path(), "check --format sarif");
        let log = json(&run);
        if log.is_null() {
            continue;
        }
        let found = &log["runs"][0];
        let rules = found["tool"]["driver"]["rules"].as_array().expect("a list");
        for result in found["results"].as_array().expect("a list") {
            let rule = &rules[result["ruleIndex"].as_u64().expect("an index") as usize];
            assert_eq!(rule["id"], result["ruleId"], "{}", case.code);
            assert!(rule["help"]["markdown"].is_string(), "{rule}: a row of the catalogue");
            assert!(result["message"]["text"].as_str().is_some_and(|text| !text.is_empty()), "{result}");
            for location in result["locations"].as_array().into_iter().flatten() {
                let place = &location["physicalLocation"];
                let uri = place["artifactLocation"]["uri"].as_str().expect("a text");
                assert!(!uri.starts_with('/') && !uri.contains([' ', '\\']), "{uri}");
                if let Some(region) = place["region"].as_object() {
                    let number = |name: &str| region[name].as_u64().expect("a number");
                    let start = (number("startLine"), number("startColumn"));
                    assert!(start >= (1, 1) && start <= (number("endLine"), number("endColumn")), "{region:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_wrong_with_the_settings_comes_in_the_format_too() {
    let zoo = of("settings/unknown-key");
    for format in ["json", "sarif", "github"] {
        let run = run(zoo.path(), &format!("check --format {format}"));
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.stdout.contains("settings/unknown-key") && run.stdout.contains("axzoo.toml"), "{}", run.stdout);
        assert!(run.stderr.contains("error[settings/unknown-key]"), "{}", run.stderr);
    }
}

#[test]
fn every_code_is_explained_without_a_zoo() {
    let nowhere = tempfile::tempdir().expect("a temporary folder");
    for entry in catalogue::all().into_iter().step_by(7) {
        let run = run(nowhere.path(), &format!("check --explain {}", entry.code));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", entry.code);
        assert!(run.stdout.starts_with(entry.code) && run.stdout.contains("example:"), "{}", run.stdout);
    }
    let run_with = |arguments: &str| run(nowhere.path(), &format!("check --explain {arguments}"));
    assert!(run_with("over-budget").stdout.starts_with("cascade/over-budget (error): "));
    assert_eq!(run_with("unknown-key").code, 2);
    assert_eq!(run_with("over-budget all").code, 2, "it stands alone");
}

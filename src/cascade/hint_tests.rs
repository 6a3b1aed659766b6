//! Where problems of the budget point, and that what their hints say takes them away.

use super::render;
use super::tests::count;
use crate::config::Board;
use crate::config::Device;
use crate::diag::Diagnostic;

/// The text that a problem points at. The source of a hand-made card is its text.
fn pointed_at(problem: &Diagnostic) -> &str {
    let place = problem.place.as_ref().expect("it points somewhere");
    &place.source.text()[place.span.start..place.span.end]
}

#[test]
fn over_budget_points_at_the_value_that_its_hint_changes() {
    // (board, models, the value, the model, how the hint starts)
    let cases: [(Board, [&str; 2], &str, &str, &str); 6] = [
        (Board::Pcie, ["aipu_cores: 1", "aipu_cores: 4"], "4", "b", "`aipu_cores: 3` for `b`"),
        (
            Board::Pcie,
            ["aipu_cores: 1\ncompilation_config: {resources_used: 1.0}", "aipu_cores: 3"],
            "1.0",
            "a",
            "`resources_used: 0.25` for `a`",
        ),
        (
            Board::M2,
            ["aipu_cores: 3\nm2: {aipu_cores: 4}", "aipu_cores: 1"],
            "4",
            "a",
            "`aipu_cores: 3` in `extra_kwargs.m2` for `a`",
        ),
        (
            Board::M2,
            ["aipu_cores: 1\nm2: {compilation_config: {resources_used: 1.0}}", "aipu_cores: 3"],
            "1.0",
            "a",
            "`resources_used: 0.25` in `extra_kwargs.m2.compilation_config` for `a`",
        ),
        // The share follows `aipu_cores`, while the configuration says cores of its own.
        (
            Board::Pcie,
            ["aipu_cores: 1", "aipu_cores: 3\nmax_compiler_cores: 2\ncompilation_config: {aipu_cores_used: 1}"],
            "3",
            "b",
            "`resources_used: 0.25` in `extra_kwargs.compilation_config` for `b`",
        ),
        (Board::Pcie, ["aipu_cores: 5", "aipu_cores: 3"], "5", "a", "`aipu_cores: 1` for `a`"),
    ];
    for (board, [a, b], value, model, change) in cases {
        let (_, problems) = count(Device::whole(board), &[("a", a), ("b", b)]);
        let error = problems.iter().find(|problem| problem.code == "cascade/over-budget").expect("it does not fit");
        assert_eq!((pointed_at(error), error.model.as_deref()), (value, Some(model)), "{a}, {b}");
        let hint = error.hint.as_deref().unwrap_or_default();
        let expected = format!("the smallest change that fits: {change}\n");
        assert!(hint.starts_with(&expected), "{hint}");
    }
}

#[test]
fn cores_asked_for_in_vain_are_in_the_arithmetic() {
    let (budget, problems) = count(Device::default(), &[("a", "aipu_cores: 5"), ("b", "aipu_cores: 3")]);
    let error = problems.iter().find(|problem| problem.code == "cascade/over-budget").expect("it does not fit");
    assert!(error.message.contains("cores 4 (5 asked for) + 3 = 7 of 4"), "{}", error.message);
    assert!(render(&budget).contains("\n          (5 asked for, the device has 4)\n"), "{}", render(&budget));
    let warning = problems.iter().find(|problem| problem.code == "cascade/too-many-cores").expect("it is warned of");
    assert_eq!((pointed_at(warning), warning.model.as_deref()), ("5", Some("a")));
    let (budget, problems) = count(Device::whole(Board::M2), &[("a", "aipu_cores: 3\nm2: {aipu_cores: 8}")]);
    assert_eq!(budget.arithmetic(), "cores 4 (8 asked for) of 4, memory 4 × 0.25 = 1.0 of 1.0");
    assert!(
        problems[0].hint.as_deref().is_some_and(|hint| hint.starts_with("say `aipu_cores: 4` in `extra_kwargs.m2`;"))
    );
}

/// A card, the code of its problem, each way that the hint names, and the card with it.
type HintCase = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

#[test]
fn what_a_hint_says_takes_its_problem_away() {
    let cases: &[HintCase] = &[
        (
            "{}",
            "cascade/idle",
            &[
                (
                    "`resources_used: 0.25` in `extra_kwargs.compilation_config` lets 4 instances run at once",
                    "compilation_config: {resources_used: 0.25}",
                ),
                ("`max_compiler_cores: 4` in `extra_kwargs` uses 4 cores for one instance", "max_compiler_cores: 4"),
            ],
        ),
        (
            "compilation_config: {aipu_cores_used: 1, resources_used: 0.5}",
            "cascade/idle",
            &[
                (
                    "`resources_used: 0.25` lets 4 instances",
                    "compilation_config: {aipu_cores_used: 1, resources_used: 0.25}",
                ),
                (
                    "`max_compiler_cores: 4` in `extra_kwargs` and `aipu_cores_used: 4` and `resources_used: 1.0` in `extra_kwargs.compilation_config` uses",
                    "max_compiler_cores: 4\ncompilation_config: {aipu_cores_used: 4, resources_used: 1.0}",
                ),
            ],
        ),
        (
            "aipu_cores: 8\nmax_execution_cores: 2\ncompilation_config: {aipu_cores_used: 3, resources_used: 0.75}",
            "cascade/instances",
            &[
                (
                    "set `max_execution_cores: 3`, or",
                    "aipu_cores: 8\nmax_execution_cores: 3\ncompilation_config: {aipu_cores_used: 3, resources_used: 0.75}",
                ),
                (
                    "or `aipu_cores_used: 2` and `resources_used: 0.5`",
                    "aipu_cores: 8\nmax_execution_cores: 2\ncompilation_config: {aipu_cores_used: 2, resources_used: 0.5}",
                ),
            ],
        ),
        (
            "aipu_cores: 3\nmax_compiler_cores: 2",
            "cascade/instances",
            &[
                ("set `aipu_cores: 2`, or", "aipu_cores: 2\nmax_compiler_cores: 2"),
                ("or `max_compiler_cores: 1`", "aipu_cores: 3\nmax_compiler_cores: 1"),
            ],
        ),
        (
            "aipu_cores: 1\ncompilation_config: {aipu_cores_used: 4}",
            "cascade/instances",
            &[(
                "set `aipu_cores: 4`, or `aipu_cores_used: 1`",
                "aipu_cores: 1\ncompilation_config: {aipu_cores_used: 1}",
            )],
        ),
        (
            "low_latency: true\ncompilation_config: {aipu_cores_used: 4}",
            "cascade/other-folder",
            &[(
                "set `aipu_cores_used: 1` and `resources_used: 0.25` in `extra_kwargs.compilation_config`, or",
                "low_latency: true\ncompilation_config: {aipu_cores_used: 1, resources_used: 0.25}",
            )],
        ),
    ];
    for (card, code, ways) in cases {
        let (_, problems) = count(Device::default(), &[("a", card)]);
        let problem = problems.iter().find(|problem| problem.code == *code).expect(card);
        let hint = problem.hint.as_deref().unwrap_or_default();
        let before = problems.iter().any(|problem| problem.code == "cascade/other-folder");
        for (way, followed) in *ways {
            assert!(hint.contains(way), "{card}: {hint}");
            let (_, problems) = count(Device::default(), &[("a", followed)]);
            let codes: Vec<&str> = problems.iter().map(|problem| problem.code).collect();
            let news = codes.iter().any(|found| found == code || (*found == "cascade/other-folder" && !before));
            assert!(!news, "{card}, then {followed}: {codes:?}");
        }
    }
}

#[test]
fn idle_cores_of_a_cascade_have_a_hint() {
    let (_, problems) = count(Device::default(), &[("a", "aipu_cores: 2"), ("b", "aipu_cores: 1")]);
    assert_eq!(problems[0].hint.as_deref(), Some("`axzoo cascade net --suggest` shows how to share out all cores"));
    // Where the card itself keeps the cores idle there is nothing to propose.
    let limited = "aipu_cores: 1\nmax_execution_cores: 1";
    let (_, problems) = count(Device::default(), &[("a", limited), ("b", limited)]);
    assert_eq!((problems[0].code, problems[0].hint.as_deref()), ("cascade/idle", None));
}

#[test]
fn cores_that_follow_from_a_limit_are_not_called_the_configuration_s() {
    let (_, problems) = count(Device::whole(Board::Europa), &[("a", "max_compiler_cores: 4"), ("b", "aipu_cores: 4")]);
    let note = problems.iter().find(|problem| problem.code == "cascade/no-aipu-cores").expect("deploy.py refuses it");
    assert!(note.message.starts_with("`a` says `max_compiler_cores` only;"), "{}", note.message);
}

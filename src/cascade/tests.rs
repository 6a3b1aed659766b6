//! Networks as cards say them, and what the budget makes of them.

use std::path::PathBuf;

use super::Budget;
use super::ModelCores;
use super::budget;
use super::render;
use super::to_json;
use crate::base::Share;
use crate::base::fs;
use crate::config::Board;
use crate::config::BoardRequest;
use crate::config::Config;
use crate::config::CoreSettings;
use crate::config::Device;
use crate::config::Resolver;
use crate::config::SearchPath;
use crate::config::tests::CardText;
use crate::config::tests::is_card;
use crate::config::tests::shared;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Severity;
use crate::diag::Source;
use crate::diag::Span;
use crate::yaml;

/// A model of a hand-made card, resolved.
type Resolved<'a> = (&'a str, CoreSettings, Option<BoardRequest<'a>>, u32, Config);

/// Counts a network: each model's name and the body of its `extra_kwargs`; a name that ends in `*` is classical.
pub(super) fn count(device: Device, models: &[(&str, &str)]) -> (Budget, Vec<Diagnostic>) {
    let resolver = Resolver::new(SearchPath::default(), device);
    let cards: Vec<(&str, CardText)> = models.iter().map(|(name, text)| (*name, CardText::new(text))).collect();
    let resolved: Vec<Resolved<'_>> = cards
        .iter()
        .map(|(name, card)| {
            let request = card.request(&resolver, PathBuf::new());
            let settings = Resolver::core_settings(&request);
            let deploy_cores = resolver.deploy_cores(&request).cores;
            let config = resolver.resolve(&request).config;
            (*name, settings, request.board, deploy_cores, config)
        })
        .collect();
    let models: Vec<ModelCores<'_>> = resolved
        .iter()
        .map(|(name, settings, block, deploy_cores, config)| ModelCores {
            name: name.trim_end_matches('*'),
            settings: settings.clone(),
            block: block.clone(),
            aipu_cores_flag: None,
            config,
            deploy_cores: *deploy_cores,
            deep_learning: !name.ends_with('*'),
            place: Some(Place::new(&Source::new("card.yaml", *name), Span::new(0, 1))),
        })
        .collect();
    budget("net", &models, device)
}

/// `cores instances execution resources` of each model, then the sums.
fn summary(budget: &Budget) -> String {
    let mut text = String::new();
    for model in &budget.models {
        let total = format!("{}x{}={} {}", model.cores, model.instances, model.execution_cores, model.resources);
        text.push_str(&total);
        text.push_str("; ");
    }
    format!("{text}{} cores, {}", budget.total_cores, budget.total_resources)
}

struct Case {
    name: &'static str,
    board: Board,
    models: &'static [(&'static str, &'static str)],
    expected: &'static str,
    /// Codes of what is reported; a fitting network has no error among them.
    codes: &'static [&'static str],
}

const BATCH_1: &str = "compilation_config: {aipu_cores_used: 1, resources_used: 0.25}";
const BATCH_4: &str = "compilation_config: {aipu_cores_used: 4, resources_used: 1.0}";

const CASES: &[Case] = &[
    Case {
        name: "a plain card: one core has all the memory",
        board: Board::Pcie,
        models: &[("a", "{}")],
        expected: "1x1=1 1.0; 1 cores, 1.0",
        codes: &["cascade/idle"],
    },
    Case {
        name: "one core with a quarter is four instances",
        board: Board::Pcie,
        models: &[("a", BATCH_1)],
        expected: "1x4=4 0.25; 4 cores, 1.0",
        codes: &[],
    },
    Case {
        name: "batch 4, as the documentation says it: the SDK looks for it in `1/`",
        board: Board::M2,
        models: &[("a", BATCH_4)],
        expected: "4x1=4 1.0; 4 cores, 1.0",
        codes: &["cascade/other-folder"],
    },
    Case {
        name: "batch 4 that the SDK finds",
        board: Board::M2,
        models: &[("a", "max_compiler_cores: 4")],
        expected: "4x1=4 1.0; 4 cores, 1.0",
        codes: &[],
    },
    Case {
        name: "a limit on what is compiled for that the configuration passes over",
        board: Board::Pcie,
        models: &[("a", "max_compiler_cores: 4\ncompilation_config: {aipu_cores_used: 2, resources_used: 0.5}")],
        expected: "2x2=4 0.5; 4 cores, 1.0",
        codes: &["cascade/other-folder"],
    },
    Case {
        name: "compiled for more cores than it may run on",
        board: Board::Pcie,
        models: &[("a", "max_execution_cores: 2\ncompilation_config: {aipu_cores_used: 4}")],
        expected: "4x0=4 1.0; 4 cores, 0.0",
        codes: &["cascade/other-folder", "cascade/instances"],
    },
    Case {
        name: "the same in a cascade",
        board: Board::Pcie,
        models: &[
            ("a", "max_execution_cores: 1\ncompilation_config: {aipu_cores_used: 2, resources_used: 0.5}"),
            ("b", "aipu_cores: 2"),
        ],
        expected: "2x0=2 0.5; 1x2=2 0.25; 4 cores, 0.5",
        codes: &["cascade/other-folder", "cascade/no-aipu-cores", "cascade/instances"],
    },
    Case {
        name: "max_execution_cores bounds aipu_cores",
        board: Board::Pcie,
        models: &[("a", "aipu_cores: 4\nmax_compiler_cores: 4\nmax_execution_cores: 2"), ("b", "aipu_cores: 2")],
        expected: "2x1=2 0.5; 1x2=2 0.25; 4 cores, 1.0",
        codes: &[],
    },
    Case {
        name: "Europa counts in eighths",
        board: Board::Europa,
        models: &[
            ("a", "aipu_cores: 5\nmax_compiler_cores: 5"),
            ("b", "compilation_config: {aipu_cores_used: 1, resources_used: 0.125}"),
            ("c", "aipu_cores: 2"),
        ],
        expected: "5x1=5 0.625; 1x1=1 0.125; 1x2=2 0.125; 8 cores, 1.0",
        codes: &["cascade/no-aipu-cores"],
    },
    Case {
        name: "a board's block says its own",
        board: Board::M2,
        models: &[("a", "aipu_cores: 1\nm2: {aipu_cores: 3}"), ("b", "aipu_cores: 1")],
        expected: "1x3=3 0.25; 1x1=1 0.25; 4 cores, 1.0",
        codes: &[],
    },
    Case {
        name: "Europa has eight cores",
        board: Board::Europa,
        models: &[("a", "compilation_config: {aipu_cores_used: 1, resources_used: 0.125}")],
        expected: "1x8=8 0.125; 8 cores, 1.0",
        codes: &[],
    },
    Case {
        name: "max_compiler_cores alone",
        board: Board::Pcie,
        models: &[("a", "max_compiler_cores: 2")],
        expected: "2x2=4 0.5; 4 cores, 1.0",
        codes: &[],
    },
    Case {
        name: "aipu_cores alone compiles for one and runs on all of them",
        board: Board::Pcie,
        models: &[("a", "aipu_cores: 3")],
        expected: "1x3=3 0.25; 3 cores, 0.75",
        codes: &["cascade/idle"],
    },
    Case {
        name: "max_execution_cores bounds what fills by itself",
        board: Board::Pcie,
        models: &[("a", "max_execution_cores: 2\ncompilation_config: {aipu_cores_used: 1, resources_used: 0.25}")],
        expected: "1x2=2 0.25; 2 cores, 0.5",
        codes: &["cascade/idle"],
    },
    Case {
        name: "four cores with a quarter",
        board: Board::Pcie,
        models: &[("a", "compilation_config: {aipu_cores_used: 4, resources_used: 0.25}")],
        expected: "4x1=4 0.25; 4 cores, 0.25",
        codes: &["cascade/other-folder", "cascade/inconsistent", "cascade/idle"],
    },
    Case {
        name: "a cascade of 3 + 1",
        board: Board::Pcie,
        models: &[
            ("a", "compilation_config: {aipu_cores_used: 3, resources_used: 0.75}"),
            ("b", "compilation_config: {aipu_cores_used: 1, resources_used: 0.25}"),
        ],
        expected: "3x1=3 0.75; 1x1=1 0.25; 4 cores, 1.0",
        codes: &["cascade/other-folder", "cascade/no-aipu-cores", "cascade/no-aipu-cores"],
    },
    Case {
        name: "a cascade of 1.25",
        board: Board::Pcie,
        models: &[
            ("a", "compilation_config: {aipu_cores_used: 3, resources_used: 0.75}"),
            ("b", "compilation_config: {aipu_cores_used: 2, resources_used: 0.5}"),
        ],
        expected: "3x1=3 0.75; 2x1=2 0.5; 5 cores, 1.25",
        codes: &[
            "cascade/other-folder",
            "cascade/no-aipu-cores",
            "cascade/other-folder",
            "cascade/no-aipu-cores",
            "cascade/over-budget",
        ],
    },
    Case {
        name: "a model of a cascade without core settings",
        board: Board::Pcie,
        models: &[("a", "aipu_cores: 1"), ("b", "compilation_config: {aipu_cores_used: 1}")],
        expected: "1x1=1 0.25; 1x1=1 1.0; 2 cores, 1.25",
        codes: &["cascade/no-cores"],
    },
    Case {
        name: "one model in two tasks",
        board: Board::Pcie,
        models: &[("a", "aipu_cores: 4"), ("a", "aipu_cores: 4")],
        expected: "1x4=4 0.25; 4 cores, 1.0",
        codes: &[],
    },
    Case {
        name: "classical models are free, and leave the other alone",
        board: Board::Pcie,
        models: &[("a", BATCH_1), ("tracker*", "{}")],
        expected: "1x4=4 0.25; 0x0=0 0.0; 4 cores, 1.0",
        codes: &[],
    },
    Case {
        name: "only classical models",
        board: Board::Pcie,
        models: &[("tracker*", "{}")],
        expected: "0x0=0 0.0; 0 cores, 0.0",
        codes: &[],
    },
    Case {
        name: "low latency compiles for one core, whatever else is allowed",
        board: Board::Pcie,
        models: &[("a", "low_latency: true\nmax_compiler_cores: 4")],
        expected: "1x4=4 0.25; 4 cores, 1.0",
        codes: &[],
    },
    Case {
        name: "low latency in a board's block, and four cores in the configuration",
        board: Board::M2,
        models: &[("a", "m2: {low_latency: true}\ncompilation_config: {aipu_cores_used: 4}")],
        expected: "4x1=4 1.0; 4 cores, 1.0",
        codes: &["cascade/other-folder"],
    },
    Case {
        name: "more cores asked for than there are",
        board: Board::Pcie,
        models: &[("a", "aipu_cores: 8")],
        expected: "1x4=4 0.25; 4 cores, 1.0",
        codes: &["cascade/too-many-cores"],
    },
    Case {
        name: "a limit of the card's own is no surprise",
        board: Board::Pcie,
        models: &[("a", "aipu_cores: 8\nmax_execution_cores: 4")],
        expected: "1x4=4 0.25; 4 cores, 1.0",
        codes: &[],
    },
    Case {
        name: "eight are there on Europa",
        board: Board::Europa,
        models: &[("a", "aipu_cores: 8")],
        expected: "1x8=8 0.125; 8 cores, 1.0",
        codes: &[],
    },
    Case {
        name: "three cores wanted, compiled for two",
        board: Board::Pcie,
        models: &[("a", "aipu_cores: 3\nmax_compiler_cores: 2")],
        expected: "2x0=3 0.5; 3 cores, 0.0",
        codes: &["cascade/instances"],
    },
    Case {
        name: "one core wanted, compiled for four",
        board: Board::Pcie,
        models: &[("a", "aipu_cores: 1\ncompilation_config: {aipu_cores_used: 4}")],
        expected: "4x0=1 0.25; 1 cores, 0.0",
        codes: &["cascade/other-folder", "cascade/instances", "cascade/inconsistent"],
    },
];

#[test]
fn networks_are_counted_as_on_paper() {
    let mut failures = Vec::new();
    for case in CASES {
        let (budget, problems) = count(Device::whole(case.board), case.models);
        let codes: Vec<&str> = problems.iter().map(|problem| problem.code).collect();
        let found = summary(&budget);
        let has_error = problems.iter().any(|problem| problem.severity == Severity::Error);
        if found != case.expected || codes != case.codes || budget.ok == has_error {
            failures.push(format!("{}: {found} {codes:?} ok {}", case.name, budget.ok));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn hint(models: &[(&str, &str)]) -> String {
    let (_, problems) = count(Device::default(), models);
    let errors = problems.into_iter().filter(|problem| problem.severity == Severity::Error);
    let hints: Vec<String> = errors.filter_map(|problem| problem.hint).collect();
    hints.join("\n")
}

#[test]
fn over_budget_names_the_arithmetic_and_the_smallest_change() {
    let a = ("a", "compilation_config: {aipu_cores_used: 3, resources_used: 0.75}");
    let b = ("b", "compilation_config: {aipu_cores_used: 2, resources_used: 0.5}");
    let (_, problems) = count(Device::default(), &[a, b]);
    assert_eq!(
        problems.last().map(|problem| problem.message.as_str()).unwrap_or_default(),
        "the network does not fit the device: cores 3 + 2 = 5 of 4, memory 0.75 + 0.5 = 1.25 of 1.0"
    );
    let cases: [(&[(&str, &str)], &str); 6] = [
        (
            &[
                ("a", "aipu_cores: 3\ncompilation_config: {aipu_cores_used: 3, resources_used: 0.75}"),
                ("b", "aipu_cores: 2"),
            ],
            "the smallest change that fits: `aipu_cores: 1` for `b`\n\
             then 4 of 4 cores and 1.0 of 1.0 of the memory are used",
        ),
        (
            &[
                ("a", "compilation_config: {aipu_cores_used: 3, resources_used: 0.75}"),
                ("b", "compilation_config: {aipu_cores_used: 2, resources_used: 0.5}"),
            ],
            "the smallest change that fits: `aipu_cores_used: 2` and `resources_used: 0.5` for `a`\n\
             then 4 of 4 cores and 1.0 of 1.0 of the memory are used",
        ),
        (
            &[("a", "aipu_cores: 3"), ("b", "aipu_cores: 3")],
            "the smallest change that fits: `aipu_cores: 1` for `a`\n\
             then 4 of 4 cores and 1.0 of 1.0 of the memory are used",
        ),
        (
            &[
                ("a", "aipu_cores: 1\ncompilation_config: {resources_used: 1.0}"),
                ("b", "aipu_cores: 1\ncompilation_config: {resources_used: 0.25}"),
            ],
            "the smallest change that fits: `resources_used: 0.25` for `a`\n\
             then 2 of 4 cores and 0.5 of 1.0 of the memory are used",
        ),
        (
            &[("a", "aipu_cores: 2"), ("b", "aipu_cores: 2"), ("c", "aipu_cores: 2")],
            "the smallest change that fits: `aipu_cores: 1` for `a`, `aipu_cores: 1` for `b`\n\
             then 4 of 4 cores and 1.0 of 1.0 of the memory are used",
        ),
        (
            &[
                ("a", "aipu_cores: 1"),
                ("b", "aipu_cores: 1"),
                ("c", "aipu_cores: 1"),
                ("d", "aipu_cores: 1"),
                ("e", "aipu_cores: 1"),
            ],
            "5 models need at least 5 cores, and the device has 4; make them networks of their own",
        ),
    ];
    for (models, expected) in cases {
        assert_eq!(hint(models), expected);
    }
}

#[test]
fn a_model_without_settings_is_told_both_ways() {
    assert_eq!(
        hint(&[("a", "aipu_cores: 1"), ("b", "{}")]),
        "say `aipu_cores: 1` in its `extra_kwargs`,\nor both `aipu_cores_used: 1` and `resources_used: 0.25` in its \
         `compilation_config` or TOML file"
    );
}

#[test]
fn what_idles_is_said() {
    let (_, problems) = count(Device::default(), &[("a", "{}")]);
    assert_eq!(problems[0].message, "3 cores are idle: cores 1 of 4, memory 1.0 of 1.0");
    let (_, problems) = count(Device::default(), &[("a", "aipu_cores: 3")]);
    assert_eq!(
        problems[0].message,
        "1 core and 0.25 of the memory are idle: cores 3 of 4, memory 3 × 0.25 = 0.75 of 1.0"
    );
}

#[test]
fn the_sdk_is_told_where_to_look() {
    let cases = [
        ("compilation_config: {aipu_cores_used: 4}", "`max_compiler_cores: 4`"),
        (
            "max_compiler_cores: 4\ncompilation_config: {aipu_cores_used: 1, resources_used: 0.25}",
            "`max_compiler_cores: 1`",
        ),
        ("aipu_cores: 2\ncompilation_config: {aipu_cores_used: 2, resources_used: 0.5}", "`max_compiler_cores: 2`"),
        (
            "aipu_cores: 4\nmax_compiler_cores: 1\ncompilation_config: {aipu_cores_used: 2, resources_used: 0.5}",
            "`max_compiler_cores: 2`",
        ),
    ];
    for (card, settings) in cases {
        let (_, problems) = count(Device::default(), &[("a", card)]);
        let warning = problems.iter().find(|problem| problem.code == "cascade/other-folder").expect(card);
        let hint = format!("say {settings} in its `extra_kwargs`, which is all that the SDK looks at");
        assert_eq!(warning.hint.as_deref(), Some(hint.as_str()), "{card}");
    }
    let (_, problems) = count(Device::default(), &[("a", BATCH_4), ("b", "aipu_cores: 1")]);
    assert!(problems[0].message.contains("lie in `4/`, but the SDK will look for them in `1/`"), "{problems:#?}");
    assert!(problems[0].hint.as_deref().unwrap_or_default().contains("`aipu_cores: 4` and `max_compiler_cores: 4`"));
}

#[test]
fn a_device_of_fewer_cores_holds_less() {
    let device = Device { board: Board::Pcie, cores: 2 };
    let cases = [
        (&[("a", BATCH_1)][..], "1x2=2 0.25; 2 cores, 0.5", true),
        (&[("a", BATCH_4)], "4x1=4 1.0; 4 cores, 1.0", false),
        (&[("a", "max_compiler_cores: 4")], "2x1=2 0.5; 2 cores, 0.5", true),
        (&[("a", "aipu_cores: 2"), ("b", "aipu_cores: 1")], "1x2=2 0.25; 1x1=1 0.25; 3 cores, 0.75", false),
    ];
    for (models, expected, ok) in cases {
        let (budget, _) = count(device, models);
        assert_eq!((summary(&budget).as_str(), budget.ok), (expected, ok));
    }
}

#[test]
fn a_long_name_has_a_line_of_its_own() {
    let name = "a-network-with-a-long-name/and-a-model-with-one";
    let (budget, _) = count(Device::default(), &[(name, "aipu_cores: 3"), ("b", "aipu_cores: 2")]);
    assert_eq!(
        render(&budget),
        format!(
            "net: does not fit\n\
             \x20 model   cores × instances  instances × resources\n\
             \x20 {name}\n\
             \x20         1 × 3 = 3          3 × 0.25 = 0.75\n\
             \x20 b       1 × 2 = 2          2 × 0.25 = 0.5\n\
             \x20 in all          5 of 4                1.25 of 1.0\n"
        )
    );
}

#[test]
fn networks_together_are_counted_together() {
    let one = |name: &str, models: &[(&str, &str)]| {
        let (budget, _) = count(Device::default(), models);
        Budget { network: name.to_owned(), ..budget }
    };
    let a = one("x", &[("a", "aipu_cores: 2")]);
    let b = one("y", &[("a", "aipu_cores: 2")]);
    let c = one("z", &[("c", "aipu_cores: 1")]);
    let (both, problems) = Budget::combine(&[a.clone(), b.clone()], Device::default());
    assert!(both.ok && problems.is_empty(), "{problems:?}");
    let (three, problems) = Budget::combine(&[a, b, c], Device::default());
    assert!(!three.ok);
    assert_eq!(
        problems[0].message,
        "these networks do not fit the device together: cores 2 + 2 + 1 = 5 of 4, memory 2 × 0.25 + 2 × 0.25 + 0.25 = 1.25 of 1.0"
    );
    assert_eq!(three.models[0].name, "x/a");
    // What changes is said of the networks too, an `aipu_cores` for a network that fills the device by itself included.
    let cases = [
        (["aipu_cores: 3", "aipu_cores: 2"], "`aipu_cores: 2` for `x/a`"),
        (
            [BATCH_1, BATCH_1],
            "`aipu_cores: 2` in `extra_kwargs` for `x/a`, `aipu_cores: 2` in `extra_kwargs` for `y/a`",
        ),
        (["{}", BATCH_1], "`aipu_cores: 1` in `extra_kwargs` for `x/a`, `aipu_cores: 3` in `extra_kwargs` for `y/a`"),
    ];
    for ([x, y], expected) in cases {
        let (_, problems) = Budget::combine(&[one("x", &[("a", x)]), one("y", &[("a", y)])], Device::default());
        let hint = problems[0].hint.clone().unwrap_or_default();
        assert_eq!(hint.lines().next(), Some(format!("the smallest change that fits: {expected}").as_str()));
        // The value that the hint names first is the place, in its own network.
        assert_eq!((problems[0].network.as_deref(), problems[0].model.as_deref()), (Some("x"), Some("a")));
        assert!(problems[0].place.is_some(), "{x}");
    }
}

#[test]
fn the_table_and_the_json_show_both_sums() {
    let (budget, _) =
        count(Device::default(), &[("detector", "aipu_cores: 3"), ("reader", "aipu_cores: 1"), ("t*", "{}")]);
    assert_eq!(
        render(&budget),
        "net: fits\n\
         \x20 model     cores × instances  instances × resources\n\
         \x20 detector  1 × 3 = 3          3 × 0.25 = 0.75\n\
         \x20 reader    1 × 1 = 1          1 × 0.25 = 0.25\n\
         \x20 t         none               none\n\
         \x20 in all            4 of 4                1.0 of 1.0\n"
    );
    let json = to_json(&[budget]);
    assert_eq!(
        json["networks"][0]["models"][0],
        serde_json::json!({ "model": "detector", "cores": 1, "execution_cores": 3, "instances": 3, "resources": 0.25 })
    );
    assert_eq!(json["networks"][0]["total_cores"], 4);
    assert_eq!(json["networks"][0]["total_resources"], 1.0);
    assert_eq!(json["networks"][0]["ok"], true);
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn real_cascades_use_exactly_the_device() {
    let Some(shared) = shared() else {
        eprintln!("skipped: there is no ../shared");
        return;
    };
    let cards = shared.join("cards");
    let device = Device::default();
    let resolver = Resolver::new(SearchPath { root: cards.clone(), ..SearchPath::default() }, device);
    let (mut cascades, mut only_compiler_cores) = (0, 0);
    for name in fs::files_below(&cards).expect("listed") {
        if !is_card(&name) {
            continue;
        }
        let text = String::from_utf8(fs::read(&cards.join(&name)).expect("read")).expect("text");
        let source = Source::new(&name, text);
        let root = yaml::parse(&source).unwrap_or_else(|error| panic!("{name}: {error}"));
        let entries = root.get("models").map(yaml::Node::entries).unwrap_or_default();
        let mut resolved = Vec::new();
        for (model, settings) in entries {
            let kwargs = settings.get("extra_kwargs").cloned().unwrap_or_else(|| settings.clone());
            let card = CardText::of(&source, kwargs);
            let mut request = card.request(&resolver, PathBuf::new());
            // The SDK's configs are not here; none of them is named by a cascade.
            request.compiler_config_file = None;
            let config = resolver.resolve(&request).config;
            let deploy_cores = resolver.deploy_cores(&request).cores;
            let name = model.as_text().unwrap_or_default().to_owned();
            resolved.push((name, Resolver::core_settings(&request), deploy_cores, config));
        }
        let models: Vec<ModelCores<'_>> = resolved
            .iter()
            .map(|(name, settings, deploy_cores, config)| ModelCores {
                name,
                settings: settings.clone(),
                block: None,
                aipu_cores_flag: None,
                config,
                deploy_cores: *deploy_cores,
                deep_learning: true,
                place: None,
            })
            .collect();
        let (budget, problems) = budget(&name, &models, device);
        let only_compiler =
            |model: &ModelCores<'_>| model.settings.max_compiler_cores.is_some() && model.settings.aipu_cores.is_none();
        if models.len() > 1 || models.iter().any(only_compiler) {
            assert!(budget.ok && problems.is_empty(), "{name}: {problems:#?}");
            assert_eq!((budget.total_cores, budget.total_resources), (4, Share::WHOLE), "{name}");
            // As the SDK deploys them: the least of what is wanted (all cores, or `aipu_cores`) and what it may compile for.
            for (model, counted) in models.iter().zip(&budget.models) {
                let said = |setting: &Option<(u32, Place)>| setting.as_ref().map(|(cores, _)| *cores);
                let wanted = said(&model.settings.aipu_cores).unwrap_or(4);
                let deploy = wanted.min(said(&model.settings.max_compiler_cores).unwrap_or(1)).min(4);
                assert_eq!((counted.cores, counted.execution_cores), (deploy, wanted), "{name}");
            }
            if models.len() > 1 { cascades += 1 } else { only_compiler_cores += 1 }
        }
    }
    assert_eq!((cascades, only_compiler_cores), (5, 10));
}

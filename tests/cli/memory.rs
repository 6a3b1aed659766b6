//! What `check` remembers never shows: after every change it says what a check without a memory says.

use std::fs;

use crate::space::Space;

/// A change to the sample zoo, and the environment variable that is set from then on.
type Change = (&'static str, fn(&Space), Option<(&'static str, &'static str)>);

const CARD: &str = "model_cards/digits.yaml";

const CHANGES: &[Change] = &[
    ("nothing", |_| {}, None),
    ("a wrong value in a card", |space| space.edit(&space.path(CARD), "GRAY", "GREY"), None),
    ("the card again", |space| space.edit(&space.path(CARD), "GREY", "GRAY"), None),
    (
        "a wrong value in a config",
        |space| space.edit(&space.path("configs/digits.toml"), "resources_used = ", "resources_used = 7 # "),
        None,
    ),
    (
        "the config again",
        |space| space.edit(&space.path("configs/digits.toml"), "resources_used = 7 # ", "resources_used = "),
        None,
    ),
    ("a config that comes first", |space| space.write("model_cards/digits.toml", "tiling_depht = 2\n"), None),
    ("and goes", |space| fs::remove_file(space.path("model_cards/digits.toml")).expect("removed"), None),
    ("other weights", |space| space.write("weights/digits.onnx", "no model"), None),
    ("no weights", |space| fs::remove_file(space.path("weights/digits.onnx")).expect("removed"), None),
    (
        "a template that goes",
        |space| fs::remove_file(space.path("pipeline-template/grey-digits.yaml")).expect("removed"),
        None,
    ),
    ("a card that goes", |space| fs::remove_file(space.path(CARD)).expect("removed"), None),
    (
        "a card with a name that is taken",
        |space| {
            let card = space.read("model_cards/digits-minmax.yaml");
            space.write("model_cards/again.yaml", card.replace("weight_path: ..", "weight_path: $ZOO_WEIGHTS"));
        },
        None,
    ),
    (
        "with a name of its own",
        |space| {
            space.edit(&space.path("model_cards/again.yaml"), "name: digits-minmax", "name: again");
        },
        None,
    ),
    ("a variable that it needs", |_| {}, Some(("ZOO_WEIGHTS", "/nowhere"))),
    ("cores that the environment says", |_| {}, Some(("AXELERA_MAX_COMPILER_CORES", "4"))),
    ("another board", |space| space.write("axzoo.toml", "[device]\nboard = \"europa\"\n"), None),
    ("a strict zoo", |space| space.write("axzoo.toml", "[zoo]\nstrict = true\n"), None),
    ("a card that cannot be read", |space| space.write("model_cards/again.yaml", "models: [\n"), None),
    ("images that go", |space| fs::remove_dir_all(space.path("data/digits/calibration")).expect("removed"), None),
    ("a memory that is no memory", |space| space.write("cache/checked.jsonl", "[1, 2"), None),
];

#[test]
fn a_check_that_remembers_says_what_one_without_a_memory_says() {
    let space = Space::sample();
    let mut environment: Vec<(&str, &str)> = Vec::new();
    let check = |environment: &[(&str, &str)], arguments: &str| {
        let mut command = space.command(&format!("check --format json {arguments}"));
        let output = command.envs(environment.iter().copied()).output().expect("the program runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    // Files that were just written are not trusted: a change in the same tick of the clock would not show.
    let settle = || std::thread::sleep(std::time::Duration::from_millis(30));
    let mut said = Vec::new();
    for (what, change, variable) in CHANGES {
        change(&space);
        environment.extend(variable);
        for run in ["the first run", "the second run"] {
            settle();
            let remembering = check(&environment, "");
            let plain = check(&environment, "--cache nothing");
            fs::remove_dir_all(space.path("nothing")).expect("it keeps its memory there");
            assert_eq!(remembering, plain, "{what}, {run}");
            said.push(plain.1);
        }
    }
    said.dedup();
    assert!(said.len() >= CHANGES.len() * 2 / 3, "most changes are seen: {}", said.len());
    assert!(space.read("cache/checked.jsonl").contains("digit-cascade"));
}

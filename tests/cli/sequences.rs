//! Random edits of a zoo, a build after each: what runs is what the rules of SPEC 6 say, told here by a model of its own, and
//! the results are those of a clean build. The model knows nothing of keys, stores and files: what a step is made from is the
//! plain values that somebody typed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::scripted::{COMMANDS, card};
use crate::space::Space;

const NAMES: [&str; 3] = ["ada", "bob", "cyd"];

/// Weights with this number cannot be cleaned.
const POISON: u8 = 3;

/// What somebody typed into one card, and what lies beside it.
#[expect(clippy::struct_excessive_bools, reason = "each is a thing of its own that may be typed")]
#[derive(Debug, Clone, PartialEq, Eq)]
struct Network {
    exists: bool,
    /// Number of the weights' contents.
    weights: u8,
    /// Of quantize.
    minmax: bool,
    /// Of lower.
    deep_tiles: bool,
    /// Of the bundle.
    described: bool,
    /// Where the settings stand: in a TOML, or in the card.
    in_toml: bool,
    /// Lines of comments in the card.
    comments: u8,
    /// The card's file.
    file: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Typed {
    networks: [Network; 3],
    /// Number of the calibration image's contents.
    image: u8,
    /// Version of each command.
    commands: [u8; 3],
}

impl Typed {
    fn first() -> Self {
        let network = |weights| Network {
            exists: true,
            weights,
            minmax: false,
            deep_tiles: false,
            described: false,
            in_toml: false,
            comments: 0,
            file: 0,
        };
        // Two have the same weights, and so the same work.
        Self { networks: [network(0), network(1), network(0)], image: 0, commands: [0; 3] }
    }

    /// Everything that a zoo of this looks like, as files.
    fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        let mut commands =
            COMMANDS.replace("clean = '{", "clean = '{ ! grep -q poison \"$AXZOO_INPUT_MODEL_MODEL_ONNX\" || exit 1; ");
        for (step, version) in ["clean", "quantize", "lower"].iter().zip(self.commands) {
            let begin = format!("{step} = '");
            let (before, after) = commands.split_once(&begin).expect("each has a command");
            let quotes = if after.starts_with("''") { "''\n" } else { "" };
            let rest = after.strip_prefix(quotes).unwrap_or(after);
            commands = format!("{before}{begin}{quotes}: version {version}; {rest}");
        }
        files.insert("axzoo.toml".to_owned(), commands);
        files.insert("data/pictures/one.png".to_owned(), format!("picture {}", self.image));
        for (name, network) in NAMES.iter().zip(&self.networks).filter(|(_, network)| network.exists) {
            let scheme = if network.minmax { "per_tensor_min_max" } else { "per_tensor_histogram" };
            let depth = if network.deep_tiles { 6 } else { 2 };
            let settings = if network.in_toml {
                let text = format!("quantization_scheme = \"{scheme}\"\ntiling_depth = {depth}\n");
                files.insert(format!("configs/{name}.toml"), text);
                format!("      compiler_config_file: {name}.toml\n")
            } else {
                format!("      compilation_config: {{quantization_scheme: {scheme}, tiling_depth: {depth}}}\n")
            };
            let mut text = "# a comment\n".repeat(network.comments.into()) + &card(name, &settings);
            if network.described {
                text = text.replace("description: a network", "description: with words");
            }
            files.insert(format!("model_cards/{name}-{}.yaml", network.file), text);
            let weights =
                if network.weights == POISON { "poison".to_owned() } else { format!("weights {}", network.weights) };
            files.insert(format!("weights/{name}.onnx"), weights);
        }
        files
    }

    /// Each step with what it is made from, the steps before it included; `None` where it, or one before it, fails.
    fn steps(&self) -> BTreeMap<String, Option<String>> {
        let mut steps = BTreeMap::new();
        let [clean_command, quantize_command, lower_command] = self.commands;
        for (name, network) in NAMES.iter().zip(&self.networks).filter(|(_, network)| network.exists) {
            let Network { weights, minmax, deep_tiles, described, .. } = network;
            // What a step writes shows its settings and inputs, not its command: another command that writes the same bytes
            // stops the rebuild behind it.
            let quantized = format!("{minmax} {} (cleaned {weights})", self.image);
            let lowered = format!("{deep_tiles} ({quantized})");
            let packed = format!("{name} {minmax} ({lowered})");
            let fetch = format!("fetch {weights}");
            let clean = format!("clean {clean_command} ({weights})");
            let quantize = format!("quantize {quantize_command} {minmax} {} (cleaned {weights})", self.image);
            let lower = format!("lower {lower_command} {deep_tiles} ({quantized})");
            let pack = format!("pack {name} {minmax} {deep_tiles} ({lowered})");
            let bundle = format!("bundle {described} ({packed})");
            let model = |step: &str| format!("{name}/{name}/{step}");
            let all = [
                (model("fetch"), fetch),
                (model("clean"), clean),
                (model("quantize"), quantize),
                (model("lower"), lower),
                (model("pack"), pack),
                (format!("{name}/-/bundle"), bundle),
            ];
            for (place, (step, made_from)) in all.into_iter().enumerate() {
                steps.insert(step, (*weights != POISON || place == 0).then_some(made_from));
            }
        }
        steps
    }
}

/// What somebody does between two builds. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Edit {
    Nothing,
    Touch,
    Comment(usize),
    Move(usize),
    Scheme(usize),
    Tiles(usize),
    Describe(usize),
    Weights(usize, u8),
    Image,
    Command(usize),
    RenameCard(usize),
    RemoveOrBringBack(usize),
    Damage(usize),
    Delete(usize),
    DeleteBuild,
    GoBack(usize),
    /// What only saves work is lost.
    Forget(usize),
}

/// Files of the cache that only save work.
const SAVES_WORK: [&str; 2] = ["fresh-2", "stats-1"];

fn any_edit() -> impl Strategy<Value = Edit> {
    let network = 0_usize..NAMES.len();
    prop_oneof![
        1 => Just(Edit::Nothing),
        1 => Just(Edit::Touch),
        1 => network.clone().prop_map(Edit::Comment),
        1 => network.clone().prop_map(Edit::Move),
        1 => network.clone().prop_map(Edit::Scheme),
        1 => network.clone().prop_map(Edit::Tiles),
        1 => network.clone().prop_map(Edit::Describe),
        3 => (network.clone(), 0..=POISON).prop_map(|(network, weights)| Edit::Weights(network, weights)),
        1 => Just(Edit::Image),
        1 => (0_usize..3).prop_map(Edit::Command),
        1 => network.clone().prop_map(Edit::RenameCard),
        1 => network.prop_map(Edit::RemoveOrBringBack),
        2 => (0_usize..100).prop_map(Edit::Damage),
        2 => (0_usize..100).prop_map(Edit::Delete),
        1 => Just(Edit::DeleteBuild),
        2 => (0_usize..100).prop_map(Edit::GoBack),
        2 => (0..SAVES_WORK.len()).prop_map(Edit::Forget),
    ]
}

/// A zoo with its history.
struct Play {
    space: Space,
    typed: Typed,
    history: Vec<Typed>,
    /// What was made so far in this store.
    made: BTreeSet<String>,
}

impl Play {
    fn new() -> Self {
        let play =
            Self { space: Space::empty(), typed: Typed::first(), history: vec![Typed::first()], made: BTreeSet::new() };
        play.write(&BTreeMap::new());
        play
    }

    /// Brings the zoo's files to what is typed; files that are right already are not written.
    fn write(&self, before: &BTreeMap<String, String>) {
        let now = self.typed.files();
        for name in before.keys().filter(|name| !now.contains_key(*name)) {
            fs::remove_file(self.space.path(name)).expect("removed");
        }
        for (name, text) in now.iter().filter(|(name, text)| before.get(*name) != Some(text)) {
            self.space.write(name, text);
        }
    }

    fn apply(&mut self, edit: &Edit) {
        let before = self.typed.files();
        let typed = &mut self.typed;
        match *edit {
            Edit::Nothing => {}
            Edit::Touch => {
                for (name, text) in &before {
                    self.space.write(name, text);
                }
                for (name, bytes) in self.space.tree("build") {
                    self.space.write(&format!("build/{name}"), bytes);
                }
            }
            Edit::Comment(at) => typed.networks[at].comments += 1,
            Edit::Move(at) => typed.networks[at].in_toml ^= true,
            Edit::Scheme(at) => typed.networks[at].minmax ^= true,
            Edit::Tiles(at) => typed.networks[at].deep_tiles ^= true,
            Edit::Describe(at) => typed.networks[at].described ^= true,
            Edit::Weights(at, weights) => typed.networks[at].weights = weights,
            Edit::Image => typed.image += 1,
            Edit::Command(step) => typed.commands[step] ^= 1,
            Edit::RenameCard(at) => typed.networks[at].file ^= 1,
            Edit::RemoveOrBringBack(at) => typed.networks[at].exists ^= true,
            Edit::Damage(at) | Edit::Delete(at) => {
                let files: Vec<String> = self.space.tree("build").into_keys().collect();
                if let Some(name) = files.get(at % files.len().max(1)) {
                    let path = self.space.path("build").join(name);
                    if matches!(edit, Edit::Delete(_)) {
                        fs::remove_file(path).expect("removed");
                    } else {
                        let length = fs::metadata(&path).expect("there").len();
                        fs::write(path, vec![b'x'; usize::try_from(length).expect("small")]).expect("written");
                    }
                }
            }
            Edit::DeleteBuild => drop(fs::remove_dir_all(self.space.path("build"))),
            Edit::GoBack(at) => *typed = self.history[at % self.history.len()].clone(),
            Edit::Forget(at) => {
                for home in fs::read_dir(self.space.path("cache/builds")).into_iter().flatten().flatten() {
                    let _ = fs::remove_file(home.path().join(SAVES_WORK[at]));
                }
            }
        }
        self.write(&before);
        self.history.push(self.typed.clone());
    }

    /// Builds, and compares what ran with what had to.
    fn build(&mut self) -> Result<(), TestCaseError> {
        let run = self.space.axzoo("build all -j 2 --format json");
        let outcomes = run.outcomes();
        let steps = self.typed.steps();
        if steps.is_empty() {
            return Ok(());
        }
        prop_assert_eq!(outcomes.keys().collect::<Vec<_>>(), steps.keys().collect::<Vec<_>>(), "{}", run.stderr);
        let mut ran: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
        for (step, made_from) in &steps {
            let outcome = outcomes[step].as_str();
            match made_from {
                None if step.ends_with("/clean") => prop_assert_eq!(outcome, "failed", "{}", step),
                None => prop_assert_eq!(outcome, "skipped", "{}", step),
                Some(made_from) => {
                    prop_assert!(matches!(outcome, "ran" | "restored" | "up_to_date"), "{}: {}", step, outcome);
                    let runners = ran.entry(made_from).or_default();
                    if outcome == "ran" {
                        runners.push(step);
                    }
                }
            }
        }
        for (made_from, runners) in ran {
            let expected = usize::from(!self.made.contains(made_from));
            prop_assert_eq!(runners.len(), expected, "{} was made by {:?}", made_from, runners);
            self.made.insert(made_from.clone());
        }
        Ok(())
    }

    /// Networks that build, with the files that belong to them.
    fn results(&self) -> BTreeMap<String, Vec<u8>> {
        let mut results = BTreeMap::new();
        for (name, network) in NAMES.iter().zip(&self.typed.networks) {
            if network.exists && network.weights != POISON {
                let files = self.space.tree(&format!("build/{name}"));
                results.extend(files.into_iter().map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
            }
        }
        results
    }
}

/// `PROPTEST_CASES`, or few enough to be quick.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn after_any_edits_only_what_changed_runs_and_the_results_are_those_of_a_clean_build(
        edits in proptest::collection::vec(any_edit(), 1..12)
    ) {
        let mut play = Play::new();
        play.build()?;
        for edit in &edits {
            play.apply(edit);
            play.build()?;
        }
        let clean = Play { typed: play.typed.clone(), ..Play::new() };
        clean.write(&Typed::first().files());
        let _ = clean.space.axzoo("build all -j 2");
        prop_assert!(play.results() == clean.results(), "the results are not those of a clean build");
    }
}

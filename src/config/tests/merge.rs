//! Random layers over random properties against a naive model, and the effective values as a TOML file and back.

use std::collections::BTreeMap;
use std::fmt::Write;

use proptest::prelude::*;

use super::super::Board;
use super::super::Config;
use super::super::Device;
use super::super::LayerKind;
use super::super::Request;
use super::super::diff;
use super::super::render;
use super::super::render_diff;
use super::super::to_json;
use super::CardText;
use super::Zoo;
use super::lines;
use crate::properties;
use crate::properties::Influence;
use crate::properties::Kind;
use crate::properties::Property;
use crate::properties::Value;

/// A value that the property takes on a board of four cores and that both formats can say; never null.
fn value_of(property: &Property, pick: u16) -> Value {
    let pick = i64::from(pick);
    let word = |words: &[&str]| words[pick as usize % words.len()].to_owned();
    match property.kind {
        Kind::Bool => Value::Bool(pick % 2 == 0),
        Kind::Int { min, max } => Value::Int(min.max(-1).saturating_add(pick % 5).min(max)),
        Kind::Cores => Value::Int(1 + pick % 4),
        Kind::Share => Value::Float((1 + pick % 4) as f64 / 4.0),
        Kind::Float { min, max } => Value::Float((pick as f64 / 16.0 - 100.0).clamp(min, max)),
        Kind::Text | Kind::Path => {
            Value::Text(["", "a b", "null", "12", "q\"uo\\te", "# x: 'y'"][pick as usize % 6].to_owned())
        }
        Kind::Enum(words) => Value::Text(word(words)),
        Kind::List(words) => Value::List(vec![Value::Text(word(words))]),
    }
}

/// A value as both JSON-like YAML and TOML write it.
fn written(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{text:?}"),
        Value::List(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// One setting of a random layer.
#[derive(Debug, Clone, Copy)]
struct Pick {
    value: u16,
    /// Whether it is written under an old name, where there is one.
    old: bool,
    /// Whether it is unset, where it may be.
    null: bool,
}

/// Properties by their place in the table.
type Picks = BTreeMap<usize, Pick>;

fn pick() -> impl Strategy<Value = Pick> {
    (any::<u16>(), any::<bool>(), prop::bool::weighted(0.2)).prop_map(|(value, old, null)| Pick { value, old, null })
}

fn picks() -> impl Strategy<Value = Picks> {
    prop::collection::btree_map(0..properties::all().len(), pick(), 0..25)
}

impl Pick {
    /// The property's name today, the name and the value as written, and the value that is meant.
    fn said(self, index: usize, may_be_null: bool) -> (&'static str, &'static str, String, Value) {
        let row = &properties::all()[index];
        let value = if self.null && may_be_null && row.nullable { Value::Null } else { value_of(row, self.value) };
        let old = row.old_names.first().filter(|_| self.old);
        let mut text = written(&value);
        if old.is_some_and(|name| name.ends_with("_pool")) {
            // Pools had shorter words then.
            text = text.replace("global.", "");
        }
        (row.name, old.unwrap_or(&row.name), text, value)
    }
}

/// Everything that may say something.
#[derive(Debug, Clone)]
struct Said {
    toml: Option<Picks>,
    inline: Option<Picks>,
    board: Option<Picks>,
    board_file: Option<Picks>,
    /// Whether files and blocks stand in a section of SDK 1.2.
    in_section: bool,
    set: Vec<(usize, Pick)>,
    /// `aipu_cores` and `max_compiler_cores` of the card and of the board's block, and `--aipu-cores`.
    cores: [Option<u32>; 5],
}

fn said() -> impl Strategy<Value = Said> {
    let layer = || prop::option::weighted(0.7, picks());
    // A few properties only, so that they are set twice.
    let set = prop::collection::vec((0..properties::all().len(), pick()), 0..20)
        .prop_map(|set| set.iter().chain(set.iter().rev().take(3)).copied().collect::<Vec<_>>());
    let cores = prop::array::uniform5(prop::option::weighted(0.3, 1_u32..=4));
    (layer(), layer(), layer(), layer(), any::<bool>(), set, cores).prop_map(
        |(toml, inline, board, board_file, in_section, set, cores)| Said {
            toml,
            inline,
            board,
            board_file,
            in_section,
            set,
            cores,
        },
    )
}

/// The naive model: for each property a list of what is said, strongest last: value, layer, and file and line.
type Model = BTreeMap<&'static str, Vec<(Value, String)>>;

impl Said {
    /// Adds a layer's lines to a text, and what they mean to the model.
    fn write(&self, picks: &Picks, text: &mut String, indent: &str, origin: &str, model: &mut Model) {
        let is_toml = indent.is_empty();
        let (mut indent, sign) = (indent.to_owned(), if is_toml { " = " } else { ": " });
        if self.in_section {
            if is_toml {
                *text += "[backend_config]\n";
            } else {
                let _ = writeln!(text, "{indent}backend_config:");
                indent += "  ";
            }
        }
        for (&index, pick) in picks {
            let (name, key, value, meant) = pick.said(index, !is_toml);
            let line = text.lines().count() + 1;
            let _ = writeln!(text, "{indent}{key}{sign}{value}");
            model.get_mut(name).expect("a property").push((meant, format!("{origin}:{line}")));
        }
    }

    /// How many cores follow, where something asks for cores.
    fn deploy_cores(&self) -> Option<u32> {
        let [aipu, most, board_aipu, board_most, flag] = self.cores;
        let (aipu, most) = (board_aipu.or(aipu), board_most.or(most));
        aipu.or(most).or(flag)?;
        Some(aipu.or(flag).unwrap_or(4).min(most.unwrap_or(1)))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn layers_merge_as_the_naive_model_says(said in said()) {
        let mut model: Model =
            properties::all().iter().map(|row| (row.name, vec![(row.default.clone(), "default".to_owned())])).collect();
        if let Some(cores) = said.deploy_cores() {
            let mut say = |name, value| model.get_mut(name).expect("a property").push((value, "cores".to_owned()));
            say("aipu_cores_used", Value::Int(cores.into()));
            say("resources_used", Value::Float(f64::from(cores) / 4.0));
            say("multicore_mode", Value::Text("batch".to_owned()));
        }
        // What a stronger one takes the place of is written all the same, and means nothing.
        let mut nothing: Model = properties::all().iter().map(|row| (row.name, Vec::new())).collect();
        let (mut file, mut board_file, mut card) = (String::new(), String::new(), String::new());
        for (key, cores) in ["aipu_cores", "max_compiler_cores"].iter().zip(&said.cores[..2]) {
            card += &cores.map_or_else(String::new, |cores| format!("{key}: {cores}\n"));
        }
        if let Some(picks) = &said.toml {
            card += "compiler_config_file: a.toml\n";
            let model = if said.board_file.is_some() { &mut nothing } else { &mut model };
            said.write(picks, &mut file, "", "toml cards/a.toml", model);
        }
        if let Some(picks) = &said.board_file {
            said.write(picks, &mut board_file, "", "board cards/b.toml", &mut model);
        }
        if let Some(picks) = &said.inline {
            card += "compilation_config:\n";
            let model = if said.board.is_some() { &mut nothing } else { &mut model };
            said.write(picks, &mut card, "  ", "inline card.yaml", model);
        }
        card += "pcie:\n  unknown: 1\n";
        for (key, cores) in ["aipu_cores", "max_compiler_cores"].iter().zip(&said.cores[2..4]) {
            card += &cores.map_or_else(String::new, |cores| format!("  {key}: {cores}\n"));
        }
        if said.board_file.is_some() {
            card += "  compiler_config_file: b.toml\n";
        }
        if let Some(picks) = &said.board {
            card += "  compilation_config:\n";
            said.write(picks, &mut card, "    ", "board card.yaml", &mut model);
        }
        let mut set = Vec::new();
        for &(index, pick) in &said.set {
            let (name, key, value, meant) = pick.said(index, true);
            model.get_mut(name).expect("a property").push((meant, format!("set (--set {key}={value})")));
            set.push((key.to_owned(), value));
        }

        let zoo = Zoo::new(Device::whole(Board::Pcie), &[("cards/a.toml", &file), ("cards/b.toml", &board_file)]);
        let text = CardText::new(&card);
        let request = text.request(&zoo.resolver, zoo.folder.path().join("cards"));
        let resolution = zoo.resolver.resolve(&Request { set: &set, aipu_cores_flag: said.cores[4], ..request });
        let errors: Vec<String> = lines(&resolution.diagnostics).into_iter().filter(|line| line.starts_with("error")).collect();
        prop_assert!(errors.is_empty(), "{errors:?}\n{card}\n{file}\n{board_file}");

        for (name, traced) in resolution.config.properties() {
            let winner = (&traced.value, &traced.origin);
            let chain = std::iter::once(winner).chain(traced.hides.iter().map(|(value, origin)| (value, origin)));
            let found: Vec<(Value, String)> = chain
                .map(|(value, origin)| {
                    let text = origin.to_string();
                    let place = match origin.layer {
                        LayerKind::Default | LayerKind::Set => text.as_str(),
                        // Which of the settings decided is another test's business.
                        LayerKind::Cores => "cores",
                        _ => text.rsplit_once(':').map_or("", |(line, _)| line),
                    };
                    (value.clone(), place.to_owned())
                })
                .collect();
            let expected: Vec<(Value, String)> = model[name].iter().rev().cloned().collect();
            prop_assert_eq!(found, expected, "{}\n{}", name, card);
        }
        let effective = resolution.config.effective().values();
        for (name, traced) in resolution.config.properties() {
            prop_assert_eq!(effective.get(name), Some(&traced.value));
        }

        // The effective values as a file of their own are the same configuration.
        let again = Zoo::new(Device::default(), &[("cards/a.toml", &resolution.config.to_toml())]);
        let again = again.resolve("compiler_config_file: a.toml\n", &[]).config;
        prop_assert_eq!(diff(&resolution.config, &again), Vec::new());
        prop_assert_eq!(resolution.config.canonical(), again.canonical());
        prop_assert_eq!(resolution.config.to_toml(), again.to_toml());
    }
}

#[test]
fn a_property_enters_the_key_of_its_step_and_of_no_other() {
    let zoo = Zoo::new(Device::default(), &[]);
    let steps = [Influence::Clean, Influence::Quantize, Influence::Lower, Influence::Pack, Influence::Nothing];
    let plain = Config::default();
    for row in properties::all() {
        let mut value = value_of(row, 1);
        if value == row.default {
            value = value_of(row, 2);
        }
        let config = zoo.resolve("{}", &[(row.name, &written(&value))]).config;
        assert_ne!(config, plain, "{}", row.name);
        for step in steps {
            let changed = config.influences(step) != plain.influences(step);
            assert_eq!(changed, step == row.influences, "{} and the step {}", row.name, step.word());
        }
    }
    let all: usize = steps.iter().map(|&step| plain.influences(step).len()).sum();
    assert_eq!(all, properties::all().len());
}

#[test]
fn the_toml_holds_what_differs_and_what_was_kept() {
    let zoo = Zoo::new(Device::default(), &[]);
    let card = "aipu_cores: 1\ncompilation_config:\n  tiling_depth: 1\n  new_thing: a\n  \"odd key\": 1.0\n  empty: null\n  \
                backend_config:\n    subdevices: [0, 1]\n    elf_in_ddr: false\n";
    let config = zoo.resolve(card, &[]).config;
    assert_eq!(
        config.to_toml(),
        "multicore_mode = \"batch\"\nelf_in_ddr = false\nresources_used = 0.25\nnew_thing = \"a\"\n\
         \"odd key\" = 1.0\n\n[backend_config]\nsubdevices = [0, 1]\n"
    );
}

#[test]
fn a_build_has_what_it_was_packed_with() {
    use crate::diag::Source;
    use crate::properties::Value;
    let zoo = Zoo::new(Device::default(), &[]);
    let card = "compilation_config:\n  tiling_depth: 6\n  output_dir: /somewhere/else\n  new_thing: a\n  empty: null\n  \
                softmax_neutral_value: 1.0e-7\n  backend_config:\n    subdevices: [0, 1]\n    nested: {a: {b: 0.5}}\n";
    let config = zoo.resolve(card, &[]).config;
    let values: serde_json::Map<String, serde_json::Value> =
        config.packaged().map(|(name, value)| (name.to_owned(), Value::to_json(value))).collect();
    let values = serde_json::to_string_pretty(&values).expect("serialized");
    let line = values.lines().position(|line| line.contains("\"tiling_depth\"")).expect("there") + 1;
    let (values, kept) = (Source::new("build/values.json", values), Source::new("build/kept.toml", config.to_toml()));
    let built = Config::of_build(&values, &kept).expect("what a build writes");
    assert_eq!(render_diff(&diff(&built, &config.as_packaged())), "  the effective configurations are equal\n");
    assert_eq!(
        built.get("tiling_depth").expect("there").origin.to_string(),
        format!("build build/values.json:{line}:19")
    );
    let changed = zoo.resolve("compilation_config:\n  tiling_depth: 5\n", &[]).config.as_packaged();
    let names: Vec<String> = diff(&built, &changed).into_iter().map(|difference| difference.name).collect();
    assert_eq!(
        names,
        [
            "tiling_depth",
            "softmax_neutral_value",
            "backend_config.nested.a.b",
            "backend_config.subdevices",
            "new_thing"
        ]
    );
    for (text, kept) in [("[]", ""), ("{\"tiling_depth\": {\"a\": 1}}", ""), ("{", ""), ("{}", "a = ")] {
        let problem = Config::of_build(&Source::new("a.json", text), &Source::new("b.toml", kept));
        assert_eq!(problem.map_err(|problem| problem.code), Err("config/build-record"), "{text} {kept}");
    }
}

#[test]
fn show_and_diff_say_where_values_come_from() {
    let zoo = Zoo::new(Device::default(), &[("configs/a.toml", "tiling_depth = 2\n")]);
    let card = "compiler_config_file: a.toml\ncompilation_config:\n  tiling_depth: 6\n  new_thing: 1\n";
    let config = zoo.resolve(card, &[("use_sysdma", "true")]).config;
    assert_eq!(
        render("net", "m", &config, false),
        "net/m\n\
         \x20 tiling_depth  6     inline card.yaml:3:17\n\
         \x20                     hides 2  toml configs/a.toml:1:16\n\
         \x20                     hides 1  default\n\
         \x20 use_sysdma    true  set (--set use_sysdma=true)\n\
         \x20                     hides false  default\n\
         \x20 new_thing     1     inline card.yaml:4:14\n"
    );
    assert_eq!(
        render("net", "m", &config, true)
            .lines()
            .filter(|line| line.ends_with("  default") && !line.contains("hides"))
            .count(),
        91
    );
    let json = to_json("net", "m", &config);
    assert_eq!(json["config"].as_object().map(serde_json::Map::len), Some(93));
    assert_eq!(
        json["config"]["tiling_depth"],
        serde_json::json!({
            "value": 6, "layer": "inline", "file": "card.yaml", "line": 3,
            "hides": [
                { "value": 2, "layer": "toml", "file": "configs/a.toml", "line": 1 },
                { "value": 1, "layer": "default", "file": null, "line": null },
            ],
        })
    );
    assert_eq!(json["config"]["use_sysdma"]["file"], serde_json::Value::Null);
    assert_eq!(json["extra"]["new_thing"]["value"], 1);
    let differences = diff(&Config::default(), &config);
    assert_eq!(
        render_diff(&differences),
        "\x20 tiling_depth\n\
         \x20   - 1  default\n\
         \x20   + 6  inline card.yaml:3:17\n\
         \x20 use_sysdma\n\
         \x20   - false  default\n\
         \x20   + true   set (--set use_sysdma=true)\n\
         \x20 new_thing\n\
         \x20   - nothing\n\
         \x20   + 1        inline card.yaml:4:14\n"
    );
    assert_eq!(render_diff(&diff(&config, &config)), "  the effective configurations are equal\n");
}

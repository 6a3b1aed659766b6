//! Random layers over random properties against a naive model, and the effective values as a TOML file and back.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::Board;
use super::super::Config;
use super::super::Device;
use super::super::diff;
use super::super::render;
use super::super::render_diff;
use super::super::to_json;
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

type Picks = BTreeMap<usize, u16>;

fn picks() -> impl Strategy<Value = Picks> {
    prop::collection::btree_map(0..properties::all().len(), any::<u16>(), 0..25)
}

fn layer(picks: &Picks) -> BTreeMap<&'static str, Value> {
    let value = |(&index, &pick): (&usize, &u16)| {
        let row = &properties::all()[index];
        (row.name, value_of(row, pick))
    };
    picks.iter().map(value).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn layers_merge_as_the_naive_model_says(
        toml in picks(), inline in picks(), board in prop::option::of(picks()), set in picks(), cores in prop::option::of(1_u32..=4),
    ) {
        let [toml, inline, set] = [&toml, &inline, &set].map(layer);
        let board = board.as_ref().map(layer);
        let block = |layer: &BTreeMap<&str, Value>, indent: &str, sign: &str| {
            layer.iter().fold(String::new(), |text, (name, value)| text + indent + name + sign + &written(value) + "\n")
        };
        let mut card = format!("compiler_config_file: a.toml\ncompilation_config:\n{}", block(&inline, "  ", ": "));
        if let Some(board) = &board {
            card += "pcie:\n  compilation_config:\n";
            card += &block(board, "    ", ": ");
        }
        if let Some(cores) = cores {
            card = format!("max_compiler_cores: {cores}\n{card}");
        }
        let file = block(&toml, "", " = ");
        let zoo = Zoo::new(Device::whole(Board::Pcie), &[("cards/a.toml", &file)]);
        let arguments: Vec<(&str, String)> = set.iter().map(|(name, value)| (*name, written(value))).collect();
        let arguments: Vec<(&str, &str)> = arguments.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let resolution = zoo.resolve(&card, &arguments);
        let errors: Vec<String> = lines(&resolution.diagnostics).into_iter().filter(|line| line.starts_with("error")).collect();
        prop_assert!(errors.is_empty(), "{errors:?}\n{card}\n{file}");

        // The naive model: a list of what is said, strongest last.
        let mut said: BTreeMap<&str, Vec<(Value, &str)>> =
            properties::all().iter().map(|row| (row.name, vec![(row.default.clone(), "default")])).collect();
        let mut say = |name: &str, value: &Value, layer: &'static str| {
            said.get_mut(name).expect("a property").push((value.clone(), layer));
        };
        if let Some(cores) = cores {
            say("aipu_cores_used", &Value::Int(cores.into()), "cores");
            say("resources_used", &Value::Float(f64::from(cores) / 4.0), "cores");
            say("multicore_mode", &Value::Text("batch".to_owned()), "cores");
        }
        let (block, layer) = board.as_ref().map_or((&inline, "inline"), |board| (board, "board"));
        for (values, layer) in [(&toml, "toml"), (block, layer), (&set, "set")] {
            for (name, value) in values {
                say(name, value, layer);
            }
        }
        for (name, traced) in resolution.config.properties() {
            let mut expected = said[name].clone();
            expected.reverse();
            let mut found = vec![(traced.value.clone(), traced.origin.layer.word())];
            found.extend(traced.hides.iter().map(|(value, origin)| (value.clone(), origin.layer.word())));
            prop_assert_eq!(found, expected, "{}", name);
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
        "multicore_mode = \"batch\"\nelf_in_ddr = false\nresources_used = 0.25\n# empty = null\nnew_thing = \"a\"\n\
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

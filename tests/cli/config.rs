//! `axzoo config`: shown, listed, compared, described.

use serde_json::Value;

use crate::space::{Run, Space};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

/// The names of the differences, each with both values.
fn differences(run: &Run) -> Vec<(String, Value, Value)> {
    let found = json(run.stdout.lines().next().unwrap_or_default());
    let all = found["differences"].as_array().expect("a list").clone();
    let one = |it: Value| {
        (it["name"].as_str().unwrap_or_default().to_owned(), it["left"]["value"].clone(), it["right"]["value"].clone())
    };
    all.into_iter().map(one).collect()
}

#[test]
fn show_says_all_of_a_network_one_object_a_line() {
    let space = Space::sample();
    let run = space.axzoo("config show digit-cascade --format json").expect_code(0);
    let models: Vec<Value> = run.stdout.lines().map(json).collect();
    assert_eq!(models.len(), 2);
    assert_eq!((&models[0]["network"], &models[0]["model"]), (&"digit-cascade".into(), &"digit-finder".into()));
    let one = space.axzoo("config show digit-cascade/digit-reader").expect_code(0);
    assert!(one.stdout.starts_with("digit-cascade/digit-reader\n"), "{}", one.stdout);
    assert!(!one.stdout.contains("digit-finder"), "{}", one.stdout);
    let minmax = space.axzoo("config show digits-minmax").expect_code(0).stdout;
    assert!(minmax.lines().all(|line| line.chars().count() <= 80), "{minmax}");
    assert!(minmax.contains("  quantization_scheme  per_tensor_min_max\n"), "{minmax}");
    let all = space.axzoo("config show digits --all").expect_code(0).stdout;
    assert!(all.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).count() == 93, "{all}");
    let europa = space.axzoo("config show digits --board europa --set resources_used=0.125 --aipu-cores 2");
    europa.expect_code(0).says("0.125").says("--set resources_used=0.125").says("batch");
    space.axzoo("config show digits --board m2 --set resources_used=0.125").expect_code(2).says("multiple of 0.25");
}

#[test]
fn show_keeps_unknown_keys_in_sight_and_refuses_values_it_cannot_read() {
    let space = Space::sample();
    let card = space.path("model_cards/digits-inline.yaml");
    space.edit(&card, "aipu_cores_used: 4", "aipu_cores_used: 4\n        from_tomorrow: {deep: 7}");
    let run = space.axzoo("config show digits-inline").expect_code(0);
    assert!(run.stdout.contains("from_tomorrow.deep"), "{}", run.stdout);
    assert!(run.stderr.contains("config/unknown-key"), "{}", run.stderr);
    let shown = json(&space.axzoo("config show digits-inline --format json").expect_code(0).stdout);
    assert_eq!(shown["extra"]["from_tomorrow.deep"]["value"], 7);
    space.edit(&card, "resources_used: 1.0", "resources_used: 0.3");
    let refused = space.axzoo("config show digits-inline").expect_code(1).says("multiple of 0.25");
    assert_eq!(refused.stdout, "");
}

#[test]
fn a_broken_model_does_not_hide_the_other_one_of_its_network() {
    let space = Space::sample();
    let card = space.path("model_cards/digit-cascade.yaml");
    let text = std::fs::read_to_string(&card).expect("readable");
    let name = text.lines().find_map(|line| line.trim().strip_prefix("compiler_config_file: ")).expect("one");
    space.edit(&card, name, "gone.toml");
    space.axzoo("config show digit-cascade/digit-finder").expect_code(1).says("there is no config file `gone.toml`");
    space.axzoo("config show digit-cascade/digit-reader").expect_code(0);
}

#[test]
fn a_model_on_the_host_has_nothing_to_show_and_says_so() {
    let space = Space::sample();
    let card = space.path("model_cards/digits.yaml");
    space.edit(&card, "    class: DigitClassifier", "    model_type: CLASSICAL_CV\n    class: DigitClassifier");
    let run = space.axzoo("config show digits").expect_code(0);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("nothing to compile"), "{}", run.stderr);
}

#[test]
fn show_finds_a_name_however_it_is_written_and_notices_that_it_is_given_twice() {
    let space = Space::sample();
    space.edit(&space.path("model_cards/digits.yaml"), "name: digits", r#"name: "d\x69gits""#);
    space.axzoo("config show digits").expect_code(0).says("digits/digits");
    space.edit(&space.path("model_cards/digits-inline.yaml"), "name: digits-inline", "name: 'digits'");
    space.axzoo("config show digits").expect_code(1).says("two cards are named `digits`");
    space.axzoo("config show digits-minmax").expect_code(0);
    space.axzoo("config show digits-minmux").expect_code(2).says("did you mean `digits-minmax`");
    // A card that has the pattern, or the word, in its text is not all that they mean.
    space.edit(
        &space.path("model_cards/digit-cascade.yaml"),
        "description: ",
        "description: not digits-* and not all, ",
    );
    let all = space.axzoo("config show all --format json").expect_code(1).stdout;
    assert_eq!(all.lines().count(), 3, "{all}");
    space.axzoo("config show digits-*").expect_code(0).says("digits-minmax/digits-minmax");
}

#[test]
fn list_names_every_config_where_it_comes_from_and_what_hides_it() {
    let space = Space::sample();
    let models = "sdk/venv/lib/python3.11/site-packages/axelera/compiler/config/models";
    space.write(&format!("{models}/digits.toml"), "");
    space.write(&format!("{models}/yolo11n.toml"), "");
    space.write("model_cards/digits.toml", "");
    let run = space.axzoo("config list --sdk sdk --format json").expect_code(0);
    let listed = json(&run.stdout);
    let of = |listed: &Value, file: &str| -> Value {
        let all = listed["configs"].as_array().expect("a list");
        all.iter().find(|config| config["file"] == file).unwrap_or(&Value::Null).clone()
    };
    let own = of(&listed, "configs/digits.toml");
    assert_eq!((&own["name"], &own["source"], &own["hidden_by"]), (&"digits.toml".into(), &"zoo".into(), &Value::Null));
    assert_eq!(of(&listed, &format!("{models}/digits.toml"))["hidden_by"], "configs/digits.toml");
    assert_eq!(of(&listed, &format!("{models}/yolo11n.toml"))["source"], "sdk");
    assert_eq!(of(&listed, "model_cards/digits.toml"), Value::Null);
    for target in ["digits", "model_cards/digits.yaml"] {
        let listed = json(&space.axzoo(&format!("config list {target} --sdk sdk --format json")).expect_code(0).stdout);
        assert_eq!(of(&listed, "model_cards/digits.toml")["source"], "card");
        assert_eq!(of(&listed, "configs/digits.toml")["hidden_by"], "model_cards/digits.toml");
    }
    space.axzoo("config list --sdk sdk").expect_code(0).says("hidden by").says("yolo11n.toml");
    space.axzoo("config list nothing").expect_code(2).says("there is no network `nothing`");
}

#[test]
fn an_empty_list_says_where_it_looked() {
    let space = Space::empty();
    space.write("axzoo.toml", "[zoo]\nconfigs = [\"settings\"]\n");
    let run = space.axzoo("config list --sdk sdk").expect_code(0);
    assert_eq!(run.stdout, "");
    assert!(
        run.stderr.contains("looked in settings, sdk (no `axelera/compiler/config/models` there)"),
        "{}",
        run.stderr
    );
    let listed = json(&space.axzoo("config list --format json").expect_code(0).stdout);
    assert_eq!(listed["configs"], Value::Array(Vec::new()));
    assert_eq!(listed["looked_in"][0], "settings");
}

#[test]
fn diff_names_each_value_and_both_origins() {
    let space = Space::sample();
    let run = space.axzoo("config diff digits digits-minmax").expect_code(0);
    assert_eq!(
        run.stdout,
        "digits/digits → digits-minmax/digits-minmax\n\
         \x20 quantization_scheme\n\
         \x20   - per_tensor_histogram  toml configs/digits.toml:4:23\n\
         \x20   + per_tensor_min_max    inline model_cards/digits-minmax.yaml:27:30\n"
    );
    space.axzoo("config diff digits digits").expect_code(0).says("the effective configurations are equal");
    let set = space.axzoo("config diff digits digits-minmax --set quantization_scheme=per_tensor_min_max");
    set.expect_code(0).says("are equal");
    let found = json(&space.axzoo("config diff digits digits-minmax --format json").expect_code(0).stdout);
    assert_eq!(found["left"]["network"], "digits");
    assert_eq!(found["right"]["from"], "card");
    let scheme = &found["differences"][0];
    assert_eq!((&scheme["left"]["layer"], &scheme["left"]["line"]), (&"toml".into(), &4.into()));
    assert_eq!(scheme["right"]["file"], "model_cards/digits-minmax.yaml");
}

#[test]
fn diff_compares_networks_model_by_model_and_single_models_with_each_other() {
    let space = Space::sample();
    let lines = |arguments: &str| -> Vec<Value> {
        let run = space.axzoo(&format!("config diff {arguments} --format json")).expect_code(0);
        run.stdout.lines().map(json).collect()
    };
    // A copy of a card, with the same name, in no folder of cards.
    let card = space.read("model_cards/digit-cascade.yaml").replace("name: digit-reader", "name: digit-writer");
    space.write("elsewhere/old.yaml", card.replace("  digit-reader:", "  digit-writer:"));
    let found = lines("elsewhere/old.yaml digit-cascade");
    let pairs: Vec<(&Value, &Value)> = found.iter().map(|it| (&it["left"]["model"], &it["right"]["model"])).collect();
    assert_eq!(
        pairs,
        [
            (&"digit-finder".into(), &"digit-finder".into()),
            (&"digit-writer".into(), &Value::Null),
            (&Value::Null, &"digit-reader".into()),
        ]
    );
    assert_eq!(found[0]["left"]["file"], "elsewhere/old.yaml");
    assert_eq!(lines("digit-cascade/digit-reader digits").len(), 1);
    let turned = lines("digit-cascade digit-cascade/digit-reader");
    assert_eq!((turned.len(), &turned[0]["left"]["model"]), (1, &"digit-reader".into()));
    space
        .axzoo("config diff digits/digits digit-cascade")
        .expect_code(2)
        .says("no model `digits`")
        .says("digit-finder");
    space.axzoo("config diff digits all").expect_code(2).says("a side of a comparison is one");
    space.axzoo("config diff digits gone.yaml").expect_code(2).says("there is no card `gone.yaml`");
    space.write("elsewhere/bad.yaml", "name: [");
    space.axzoo("config diff elsewhere/bad.yaml digits").expect_code(1).says("elsewhere/bad.yaml");
}

#[test]
fn diff_with_the_last_build_sees_what_changed_since() {
    let space = Space::only("digits-inline");
    let never = space.axzoo("config diff digits-inline").expect_code(1);
    assert!(never.stderr.contains("was never built") && never.stderr.contains("axzoo build digits-inline"));
    let card = space.path("model_cards/digits-inline.yaml");
    space.edit(
        &card,
        "aipu_cores_used: 4",
        "aipu_cores_used: 4\n        from_tomorrow: 7\n        output_dir: /elsewhere",
    );
    space.axzoo("build").expect_code(0);
    space
        .axzoo("config diff digits-inline")
        .expect_code(0)
        .says("last build of digits-inline/digits-inline")
        .says("are equal");
    space.edit(&card, "from_tomorrow: 7", "from_tomorrow: 8");
    space.edit(&card, "aipu_cores_used: 4", "aipu_cores_used: 2");
    let run = space.axzoo("config diff digits-inline --format json").expect_code(0);
    let found = differences(&run);
    assert_eq!(
        found,
        [("aipu_cores_used".to_owned(), 4.into(), 2.into()), ("from_tomorrow".to_owned(), 7.into(), 8.into())]
    );
    let built = &json(&run.stdout)["differences"][0]["left"];
    assert_eq!(built["layer"], "build");
    let file = built["file"].as_str().expect("a file");
    let line = built["line"].as_u64().expect("a line") as usize;
    assert!(space.read(file).lines().nth(line - 1).is_some_and(|line| line.contains("\"aipu_cores_used\": 4")));
    space.write("build/digits-inline/digits-inline/compile_config.json", "{");
    space.axzoo("config diff digits-inline").expect_code(1).says("is not what a build writes");
}

#[test]
fn the_schema_needs_no_zoo_and_tells_cards_from_configs() {
    let space = Space::empty();
    let whole = json(&space.axzoo("config schema").expect_code(0).stdout);
    assert_eq!(whole["$schema"], "http://json-schema.org/draft-07/schema#");
    assert_eq!(whole["then"]["allOf"][0]["$ref"], "#/definitions/card");
    assert!(whole["definitions"]["card"]["properties"]["models"]["description"].is_string());
    let config = json(&space.axzoo("config schema --for config").expect_code(0).stdout);
    assert!(config["definitions"]["card"].is_null());
    assert!(config["definitions"]["config-settings"]["properties"]["resources_used"]["multipleOf"] == 0.125);
}

//! The toolchain whose steps are commands: how external tools are driven, and a zoo for tests that need many quick steps.

use std::fs;
use std::time::Duration;
use std::time::Instant;

use crate::space::Space;

/// Commands that write what they were given: every setting and every input shows in the output.
pub(crate) const COMMANDS: &str = r#"
[toolchain]
use = "scripted"
[scripted]
clean = '{ echo "clean $AXZOO_SETTINGS"; cat "$AXZOO_INPUT_MODEL_MODEL_ONNX"; } > model.onnx'
quantize = '''
hash() { cksum < "$1" | tr -d " \n"; }
{ echo "{\"settings\": $AXZOO_SETTINGS, \"model\": $(hash "$AXZOO_INPUT_MODEL"), \"image\": $(hash "$AXZOO_INPUT_CALIBRATION_000000")}"; } > quantized_model.json
'''
lower = '''
cp "$AXZOO_INPUT_QUANTIZED_QUANTIZED_MODEL_JSON" model.json
echo "{\"settings\": $AXZOO_SETTINGS}" > manifest.json
'''
"#;

/// A card of a network with one model of its name, whose files lie beside the cards' folder.
pub(crate) fn card(name: &str, settings: &str) -> String {
    format!(
        "axelera-model-format: 1.0.0\n\
         name: {name}\n\
         description: a network\n\
         pipeline:\n\
         \x20 - classify:\n\
         \x20     model_name: {name}\n\
         \x20     preprocess:\n\
         \x20       - resize: {{width: 8, height: 8}}\n\
         \x20       - torch-totensor:\n\
         models:\n\
         \x20 {name}:\n\
         \x20   class: Net\n\
         \x20   class_path: net.py\n\
         \x20   weight_path: ../weights/{name}.onnx\n\
         \x20   task_category: Classification\n\
         \x20   input_tensor_layout: NCHW\n\
         \x20   input_tensor_shape: [1, 3, 8, 8]\n\
         \x20   input_color_format: RGB\n\
         \x20   num_classes: 10\n\
         \x20   dataset: Pictures\n\
         \x20   extra_kwargs:\n\
         \x20     num_cal_images: 1\n\
         {settings}\
         datasets:\n\
         \x20 Pictures:\n\
         \x20   class: Folder\n\
         \x20   class_path: net.py\n\
         \x20   data_dir_name: pictures\n\
         \x20   repr_imgs_dir_path: ../data/pictures\n"
    )
}

/// A zoo of networks `a`, `b`, … with commands for steps.
pub(crate) fn zoo(networks: &[&str]) -> Space {
    let space = Space::empty();
    space.write("axzoo.toml", COMMANDS);
    space.write("data/pictures/one.png", "a picture");
    for name in networks {
        space.write(&format!("model_cards/{name}.yaml"), card(name, ""));
        space.write(&format!("weights/{name}.onnx"), format!("weights of {name}"));
    }
    space
}

#[test]
fn a_source_that_is_changed_while_it_is_read_and_put_back_gives_no_wrong_result() {
    // As a checkout back and forth does it during a long step: the first run of the step reads something else.
    let space = with_command(
        "quantize",
        r#"
picture=$AXZOO_INPUT_CALIBRATION_000000
if [ ! -e "$HOME/once" ]; then
    touch "$HOME/once"; sleep 0.05
    printf 'another' > "$picture"; cp "$picture" quantized_model.txt; sleep 0.05; printf 'a picture' > "$picture"
else
    cp "$picture" quantized_model.txt
fi
echo "\"$(cat quantized_model.txt)\"" > quantized_model.json
"#,
    );
    let home = space.path("home");
    fs::create_dir(&home).expect("created");
    let run = space.command("build").env("HOME", &home).output().expect("it runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(home.join("once").exists());
    assert_eq!(space.read("build/a/a/quantized/quantized_model.json"), "\"a picture\"\n");
    assert!(space.read("cache/logs/a/a/quantize.log").contains("was touched meanwhile"));
}

#[test]
fn a_tool_may_link_what_it_reads() {
    let space = with_command(
        "quantize",
        r#"ln -f "$AXZOO_INPUT_CALIBRATION_000000" linked; echo "\"$(cat linked)\"" > quantized_model.json; rm linked"#,
    );
    space.axzoo("build").expect_code(0);
    assert_eq!(space.read("build/a/a/quantized/quantized_model.json"), "\"a picture\"\n");
    space.axzoo("build").expect_code(0).says("up to date");
    // But not write to it.
    let space = with_command(
        "quantize",
        r#"printf 'a picture' > "$AXZOO_INPUT_CALIBRATION_000000"; echo '"x"' > quantized_model.json"#,
    );
    space.axzoo("build").expect_code(1).says("data/pictures/one.png` was written to each time that the step ran");
}

#[test]
fn what_keeps_a_build_from_beginning_ends_with_a_summary_for_scripts() {
    let space = zoo(&["a"]);
    for flags in ["--trace missing/trace.json", "--cache model_cards", "--build-root axzoo.toml"] {
        assert_eq!(space.axzoo(&format!("build --format json {flags}")).expect_code(1).summary()["ran"], 0, "{flags}");
    }
}

#[test]
fn files_of_the_user_behind_a_link_among_the_results_stay() {
    let lower = |more: &str| format!("echo {{}} > model.json; echo {{}} > manifest.json; {more}");
    let space = with_command("lower", &lower("mkdir extra; echo 1 > extra/x"));
    space.axzoo("build").expect_code(0);
    let extra = space.path("build/a/a/1/extra");
    space.write("mine/x", "mine");
    fs::remove_dir_all(&extra).expect("removed");
    std::os::unix::fs::symlink(space.path("mine"), &extra).expect("linked");
    let config = space.read("axzoo.toml");
    space.write("axzoo.toml", config.replace("mkdir extra; echo 1 > extra/x", "true"));
    space.axzoo("build").expect_code(0);
    assert_eq!(space.read("mine/x"), "mine");
    // Nor is anything taken away for a result that cannot take its place.
    fs::remove_file(&extra).expect("removed");
    space.write("axzoo.toml", &config);
    space.axzoo("build").expect_code(0);
    fs::create_dir(extra.join("of the user")).expect("created");
    space.write("axzoo.toml", config.replace("mkdir extra; echo 1 > extra/x", "echo 1 > extra"));
    space.axzoo("build").expect_code(1);
    assert_eq!(space.read("build/a/a/1/extra/x"), "1\n");
}

/// The zoo with one command replaced by another.
pub(crate) fn with_command(step: &str, command: &str) -> Space {
    let space = zoo(&["a"]);
    let mut table: toml::Table = COMMANDS.parse().expect("TOML");
    table["scripted"][step] = command.into();
    space.write("axzoo.toml", table.to_string());
    space
}

#[test]
fn commands_get_settings_and_inputs_and_their_outputs_are_packed() {
    let space = zoo(&["a"]);
    space.axzoo("build").expect_code(0);
    let quantized = space.read("build/a/a/quantized/quantized_model.json");
    assert!(quantized.contains("per_tensor_histogram") && quantized.contains("\"image\""), "{quantized}");
    assert!(space.path("build/a/a/a.axm").is_file() && space.path("build/a/a.zip").is_file());
    // The command is part of the key, as a new version of a tool is.
    space.edit(&space.path("axzoo.toml"), "clean $AXZOO", "cleaned $AXZOO");
    assert_eq!(space.build("all")["a/a/clean"], "ran");
    space.axzoo("why a").says("up to date");
}

#[test]
fn a_command_is_judged_by_its_end_and_by_what_it_wrote() {
    struct Case {
        step: &'static str,
        command: &'static str,
        says: &'static str,
    }
    let cases = [
        Case { step: "clean", command: "echo no licence >&2; exit 7", says: "the command ended with exit code 7" },
        Case { step: "clean", command: "echo no licence >&2; exit 7", says: "  | no licence" },
        Case { step: "clean", command: "kill -SEGV $$", says: "the command was ended by signal 11" },
        Case { step: "clean", command: "true", says: "did not write `model.onnx`" },
        Case { step: "clean", command: ": > model.onnx", says: "wrote a `model.onnx` that is empty" },
        Case { step: "quantize", command: "echo '{' > quantized_model.json", says: "that is no JSON" },
        Case { step: "lower", command: "echo '{}' > manifest.json", says: "did not write `model.json`" },
    ];
    for case in cases {
        let run = with_command(case.step, case.command).axzoo("build a").expect_code(1).says(case.says);
        run.says(&format!("log: cache/logs/a/a/{}.log", case.step));
    }
    let summary = with_command("clean", "exit 7").axzoo("build a --format json").expect_code(1).summary();
    let logs: Vec<&str> =
        summary["steps"].as_array().into_iter().flatten().filter_map(|step| step["log"].as_str()).collect();
    assert_eq!(logs, ["cache/logs/a/a/clean.log"], "relative to the root");
    let space = zoo(&["a"]);
    space.write("axzoo.toml", "[toolchain]\nuse = \"scripted\"\n");
    space.axzoo("build").expect_code(1).says("`scripted.clean` names no command");
}

#[test]
fn a_step_that_takes_too_long_is_stopped_with_all_that_it_started() {
    let space = with_command("clean", "(sleep 60) & sleep 60");
    let began = Instant::now();
    space.axzoo("build --timeout 300ms").expect_code(1).says("it was stopped after 300ms");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_command_that_fails_is_run_again_as_often_as_was_said() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tries = folder.path().join("tries");
    let command = |enough: usize| {
        let tries = tries.display();
        format!("echo x >> {tries}; echo part > half; [ $(wc -l < {tries}) -ge {enough} ] && echo m > model.onnx")
    };
    let space = with_command("clean", &command(3));
    space.axzoo("build --retries 1").expect_code(1);
    assert_eq!(fs::read_to_string(&tries).expect("it ran").lines().count(), 2);
    space.axzoo("build --retries 1").expect_code(0);
    let space = with_command("clean", &command(5));
    space.axzoo("build --retries 2").expect_code(0);
    assert_eq!(fs::read_to_string(&tries).expect("it ran").lines().count(), 5);
}

#[test]
fn memory_is_a_setting() {
    let space = zoo(&["a", "b"]);
    space.axzoo("build --memory 1MB -j 2").expect_code(0);
    space.axzoo("build --memory none").expect_code(2).says("a part of the machine's memory such as `80%`");
}

#[test]
fn a_trace_has_a_bar_for_each_step_that_ran_in_lanes_that_do_not_overlap() {
    let space = zoo(&["a", "b"]);
    // A misspelt path is told before the work, not made.
    space.axzoo("build --trace traces/first.json").expect_code(1).says("`--trace` names a file in `traces`");
    assert!(!space.path("traces").exists() && !space.path("build").exists());
    space.write("traces/.keep", "");
    space.axzoo("build -j 2 --trace traces/first.json").expect_code(0);
    let trace: serde_json::Value = serde_json::from_str(&space.read("traces/first.json")).expect("JSON");
    let bars = trace["traceEvents"].as_array().expect("bars");
    assert_eq!(bars.len(), 12, "{trace}");
    let mut ends = std::collections::BTreeMap::new();
    let mut sorted: Vec<_> = bars.iter().collect();
    let number = |bar: &serde_json::Value, name: &str| bar[name].as_u64().expect("a whole number");
    sorted.sort_by_key(|bar| number(bar, "ts"));
    for bar in sorted {
        assert_eq!((bar["ph"].as_str(), number(bar, "pid")), (Some("X"), 1), "{bar}");
        assert!(bar["name"].as_str().is_some_and(|name| name.ends_with(['a', 'b'])), "{bar}");
        let end = ends.insert(number(bar, "tid"), number(bar, "ts") + number(bar, "dur"));
        assert!(end.is_none_or(|end| end <= number(bar, "ts")), "two steps at a time in one lane: {bar}");
    }
    assert!((1..=2).contains(&ends.len()), "{ends:?}");
    // With nothing to do there are no bars, and the file is the new one.
    space.axzoo("build --trace traces/first.json").expect_code(0);
    assert!(!space.read("traces/first.json").contains("dur"));
}

#[test]
fn steps_that_took_much_memory_do_not_run_together_the_next_time() {
    let space = zoo(&["a", "b"]);
    let mut table: toml::Table = COMMANDS.parse().expect("TOML");
    // A text of 60 MB for a moment; the log says who began and who ended.
    let command = "echo begin >> \"$HOME/log\"; text=$(head -c 60000000 /dev/zero | tr '\\0' a); sleep 0.4; \
                   echo end >> \"$HOME/log\"; echo \"${#text} $AXZOO_INPUT_MODEL_MODEL_ONNX\" > model.onnx";
    table["scripted"]["clean"] = command.into();
    space.write("axzoo.toml", table.to_string());
    let together = |arguments: &str| {
        space.write("log", "");
        let home = space.path("").display().to_string();
        space.build_with(arguments, &[("HOME", &home)]);
        space.read("log").starts_with("begin\nbegin\n")
    };
    assert!(together("-j 2 --memory 100MB"), "nothing is known of a first build");
    assert!(!together("-j 2 --memory 100MB --force"), "two steps of 60 MB ran together within 100 MB");
    assert!(together("-j 2 --memory 2GB --force"), "there was room for both");
}

#[test]
fn a_pool_limits_how_many_steps_of_a_kind_run_at_a_time() {
    let space = zoo(&["a", "b"]);
    let mut table: toml::Table = COMMANDS.parse().expect("TOML");
    let command = "echo begin >> \"$HOME/log\"; sleep 0.4; echo end >> \"$HOME/log\"; \
                   echo $AXZOO_INPUT_MODEL_MODEL_ONNX > model.onnx";
    table["scripted"]["clean"] = command.into();
    let together = |table: &toml::Table| {
        space.write("axzoo.toml", table.to_string());
        space.write("log", "");
        let home = space.path("").display().to_string();
        space.build_with("-j 2 --force", &[("HOME", &home)]);
        space.read("log").starts_with("begin\nbegin\n")
    };
    assert!(together(&table));
    table.insert("pools".to_owned(), toml::Table::from_iter([("clean".to_owned(), 1.into())]).into());
    assert!(!together(&table), "two steps were in a pool of one");
    space.write("axzoo.toml", "[pools]\nclean = 0\n");
    space.axzoo("build").expect_code(2).says("a whole number from 1");
}

#[cfg(unix)]
#[test]
fn what_a_killed_run_left_running_cannot_write_into_the_next() {
    let space = zoo(&["a"]);
    let mut table: toml::Table = COMMANDS.parse().expect("TOML");
    table["scripted"]["clean"] = "own=$PWD; : > \"$HOME/began\"; sleep 1; echo orphan > \"$own/model.onnx\"".into();
    space.write("axzoo.toml", table.to_string());
    let home = space.path("").display().to_string();
    let mut killed = std::process::Command::new(env!("CARGO_BIN_EXE_axzoo"))
        .arg("build")
        .current_dir(space.path(""))
        .env("HOME", &home)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("started");
    let waiting = std::time::Instant::now();
    while !space.path("began").exists() && waiting.elapsed().as_secs() < 30 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    killed.kill().expect("killed");
    killed.wait().expect("ended");
    table["scripted"]["clean"] = "echo good > model.onnx; sleep 1.5".into();
    space.write("axzoo.toml", table.to_string());
    space.axzoo("build").expect_code(0);
    assert!(space.path("build").exists());
    let blobs =
        std::process::Command::new("grep").args(["-rl", "orphan", "cache"]).current_dir(space.path("")).output();
    let found = String::from_utf8_lossy(&blobs.expect("grep").stdout).into_owned();
    assert!(!found.contains("blobs"), "a result is of the killed run: {found}");
}

/// Networks whose weights are the same and have another md5 than the cards say.
fn twins() -> Space {
    let space = zoo(&["a", "b"]);
    for name in ["a", "b"] {
        space.write(&format!("weights/{name}.onnx"), "the same weights");
        let weights = format!("weight_path: ../weights/{name}.onnx\n");
        let checked = format!("{weights}    weight_md5: 00000000000000000000000000000000\n");
        space.edit(&space.path(&format!("model_cards/{name}.yaml")), &weights, &checked);
    }
    space.edit(&space.path("model_cards/b.yaml"), "description", "# a line more\ndescription");
    space
}

#[test]
fn a_step_that_waited_for_another_says_so_and_names_its_own_card() {
    let space = twins();
    let line = |name: &str| {
        let text = space.read(&format!("model_cards/{name}.yaml"));
        let place = text.lines().position(|line| line.contains("weight_md5")).expect("a line") + 1;
        format!(", at model_cards/{name}.yaml:{place}\n")
    };
    let said = space.axzoo("build").expect_code(1).stderr;
    let block = |name: &str| {
        let begin = format!("error: fetch of `{name}/{name}` failed: ");
        let text = said.split_once(&begin).unwrap_or_else(|| panic!("no block of {name}:\n{said}")).1;
        text.split("\n\n").next().unwrap_or_default().to_owned()
    };
    let (one, other) = (block("a"), block("b"));
    let (maker, twin, [its, own]) = if one.starts_with("its result") {
        ("b", one, ["b", "a"].map(line))
    } else {
        ("a", other, ["a", "b"].map(line))
    };
    assert!(twin.starts_with(&format!("its result is that of `fetch` of `{maker}/{maker}`, which failed: ")), "{twin}");
    assert!(twin.contains(&own) && !twin.contains(&its), "{twin}");
    assert!(block(maker).contains(&its), "{said}");
}

#[test]
fn files_that_cannot_be_installed_are_named_as_in_the_zoo_and_listed_as_failed() {
    let space = zoo(&["a", "b"]);
    space.write("build/a", "a file where a folder has to be");
    let run = space.axzoo("build").expect_code(1).says("cannot create the folder `build/a");
    assert!(!run.stderr.contains(&space.path("").display().to_string()), "{}", run.stderr);
    let states = |space: &Space| {
        let list: serde_json::Value = serde_json::from_str(&space.axzoo("list --format json").stdout).expect("JSON");
        let networks = list["networks"].as_array().expect("networks").clone();
        networks.iter().map(|it| it["state"].as_str().expect("a state").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states(&space), ["failed", "fresh"]);
    fs::remove_file(space.path("build/a")).expect("removed");
    space.axzoo("build").expect_code(0);
    assert_eq!(states(&space), ["fresh", "fresh"]);
}

#[test]
fn why_of_what_cannot_be_built_says_so_and_fails() {
    let space = zoo(&["a", "b"]);
    space.write("model_cards/b.yaml", card("b", "      compilation_config: {tiling_depth: deep}\n"));
    let run = space.axzoo("why b").expect_code(1);
    assert!(run.stdout.starts_with('b') && run.stdout.contains("cannot be built"), "{}", run.stdout);
    let run = space.axzoo("why b --format json").expect_code(1);
    let line: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!((line["network"].as_str(), line["verdict"].as_str()), (Some("b"), Some("failed")), "{line}");
    space.axzoo("why a").expect_code(0);
    space.write("model_cards/b.yaml", "name: b\nmodels: [\n");
    let run = space.axzoo("why all").expect_code(1);
    assert!(run.stdout.contains("the card `model_cards/b.yaml` cannot be read"), "{}", run.stdout);
}

#[test]
fn clean_takes_networks_and_paths_of_cards() {
    let space = zoo(&["a", "b"]);
    space.axzoo("build").expect_code(0);
    space.axzoo("clean a/a").expect_code(2).says("`clean` removes the results of whole networks; name `a`");
    space.axzoo("clean model_cards/a.yaml").expect_code(0).says("of 1 network");
    assert!(!space.path("build/a").exists() && space.path("build/b").exists());
    space.axzoo("clean model_cards/a.yaml").expect_code(2).says("no network `a` has results");
    space.write("model_cards/b.yaml", "name: b\nmodels: [\n");
    space.axzoo("clean model_cards/b.yaml").expect_code(0);
    assert!(!space.path("build/b").exists());
}

#[test]
fn clean_says_what_may_be_typed() {
    let space = zoo(&["a"]);
    for arguments in ["clean", "clean --help"] {
        let run = space.axzoo(arguments);
        let said = run.stdout + &run.stderr;
        assert!(said.contains("axzoo clean [OPTIONS] all") && said.contains("axzoo clean [OPTIONS] --stale"), "{said}");
    }
}

#[cfg(debug_assertions)]
#[test]
fn a_full_disk_is_told_once_however_many_steps_are_left() {
    let names: Vec<String> = (0..12).map(|index| format!("n{index}")).collect();
    let space = zoo(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for place in [40, 90] {
        let output = space.command("build -j 2 --force").env("AXZOO_FAULT", format!("full:{place}")).output();
        let run = crate::space::Run::from(output.expect("it runs")).expect_code(1);
        let blocks = run.stderr.lines().filter(|line| line.starts_with("error") && line.contains("no space left"));
        assert_eq!(blocks.count(), 1, "{}", run.stderr);
        assert!(run.stderr.lines().filter(|line| line.ends_with(": failed")).count() <= 1, "{}", run.stderr);
        assert_eq!(run.stderr.matches("free some space").count(), 1, "{}", run.stderr);
    }
    space.axzoo("build").expect_code(0);
}

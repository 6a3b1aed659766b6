//! What lies where axzoo writes and removes: files of others, files that cannot be removed, and what runs left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::scripted::{card, with_command, zoo};
use crate::space::{Run, Space, steps_with};

/// Runs that write into the cache, or remove something from it.
const WRITERS: [&str; 7] =
    ["build", "build a --force", "cache verify", "cache gc", "cache clear", "clean all", "clean --stale"];

#[test]
fn a_folder_that_is_no_cache_stays_as_it_is() {
    let space = zoo(&["a"]);
    for file in ["tmp/mine.txt", "logs/mine.txt", "builds/x/mine.txt", "mine.txt", "lock"] {
        let folder = format!("{}.d", file.replace('/', "-"));
        space.write(&format!("{folder}/{file}"), "mine");
        let before = space.tree(&folder);
        for writer in WRITERS {
            space
                .axzoo(&format!("{writer} --cache {folder}"))
                .expect_code(1)
                .says(&format!("`{folder}` has files in it and is no cache of axzoo"));
        }
        // `check` only keeps what it found there, and can do without.
        let mut check = space.command("check");
        let _ = Run::from(check.env("AXZOO_CACHE", &folder).output().expect("it runs"));
        assert!(space.tree(&folder) == before, "{folder}: {:?}", space.tree(&folder).keys());
    }
    space.axzoo("build --cache .").expect_code(1).says("is no cache of axzoo");
    // A folder that version control keeps is as good as an empty one.
    space.write("cache/README.md", "what is kept here");
    space.write("cache/.gitignore", "*");
    space.axzoo("build").expect_code(0);
}

#[test]
fn in_a_cache_only_what_axzoo_named_is_removed() {
    let space = zoo(&["a"]);
    space.axzoo("build").expect_code(0);
    let mine = ["tmp/mine.txt", "tmp/x/mine.txt", "logs/mine.txt", "logs/a/a/notes.log", "builds/x/mine.txt"];
    for file in mine {
        space.write(&format!("cache/{file}"), "mine");
    }
    space.write("cache/tmp/4000000/0/half", "left by a killed run");
    for writer in WRITERS {
        space.axzoo(writer).expect_code(0);
    }
    let left = space.tree("cache");
    for file in mine {
        assert!(left.contains_key(file), "{file} is gone");
    }
    let more = left.keys().filter(|file| !mine.contains(&file.as_str()));
    let more: Vec<&String> =
        more.filter(|file| ["tmp/", "logs/", "builds/x/"].iter().any(|it| file.starts_with(it))).collect();
    assert!(more.is_empty(), "{more:?}");
    space.axzoo("build").expect_code(0);
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(space.build("all").values().all(|outcome| outcome == "up_to_date"));
}

/// The program as a user who is not root; `None`, told, where that cannot be had.
fn as_a_user(space: &Space) -> Option<impl Fn(&str) -> Run> {
    const USER: [&str; 5] = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|said| said.stdout == b"0\n");
    let space_folder = space.path("");
    let as_user = move |arguments: &str| {
        let program = env!("CARGO_BIN_EXE_axzoo");
        let mut command = Command::new(if is_root { "setpriv" } else { program });
        if is_root {
            command.args(USER).arg(program);
        }
        command.args(arguments.split_whitespace()).current_dir(&space_folder).output().map(Run::from)
    };
    let is_given = !is_root
        || Command::new("chown").args(["-R", "65534:65534"]).arg(space.path("")).status().is_ok_and(|it| it.success());
    if !is_given || !as_user("--version").is_ok_and(|run| run.code == 0) {
        println!("skipped: root keeps nobody from anything, and no other user can be had here");
        return None;
    }
    Some(move |arguments: &str| as_user(arguments).expect("it runs"))
}

#[test]
fn folders_that_a_tool_made_read_only_are_in_nobodys_way() {
    for locked in ["mkdir d; touch d/x; chmod 555 d; ", "mkdir -p d/e; touch d/e/x; chmod 000 d/e; chmod 500 d .; "] {
        let space = zoo(&["a", "b"]);
        let settings = space.path("axzoo.toml");
        space.edit(&settings, "} > model.onnx", &format!("}} > model.onnx; {locked}exit 3"));
        let Some(run) = as_a_user(&space) else { return };
        run("build -j 1").expect_code(1).says("exit code 3");
        run("build -j 1").expect_code(1).says("exit code 3");
        run("cache verify").expect_code(0);
        space.edit(&settings, "exit 3", "exit 0");
        run("build -j 1").expect_code(0);
        assert!(run("build").expect_code(0).stdout.starts_with("up to date"));
        for command in ["cache verify", "cache gc", "clean all", "cache clear", "build"] {
            run(command).expect_code(0);
        }
        assert!(!space.path("cache/tmp").exists());
    }
}

#[test]
fn a_build_root_that_cannot_be_written_is_told_before_the_work() {
    let space = zoo(&["a", "b"]);
    fs::create_dir(space.path("build")).expect("created");
    let Some(run) = as_a_user(&space) else { return };
    let allow = |mode: &str, folder: &str| {
        assert!(Command::new("chmod").arg(mode).arg(space.path(folder)).status().is_ok_and(|status| status.success()));
    };
    allow("555", "build");
    let said = run("build").expect_code(1).says("cannot write `build`: permission denied");
    assert_eq!(said.stderr.matches("error").count(), 1, "{}", said.stderr);
    assert!(!space.path("cache/logs").exists(), "work was begun");
    allow("755", "build");
    run("build").expect_code(0);
    // What is there can be replaced, though nothing new can be put beside it.
    allow("555", "build");
    space.write("weights/a.onnx", "other weights");
    run("build").expect_code(0);
    allow("755", "build");
}

#[test]
fn a_file_that_cannot_be_removed_is_told_and_stops_nothing() {
    let space = zoo(&["a", "b"]);
    space.axzoo("build").expect_code(0);
    for name in ["a", "b"] {
        space
            .write(&format!("model_cards/{name}.yaml"), card(name, "      compilation_config: {aipu_cores_used: 2}\n"));
    }
    let Some(axzoo) = as_a_user(&space) else { return };
    let allow = |mode: u32| {
        let folder = space.path("build/a/a/1");
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).expect("permitted");
    };
    allow(0o555);
    let run = axzoo("build --format json").expect_code(1).says("remove_failed").says("build/a/a/1/model.json");
    assert_eq!(run.summary()["not_removed"], 2);
    assert!(!steps_with(&run.outcomes(), "ran").is_empty() && run.summary()["failed"] == 0);
    assert!(!space.path("build/b/b/1").exists(), "the left-overs of another network stayed");
    // It is known what was done, and the file is tried again each time.
    for _ in 0..2 {
        let run = axzoo("build --format json").expect_code(1);
        assert!(run.outcomes().values().all(|outcome| outcome == "up_to_date"), "{:?}", run.outcomes());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    axzoo("build").expect_code(1).says("2 files that nothing makes any more could not be removed");
    axzoo("clean all").expect_code(1).says("removed ").says("cannot remove `build/a/a/1/model.json`");
    assert_eq!(space.tree("build").len(), 2, "clean stopped at the first file");
    allow(0o755);
    axzoo("clean all").expect_code(0);
    assert!(!space.path("build/a").exists());
}

#[test]
fn a_left_over_that_became_something_else_is_gone() {
    let space = zoo(&["a", "b"]);
    space.axzoo("build").expect_code(0);
    for name in ["a", "b"] {
        space
            .write(&format!("model_cards/{name}.yaml"), card(name, "      compilation_config: {aipu_cores_used: 2}\n"));
    }
    // A folder where a file was, and a file where a folder was.
    fs::remove_file(space.path("build/a/a/1/model.json")).expect("removed");
    space.write("build/a/a/1/model.json/mine.txt", "mine");
    fs::remove_dir_all(space.path("build/b/b/1")).expect("removed");
    space.write("build/b/b/1", "mine");
    space.axzoo("build").expect_code(0);
    assert!(space.build("all").values().all(|outcome| outcome == "up_to_date"));
    space.axzoo("clean all").expect_code(0);
    assert_eq!(space.tree("build").into_keys().collect::<Vec<_>>(), ["a/a/1/model.json/mine.txt", "b/b/1"]);
}

#[test]
fn files_and_folders_of_axzoo_give_way_to_each_other() {
    let lower = |made: &str| format!("echo '{{}}' | tee manifest.json > model.json; {made}");
    let (file, folder) =
        (lower("echo x > extra"), lower("mkdir -p extra/deep; echo x | tee extra/deep/one > extra/two"));
    let space = with_command("lower", &file);
    space.axzoo("build").expect_code(0);
    let settings = space.path("axzoo.toml");
    let extra = space.path("build/a/a/1/extra");
    space.edit(&settings, &file, &folder);
    space.axzoo("build").expect_code(0);
    assert!(extra.join("deep/one").is_file());
    space.edit(&settings, &folder, &file);
    space.axzoo("build").expect_code(0);
    assert!(extra.is_file());
    space.edit(&settings, &file, &folder);
    space.axzoo("build").expect_code(0);
    // What is somebody else's keeps its place, and what is beside it.
    space.write("build/a/a/1/extra/deep/mine.txt", "mine");
    space.edit(&settings, &folder, &file);
    let before = space.tree("build/a/a/1/extra");
    space.axzoo("build").expect_code(1).says("build/a/a/1/extra");
    assert_eq!(space.tree("build/a/a/1/extra"), before);
    fs::remove_file(extra.join("deep/mine.txt")).expect("removed");
    space.axzoo("build").expect_code(0);
    assert!(extra.is_file());
}

#[test]
fn a_link_to_nothing_is_told_as_one() {
    for (folder, flag) in [("cache", "--cache"), ("build", "--build-root")] {
        let space = zoo(&["a"]);
        std::os::unix::fs::symlink("nowhere", space.path(folder)).expect("linked");
        for place in [String::new(), format!("{flag} {folder}/deep/er")] {
            let run = space.axzoo(&format!("build {place}")).expect_code(1);
            run.says(&format!("`{folder}`: it is a link to what does not exist")).says("hint: make the folder that it");
        }
        fs::create_dir(space.path("nowhere")).expect("made");
        space.axzoo("build").expect_code(0);
    }
}

/// Puts the zoo of a space into a folder of its own.
fn move_into(space: &Space, folder: &str) {
    let entries: Vec<_> = fs::read_dir(space.path("")).expect("readable").flatten().map(|entry| entry.path()).collect();
    fs::create_dir(space.path(folder)).expect("created");
    for path in entries {
        fs::rename(&path, space.path(folder).join(path.file_name().expect("a name"))).expect("moved");
    }
}

#[test]
fn a_zoo_that_was_moved_knows_its_left_overs() {
    let space = zoo(&["a", "b"]);
    space.axzoo("build").expect_code(0);
    move_into(&space, "moved");
    assert!(space.build("all -n -C moved").values().all(|outcome| outcome == "up_to_date"));
    space.write("moved/model_cards/a.yaml", card("a", "      compilation_config: {aipu_cores_used: 2}\n"));
    fs::remove_file(space.path("moved/model_cards/b.yaml")).expect("removed");
    space.axzoo("clean --stale -n -C moved").expect_code(0).says("of 1 network").says("build/b/b.zip");
    space.axzoo("build -C moved").expect_code(0);
    assert!(space.path("moved/build/a/a/2").exists() && !space.path("moved/build/a/a/1").exists());
    space.axzoo("clean --stale -C moved").expect_code(0).says("of 1 network");
    assert!(!space.path("moved/build/b").exists());
    let homes = fs::read_dir(space.path("moved/cache/builds")).expect("readable").count();
    assert_eq!(homes, 1, "what was known under the old path stayed");
}

/// Copies the zoo into a folder below it: what the user has, and some of what axzoo made.
fn copy_into(space: &Space, folder: &str, made: &[&str]) {
    fs::create_dir(space.path(folder)).expect("created");
    for part in ["model_cards", "weights", "data", "axzoo.toml"].iter().chain(made) {
        let done = Command::new("cp").args(["-r", part, folder]).current_dir(space.path("")).status();
        assert!(done.is_ok_and(|status| status.success()));
    }
}

#[test]
fn a_copy_of_a_zoo_is_not_the_zoo() {
    let space = zoo(&["a"]);
    space.axzoo("build").expect_code(0);
    copy_into(&space, "copy", &["cache", "build"]);
    let outcomes = space.build("all -C copy");
    assert!(steps_with(&outcomes, "ran").is_empty(), "{outcomes:?}");
    assert!(space.build("all").values().all(|outcome| outcome == "up_to_date"));
}

#[test]
fn zoos_that_share_a_cache_keep_apart() {
    let space = zoo(&["a", "b"]);
    for folder in ["z", "y"] {
        copy_into(&space, folder, &[]);
    }
    space.axzoo("build -C z --cache ../c").expect_code(0);
    fs::rename(space.path("z/build"), space.path("z/away")).expect("moved");
    fs::remove_file(space.path("y/model_cards/b.yaml")).expect("removed");
    space.write("y/build/b/b.zip", "mine");
    space.axzoo("build -C y --cache ../c").expect_code(0);
    space.axzoo("clean --stale -C y --cache ../c").expect_code(0);
    assert_eq!(space.read("y/build/b/b.zip"), "mine");
}

#[test]
fn results_of_a_zoo_that_one_may_not_look_into_stay() {
    let space = zoo(&["a"]);
    for folder in ["z", "y"] {
        copy_into(&space, folder, &[]);
    }
    space.write("y/model_cards/a.yaml", card("a", "      compilation_config: {aipu_cores_used: 2}\n"));
    let Some(axzoo) = as_a_user(&space) else { return };
    let set = |mode: u32| fs::set_permissions(space.path("z"), fs::Permissions::from_mode(mode)).expect("set");
    axzoo("build -C z --cache ../c").expect_code(0);
    set(0o000);
    axzoo("build -C y --cache ../c").expect_code(0);
    axzoo("cache gc -C y --cache ../c").expect_code(0);
    set(0o755);
    axzoo("build -C z --cache ../c").expect_code(0).says("up to date");
}

#[test]
fn a_trace_is_written_to_a_link_and_a_pipe_and_replaces_neither() {
    let space = zoo(&["a"]);
    space.write("real.json", "old");
    std::os::unix::fs::symlink("real.json", space.path("link.json")).expect("linked");
    space.axzoo("build --trace link.json").expect_code(0);
    assert!(space.path("link.json").is_symlink() && space.read("real.json").contains("traceEvents"));
    let made = Command::new("mkfifo").arg(space.path("pipe")).status();
    assert!(made.is_ok_and(|status| status.success()));
    let reader =
        Command::new("cat").arg(space.path("pipe")).stdout(std::process::Stdio::piped()).spawn().expect("started");
    space.axzoo("build --trace pipe").expect_code(0);
    let read = reader.wait_with_output().expect("ended").stdout;
    assert!(String::from_utf8_lossy(&read).contains("traceEvents"));
    assert!(space.path("pipe").exists() && !space.path("pipe").is_file());
}

#[test]
fn a_cache_of_a_check_that_was_killed_at_once_is_one() {
    let space = zoo(&["a"]);
    space.write("cache/.gitignore", "*\n");
    space.write("cache/.checked.jsonl.4000000-1.tmp", "half");
    space.axzoo("build").expect_code(0);
}

#[test]
fn what_killed_runs_wrote_half_goes() {
    let space = zoo(&["a"]);
    space.axzoo("build").expect_code(0);
    let home = fs::read_dir(space.path("cache/builds")).expect("readable").flatten().next().expect("one").path();
    let dead = [".journal-1.4000000-0.tmp", ".journal-1.index.4000000-3.tmp", ".checked.jsonl.4000000-1.tmp"];
    let of_home = [".state-1.4000000-1.tmp", ".stats-1.4000000-2.tmp", ".fresh-2.4000000-9.tmp"];
    let alive = format!(".checked.jsonl.{}-0.tmp", std::process::id());
    let others = [alive.as_str(), ".mine.4000000-0.tmp", ".journal-1.tmp"];
    let write = |folder: &Path, name: &str| fs::write(folder.join(name), "half").expect("written");
    for name in dead.iter().chain(&others) {
        write(&space.path("cache"), name);
    }
    for name in of_home {
        write(&home, name);
    }
    space.axzoo("cache verify").expect_code(0);
    assert!(dead.iter().all(|name| !space.path("cache").join(name).exists()));
    assert!(of_home.iter().all(|name| !home.join(name).exists()));
    assert!(others.iter().all(|name| space.path("cache").join(name).exists()));
}

#[test]
fn a_disk_that_fails_at_any_change_of_gc_and_clear_costs_no_result_that_is_left() {
    for care in ["cache gc", "cache clear"] {
        let (mut place, mut quiet) = (0, 0);
        while quiet < 3 {
            place += 1;
            assert!(place < 200, "faults do not end");
            let space = zoo(&["a", "b"]);
            space.axzoo("build").expect_code(0);
            fs::remove_file(space.path("model_cards/b.yaml")).expect("removed");
            let mut command = space.command(care);
            let run = Run::from(command.env("AXZOO_FAULT", format!("broken:{place}")).output().expect("it runs"));
            quiet = if run.code == 0 { quiet + 1 } else { 0 };
            let verified = space.axzoo("cache verify");
            assert_eq!(verified.code, 0, "{care}, broken at {place}: {}{}", run.stderr, verified.stdout);
        }
    }
}

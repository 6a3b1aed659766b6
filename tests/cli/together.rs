//! Several processes in one zoo at once: builds, and what looks after the store.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::process::Child;
use std::process::Stdio;
use std::time::Duration;

use crate::scripted::card;
use crate::scripted::zoo;
use crate::space::Space;

/// Four networks whose clean steps leave a line for each run, and fail when the same step runs at the same time.
fn watched_zoo() -> Space {
    let space = zoo(&["a", "b", "c", "d"]);
    let folder = space.path("watch");
    fs::create_dir(&folder).expect("created");
    let watch = format!(
        "clean = '{{ name=$(cksum < \"$AXZOO_INPUT_MODEL_MODEL_ONNX\" | tr -d \" \"); mkdir \"{0}/$name\" || exit 9; \
         echo $name >> \"{0}/runs\"; sleep 0.1; rmdir \"{0}/$name\"; ",
        folder.display()
    );
    space.edit(&space.path("axzoo.toml"), "clean = '{", &watch);
    space
}

fn start(space: &Space, arguments: &str) -> Child {
    space.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

fn runs(space: &Space) -> BTreeMap<String, usize> {
    let mut runs = BTreeMap::new();
    for line in fs::read_to_string(space.path("watch/runs")).unwrap_or_default().lines() {
        *runs.entry(line.to_owned()).or_default() += 1;
    }
    runs
}

#[test]
fn many_builds_at_once_all_end_well_and_do_each_step_once() {
    let alone = watched_zoo();
    alone.axzoo("build").expect_code(0);
    for count in [2, 8] {
        let space = watched_zoo();
        let builds: Vec<Child> = (0..count).map(|_| start(&space, "build -j 2")).collect();
        for mut build in builds {
            assert!(build.wait().expect("it ends").success(), "one of {count} builds failed");
        }
        let runs = runs(&space);
        assert!(runs.len() == 4 && runs.values().all(|&count| count == 1), "{count} builds: {runs:?}");
        assert!(space.tree("build") == alone.tree("build"), "{count} builds: other results");
        space.axzoo("cache verify").expect_code(0);
        assert!(space.build("all").values().all(|outcome| outcome == "up_to_date"));
    }
}

#[test]
fn whoever_looks_after_the_store_leaves_what_a_running_build_uses() {
    for care in ["cache gc", "cache verify", "cache stats", "clean --stale"] {
        let space = watched_zoo();
        let mut build = start(&space, "build -j 1");
        while runs(&space).is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        space.axzoo(care).expect_code(0);
        assert!(build.wait().expect("it ends").success(), "{care}");
        space.axzoo("cache verify").expect_code(0);
        assert!(space.build("all").values().all(|outcome| outcome == "up_to_date"), "{care}");
    }
}

#[test]
fn a_build_that_is_stopped_ends_its_commands_and_keeps_what_is_finished() {
    let space = watched_zoo();
    space.edit(&space.path("axzoo.toml"), "lower = '''", "lower = '''\nif [ -e \"$HOME/slow\" ]; then sleep 60; fi");
    space.write("slow", "");
    let home = space.path("").display().to_string();
    let mut build = space
        .command("build -j 2")
        .env("HOME", &home)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    while runs(&space).len() < 4 || !space.path("cache/logs/d/d/lower.log").exists() {
        assert!(build.try_wait().expect("asked").is_none(), "it ended too soon");
        std::thread::sleep(Duration::from_millis(10));
        if space.path("cache/logs/a/a/lower.log").exists() && runs(&space).len() == 4 {
            break;
        }
    }
    std::thread::sleep(Duration::from_millis(100));
    interrupt(&build);
    assert_eq!(build.wait().expect("it ends").code(), Some(130));
    fs::remove_file(space.path("slow")).expect("removed");
    let outcomes = space.build_with("all", &[("HOME", &home)]);
    assert_eq!(outcomes["a/a/clean"], "up_to_date", "{outcomes:?}");
    assert!(runs(&space).values().all(|&count| count == 1), "a finished step ran again");
}

fn interrupt(child: &Child) {
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("sent");
    assert!(killed.success());
}

#[test]
fn a_second_interrupt_ends_commands_that_do_not_listen() {
    let space = zoo(&["a"]);
    let alive = space.path("alive");
    let deaf =
        format!("clean = '{{ trap \"\" TERM INT; while true; do touch \"{}\"; sleep 0.02; done; ", alive.display());
    space.edit(&space.path("axzoo.toml"), "clean = '{", &deaf);
    let mut build = start(&space, "build");
    while !alive.exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    interrupt(&build);
    std::thread::sleep(Duration::from_millis(300));
    assert!(build.try_wait().expect("asked").is_none(), "the first interrupt waits for the command");
    interrupt(&build);
    assert_eq!(build.wait().expect("it ends").code(), Some(130));
    std::thread::sleep(Duration::from_millis(100));
    fs::remove_file(&alive).expect("it was there");
    std::thread::sleep(Duration::from_millis(200));
    assert!(!alive.exists(), "the command lives on");
}

#[test]
fn a_store_may_lie_on_another_file_system() {
    let memory = std::path::Path::new("/dev/shm");
    let Ok(folder) = tempfile::tempdir_in(memory) else {
        println!("skipped: there is no {}", memory.display());
        return;
    };
    let space = zoo(&["a"]);
    space.axzoo("build").expect_code(0);
    let good = space.tree("build");
    fs::remove_dir_all(space.path("build")).expect("removed");
    let cache = format!("--cache {}", folder.path().join("cache").display());
    space.axzoo(&format!("build {cache}")).expect_code(0);
    assert!(space.tree("build") == good);
    assert!(space.build(&format!("all {cache}")).values().all(|outcome| outcome == "up_to_date"));
}

/// A run that waits for a store which is held here, and that is stopped before it can take it.
struct Stopped {
    child: Child,
}

impl Stopped {
    fn before_the_lock(space: &Space, arguments: &str) -> Self {
        let lock = fs::OpenOptions::new().append(true).open(space.path("cache/lock")).expect("there was a run");
        lock.lock().expect("locked");
        let mut child =
            space.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut said = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        while !line.contains("waiting") {
            line.clear();
            assert!(said.read_line(&mut line).expect("text") > 0, "{arguments}: it does not wait");
        }
        let stopped = Self { child };
        stopped.signal("STOP");
        let stat = format!("/proc/{}/stat", stopped.child.id());
        while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") T ")) {
            std::thread::sleep(Duration::from_millis(5));
        }
        // What it says later has to go somewhere.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        stopped
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args([&format!("-{name}"), &id]).status().expect("sent").success());
    }

    fn goes_on(mut self) -> Option<i32> {
        self.signal("CONT");
        self.child.wait().expect("it ends").code()
    }
}

#[test]
fn what_another_run_changed_while_a_build_waited_is_built() {
    let others = ["clean all", "build --set quantization_scheme=per_tensor_min_max", "cache clear"];
    for other in others {
        let space = zoo(&["a", "b", "c"]);
        space.axzoo("build").expect_code(0);
        let good = space.tree("build");
        std::thread::sleep(Duration::from_millis(50));
        assert!(space.build("all").values().all(|outcome| outcome == "up_to_date"));
        // One card is looked at; the others are remembered.
        space.write("model_cards/a.yaml", card("a", "").replace("a network", "the first network"));
        let stopped = Stopped::before_the_lock(&space, "build");
        space.axzoo(other).expect_code(0);
        assert_eq!(stopped.goes_on(), Some(0), "{other}");
        for (name, bytes) in good.iter().filter(|(name, _)| !name.starts_with("a/") && !name.starts_with("a.")) {
            assert!(space.tree("build").get(name) == Some(bytes), "{other}: {name} is not what the card says");
        }
        assert!(space.axzoo("list").expect_code(0).says("fresh").stdout.lines().all(|line| !line.contains("stale")));
        assert!(space.build("all").values().all(|outcome| outcome == "up_to_date"), "{other}");
    }
}

#[test]
fn cards_that_came_while_somebody_waited_keep_their_results() {
    for care in ["cache gc", "clean --stale"] {
        let space = zoo(&["a"]);
        space.axzoo("build").expect_code(0);
        let stopped = Stopped::before_the_lock(&space, care);
        let settings = "      compilation_config: {quantization_scheme: per_tensor_min_max}\n";
        space.write("model_cards/late.yaml", card("late", settings));
        space.write("weights/late.onnx", "late weights");
        space.axzoo("build late").expect_code(0);
        let built = space.tree("build");
        assert_eq!(stopped.goes_on(), Some(0), "{care}");
        assert!(space.tree("build") == built, "{care} removed the files of a card");
        fs::remove_dir_all(space.path("build")).expect("removed");
        let outcomes = space.build("all");
        assert!(outcomes.values().all(|outcome| outcome != "ran"), "{care}: {outcomes:?}");
    }
}

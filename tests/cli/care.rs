//! `clean` and `cache`: what they remove, what they leave, and that the next build is right.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::scripted::{card, zoo};
use crate::space::{Space, steps_with};

fn built() -> Space {
    let space = Space::only("digits");
    space.axzoo("build").expect_code(0);
    space
}

/// Removes a card for good; there is another one, of what was never built.
fn without_card(space: &Space) {
    fs::rename(space.path("model_cards/digits.yaml"), space.path("digits.away")).expect("moved");
    space.write("model_cards/another.yaml", card("another", ""));
}

fn with_card(space: &Space) {
    fs::rename(space.path("digits.away"), space.path("model_cards/digits.yaml")).expect("moved back");
}

fn artifacts(space: &Space) -> Vec<PathBuf> {
    space.tree("cache/blobs").keys().map(|name| space.path("cache/blobs").join(name)).collect()
}

#[test]
fn clean_removes_what_was_built_and_nothing_else_and_a_build_restores_it() {
    let space = built();
    let before = space.tree("build");
    space.write("build/digits/notes.txt", "mine");
    space.axzoo("clean all -n").expect_code(0).says("would remove").says("build/digits/");
    assert_eq!(space.tree("build").len(), before.len() + 1, "a dry run removed something");
    space.axzoo("clean digits").expect_code(0).says("of 1 network");
    let left = space.tree("build");
    assert_eq!(left.keys().collect::<Vec<_>>(), ["digits/notes.txt"]);
    fs::remove_file(space.path("build/digits/notes.txt")).expect("removed");
    let outcomes = space.build("all");
    assert!(steps_with(&outcomes, "ran").is_empty(), "{outcomes:?}");
    assert_eq!(space.tree("build"), before);
}

#[test]
fn clean_stale_removes_the_results_of_cards_that_are_gone() {
    let space = built();
    space.axzoo("clean --stale").expect_code(0).says("removed 0 files");
    without_card(&space);
    space.axzoo("clean --stale").expect_code(0).says("of 1 network");
    assert!(space.tree("build").is_empty());
}

#[test]
fn clean_names_what_has_no_results() {
    let space = built();
    space.axzoo("clean digist").expect_code(2).says("no network `digist` has results").says("`digits`");
    space.axzoo("clean").expect_code(2);
    space.axzoo("clean 'dig*'").expect_code(2);
    space.axzoo("clean dig*").expect_code(0).says("of 1 network");
    space.axzoo("clean all").expect_code(0).says("removed 0 files");
}

#[test]
fn gc_leaves_what_the_cards_need_also_when_they_went_back_to_an_older_state() {
    let space = built();
    let config = space.path("configs/digits.toml");
    space.edit(&config, "resources_used = 0.25", "resources_used = 0.5");
    space.axzoo("build").expect_code(0);
    let all = artifacts(&space).len();
    // Back, and not built since: the older results are what the card needs; the newer are the last ones of the build root.
    space.edit(&config, "resources_used = 0.5", "resources_used = 0.25");
    space.axzoo("cache gc").expect_code(0).says("removed 0 results");
    assert!(steps_with(&space.build("all"), "ran").is_empty());
    space.axzoo("cache gc -n").expect_code(0).says("would remove");
    assert_eq!(artifacts(&space).len(), all);
    space.axzoo("cache gc --max-age 1h").expect_code(0).says("removed 0 results");
    space.axzoo("cache gc --max-size 1GB").expect_code(0).says("removed 0 results");
    space.axzoo("cache gc --max-size 1KB").expect_code(0);
    assert!(artifacts(&space).len() < all);
    assert!(space.build("all").values().all(|outcome| outcome == "up_to_date"));
    space.edit(&config, "resources_used = 0.25", "resources_used = 0.5");
    assert!(!steps_with(&space.build("all"), "ran").is_empty(), "what was removed is still taken for there");
    assert_eq!(space.axzoo("why all").code, 0);
}

#[test]
fn gc_drops_networks_whose_cards_are_gone_and_those_of_other_zoos_stay() {
    let space = built();
    let other = Space::only("digits-minmax");
    let cache = space.path("cache");
    other.axzoo(&format!("build --cache {}", cache.display())).expect_code(0);
    without_card(&space);
    space.axzoo("cache gc").expect_code(0);
    let outcomes = other.build(&format!("all --force --cache {}", cache.display()));
    assert!(!outcomes.is_empty());
    fs::remove_dir_all(other.path("build")).expect("removed");
    let outcomes = other.build(&format!("all --cache {}", cache.display()));
    assert!(steps_with(&outcomes, "ran").is_empty(), "another zoo's results are gone: {outcomes:?}");
    with_card(&space);
    assert!(!steps_with(&space.build("all"), "ran").is_empty());
}

#[test]
fn gc_keeps_nothing_for_a_build_root_that_is_gone() {
    let space = built();
    let config = space.path("configs/digits.toml");
    space.edit(&config, "resources_used = 0.25", "resources_used = 0.5");
    space.axzoo("build --build-root elsewhere").expect_code(0);
    let elsewhere = space.tree("elsewhere");
    space.edit(&config, "resources_used = 0.5", "resources_used = 0.25");
    space.axzoo("cache gc").expect_code(0).says("removed 0 results");
    fs::remove_dir_all(space.path("elsewhere")).expect("removed");
    let all = artifacts(&space).len();
    space.axzoo("cache gc").expect_code(0);
    assert!(artifacts(&space).len() < all, "a build root that is gone keeps its results");
    assert!(space.build("all").values().all(|outcome| outcome == "up_to_date"));
    space.edit(&config, "resources_used = 0.25", "resources_used = 0.5");
    assert!(!steps_with(&space.build("all --build-root elsewhere"), "ran").is_empty());
    assert_eq!(space.tree("elsewhere"), elsewhere);
}

#[test]
fn verify_finds_a_flipped_bit_and_the_next_build_heals_it() {
    let space = built();
    let before = space.tree("build");
    space.axzoo("cache verify").expect_code(0).says("all sound");
    let victim =
        artifacts(&space).into_iter().max_by_key(|path| fs::metadata(path).expect("there").len()).expect("one");
    let mut bytes = fs::read(&victim).expect("readable");
    bytes[100] ^= 1;
    fs::remove_file(&victim).expect("removed");
    fs::write(&victim, bytes).expect("damaged");
    space.axzoo("cache verify").expect_code(1).says("1 damaged");
    assert!(!victim.exists());
    space.axzoo("cache verify").expect_code(0).says("all sound");
    let outcomes = space.build("all");
    assert!(!steps_with(&outcomes, "ran").is_empty(), "{outcomes:?}");
    assert!(victim.exists());
    assert_eq!(space.tree("build"), before);
}

#[test]
fn clear_leaves_results_known_as_axzoos_own() {
    let space = built();
    let before = space.tree("build");
    space.axzoo("cache clear").expect_code(0);
    assert!(artifacts(&space).is_empty());
    assert!(!space.path("cache/logs").exists());
    assert_eq!(space.tree("build"), before);
    without_card(&space);
    space.axzoo("clean --stale").expect_code(0).says("of 1 network");
    with_card(&space);
    assert!(!steps_with(&space.build("all"), "ran").is_empty());
    assert_eq!(space.tree("build"), before);
}

#[test]
fn stats_add_up_to_what_lies_there() {
    let space = built();
    space.write("cache/foreign.txt", "mine");
    let run = space.axzoo("cache stats --format json").expect_code(0);
    let found: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let files = space.tree("cache");
    let bytes: u64 = files.values().map(|bytes| bytes.len() as u64).sum();
    assert_eq!(found["total"]["files"], files.len());
    assert_eq!(found["total"]["bytes"], bytes);
    assert_eq!(found["other_files"]["bytes"], 4);
    assert_eq!(found["artifacts"]["files"], artifacts(&space).len());
    space.axzoo("cache stats").expect_code(0).says("artifacts").says("results in `cache`");
    for arguments in ["cache stats", "cache gc", "cache clear"] {
        space.axzoo(arguments).expect_code(0);
        let run = space.axzoo("cache stats --format json").expect_code(0);
        let found: Value = serde_json::from_str(&run.stdout).expect("JSON");
        let counted = Command::new("du").args(["-s", "-B1"]).arg(space.path("cache")).output();
        let Ok(counted) = counted else { return };
        let counted = String::from_utf8_lossy(&counted.stdout).into_owned();
        assert_eq!(found["on_disk"].to_string(), counted.split_whitespace().next().unwrap_or_default(), "{arguments}");
    }
    Space::only("digits").axzoo("cache stats").expect_code(0).says("0 results");
}

#[test]
fn flags_that_would_have_no_effect_are_refused() {
    let space = built();
    for arguments in
        ["cache stats --board m2", "cache clear --strict", "clean all --cards model_cards", "clean all --stale"]
    {
        space.axzoo(arguments).expect_code(2);
    }
    // A folder of cards without this one: its results belong to nobody then.
    space.write("others/another.yaml", card("another", ""));
    space.axzoo("clean --stale -n --cards others").expect_code(0).says("of 1 network");
    space.axzoo("clean --stale -n --cards model_cards").expect_code(0).says("of 0 networks");
}

#[test]
fn cards_that_are_not_found_cost_no_results() {
    let space = zoo(&["a", "b"]);
    space.axzoo("build").expect_code(0);
    let (built, cache) = (space.tree("build"), space.tree("cache/blobs"));
    let both = |cards: &str, said: &str| {
        for command in ["cache gc", "clean --stale"] {
            let run = space.axzoo(&format!("{command}{cards}"));
            run.expect_code(1).says(said).says("it is not known which networks are gone");
        }
        assert_eq!((space.tree("build"), space.tree("cache/blobs")), (built.clone(), cache.clone()));
    };
    both(" --cards model_card", "the folder of cards `model_card` does not exist");
    fs::rename(space.path("model_cards"), space.path("away")).expect("renamed");
    both("", "the folder of cards `model_cards` does not exist");
    // As where nothing is mounted.
    fs::create_dir(space.path("model_cards")).expect("created");
    both("", "there is no card in `model_cards`");
    fs::remove_dir(space.path("model_cards")).expect("removed");
    fs::rename(space.path("away"), space.path("model_cards")).expect("renamed back");
    // One of several folders, or a link to one.
    fs::create_dir(space.path("more")).expect("created");
    both(" --cards model_cards --cards more", "there is no card in `more`");
    std::os::unix::fs::symlink("../far", space.path("model_cards/far")).expect("linked");
    both("", "the link `model_cards/far` leads to nothing");
}

#[test]
fn clean_takes_the_path_of_a_card_for_its_network_only() {
    let space = zoo(&["a", "all"]);
    space.axzoo("build").expect_code(0);
    space.axzoo("clean -n model_cards/all.yaml").expect_code(0).says("of 1 network");
    space.axzoo("clean -n all").expect_code(0).says("of 2 networks");
    // A card of another zoo says nothing of this one's networks.
    space.write("elsewhere/b.yaml", card("a", ""));
    space.axzoo("clean -n elsewhere/b.yaml").expect_code(2);
}

#[test]
fn zoos_that_share_build_root_and_cache_keep_each_others_results() {
    let (one, other) = (zoo(&["a"]), zoo(&["b"]));
    let shared = format!("--build-root {0}/build --cache {0}/cache", one.path(".").display());
    one.axzoo(&format!("build {shared}")).expect_code(0);
    other.axzoo(&format!("build {shared}")).expect_code(0);
    let built = one.tree("build");
    one.axzoo(&format!("clean --stale {shared}")).expect_code(1).says("builds into").says("whose results are stale");
    one.axzoo(&format!("cache gc {shared}")).expect_code(0).says("removed 0 results").says("builds into");
    assert_eq!(one.tree("build"), built);
    for zoo in [&one, &other] {
        zoo.axzoo(&format!("build {shared}")).expect_code(0).says("up to date");
    }
    // A zoo that is gone has no results to keep.
    drop(other);
    one.axzoo(&format!("clean --stale {shared}")).expect_code(0).says("of 1 network");
}

#[test]
fn checkouts_of_one_zoo_that_share_build_root_and_cache_know_of_each_other() {
    let space = Space::empty();
    for place in ["main", "tree"] {
        let one = zoo(&["a", "b"]);
        for (file, bytes) in one.tree("") {
            space.write(&format!("{place}/{file}"), bytes);
        }
    }
    // However the build root is written; and the second has nothing to do.
    let shared = |place: &str| format!("-C {place} --build-root ../{place}/../build --cache ../cache");
    space.axzoo(&format!("build {}", shared("main"))).expect_code(0);
    space.axzoo(&format!("build {}", shared("tree"))).expect_code(0).says("up to date");
    fs::remove_file(space.path("main/model_cards/b.yaml")).expect("removed");
    space.axzoo(&format!("clean --stale {}", shared("main"))).expect_code(1).says("builds into");
    space.axzoo(&format!("cache gc {}", shared("main"))).expect_code(0).says("removed 0 results");
    space.axzoo(&format!("build {}", shared("tree"))).expect_code(0).says("up to date");
}

//! Files with names that are no text, and what a step writes that is no file.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::scripted::{card, with_command, zoo};
use crate::space::Space;

fn path(space: &Space, name: &[u8]) -> PathBuf {
    space.path("").join(OsStr::from_bytes(name))
}

#[test]
fn cards_whose_names_are_no_text_are_all_there() {
    let space = zoo(&["a", "b", "c"]);
    for (name, file) in [("a", &b"model_cards/x\xfe.yaml"[..]), ("b", b"model_cards/x\xff.yaml")] {
        fs::rename(space.path(&format!("model_cards/{name}.yaml")), path(&space, file)).expect("renamed");
    }
    for _ in 0..2 {
        space.axzoo("check").says("checked 3 networks");
        let outcomes = space.build("all");
        assert!(["a", "b", "c"].iter().all(|name| outcomes.contains_key(&format!("{name}/-/bundle"))), "{outcomes:?}");
    }
    fs::write(path(&space, b"model_cards/x\xfe.yaml"), "name: a\nmodels: [\n").expect("written");
    space.axzoo("check").expect_code(1).says("model_cards/x\\xfe.yaml");
}

#[test]
fn an_image_whose_name_is_no_text_is_told_before_the_work() {
    for name in [&b"data/pictures/\xff.png"[..], b"data/pictures/\xff/one.png"] {
        let space = zoo(&["a"]);
        let image = path(&space, name);
        fs::create_dir_all(image.parent().expect("a folder")).expect("made");
        fs::write(&image, "a picture").expect("written");
        let run =
            space.axzoo("build").expect_code(1).says("`data/pictures`: the name `\\xff").says("in it is not UTF-8");
        run.says("hint: rename it").says("model_cards/a.yaml:");
        assert!(!space.path("cache/logs").exists(), "work was begun");
        // What is no image is nobody's business.
        fs::rename(&image, image.with_extension("txt")).expect("renamed");
        space.axzoo("build").expect_code(0);
    }
}

#[test]
fn an_output_that_is_no_file_with_a_name_is_refused() {
    let cases = [
        ("mkfifo pipe", "the output `pipe` is no regular file"),
        ("ln -s model.json link", "the output `link` is a symbolic link"),
        ("ln -s nowhere link", "the output `link` is a symbolic link"),
        ("mkdir d; ln -s d link", "the output `link` is a symbolic link"),
        ("touch \"$(printf 'n\\377')\"", "the output `n\\xff` has a name that is not UTF-8"),
    ];
    for (command, says) in cases {
        let space = with_command("lower", &format!("echo '{{}}' | tee manifest.json > model.json; {command}"));
        space.axzoo("build").expect_code(1).says(says).says("a step writes regular files only");
    }
}

#[test]
fn a_card_is_a_target_by_every_path_that_leads_to_it() {
    let space = zoo(&["a", "b"]);
    symlink(space.path(""), space.path("zoo-again")).expect("linked");
    space.write("elsewhere/c.yaml", card("c", ""));
    symlink("../elsewhere/c.yaml", space.path("model_cards/linked.yaml")).expect("linked");
    let cases = [
        ("model_cards/../model_cards/a.yaml", "a"),
        ("./model_cards/./a.yaml", "a"),
        ("zoo-again/model_cards/a.yaml", "a"),
        ("zoo-again/model_cards/../model_cards/b.yaml", "b"),
        ("model_cards/linked.yaml", "c"),
        ("zoo-again/model_cards/linked.yaml", "c"),
    ];
    for (target, network) in cases {
        for target in [target.to_owned(), space.path(target).display().to_string()] {
            let outcomes = space.build(&format!("{target} -n"));
            assert!(outcomes.keys().all(|step| step.starts_with(&format!("{network}/"))), "{target}: {outcomes:?}");
        }
    }
    space.write("broken.yaml", "name: [");
    space.axzoo("build broken.yaml").expect_code(2).says("`broken.yaml` is none of the zoo's cards");
    space.write("model_cards/broken.yaml", "name: broken\nmodels: [\n");
    space.axzoo("build zoo-again/model_cards/broken.yaml").expect_code(1).says("model_cards/broken.yaml:");
}

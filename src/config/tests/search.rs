//! Where a name in `compiler_config_file` leads.

use super::super::Device;
use super::super::ListedConfig;
use super::super::resolver::Resolver;
use super::Zoo;
use super::lines;
use super::somewhere;
use crate::base::fs;

const MODELS: &str = "axelera/compiler/config/models";

#[test]
fn the_first_place_wins() {
    // The files that exist, and which of them `a.toml` means.
    let places = [
        "cards/a.toml".to_owned(),
        "configs/a.toml".to_owned(),
        format!("sdk/{MODELS}/a.toml"),
        format!("sdk/lib/python3.10/site-packages/{MODELS}/a.toml"),
        format!("sdk/venv/lib/python3.11/site-packages/{MODELS}/a.toml"),
        format!("sdk/.venv/lib/python3.12/site-packages/{MODELS}/a.toml"),
    ];
    for first in 0..places.len() {
        let files: Vec<(&str, String)> = places[first..]
            .iter()
            .enumerate()
            .map(|(index, place)| (place.as_str(), format!("tiling_depth = {}\n", first + index + 10)))
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(place, text)| (*place, text.as_str())).collect();
        let zoo = Zoo::new(Device::default(), &files);
        let resolution = zoo.resolve("compiler_config_file: a.toml\n", &[]);
        assert_eq!(lines(&resolution.diagnostics), Vec::<String>::new());
        let origin = resolution.config.get("tiling_depth").expect("there").origin.to_string();
        assert_eq!(origin, format!("toml {}:1:16", places[first]));
    }
}

#[test]
fn a_name_with_a_folder_is_relative_to_the_card_and_nothing_else() {
    let zoo = Zoo::new(
        Device::default(),
        &[("configs/a.toml", "tiling_depth = 2\n"), ("cards/sub/b.toml", "tiling_depth = 3\n")],
    );
    let origin = |card: &str| zoo.resolve(card, &[]).config.get("tiling_depth").expect("there").origin.to_string();
    assert_eq!(origin("compiler_config_file: ../configs/a.toml\n"), "toml configs/a.toml:1:16");
    assert_eq!(origin("compiler_config_file: sub/b.toml\n"), "toml cards/sub/b.toml:1:16");
    assert_eq!(origin("compiler_config_file: ./a.toml\n"), "default");
    let absolute = zoo.folder.path().join("configs/a.toml");
    assert_eq!(origin(&format!("compiler_config_file: {}\n", absolute.display())), "toml configs/a.toml:1:16");
}

#[test]
fn a_missing_file_names_every_place_and_the_nearest_names() {
    let sdk = format!("sdk/{MODELS}/yolo11n.toml");
    let zoo = Zoo::new(Device::default(), &[("configs/yolov8n.toml", ""), (sdk.as_str(), ""), ("cards/x.yaml", "")]);
    let resolution = zoo.resolve("compiler_config_file: yolo8n.toml\n", &[]);
    assert_eq!(
        lines(&resolution.diagnostics),
        ["error config/missing-file 1:23: there is no config file `yolo8n.toml`"]
    );
    assert_eq!(
        resolution.diagnostics[0].hint.as_deref(),
        Some(
            "did you mean `yolov8n.toml` or `yolo11n.toml`?\n\
             looked in `cards`, `configs`, `sdk/axelera/compiler/config/models`"
        )
    );
    assert_eq!(resolution.files, Vec::<std::path::PathBuf>::new());

    let mut zoo = Zoo::new(Device::default(), &[("cards/x.yaml", "")]);
    zoo.resolver.search.sdk_roots.clear();
    let hint = |card: &str| zoo.resolve(card, &[]).diagnostics[0].hint.clone().unwrap_or_default();
    assert_eq!(
        hint("compiler_config_file: yolo11n.toml\n"),
        "looked in `cards`, `configs`; no SDK is known, `--sdk` names one"
    );
    assert_eq!(hint("compiler_config_file: ./yolo11n.toml\n"), "looked at `cards/yolo11n.toml`");
}

#[test]
fn a_folder_a_foreign_encoding_and_an_empty_name_are_errors() {
    let zoo = Zoo::new(Device::default(), &[("cards/folder.toml/inside", ""), ("cards/x.yaml", "")]);
    fs::write(&zoo.folder.path().join("cards/latin.toml"), b"# ok\nmodel_name = \"\xe4\"\n").expect("written");
    for (name, expected) in [
        ("folder.toml", "error config/not-a-file 1:23: expected a TOML file, found the folder `cards/folder.toml`"),
        ("latin.toml", "error config/not-utf8 2:15: `cards/latin.toml` is not UTF-8: here is a byte that is no text"),
        ("''", "error config/missing-file 1:23: `compiler_config_file` names no file"),
    ] {
        let resolution = zoo.resolve(&format!("compiler_config_file: {name}\n"), &[]);
        assert_eq!(lines(&resolution.diagnostics), [expected]);
    }
}

#[test]
fn listed_configs_say_which_ones_are_hidden() {
    let sdk = format!("sdk/{MODELS}/a.toml");
    let zoo = Zoo::new(Device::default(), &[("configs/a.toml", ""), ("configs/note.txt", ""), (sdk.as_str(), "")]);
    let listed = zoo.resolver.search.list_configs(None);
    let shown = |listed: &[ListedConfig]| -> Vec<(String, &str, Option<String>)> {
        listed.iter().map(|it| (it.display.clone(), it.source.word(), it.hidden_by.clone())).collect()
    };
    let winner = || Some("configs/a.toml".to_owned());
    assert_eq!(shown(&listed), [("configs/a.toml".to_owned(), "zoo", None), (sdk.clone(), "sdk", winner())]);
    fs::write_atomic(&zoo.folder.path().join("cards/a.toml"), b"").expect("written");
    let folder = zoo.folder.path().join("cards");
    let winner = || Some("cards/a.toml".to_owned());
    assert_eq!(
        shown(&zoo.resolver.search.list_configs(Some(&folder))),
        [
            ("cards/a.toml".to_owned(), "card", None),
            ("configs/a.toml".to_owned(), "zoo", winner()),
            (sdk.clone(), "sdk", winner())
        ]
    );
    assert_eq!(zoo.resolver.search.places(Some(&folder)), ["cards", "configs", "sdk/axelera/compiler/config/models"],);
}

#[test]
fn a_file_is_read_once() {
    let zoo = Zoo::new(Device::default(), &[("configs/a.toml", "tiling_depth = 2\n")]);
    let first = zoo.resolve("compiler_config_file: a.toml\n", &[]);
    fs::write(&zoo.folder.path().join("configs/a.toml"), b"tiling_depth = 3\n").expect("written");
    let second = zoo.resolve("compiler_config_file: a.toml\n", &[]);
    assert_eq!(first.config, second.config);
    let fresh = Resolver::new(zoo.resolver.search.clone(), Device::default());
    let request = super::Request {
        card_folder: zoo.folder.path().to_owned(),
        compiler_config_file: Some(("a.toml".to_owned(), somewhere())),
        ..super::Request::default()
    };
    assert_eq!(super::traced(&fresh.resolve(&request).config, "tiling_depth"), "3 toml > 1 default");
}

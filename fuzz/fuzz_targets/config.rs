//! Any text as a compiler configuration: as a TOML file, and as a block in a card. No panic, and what was taken from it can
//! be written as TOML that is taken again with the same meaning.
#![no_main]

use std::cell::OnceCell;
use std::fs;

use axzoo::config::Device;
use axzoo::config::Request;
use axzoo::config::Resolver;
use axzoo::config::SearchPath;
use axzoo::diag::Style;
use axzoo::diag::Place;
use axzoo::diag::Severity;
use axzoo::diag::Source;
use axzoo::diag::Span;
use axzoo::diag::render;
use axzoo::yaml;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
}

fn resolver(root: &std::path::Path) -> Resolver {
    let search = SearchPath { root: root.to_owned(), config_folders: vec![root.to_owned()], ..SearchPath::default() };
    Resolver::new(search, Device::default())
}

fuzz_target!(|bytes: &[u8]| {
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| tempfile::tempdir_in("/dev/shm").expect("a folder in memory"));
        let root = folder.path();
        fs::write(root.join("a.toml"), bytes).expect("written");
        let card = Source::new("card.yaml", "compiler_config_file: a.toml\n");
        let place = Place::new(&card, Span::new(22, 28));
        let request = |file: bool| Request {
            network: "net",
            model: "model",
            card_folder: root.to_owned(),
            compiler_config_file: file.then(|| ("a.toml".to_owned(), place.clone())),
            ..Request::default()
        };
        let resolution = resolver(root).resolve(&request(true));
        for problem in &resolution.diagnostics {
            let _ = render(problem, Style::default());
        }
        if resolution.diagnostics.iter().all(|problem| problem.severity != Severity::Error) {
            fs::write(root.join("a.toml"), resolution.config.to_toml()).expect("written");
            let again = resolver(root).resolve(&request(true)).config;
            // Absolute folders of this machine are left out of what is written.
            assert!(resolution.config.packaged().eq(again.packaged()), "{}", resolution.config.to_toml());
        }
        if let Ok(text) = std::str::from_utf8(bytes) {
            let source = Source::new("block.yaml", text);
            if let Ok(node) = yaml::parse(&source) {
                let request = Request { inline: Some((&node, &source)), ..request(false) };
                for problem in &resolver(root).resolve(&request).diagnostics {
                    let _ = render(problem, Style::default());
                }
            }
        }
    });
});

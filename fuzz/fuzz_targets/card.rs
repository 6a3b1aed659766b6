//! Any bytes as a model card: read, merged with its templates, resolved, put on a device, checked. No panic, and
//! every problem can be shown.
#![no_main]

use std::cell::OnceCell;
use std::fs;
use std::path::PathBuf;

use axzoo::cards::CatalogOptions;
use axzoo::cards::read_catalog;
use axzoo::check::check_card;
use axzoo::diag::Style;
use axzoo::diag::render;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
}

fuzz_target!(|card: &[u8]| {
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| tempfile::tempdir_in("/dev/shm").expect("a folder in memory"));
        let root = folder.path().to_owned();
        let file = root.join("a.yaml");
        fs::write(&file, card).expect("written");
        let catalog = read_catalog(&CatalogOptions {
            root: root.clone(),
            card_roots: vec![PathBuf::from(".")],
            data_root: root.join("data"),
            ..CatalogOptions::default()
        });
        for card in &catalog.cards {
            for problem in check_card(card, None) {
                let _ = render(&problem, Style::default());
            }
        }
        for problem in &catalog.problems {
            let _ = render(problem, Style::default());
        }
    });
});

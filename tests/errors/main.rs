//! A folder for each code: `tests/errors/SUBJECT/NAME/` holds the files of a small zoo, what is typed in it
//! (`command.txt`, otherwise `check`), and what the program then writes to standard error (`expected.txt`).
//! `AXZOO_ACCEPT=1 cargo test --test errors` writes what was said anew.
#![expect(clippy::disallowed_methods, reason = "tests look at files directly")]
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod case;
mod formats;

use std::collections::BTreeSet;
use std::sync::Mutex;

use axzoo::diag::catalogue;

use crate::case::Case;

/// Cases that run at a time.
const THREADS: usize = 2;

#[test]
fn every_code_has_a_folder_that_provokes_it() {
    let cases: BTreeSet<String> = Case::all().into_iter().map(|case| case.code).collect();
    let mut wrong = Vec::new();
    for entry in catalogue::all() {
        match (entry.no_case, cases.contains(entry.code)) {
            (None, false) => wrong.push(format!("{}: add the folder tests/errors/{}", entry.code, entry.code)),
            (Some(_), true) => wrong.push(format!("{}: has a folder, so its row needs no reason for none", entry.code)),
            _ => {}
        }
    }
    let unknown = cases.iter().filter(|code| catalogue::find(code).is_none());
    wrong.extend(unknown.map(|code| format!("{code}: a folder for a code that has no row in src/diag/catalogue")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_said_is_what_was_accepted() {
    let waiting = Mutex::new(Case::all());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("no thread panics with it").pop();
                    let Some(case) = next else { break };
                    let found = case.differences();
                    wrong.lock().expect("no thread panics with it").extend(found);
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().expect("no thread panics with it");
    wrong.sort();
    assert!(wrong.is_empty(), "`AXZOO_ACCEPT=1 cargo test --test errors` accepts:\n\n{}", wrong.join("\n\n"));
}

//! Reads files as a build with an empty stat index does: their digests, found on all cores. `benches/engine.sh` holds it beside b3sum.
//!
//!     cargo bench --bench hashing -- FILE…
#![expect(clippy::print_stdout, reason = "a benchmark says what it measured")]

use std::path::PathBuf;
use std::time::Instant;

use axzoo::store::StatIndex;

fn main() {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).filter(|word| word != "--bench").map(PathBuf::from).collect();
    let began = Instant::now();
    let seen = StatIndex::default().look_all(&files);
    let took = began.elapsed();
    let bytes: u64 = seen.iter().flatten().map(|seen| seen.stat.size).sum();
    println!("{} files, {bytes} bytes in {} ms", seen.iter().flatten().count(), took.as_millis());
}

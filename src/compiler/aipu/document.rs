//! `docs/aipu.md`: the table, for readers.

use std::fmt::Write;

use crate::compiler::aipu::table;

/// The text of `docs/aipu.md`, made from the table. A test fails when the committed file differs.
#[must_use]
pub fn document() -> String {
    let (opsets, older) = (table::OPSETS, table::CONVERTED_OPSETS);
    let mut text = format!(
        "# Operators of the AIPU\n\n\
         <!-- Made from src/compiler/aipu/table.rs; `AXZOO_ACCEPT=1 cargo test --lib aipu` writes it anew. -->\n\n\
         What the AIPU accelerates, after the vendor's published constraints, for opsets {} to {}; the vendor's compiler\n\
         converts models of opsets {} to {} up where the operators' meaning allows. `axzoo check` holds every ONNX model\n\
         whose weights are there against this table.\n\n\
         An operator that is not listed, or that does not meet its condition, can run on the host before or after the part\n\
         that the AIPU runs; in the middle of that part it is refused. The middle is what has accelerated layers (Conv,\n\
         ConvTranspose, Gemm) before it and more than a hundredth of the network's multiplications behind it. With\n\
         `run_graph_cleaner: false` nothing is left to the host. A build judges the cleaned graph, in which more may be\n\
         accelerated, and cuts it there: see `docs/design/graph-split.md`. What the embedded compiler reads is another\n\
         list, `docs/operators.md`.\n\n\
         | operator | accelerated when |\n|---|---|\n",
        opsets.start(),
        opsets.end(),
        older.start(),
        older.end(),
    );
    for row in table::rows() {
        let ways: Vec<String> = row
            .ways
            .iter()
            .map(|way| way.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
            .map(|way| if way.is_empty() { "always".to_owned() } else { way })
            .collect();
        let names: Vec<&str> = std::iter::once(row.operator).chain(row.former_names.iter().copied()).collect();
        let _ = writeln!(text, "| {} | {} |", names.join(", "), ways.join(" **or** "));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::fs;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "AXZOO_ACCEPT is the tests' own switch")]
    fn the_committed_document_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/aipu.md");
        if std::env::var("AXZOO_ACCEPT").is_ok() {
            fs::write_atomic(&path, document().as_bytes()).expect("written");
        }
        let committed = fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        assert!(committed == document(), "docs/aipu.md is stale; run `AXZOO_ACCEPT=1 cargo test --lib aipu`");
    }
}

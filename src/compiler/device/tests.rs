//! What nodes are taken to read and compute.

use crate::compiler::device::Compute;
use crate::compiler::device::Form;
use crate::compiler::device::Tile;
use crate::compiler::device::Work;
use crate::compiler::device::stored;
use crate::compiler::onnx::sample::Case;
use crate::compiler::quantize::LayerWeights;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::Sharing;
use crate::compiler::quantize::convert;

/// A graph of one operator under ranges from −1 to 1.
fn quantized(case: &Case) -> QuantizedGraph {
    let graph = case.graph().expect("imported");
    let (graph, _) = crate::compiler::clean::clean(graph).expect("cleaned");
    let sharing = Sharing::of(&graph);
    let ranges = sharing.observed(&graph).into_iter().map(|value| (value, (-1.0, 1.0))).collect();
    let layers = LayerWeights::of(&graph, 1).expect("quantized");
    convert(&graph, &layers, &sharing, &ranges, &std::collections::BTreeMap::new()).expect("converted").graph
}

fn last(case: &Case) -> Work {
    let graph = quantized(case);
    let stored = stored(&graph, true, false);
    let node = graph.nodes.last().expect("a node");
    Work::of(&graph, node, &stored, Form { padded: true, packs_pixels: false })
}

/// An operator, the tile, and the bytes that the tile needs of each operand and of the output.
struct Needs(Case, Tile, &'static [usize], usize);

const fn tile(rows: usize, words: usize) -> Tile {
    Tile { rows, words }
}

#[test]
fn a_tile_needs_what_its_window_reads() {
    // 130 channels are three words; network inputs lie packed here, 130 bytes a pixel.
    let cases = [
        Needs(
            Case("Conv-17", "x[1,130,9,9] w[70,130,3,3]", "pads=[1,1,1,1]", Ok("")),
            tile(2, 1),
            &[4 * 9 * 130],
            2 * 9 * 64,
        ),
        Needs(
            Case("Conv-17", "x[1,130,9,9] w[70,130,3,3]", "strides=[2,2]", Ok("")),
            tile(2, 2),
            &[5 * 9 * 130],
            2 * 4 * 128,
        ),
        Needs(
            Case("Conv-17", "x[1,130,9,9] w[130,1,3,3]", "group=130 pads=[1,1,1,1]", Ok("")),
            tile(1, 1),
            &[3 * 9 * 64],
            9 * 64,
        ),
        Needs(
            Case("Conv-17", "x[1,130,9,9] w[70,130,3,3]", "dilations=[2,2]", Ok("")),
            tile(1, 1),
            &[5 * 9 * 130],
            5 * 64,
        ),
        Needs(
            Case("MaxPool-17", "x[1,130,9,9]", "kernel_shape=[3,3] strides=[3,3]", Ok("")),
            tile(2, 3),
            &[6 * 9 * 130],
            2 * 3 * 192,
        ),
        Needs(
            Case("Add-17", "x[1,130,9,9] x[1,130,9,9]", "", Ok("")),
            tile(4, 1),
            &[4 * 9 * 64, 4 * 9 * 64],
            4 * 9 * 64,
        ),
        Needs(Case("GlobalAveragePool-17", "x[1,130,9,9]", "", Ok("")), tile(4, 3), &[4 * 9 * 130], 192),
        Needs(
            Case("Concat-17", "x[1,130,9,9] x[1,2,9,9]", "axis=1", Ok("")),
            tile(4, 1),
            &[4 * 9 * 130, 4 * 9 * 2],
            4 * 9 * 192,
        ),
        Needs(Case("Gemm-17", "x[1,100] w[100,200]", "", Ok("")), tile(1, 2), &[100], 128),
        Needs(
            Case("ConvTranspose-17", "x[1,130,9,9] w[130,5,2,2]", "strides=[2,2]", Ok("")),
            tile(4, 1),
            &[4 * 9 * 130],
            4 * 18 * 64,
        ),
    ];
    let mut wrong = Vec::new();
    for Needs(case, tile, reads, writes) in &cases {
        let work = last(case);
        let found: Vec<usize> = work.reads.iter().map(|access| access.bytes(*tile, work.rows)).collect();
        let words = |bytes: &usize| bytes.next_multiple_of(64);
        let expected: Vec<usize> = reads.iter().map(words).collect();
        if found != expected || work.writes.bytes(*tile, work.rows) != words(writes) {
            wrong.push(format!("{}: {found:?} {}", case.0, work.writes.bytes(*tile, work.rows)));
        }
        let whole: Vec<usize> = work.reads.iter().map(|access| access.bytes(work.whole(), work.rows)).collect();
        let all: Vec<usize> = work.reads.iter().map(|access| words(&access.total())).collect();
        assert_eq!(whole, all, "{}", case.0);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_units_are_those_that_the_operators_need() {
    let matrix = |vectors, width, depth, outputs, groups| Compute::Matrix { vectors, width, depth, outputs, groups };
    let cases = [
        (Case("Conv-17", "x[1,3,9,8] w[70,3,3,3]", "", Ok("")), matrix(42, 6, 64 * 9, 70, 1)),
        (Case("Conv-17", "x[1,8,9,8] w[6,4,3,3]", "group=2", Ok("")), matrix(42, 6, 36, 3, 2)),
        (Case("Conv-17", "x[1,70,9,8] w[70,1,3,3]", "group=70", Ok("")), Compute::DepthWise { words: 42 * 2 * 9 }),
        (Case("Gemm-17", "x[2,100] w[100,200]", "", Ok("")), matrix(2, 1, 100, 200, 1)),
        (Case("MatMul-17", "x[1,4,6,5] x[1,4,5,7]", "", Ok("")), matrix(6, 1, 5, 7, 4)),
        (Case("Sigmoid-17", "x[1,70,9,8]", "", Ok("")), Compute::Vector { words: 72 * 2 }),
        (Case("Mul-17", "x[1,70,9,8] x[1,70,9,8]", "", Ok("")), Compute::Vector { words: 2 * 72 * 2 }),
        (Case("Slice-17", "x[1,70,9,8] i[1] i[3] i[1]", "", Ok("")), Compute::Movement),
    ];
    for (case, expected) in cases {
        assert_eq!(last(&case).compute, expected, "{} {}", case.0, case.1);
    }
}

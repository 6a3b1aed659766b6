//! What a node reads, writes and computes, and how that divides into tiles.
//!
//! Every node is seen as a loop over rows and words of channels. What of an operand a tile needs follows from two facts:
//! which of its rows the rows of a tile read, and whether its channels follow those of the output.

use crate::compiler::device::Stored;
use crate::compiler::device::WORD;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::PoolKind;
use crate::compiler::operators::ResizeMode;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::Weights;

/// A tensor that a node reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Which.
    pub id: TensorId,
    /// Its rows.
    rows: usize,
    /// Bytes of a row's pixels, one channel of each.
    pixels: usize,
    /// Bytes of a pixel's channels.
    channels: usize,
    /// A tile of r rows needs ⌈(r − 1)·numerator/denominator⌉ + extent of its rows.
    window: (usize, usize, usize),
    /// Whether a tile needs only its own channels.
    follows: bool,
}

/// What computes a node, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compute {
    /// The matrix unit: so many vectors of `depth` elements, each against `outputs` columns, in each of `groups`.
    Matrix {
        /// Pixels of the output.
        vectors: u64,
        /// Pixels beside each other in a row, which replicated weights can take at once.
        width: u64,
        /// Rows of the weights' matrix.
        depth: u64,
        /// Columns of the weights' matrix.
        outputs: u64,
        /// Independent products.
        groups: u64,
    },
    /// The depth-wise unit: one word of one tap a cycle.
    DepthWise {
        /// Words times taps.
        words: u64,
    },
    /// The vector unit: one word a cycle.
    Vector {
        /// Words times passes over them.
        words: u64,
    },
    /// Nothing: elements are only moved.
    Movement,
}

/// A tile: rows and words of channels of the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Rows of the loop.
    pub rows: usize,
    /// Words of channels of the loop.
    pub words: usize,
}

/// How channels enter the matrix unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Channels of images are whole words.
    pub padded: bool,
    /// A network input of few channels takes only the rows of the matrix unit that these need.
    pub packs_pixels: bool,
}

/// A node as tiles see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Rows of the loop, which tiles along the height divide.
    pub rows: usize,
    /// Words of output channels, which tiles along the channels divide; 1 where they cannot be divided.
    pub words: usize,
    /// What is read, constants left out.
    pub reads: Vec<Access>,
    /// What is written.
    pub writes: Access,
    /// Times that the inputs are read from beginning to end.
    pub passes: usize,
    /// Bytes of the weights of the matrix or depth-wise unit.
    pub weights: usize,
    /// Bytes of the vector unit's constants: biases, scales, tables.
    pub tables: usize,
    /// Bytes of operands that are constants.
    pub constants: usize,
    /// The arithmetic.
    pub compute: Compute,
    /// Multiplications with weights or between operands.
    pub macs: u64,
}

impl Access {
    /// An image: rows of N·H.
    fn image(id: TensorId, stored: &Stored, window: (usize, usize, usize), follows: bool) -> Self {
        let [n, h, w, c] = stored.dimensions;
        Self { id, rows: n * h, pixels: w, channels: c, window, follows }
    }

    /// Words one after another, of which a tile needs the part that its rows are of `of` rows.
    fn flat(id: TensorId, stored: &Stored, of: usize) -> Self {
        let words = stored.bytes / WORD;
        Self { id, rows: words, pixels: 1, channels: WORD, window: (words, of.max(1), 1), follows: false }
    }

    /// Rows of so many bytes.
    const fn rows(id: TensorId, rows: usize, bytes: usize, window: (usize, usize, usize)) -> Self {
        Self { id, rows, pixels: 1, channels: bytes, window, follows: false }
    }

    /// Its rows that so many of a loop's `of` rows need.
    #[must_use]
    pub const fn needed(&self, rows: usize, of: usize) -> usize {
        let (numerator, denominator, extent) = self.window;
        if rows >= of {
            return self.rows;
        }
        let needed = rows.saturating_sub(1).saturating_mul(numerator).div_ceil(denominator).saturating_add(extent);
        if needed < self.rows { needed } else { self.rows }
    }

    /// All its rows.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.rows
    }

    /// Bytes that a tile of a loop over `rows` rows needs, in whole words.
    #[must_use]
    pub fn bytes(&self, tile: Tile, rows: usize) -> usize {
        let channels = if self.follows { self.channels.min(tile.words.saturating_mul(WORD)) } else { self.channels };
        let bytes = self.needed(tile.rows, rows).saturating_mul(self.pixels).saturating_mul(channels);
        bytes.checked_next_multiple_of(WORD).unwrap_or(usize::MAX)
    }

    /// Whether every tile needs all of it.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.window.0 == 0
    }

    /// Whether a tile needs only its own channels.
    #[must_use]
    pub const fn follows(&self) -> bool {
        self.follows
    }

    /// Bytes of all of it.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.rows.saturating_mul(self.pixels).saturating_mul(self.channels)
    }
}

/// ⌈extent of a dilated kernel⌉.
const fn extent(kernel: usize, dilation: usize) -> usize {
    kernel.saturating_sub(1).saturating_mul(dilation) + 1
}

/// Row by row.
const SAME: (usize, usize, usize) = (1, 1, 1);

fn layer_constants(weights: &Weights) -> usize {
    // A bias and a multiplier of 32 bits for each output channel.
    (weights.scales.len() * 8).next_multiple_of(WORD)
}

impl Work {
    /// What a node of a verified graph does; `stored` tells how each value lies in memory.
    #[must_use]
    pub fn of(graph: &QuantizedGraph, node: &QuantizedNode, stored: &[Stored], form: Form) -> Self {
        let padded = form.padded;
        let output = node.output;
        let at = |id: TensorId| &stored[id.index()];
        let read: Vec<TensorId> =
            node.inputs.iter().copied().filter(|&id| graph.value(id).constant.is_none()).collect();
        let fixed = node.inputs.iter().copied().filter(|&id| graph.value(id).constant.is_some());
        let constants = fixed.map(|id| at(id).bytes).sum();
        let is_image = |id: TensorId| graph.value(id).shape.len() == 4;
        let images = is_image(output) && read.iter().all(|&id| is_image(id) || graph.value(id).shape.len() < 4);
        let output_words = (at(output).bytes / WORD) as u64;
        let [n, h, _, c] = at(output).dimensions;
        let mut work = Self {
            rows: at(output).bytes / WORD,
            words: 1,
            reads: read.iter().map(|&id| Access::flat(id, at(id), at(output).bytes / WORD)).collect(),
            writes: Access::flat(output, at(output), at(output).bytes / WORD),
            passes: 1,
            weights: 0,
            tables: 0,
            constants,
            compute: Compute::Movement,
            macs: graph.macs(node),
        };
        // Images go row by row where nothing else is said below.
        let by_rows = |work: &mut Self, window: (usize, usize, usize), follows: bool| {
            work.rows = n * h;
            work.words = if follows { c.div_ceil(WORD).max(1) } else { 1 };
            work.writes = Access::image(output, at(output), SAME, follows);
            work.reads = read.iter().map(|&id| Access::image(id, at(id), window, follows)).collect();
        };
        match &node.operator {
            QuantizedOperator::Convolution { attributes, weights } => {
                let &[outputs, per_group, kh, kw] = weights.shape.as_slice() else { return work };
                by_rows(&mut work, (attributes.strides[0], 1, extent(kh, attributes.dilations[0])), true);
                work.set_layer(weights);
                let pixels = (n * h * at(output).dimensions[2]) as u64;
                let group = attributes.group.max(1);
                if group > 1 && per_group == 1 {
                    work.compute = Compute::DepthWise { words: pixels * c.div_ceil(WORD) as u64 * (kh * kw) as u64 };
                } else {
                    for access in &mut work.reads {
                        access.follows = false;
                    }
                    // In groups channels lie inside one word; alone they fill words where they are padded.
                    let lying = read.first().map_or(per_group, |&id| at(id).dimensions[3]);
                    let depth = match (group, padded) {
                        (1, true) if form.packs_pixels => lying,
                        (1, true) => lying.next_multiple_of(WORD),
                        _ => per_group,
                    };
                    work.compute = Compute::Matrix {
                        vectors: pixels,
                        width: at(output).dimensions[2] as u64,
                        depth: (depth * kh * kw) as u64,
                        outputs: (outputs / group) as u64,
                        groups: group as u64,
                    };
                }
            }
            QuantizedOperator::TransposedConvolution { attributes, weights } => {
                let &[outputs, per_group, kh, kw] = weights.shape.as_slice() else { return work };
                let stride = attributes.strides[0].max(1);
                let reach = extent(kh, attributes.dilations[0]).div_ceil(stride) + 1;
                by_rows(&mut work, (1, stride, reach), true);
                work.set_layer(weights);
                for access in &mut work.reads {
                    access.follows = false;
                }
                let input = read.first().map_or([1; 4], |&id| at(id).dimensions);
                let group = attributes.group.max(1);
                work.compute = Compute::Matrix {
                    vectors: (input[0] * input[1] * input[2] * kh * kw) as u64,
                    width: input[2] as u64,
                    depth: if group == 1 && padded { input[3] } else { per_group } as u64,
                    outputs: (outputs / group) as u64,
                    groups: group as u64,
                };
            }
            QuantizedOperator::Dense { weights } => {
                let &[depth, outputs] = weights.shape.as_slice() else { return work };
                let rows = graph.value(output).len() / outputs.max(1);
                work.rows = rows;
                work.words = outputs.div_ceil(WORD).max(1);
                work.reads = read.iter().map(|&id| Access::rows(id, rows, depth, SAME)).collect();
                work.writes = Access { follows: true, ..Access::rows(output, rows, outputs, SAME) };
                work.set_layer(weights);
                let (depth, outputs) = (depth as u64, outputs as u64);
                work.compute = Compute::Matrix { vectors: rows as u64, width: 1, depth, outputs, groups: 1 };
            }
            QuantizedOperator::MatrixProduct => work.set_product(graph, node, &read),
            QuantizedOperator::Arithmetic(arithmetic) => {
                if images {
                    by_rows(&mut work, SAME, true);
                }
                let passes = if *arithmetic == Arithmetic::Divide { 4 } else { 2 };
                work.compute = Compute::Vector { words: passes * output_words };
            }
            QuantizedOperator::Function { .. } | QuantizedOperator::Requantize => {
                if images {
                    by_rows(&mut work, SAME, true);
                }
                work.tables = match &node.operator {
                    QuantizedOperator::Requantize => 256 * graph.value(output).channels.len().max(1),
                    _ => 256,
                };
                work.compute = Compute::Vector { words: output_words };
            }
            QuantizedOperator::Pool(pool) => {
                let kernel = pool.kernel[0] * pool.kernel[1];
                by_rows(&mut work, (pool.strides[0], 1, extent(pool.kernel[0], pool.dilations[0])), true);
                work.compute = Compute::Vector { words: kernel as u64 * output_words };
            }
            QuantizedOperator::GlobalPool(kind) => {
                if let Some(&input) = read.first() {
                    // The loop goes over the input; sums stay with the core.
                    by_rows(&mut work, SAME, true);
                    let [n, h, ..] = at(input).dimensions;
                    work.rows = n * h;
                    work.writes.window = (0, 1, work.writes.rows);
                    let passes = if *kind == PoolKind::Average { 2 } else { 1 };
                    work.compute = Compute::Vector { words: passes * (at(input).bytes / WORD) as u64 };
                }
            }
            QuantizedOperator::Resize(resize) => {
                let rows = read.first().map_or(1, |&id| at(id).dimensions[1]);
                by_rows(&mut work, (rows, h.max(1), 2), true);
                if resize.mode == ResizeMode::Linear {
                    work.compute = Compute::Vector { words: 4 * output_words };
                }
            }
            QuantizedOperator::Concat { .. } => {
                if images {
                    by_rows(&mut work, SAME, false);
                }
                // An input under another encoding goes through a table.
                let encoding = graph.value(output).encoding;
                let translated = node.inputs.iter().filter(|&&id| graph.value(id).encoding != encoding);
                let (count, words) =
                    translated.fold((0, 0), |(count, words), &id| (count + 1, words + (at(id).bytes / WORD) as u64));
                if count > 0 {
                    work.tables = 256 * count;
                    work.compute = Compute::Vector { words };
                }
            }
            QuantizedOperator::Slice(slice) => {
                let stride = slice.axes.iter().position(|&axis| axis == 2);
                let stride = stride.and_then(|place| slice.steps.get(place)).map_or(1, |step| step.unsigned_abs());
                if images {
                    by_rows(&mut work, (usize::try_from(stride).unwrap_or(1), 1, 1), false);
                }
            }
            QuantizedOperator::Pad { .. } | QuantizedOperator::Extension(_) => {
                if images {
                    by_rows(&mut work, SAME, false);
                }
            }
            QuantizedOperator::Reshape | QuantizedOperator::Transpose { .. } => {}
            QuantizedOperator::InstanceNormalization { scale, .. } => {
                if images {
                    by_rows(&mut work, SAME, true);
                }
                work.passes = 2;
                work.tables = (scale.len() * 8).next_multiple_of(WORD);
                work.compute = Compute::Vector { words: 4 * output_words };
            }
            QuantizedOperator::Softmax { axis } => {
                let shape = &graph.value(output).shape;
                if images && *axis == 1 {
                    by_rows(&mut work, SAME, false);
                } else {
                    let outer: usize = shape.iter().take(*axis).product();
                    let bytes = at(output).bytes.div_ceil(outer.max(1));
                    work.rows = outer.max(1);
                    work.writes = Access::rows(output, work.rows, bytes, SAME);
                    work.reads = read.iter().map(|&id| Access::rows(id, outer.max(1), bytes, SAME)).collect();
                }
                work.tables = 1024;
                work.compute = Compute::Vector { words: 4 * output_words };
            }
        }
        work
    }

    fn set_layer(&mut self, weights: &Weights) {
        self.weights = weights.values.len().next_multiple_of(WORD);
        self.tables = layer_constants(weights);
    }

    /// `[…,M,K]` by `[…,K,N]`: a row of the loop is a row of the left matrix; it needs the right matrix of its batch.
    fn set_product(&mut self, graph: &QuantizedGraph, node: &QuantizedNode, read: &[TensorId]) {
        let shape = &graph.value(node.output).shape;
        let [.., m, n] = shape.as_slice() else { return };
        let rows = graph.value(node.output).len() / n.max(&1);
        let depth = node.inputs.first().and_then(|&id| graph.value(id).shape.last().copied()).unwrap_or(1);
        self.rows = rows.max(1);
        self.writes = Access::rows(node.output, self.rows, *n, SAME);
        let access = |&id: &TensorId| {
            let own = graph.value(id);
            if node.inputs.first() == Some(&id) {
                Access::rows(id, own.len() / depth.max(1), depth, SAME)
            } else {
                let matrix = depth * n;
                let batches = (own.len() / matrix.max(1)).max(1);
                Access::rows(id, batches, matrix, (1, (*m).max(1), 2))
            }
        };
        self.reads = read.iter().map(access).collect();
        let groups = (rows / (*m).max(1)).max(1) as u64;
        let (vectors, depth, outputs) = (*m as u64, depth as u64, *n as u64);
        self.compute = Compute::Matrix { vectors, width: 1, depth, outputs, groups };
        self.tables = WORD;
    }

    /// The whole node as one tile.
    #[must_use]
    pub const fn whole(&self) -> Tile {
        Tile { rows: self.rows, words: self.words }
    }

    /// Bytes of the weights that a tile needs.
    #[must_use]
    pub fn weights_of(&self, tile: Tile) -> usize {
        let share = (self.weights as u128 * tile.words as u128).div_ceil(self.words.max(1) as u128) as usize;
        share.next_multiple_of(WORD).min(self.weights)
    }
}

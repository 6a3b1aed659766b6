//! Each operator as [`Work`].

use crate::compiler::device::Access;
use crate::compiler::device::Compute;
use crate::compiler::device::Form;
use crate::compiler::device::Stored;
use crate::compiler::device::WORD;
use crate::compiler::device::Work;
use crate::compiler::device::work::SAME;
use crate::compiler::device::work::Window;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::PoolKind;
use crate::compiler::operators::ResizeMode;
use crate::compiler::operators::TransposedConvolution;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::Weights;

/// (kernel − 1)·dilation + 1.
const fn extent(kernel: usize, dilation: usize) -> usize {
    kernel.saturating_sub(1).saturating_mul(dilation) + 1
}

/// A node, and what is asked of it again and again.
struct Described<'a> {
    graph: &'a QuantizedGraph,
    node: &'a QuantizedNode,
    stored: &'a [Stored],
    form: Form,
    /// What it reads, constants left out.
    read: Vec<TensorId>,
    work: Work,
}

impl Work {
    /// What a node of a verified graph does; `stored` tells how each value lies in memory.
    #[must_use]
    pub fn of(graph: &QuantizedGraph, node: &QuantizedNode, stored: &[Stored], form: Form) -> Self {
        let at = |id: TensorId| &stored[id.index()];
        let (fixed, read): (Vec<TensorId>, Vec<TensorId>) =
            node.inputs.iter().partition(|&&id| graph.value(id).constant.is_some());
        let words = at(node.output).bytes / WORD;
        // Words one after another, where nothing else is said.
        let work = Self {
            rows: words,
            words: 1,
            reads: read.iter().map(|&id| Access::flat(id, at(id), words)).collect(),
            writes: Access::flat(node.output, at(node.output), words),
            passes: 1,
            weights: 0,
            tables: 0,
            constants: fixed.iter().map(|&id| at(id).bytes).sum(),
            compute: Compute::Movement,
            macs: graph.macs(node),
        };
        let mut described = Described { graph, node, stored, form, read, work };
        described.describe();
        described.work
    }
}

impl Described<'_> {
    fn at(&self, id: TensorId) -> &Stored {
        &self.stored[id.index()]
    }

    fn output(&self) -> &Stored {
        self.at(self.node.output)
    }

    /// Words of the output.
    fn output_words(&self) -> u64 {
        (self.output().bytes / WORD) as u64
    }

    /// How the first operand lies.
    fn input(&self) -> [usize; 4] {
        self.read.first().map_or([1; 4], |&id| self.at(id).dimensions)
    }

    fn describe(&mut self) {
        let node = self.node;
        match &node.operator {
            QuantizedOperator::Convolution { attributes, weights } => self.convolution(attributes, weights),
            QuantizedOperator::TransposedConvolution { attributes, weights } => self.transposed(attributes, weights),
            QuantizedOperator::Dense { weights } => self.dense(weights),
            QuantizedOperator::MatrixProduct => self.product(),
            QuantizedOperator::Arithmetic(_)
            | QuantizedOperator::Function { .. }
            | QuantizedOperator::Requantize
            | QuantizedOperator::InstanceNormalization { .. } => self.element_by_element(),
            QuantizedOperator::Pool(pool) => {
                self.by_rows((pool.strides[0], 1, extent(pool.kernel[0], pool.dilations[0])), true);
                let area = (pool.kernel[0] * pool.kernel[1]) as u64;
                self.work.compute = Compute::Vector { words: area * self.output_words() };
            }
            QuantizedOperator::GlobalPool(kind) => self.global_pool(*kind),
            QuantizedOperator::Resize(resize) => {
                let [_, rows, ..] = self.input();
                self.by_rows((rows, self.output().dimensions[1].max(1), 2), true);
                if resize.mode == ResizeMode::Linear {
                    self.work.compute = Compute::Vector { words: 4 * self.output_words() };
                }
            }
            QuantizedOperator::Concat { .. } => self.concat(),
            QuantizedOperator::Slice(slice) => {
                let place = slice.axes.iter().position(|&axis| axis == 2);
                let step = place.and_then(|place| slice.steps.get(place)).map_or(1, |step| step.unsigned_abs());
                if self.moves_images() {
                    self.by_rows((usize::try_from(step).unwrap_or(1), 1, 1), false);
                }
            }
            QuantizedOperator::Pad { .. } | QuantizedOperator::Extension(_) => {
                if self.moves_images() {
                    self.by_rows(SAME, false);
                }
            }
            QuantizedOperator::Reshape | QuantizedOperator::Transpose { .. } => {}
            QuantizedOperator::Softmax { axis } => self.softmax(*axis),
        }
    }

    /// Whether the output and all operands are images, or broadcast to one.
    fn moves_images(&self) -> bool {
        let axes = |id: TensorId| self.graph.value(id).shape.len();
        axes(self.node.output) == 4 && self.read.iter().all(|&id| axes(id) <= 4)
    }

    /// A loop over the rows of the output and, where channels follow, its words of channels.
    fn by_rows(&mut self, window: Window, follows: bool) {
        let stored = *self.output();
        let [n, h, _, c] = stored.dimensions;
        self.work.rows = n * h;
        self.work.words = if follows { c.div_ceil(WORD).max(1) } else { 1 };
        self.work.writes = Access::image(self.node.output, &stored, SAME, follows);
        self.work.reads = self.read.iter().map(|&id| Access::image(id, self.at(id), window, follows)).collect();
    }

    /// Weights of a layer, and a bias and a multiplier of 32 bits for each output channel.
    fn set_layer(&mut self, weights: &Weights) {
        self.work.weights = weights.values.len().next_multiple_of(WORD);
        self.work.tables = (weights.scales.len() * 8).next_multiple_of(WORD);
    }

    fn convolution(&mut self, attributes: &Convolution, weights: &Weights) {
        let &[outputs, per_group, kh, kw] = weights.shape.as_slice() else { return };
        self.by_rows((attributes.strides[0], 1, extent(kh, attributes.dilations[0])), true);
        self.set_layer(weights);
        let [n, h, w, c] = self.output().dimensions;
        let pixels = (n * h * w) as u64;
        let group = attributes.group.max(1);
        if group > 1 && per_group == 1 {
            let words = pixels * c.div_ceil(WORD) as u64 * (kh * kw) as u64;
            self.work.compute = Compute::DepthWise { words };
            return;
        }
        self.reads_all_channels();
        let lying = if self.read.is_empty() { per_group } else { self.input()[3] };
        // In groups channels lie inside one word; alone they fill words where they are padded.
        let depth = match (group, self.form.padded) {
            (1, true) if self.form.packs_pixels => lying,
            (1, true) => lying.next_multiple_of(WORD),
            _ => per_group,
        };
        self.work.compute = Compute::Matrix {
            vectors: pixels,
            width: w as u64,
            depth: (depth * kh * kw) as u64,
            outputs: (outputs / group) as u64,
            groups: group as u64,
        };
    }

    fn transposed(&mut self, attributes: &TransposedConvolution, weights: &Weights) {
        let &[outputs, per_group, kh, kw] = weights.shape.as_slice() else { return };
        let stride = attributes.strides[0].max(1);
        let reach = extent(kh, attributes.dilations[0]).div_ceil(stride) + 1;
        self.by_rows((1, stride, reach), true);
        self.set_layer(weights);
        self.reads_all_channels();
        let [n, h, w, c] = self.input();
        let group = attributes.group.max(1);
        self.work.compute = Compute::Matrix {
            vectors: (n * h * w * kh * kw) as u64,
            width: w as u64,
            depth: if group == 1 && self.form.padded { c } else { per_group } as u64,
            outputs: (outputs / group) as u64,
            groups: group as u64,
        };
    }

    fn reads_all_channels(&mut self) {
        for access in &mut self.work.reads {
            *access = access.of_all_channels();
        }
    }

    fn dense(&mut self, weights: &Weights) {
        let &[depth, outputs] = weights.shape.as_slice() else { return };
        let rows = self.graph.value(self.node.output).len() / outputs.max(1);
        self.work.rows = rows;
        self.work.words = outputs.div_ceil(WORD).max(1);
        self.work.reads = self.read.iter().map(|&id| Access::rows(id, rows, depth, SAME)).collect();
        self.work.writes = Access::rows(self.node.output, rows, outputs, SAME).of_own_channels();
        self.set_layer(weights);
        let (depth, outputs) = (depth as u64, outputs as u64);
        self.work.compute = Compute::Matrix { vectors: rows as u64, width: 1, depth, outputs, groups: 1 };
    }

    /// `[…,M,K]` by `[…,K,N]`: a row of the loop is a row of the left matrix; it needs the right matrix of its batch.
    fn product(&mut self) {
        let (graph, node) = (self.graph, self.node);
        let [.., m, n] = graph.value(node.output).shape.as_slice() else { return };
        let rows = graph.value(node.output).len() / n.max(&1);
        let depth = node.inputs.first().and_then(|&id| graph.value(id).shape.last().copied()).unwrap_or(1);
        self.work.rows = rows.max(1);
        self.work.writes = Access::rows(node.output, self.work.rows, *n, SAME);
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
        self.work.reads = self.read.iter().map(access).collect();
        let groups = (rows / (*m).max(1)).max(1) as u64;
        let (vectors, depth, outputs) = (*m as u64, depth as u64, *n as u64);
        self.work.compute = Compute::Matrix { vectors, width: 1, depth, outputs, groups };
        self.work.tables = WORD;
    }

    fn element_by_element(&mut self) {
        if self.moves_images() {
            self.by_rows(SAME, true);
        }
        let (tables, passes) = match &self.node.operator {
            QuantizedOperator::Arithmetic(Arithmetic::Divide) => (0, 4),
            QuantizedOperator::Arithmetic(_) => (0, 2),
            QuantizedOperator::Requantize => (256 * self.graph.value(self.node.output).channels.len().max(1), 1),
            QuantizedOperator::InstanceNormalization { scale, .. } => {
                // Once for the statistics, once for the result.
                self.work.passes = 2;
                ((scale.len() * 8).next_multiple_of(WORD), 4)
            }
            _ => (256, 1),
        };
        self.work.tables = tables;
        self.work.compute = Compute::Vector { words: passes * self.output_words() };
    }

    /// The loop goes over the input; sums stay with the core.
    fn global_pool(&mut self, kind: PoolKind) {
        let Some(&input) = self.read.first() else { return };
        self.by_rows(SAME, true);
        let [n, h, ..] = self.input();
        self.work.rows = n * h;
        self.work.writes = self.work.writes.as_whole();
        let passes = if kind == PoolKind::Average { 2 } else { 1 };
        self.work.compute = Compute::Vector { words: passes * (self.at(input).bytes / WORD) as u64 };
    }

    fn concat(&mut self) {
        if self.moves_images() {
            self.by_rows(SAME, false);
        }
        // An input under another encoding goes through a table.
        let encoding = self.graph.value(self.node.output).encoding;
        let translated = self.node.inputs.iter().filter(|&&id| self.graph.value(id).encoding != encoding);
        let (count, words) =
            translated.fold((0, 0), |(count, words), &id| (count + 1, words + (self.at(id).bytes / WORD) as u64));
        if count > 0 {
            self.work.tables = 256 * count;
            self.work.compute = Compute::Vector { words };
        }
    }

    fn softmax(&mut self, axis: usize) {
        if self.moves_images() && axis == 1 {
            self.by_rows(SAME, false);
        } else {
            let outer: usize = self.graph.value(self.node.output).shape.iter().take(axis).product();
            let outer = outer.max(1);
            let bytes = self.output().bytes.div_ceil(outer);
            self.work.rows = outer;
            self.work.writes = Access::rows(self.node.output, outer, bytes, SAME);
            self.work.reads = self.read.iter().map(|&id| Access::rows(id, outer, bytes, SAME)).collect();
        }
        // Exponentials of 256 differences, 32 bits each.
        self.work.tables = 1024;
        self.work.compute = Compute::Vector { words: 4 * self.output_words() };
    }
}

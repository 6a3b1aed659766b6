//! Cross-layer equalization (Nagel et al., "Data-free quantization through weight equalization and bias correction", 2019):
//! channels of an activation that share one encoding are brought to ranges alike, by factors that the layer which writes
//! them multiplies into its weights and the layers which read them divide out.
//!
//! In float nothing changes. Everything between writers and readers must pass a factor on: movements, maximum and
//! average pooling, resizing, `Relu`, `LeakyRelu`, sums of values with the same factors, products with a gate. `Clip` from
//! 0 does for factors of at least 1 that leave the largest value seen below the bound: it then cuts where the
//! encoding of the channel alone would.

use std::collections::BTreeMap;

use crate::compiler::calibrate::LaneStatistics;
use crate::compiler::calibrate::for_each_index;
use crate::compiler::calibrate::lanes;
use crate::compiler::error::StageError;
use crate::compiler::graph::Graph;
use crate::compiler::graph::Node;
use crate::compiler::graph::Tensor;
use crate::compiler::graph::ValueId;
use crate::compiler::machine::vectorized;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Function;
use crate::compiler::operators::Operator;

/// The largest factor: a channel that is all but silent on a few images must not saturate on another one.
const LARGEST: f64 = 64.0;

/// What a factor leaves free below the bound of a `Clip`, where no larger value was seen.
const MARGIN: f64 = 1.1;

/// Exponents tried for a channel's range, in quarters.
const RANGE_EXPONENTS: [i32; 5] = [0, 1, 2, 3, 4];

/// Exponents tried for the weights that read a channel, in quarters.
const WEIGHT_EXPONENTS: [i32; 4] = [0, 1, 2, 3];

/// Expected noise below which equalizing is worth it, as a share of the noise without.
const WORTH: f64 = 0.97;

/// The factors of the lanes of each value that has some, all positive; and the graph with them in its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Equalization {
    /// By value: one factor a lane.
    pub factors: BTreeMap<ValueId, Vec<f32>>,
    /// The graph that computes the scaled values; ids are those of the original.
    pub graph: Graph,
}

/// Lanes that have one factor: a forest over all lanes of all values. The first entry has the factor 1.
struct Classes {
    parent: Vec<usize>,
    /// By value: its first lane's entry, and the number of lanes.
    first: Vec<Option<(usize, usize)>>,
    /// By entry, upper bounds of the factor; such entries also have factors of at least 1.
    clipped: Vec<Option<f64>>,
}

impl Classes {
    fn find(&self, mut entry: usize) -> usize {
        while self.parent[entry] != entry {
            entry = self.parent[entry];
        }
        entry
    }

    fn join(&mut self, left: usize, right: usize) {
        let (left, right) = (self.find(left), self.find(right));
        // The lower one stays, so that what is joined with the first entry keeps the factor 1.
        self.parent[left.max(right)] = left.min(right);
    }

    fn entries(&self, value: ValueId) -> Option<std::ops::Range<usize>> {
        self.first[value.index()].map(|(first, count)| first..first + count)
    }

    fn pin(&mut self, value: ValueId) {
        for entry in self.entries(value).into_iter().flatten() {
            self.join(0, entry);
        }
    }

    /// Lane `i` of one value has the factor of lane `map(i)` of the other.
    fn link(&mut self, to: ValueId, from: ValueId, map: impl Fn(usize) -> Option<usize>) {
        let (Some(to), Some(from)) = (self.entries(to), self.entries(from)) else {
            self.pin(to);
            self.pin(from);
            return;
        };
        for (lane, entry) in to.enumerate() {
            match map(lane).filter(|&lane| lane < from.len()) {
                Some(lane) => self.join(entry, from.start + lane),
                None => self.join(0, entry),
            }
        }
    }

    fn of(graph: &Graph, statistics: &BTreeMap<ValueId, LaneStatistics>) -> Self {
        let mut classes = Self { parent: vec![0], first: Vec::new(), clipped: vec![None] };
        for value in &graph.values {
            let divided = if value.constant.is_some() { None } else { lanes(&value.shape) };
            classes.first.push(divided.map(|(count, _)| (classes.parent.len(), count)));
            for _ in 0..divided.map_or(0, |(count, _)| count) {
                classes.parent.push(classes.parent.len());
                classes.clipped.push(None);
            }
        }
        for &value in graph.inputs.iter().chain(&graph.outputs) {
            classes.pin(value);
        }
        for node in &graph.nodes {
            classes.pass(graph, node, statistics);
        }
        classes
    }

    fn pass(&mut self, graph: &Graph, node: &Node, statistics: &BTreeMap<ValueId, LaneStatistics>) {
        let (input, output) = (node.inputs[0], node.output);
        let shapes = [&graph.value(input).shape, &graph.value(output).shape];
        let divided = shapes.map(|shape| lanes(shape));
        let same_lanes = divided[0].zip(divided[1]).is_some_and(|(from, to)| from.0 == to.0);
        match &node.operator {
            // A layer takes factors away and gives new ones.
            Operator::Convolution(_) | Operator::Dense if is_layer(graph, node) => {}
            Operator::Function(Function::Relu | Function::LeakyRelu { .. } | Function::Negate | Function::Absolute)
            | Operator::Pool(_)
            | Operator::GlobalPool(_)
            | Operator::Resize(_)
                if same_lanes =>
            {
                self.link(output, input, Some);
            }
            Operator::Function(Function::Clip { low, high }) if *low == 0.0 && *high > 0.0 => {
                self.link(output, input, Some);
                let seen = statistics.get(&output);
                for (lane, entry) in self.entries(output).into_iter().flatten().enumerate() {
                    let most = seen.and_then(|seen| seen.high.get(lane)).map_or(*high, |&most| most.max(0.0));
                    let bound = f64::from(*high) / (f64::from(most) * MARGIN).max(f64::MIN_POSITIVE);
                    self.clipped[entry] = Some(bound.clamp(1.0, LARGEST));
                }
            }
            Operator::Reshape if divided[0].is_some() && divided[0] == divided[1] => self.link(output, input, Some),
            Operator::Transpose { permutation } if divided[0].is_some() && keeps_planes(permutation) => {
                let outer = permutation.len() - 2;
                let (from, permutation) = (shapes[0][..outer].to_vec(), permutation[..outer].to_vec());
                self.link(output, input, |lane| Some(source_lane(lane, &from, &permutation)));
            }
            Operator::Slice(slice) if shapes[0].len() == 4 => {
                let axis = slice.axes.iter().position(|&axis| axis == 1);
                let (start, step) = axis.map_or((0, 1), |axis| (slice.starts[axis], slice.steps[axis]));
                let place = |lane: usize| usize::try_from(start + lane as i64 * step).ok();
                self.link(output, input, place);
            }
            Operator::Pad { value, .. } if *value == 0.0 && same_lanes => self.link(output, input, Some),
            Operator::Concat { axis: 1 } if shapes[1].len() == 4 => {
                let mut before = 0;
                for &part in &node.inputs {
                    let count = graph.value(part).shape[1];
                    let range = before..before + count;
                    match (self.entries(part), self.entries(output)) {
                        (Some(from), Some(to)) => {
                            range.zip(from).for_each(|(lane, entry)| self.join(to.start + lane, entry));
                        }
                        // A constant, whose lanes have no factors.
                        (None, Some(to)) => range.for_each(|lane| self.join(0, to.start + lane)),
                        _ => self.pin(part),
                    }
                    before += count;
                }
            }
            Operator::Arithmetic(Arithmetic::Add | Arithmetic::Subtract)
                if *shapes[0] == graph.value(node.inputs[1]).shape =>
            {
                self.link(output, input, Some);
                self.link(output, node.inputs[1], Some);
            }
            Operator::Arithmetic(Arithmetic::Multiply) => self.multiply(graph, node),
            _ => {
                node.inputs.iter().for_each(|&input| self.pin(input));
                self.pin(output);
            }
        }
    }

    /// A product with a gate (another, smaller operand) or a constant has the factors of what is gated.
    fn multiply(&mut self, graph: &Graph, node: &Node) {
        let size = |value: ValueId| graph.value(value).shape.iter().product::<usize>();
        let whole = node.inputs.iter().copied().find(|&input| {
            graph.value(input).constant.is_none() && graph.value(input).shape == graph.value(node.output).shape
        });
        let gated = whole.filter(|&whole| {
            node.inputs.iter().all(|&other| {
                other == whole || graph.value(other).constant.is_some() || size(other) < size(node.output)
            }) && node.inputs[0] != node.inputs[1]
        });
        for &input in node.inputs.iter().filter(|&&input| Some(input) != gated) {
            self.pin(input);
        }
        match gated {
            Some(gated) => self.link(node.output, gated, Some),
            None => self.pin(node.output),
        }
    }
}

fn keeps_planes(permutation: &[usize]) -> bool {
    let rank = permutation.len();
    rank >= 4 && permutation[0] == 0 && permutation[rank - 2..] == [rank - 2, rank - 1]
}

/// The lane of a transposed value's input that becomes `lane`; `from` are the outer sizes of the input.
fn source_lane(mut lane: usize, from: &[usize], permutation: &[usize]) -> usize {
    let mut places = vec![0; from.len()];
    for &axis in permutation.iter().rev() {
        places[axis] = lane % from[axis];
        lane /= from[axis];
    }
    places.iter().zip(from).fold(0, |lane, (place, size)| lane * size + place)
}

/// Whether a node is a convolution or dense layer whose weights and bias can take factors.
fn is_layer(graph: &Graph, node: &Node) -> bool {
    let constant = |place: usize| node.inputs.get(place).map(|&id| graph.value(id).constant.is_some());
    let shapes = [node.inputs[0], node.output].map(|id| lanes(&graph.value(id).shape).is_some());
    constant(1) == Some(true) && constant(2) != Some(false) && shapes == [true, true]
}

/// A layer as what its weights are: for each input lane and output lane, where they meet.
struct Layer<'a> {
    input: ValueId,
    weights: &'a [f32],
    outputs: usize,
    /// Input lanes that one output reads.
    inputs: usize,
    /// Outputs of a group; input lanes of the next group follow.
    group_outputs: usize,
    area: usize,
    /// Whether rows of the weights are inputs, as in a dense layer.
    rows_are_inputs: bool,
}

impl<'a> Layer<'a> {
    fn of(graph: &'a Graph, node: &Node) -> Option<Self> {
        if !is_layer(graph, node) {
            return None;
        }
        let value = graph.value(node.inputs[1]);
        let weights = value.constant.as_ref()?.as_f32()?;
        let input = node.inputs[0];
        match (&node.operator, value.shape.as_slice()) {
            (Operator::Convolution(convolution), &[outputs, inputs, kh, kw]) => Some(Self {
                input,
                weights,
                outputs,
                inputs,
                group_outputs: (outputs / convolution.group.max(1)).max(1),
                area: kh * kw,
                rows_are_inputs: false,
            }),
            (Operator::Dense, &[inputs, outputs]) => Some(Self {
                input,
                weights,
                outputs,
                inputs,
                group_outputs: outputs.max(1),
                area: 1,
                rows_are_inputs: true,
            }),
            _ => None,
        }
    }

    /// The lane of the input that weight column `column` of `output` reads.
    fn lane(&self, output: usize, column: usize) -> usize {
        output / self.group_outputs * self.inputs + column
    }

    fn kernel(&self, output: usize, column: usize) -> &[f32] {
        let start = if self.rows_are_inputs {
            column * self.outputs + output
        } else {
            (output * self.inputs + column) * self.area
        };
        &self.weights[start..start + self.area]
    }
}

/// What of a reading layer decides about factors, gathered once.
struct Reader {
    value: ValueId,
    /// By output, by column: the largest weight.
    largest: Vec<f32>,
    /// Columns of an output, and outputs of a group: the lanes of the next group follow.
    columns: usize,
    group_outputs: usize,
    /// By lane: sum of the squared weights that read it.
    power: Vec<f64>,
    area: f64,
}

impl Reader {
    fn of(layer: &Layer<'_>, lane_count: usize) -> Option<Self> {
        let mut power = vec![0.0; lane_count];
        let mut largest = Vec::with_capacity(layer.outputs * layer.inputs);
        for output in 0..layer.outputs {
            for column in 0..layer.inputs {
                let kernel = layer.kernel(output, column);
                *power.get_mut(layer.lane(output, column))? +=
                    kernel.iter().map(|&weight| f64::from(weight) * f64::from(weight)).sum::<f64>();
                largest.push(kernel.iter().fold(0.0, |most: f32, &weight| most.max(weight.abs())));
            }
        }
        let (columns, group_outputs) = (layer.inputs.max(1), layer.group_outputs);
        Some(Self { value: layer.input, largest, columns, group_outputs, power, area: layer.area as f64 })
    }

    /// The largest weight of each column of each output, with the lane of the first column.
    fn rows(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let rows = self.largest.chunks_exact(self.columns).enumerate();
        rows.map(|(output, row)| (output / self.group_outputs * self.columns, row))
    }

    /// Expected noise of the layer's outputs as a share of their expected power, for the factors of its input's lanes:
    /// what rounding the input (by a step for all lanes) and rounding the weights (by a step for each output) bring.
    fn noise(&self, statistics: &LaneStatistics, factors: &[f64]) -> f64 {
        let (mut low, mut high) = (0.0_f64, 0.0_f64);
        for ((&least, &most), factor) in statistics.low.iter().zip(&statistics.high).zip(factors) {
            low = low.min(f64::from(least) * factor);
            high = high.max(f64::from(most) * factor);
        }
        let step = (high - low) / 255.0;
        let (mut signal, mut input_noise) = (0.0, 0.0);
        for ((power, square), factor) in self.power.iter().zip(&statistics.power).zip(factors) {
            signal += power * square;
            input_noise += power / (factor * factor);
        }
        let inverse: Vec<f32> = factors.iter().map(|factor| (1.0 / factor) as f32).collect();
        let scaled = statistics.power.iter().zip(factors).map(|(power, factor)| power * factor * factor);
        let scaled: Vec<f64> = scaled.collect();
        let of_group: Vec<f64> = scaled.chunks(self.columns).map(|group| group.iter().sum()).collect();
        let mut weight_noise = 0.0;
        for (first, row) in self.rows() {
            let step = f64::from(largest_product(row, inverse.get(first..).unwrap_or_default())) / 127.0;
            weight_noise += step * step * of_group.get(first / self.columns).copied().unwrap_or(0.0) * self.area;
        }
        if signal > 0.0 { (step * step * input_noise + weight_noise) / 12.0 / signal } else { 0.0 }
    }
}

/// The largest product of pairs that are not negative.
fn largest_product(left: &[f32], right: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut most = [0.0_f32; LANES];
    let ((lefts, rest), (rights, last)) = (left.as_chunks::<LANES>(), right.as_chunks::<LANES>());
    vectorized(|| {
        let mut own = most;
        for (left, right) in lefts.iter().zip(rights) {
            for lane in 0..LANES {
                let product = left[lane] * right[lane];
                own[lane] = if product > own[lane] { product } else { own[lane] };
            }
        }
        most = own;
    });
    // The right side may go on behind the left one.
    let tail = right.get(lefts.len() * LANES..).unwrap_or(last);
    let rest = rest.iter().zip(tail).map(|(left, right)| left * right);
    rest.chain(most).fold(0.0, f32::max)
}

/// Chooses factors for a graph from what its lanes are on a few images; `None` where nothing is worth it. Values of
/// `statistics` are those that are quantized and those that layers read.
pub fn equalize(
    graph: &Graph,
    statistics: &BTreeMap<ValueId, LaneStatistics>,
    threads: usize,
) -> Result<Option<Equalization>, StageError> {
    let classes = Classes::of(graph, statistics);
    let readers: Vec<Reader> = graph
        .nodes
        .iter()
        .filter_map(|node| Layer::of(graph, node))
        .filter(|layer| statistics.contains_key(&layer.input))
        .filter_map(|layer| Reader::of(&layer, classes.entries(layer.input)?.len()))
        .collect();
    let exponents = choose(&classes, &readers, statistics, threads)?;
    let mut factors = BTreeMap::new();
    for index in 0..graph.values.len() {
        let value = ValueId(index as u32);
        let Some(entries) = classes.entries(value) else { continue };
        let own: Vec<f32> = entries.map(|entry| exponents[classes.find(entry)] as f32).collect();
        if own.iter().any(|factor| factor.to_bits() != 1.0_f32.to_bits()) {
            factors.insert(value, own);
        }
    }
    Ok((!factors.is_empty()).then(|| Equalization { graph: scaled(graph, &factors), factors }))
}

/// The factor of each class, by its root entry.
fn choose(
    classes: &Classes,
    readers: &[Reader],
    statistics: &BTreeMap<ValueId, LaneStatistics>,
    threads: usize,
) -> Result<Vec<f64>, StageError> {
    let count = classes.parent.len();
    let root: Vec<usize> = (0..count).map(|entry| classes.find(entry)).collect();
    // The largest magnitude of each class, and the largest weight that reads it as a share of its layer's largest.
    let (mut range, mut weight, mut bound) = (vec![0.0_f64; count], vec![0.0_f64; count], vec![LARGEST; count]);
    let mut clipped = vec![false; count];
    for (&value, lanes) in statistics {
        let bounds = lanes.low.iter().zip(&lanes.high);
        for (entry, (&low, &high)) in classes.entries(value).into_iter().flatten().zip(bounds) {
            range[root[entry]] = range[root[entry]].max(f64::from(high.max(-low)));
        }
    }
    for reader in readers {
        let most = reader.largest.iter().fold(f64::MIN_POSITIVE, |most, &weight| most.max(f64::from(weight)));
        let Some(entries) = classes.entries(reader.value) else { continue };
        // A layer whose outputs read one lane each has a weight step for each lane: its weights do not suffer.
        if reader.columns == 1 {
            continue;
        }
        for (first, row) in reader.rows() {
            for (column, &largest) in row.iter().enumerate() {
                let class = root[entries.start + first + column];
                weight[class] = weight[class].max(f64::from(largest) / most);
            }
        }
    }
    for (entry, limit) in classes.clipped.iter().enumerate() {
        if let Some(limit) = limit {
            clipped[root[entry]] = true;
            bound[root[entry]] = bound[root[entry]].min(*limit);
        }
    }
    let components = components(classes, &root, readers);
    // Components have no class in common: each is chosen by itself, whatever the factors of the others are.
    let state = || (vec![1.0; count], Vec::new());
    let states = for_each_index(components.len(), threads, state, |(factors, chosen), index| {
        let component = &components[index];
        let largest = component.classes.iter().fold(0.0_f64, |most, &class| most.max(range[class]));
        if largest == 0.0 {
            return Ok(());
        }
        let noise = |factors: &[f64]| -> f64 {
            let of = |&reader: &usize| {
                let reader: &Reader = &readers[reader];
                let entries = classes.entries(reader.value).unwrap_or(0..0);
                let own: Vec<f64> = entries.map(|entry| factors[root[entry]]).collect();
                statistics.get(&reader.value).map_or(0.0, |lanes| reader.noise(lanes, &own))
            };
            component.readers.iter().map(of).sum()
        };
        let plain = noise(factors);
        let mut best = (plain * WORTH, 0, 0);
        // Fourth roots, whose powers all exponents are.
        let root_of = |value: f64| if value > 0.0 { libm::sqrt(libm::sqrt(value)) } else { 1.0 };
        let of_class = |&class: &usize| {
            (class, root_of(if range[class] > 0.0 { largest / range[class] } else { 1.0 }), root_of(weight[class]))
        };
        let roots: Vec<(usize, f64, f64)> = component.classes.iter().map(of_class).collect();
        let set = |factors: &mut [f64], by_range: i32, by_weight: i32| {
            for &(class, ratio, share) in roots.iter().filter(|(class, ..)| *class != 0) {
                let factor = power(ratio, by_range) * power(share, by_weight);
                let least = if clipped[class] { 1.0 } else { 1.0 / LARGEST };
                factors[class] = factor.clamp(least, bound[class]);
            }
        };
        for by_range in RANGE_EXPONENTS {
            for by_weight in WEIGHT_EXPONENTS {
                set(factors, by_range, by_weight);
                let found = noise(factors);
                if found < best.0 {
                    best = (found, by_range, by_weight);
                }
            }
        }
        set(factors, best.1, best.2);
        chosen.extend(component.classes.iter().map(|&class| (class, factors[class])));
        Ok(())
    })?;
    let mut factors = vec![1.0; count];
    states.into_iter().flat_map(|(_, chosen)| chosen).for_each(|(class, factor)| factors[class] = factor);
    Ok(factors)
}

/// A small power, by multiplication: the same on every machine.
fn power(base: f64, exponent: i32) -> f64 {
    (0..exponent).fold(1.0, |product, _| product * base)
}

/// Classes and readers that depend on each other: a reader's classes belong together.
struct Component {
    classes: Vec<usize>,
    readers: Vec<usize>,
}

fn components(classes: &Classes, root: &[usize], readers: &[Reader]) -> Vec<Component> {
    // The class of factor 1 joins nothing: it is the same whatever else is chosen.
    let mut parent: Vec<usize> = (0..root.len()).collect();
    let find = |parent: &[usize], mut entry: usize| {
        while parent[entry] != entry {
            entry = parent[entry];
        }
        entry
    };
    let own = |reader: &Reader| -> Vec<usize> {
        let entries = classes.entries(reader.value).unwrap_or(0..0);
        entries.map(|entry| root[entry]).filter(|&class| class != 0).collect()
    };
    for reader in readers {
        for pair in own(reader).windows(2) {
            let (left, right) = (find(&parent, pair[0]), find(&parent, pair[1]));
            parent[left.max(right)] = left.min(right);
        }
    }
    let mut found: BTreeMap<usize, Component> = BTreeMap::new();
    for (index, reader) in readers.iter().enumerate() {
        let own = own(reader);
        let Some(&first) = own.first() else { continue };
        let component =
            found.entry(find(&parent, first)).or_insert_with(|| Component { classes: Vec::new(), readers: Vec::new() });
        component.classes.extend(own);
        component.readers.push(index);
    }
    for component in found.values_mut() {
        component.classes.sort_unstable();
        component.classes.dedup();
    }
    found.into_values().collect()
}

/// The graph with the factors in its weights and biases.
fn scaled(graph: &Graph, factors: &BTreeMap<ValueId, Vec<f32>>) -> Graph {
    let mut scaled = graph.clone();
    for (place, node) in graph.nodes.iter().enumerate() {
        let (reads, writes) = (factors.get(&node.inputs[0]), factors.get(&node.output));
        let Some(layer) = Layer::of(graph, node).filter(|_| reads.is_some() || writes.is_some()) else { continue };
        let factor = |of: Option<&Vec<f32>>, lane: usize| of.and_then(|of| of.get(lane)).copied().unwrap_or(1.0);
        let mut weights = layer.weights.to_vec();
        let written: Vec<f32> = (0..layer.outputs).map(|output| factor(writes, output)).collect();
        if layer.rows_are_inputs {
            for (lane, row) in weights.chunks_exact_mut(layer.outputs.max(1)).enumerate() {
                let read = factor(reads, lane);
                vectorized(|| {
                    row.iter_mut().zip(&written).for_each(|(weight, written)| *weight = *weight * written / read);
                });
            }
        } else {
            for (output, row) in weights.chunks_exact_mut((layer.inputs * layer.area).max(1)).enumerate() {
                let (first, written) = (layer.lane(output, 0), written.get(output).copied().unwrap_or(1.0));
                for (column, kernel) in row.chunks_exact_mut(layer.area.max(1)).enumerate() {
                    let read = factor(reads, first + column);
                    for weight in kernel {
                        *weight = *weight * written / read;
                    }
                }
            }
        }
        replace(&mut scaled, place, 1, weights);
        let bias = node.inputs.get(2).and_then(|&id| graph.value(id).constant.as_ref()?.as_f32());
        if let Some(bias) = bias {
            let at = |output: usize| bias.get(output).or(bias.first()).copied().unwrap_or(0.0);
            let own: Vec<f32> = (0..layer.outputs).map(|output| at(output) * factor(writes, output)).collect();
            replace(&mut scaled, place, 2, own);
        }
    }
    scaled
}

/// Gives a node constants of its own where several nodes share them.
fn replace(graph: &mut Graph, node: usize, input: usize, values: Vec<f32>) {
    let id = graph.nodes[node].inputs[input];
    let old = graph.value(id);
    let shape =
        if old.shape.iter().product::<usize>() == values.len() { old.shape.clone() } else { vec![values.len()] };
    let Some(tensor) = Tensor::from_f32(shape, values) else { return };
    let uses = graph.nodes.iter().flat_map(|node| &node.inputs).filter(|&&other| other == id).count();
    if uses == 1 {
        let value = &mut graph.values[id.index()];
        value.shape = tensor.shape().to_vec();
        value.constant = Some(tensor);
    } else {
        let name = graph.unused_name(&graph.value(id).name);
        graph.nodes[node].inputs[input] = graph.add_constant(name, tensor);
    }
}

//! Checks a quantized graph before it is executed: one read from a file may say anything.

use std::borrow::Cow;

use crate::compiler::graph::ELEMENT_LIMIT;
use crate::compiler::graph::element_count;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::Extension;
use crate::compiler::operators::Pool;
use crate::compiler::operators::Slice;
use crate::compiler::operators::TransposedConvolution;
use crate::compiler::operators::arithmetic::integer::broadcast_shape;
use crate::compiler::operators::dense::product::check_sum;
use crate::compiler::operators::dense::product_shape;
use crate::compiler::operators::window;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::QuantizedValue;
use crate::compiler::quantize::Weights;
use crate::compiler::quantize::contract::check_accumulator;
use crate::compiler::quantize::contract::multiplier;

/// Windows, strides, pads and dilations beyond this are refused, so that arithmetic on places cannot overflow.
const GEOMETRY_LIMIT: usize = 1 << 20;

/// What is wrong, with the node where there is one.
pub(super) type Wrong = (Option<String>, String);

impl QuantizedGraph {
    /// Checks that every id exists, nodes are in topological order, shapes follow from the operators, encodings and
    /// weights are as the contract makes them, and no accumulator can overflow.
    pub fn verify(&self) -> Result<(), Wrong> {
        self.verify_order()?;
        self.nodes.iter().try_for_each(|node| self.verify_node(node))
    }

    /// The part of [`verify`](Self::verify) about values, ids and order.
    pub(in crate::compiler) fn verify_order(&self) -> Result<(), Wrong> {
        for value in &self.values {
            verify_value(value).map_err(|message| (None, message))?;
        }
        let mut known: Vec<bool> = self.values.iter().map(|value| value.constant.is_some()).collect();
        for input in &self.inputs {
            match known.get_mut(input.index()) {
                Some(known) if !*known => *known = true,
                _ => return Err((None, "an input is no value, a constant or named twice".to_owned())),
            }
        }
        for node in &self.nodes {
            let at = |message: String| (Some(node.name.clone()), message);
            if node.inputs.is_empty() || node.inputs.iter().any(|input| known.get(input.index()) != Some(&true)) {
                return Err(at("reads a value before it is written".to_owned()));
            }
            match known.get_mut(node.output.index()) {
                Some(known) if !*known => *known = true,
                _ => return Err(at("writes what is no value or already written".to_owned())),
            }
        }
        if self.outputs.is_empty() || self.outputs.iter().any(|output| known.get(output.index()) != Some(&true)) {
            return Err((None, "an output is not written".to_owned()));
        }
        Ok(())
    }

    /// The part of [`verify`](Self::verify) about one node. Prerequisite: ids are those of values.
    pub(in crate::compiler) fn verify_node(&self, node: &QuantizedNode) -> Result<(), Wrong> {
        self.check_node(node).map_err(|message| (Some(node.name.clone()), message))
    }

    fn check_node(&self, node: &QuantizedNode) -> Result<(), String> {
        let input = self.value(node.inputs[0]);
        let output = self.value(node.output);
        let count = match &node.operator {
            QuantizedOperator::Arithmetic(_) | QuantizedOperator::MatrixProduct => 2,
            QuantizedOperator::Concat { .. } => node.inputs.len(),
            _ => 1,
        };
        if node.inputs.len() != count {
            return Err(format!("has {} inputs, expected {count}", node.inputs.len()));
        }
        self.verify_channels(node)?;
        if node.operator.is_movement() && input.encoding != output.encoding {
            return Err("moves elements between two encodings".to_owned());
        }
        let full = [i8::MIN, i8::MAX];
        if node.clamp[0] > node.clamp[1] || (node.clamp != full && !node.operator.requantizes()) {
            return Err(format!("has the clamp {:?}, expected {full:?} or the lower bound first", node.clamp));
        }
        let shape = self.output_shape(node, input, output)?;
        if shape != output.shape {
            return Err(format!("computes the shape {shape:?}, its output has {:?}", output.shape));
        }
        Ok(())
    }

    /// Encodings of channels are made by layers and requantizations, and read by depth-wise convolutions.
    fn verify_channels(&self, node: &QuantizedNode) -> Result<(), String> {
        let made = match node.operator {
            QuantizedOperator::Convolution { .. } => true,
            QuantizedOperator::Requantize => !self.value(node.output).channels.is_empty(),
            _ => self.value(node.output).channels.is_empty(),
        };
        let depthwise = |input: &QuantizedValue| match &node.operator {
            QuantizedOperator::Convolution { attributes, .. } => {
                attributes.group == input.channels.len() && input.shape.get(1) == Some(&input.channels.len())
            }
            _ => false,
        };
        let read = node.inputs.iter().map(|&id| self.value(id)).all(|it| it.channels.is_empty() || depthwise(it));
        if made && read {
            Ok(())
        } else {
            Err("has one encoding for each channel where there can be but one".to_owned())
        }
    }

    fn output_shape(
        &self,
        node: &QuantizedNode,
        input: &QuantizedValue,
        output: &QuantizedValue,
    ) -> Result<Vec<usize>, String> {
        let shape = &input.shape;
        match &node.operator {
            QuantizedOperator::Convolution { attributes, weights } => {
                verify_weights(weights, 0, input, output)?;
                convolution_shape(attributes, shape, &weights.shape)
            }
            QuantizedOperator::TransposedConvolution { attributes, weights } => {
                verify_weights(weights, 0, input, output)?;
                transposed_shape(attributes, shape, &weights.shape)
            }
            QuantizedOperator::Dense { weights } => {
                verify_weights(weights, 1, input, output)?;
                match (&weights.shape[..], shape.split_last()) {
                    (&[k, n], Some((&last, rest))) if k == last => Ok([rest, &[n]].concat()),
                    _ => Err(format!("multiplies {shape:?} with {:?}", weights.shape)),
                }
            }
            QuantizedOperator::MatrixProduct => {
                let right = self.value(node.inputs[1]);
                verify_multiplier(multiplier(input.encoding.scale, right.encoding.scale, output.encoding.scale))?;
                check_sum(shape.last().copied().unwrap_or(0))?;
                product_shape(shape, &right.shape)
            }
            QuantizedOperator::Arithmetic(arithmetic) => {
                let right = self.value(node.inputs[1]);
                if *arithmetic == Arithmetic::Multiply {
                    let m = multiplier(input.encoding.scale, right.encoding.scale, output.encoding.scale);
                    verify_multiplier(m)?;
                }
                let none = || format!("combines {shape:?} with {:?}, which do not broadcast", right.shape);
                broadcast_shape(shape, &right.shape).ok_or_else(none)
            }
            QuantizedOperator::Function { table, .. } => {
                if table.len() == 256 {
                    Ok(shape.clone())
                } else {
                    Err("has no 256-entry table".to_owned())
                }
            }
            QuantizedOperator::Pool(pool) => pool_shape(pool, shape, output),
            QuantizedOperator::GlobalPool(_) => match shape[..] {
                [n, c, h, w] if h * w < GEOMETRY_LIMIT => Ok(vec![n, c, 1, 1]),
                _ => Err(format!("pools the shape {shape:?}, expected [N,C,H,W]")),
            },
            QuantizedOperator::Requantize => Ok(shape.clone()),
            QuantizedOperator::Reshape => {
                if input.len() == output.len() {
                    Ok(output.shape.clone())
                } else {
                    Err(format!("reshapes {shape:?} to {:?}", output.shape))
                }
            }
            QuantizedOperator::Transpose { permutation } => {
                let mut sorted = permutation.clone();
                sorted.sort_unstable();
                if sorted.iter().copied().eq(0..shape.len()) {
                    Ok(permutation.iter().map(|&axis| shape[axis]).collect())
                } else {
                    Err(format!("permutes {shape:?} by {permutation:?}"))
                }
            }
            QuantizedOperator::Slice(slice) => slice_shape(slice, shape),
            QuantizedOperator::Pad { before, after, .. } => {
                let fits = [before, after]
                    .iter()
                    .all(|pads| pads.len() == shape.len() && pads.iter().all(|&pad| pad <= GEOMETRY_LIMIT));
                if !fits {
                    return Err(format!("pads {shape:?} by {before:?} and {after:?}"));
                }
                Ok(shape.iter().zip(before).zip(after).map(|((size, before), after)| size + before + after).collect())
            }
            QuantizedOperator::Extension(extension) => extension_shape(extension, shape),
            QuantizedOperator::InstanceNormalization { epsilon, scale, bias } => {
                instance_shape([scale, bias, &[*epsilon]], shape)
            }
            QuantizedOperator::Concat { axis } => self.joined_shape(node, *axis, shape),
            QuantizedOperator::Resize(resize) => match (&shape[..], &output.shape[..]) {
                (&[n, c, ..], &[_, _, h, w])
                    if shape.len() == 4 && resize.scales.iter().all(|scale| scale.is_finite() && *scale > 0.0) =>
                {
                    Ok(vec![n, c, h, w])
                }
                _ => Err(format!("resizes {shape:?} to {:?}", output.shape)),
            },
            QuantizedOperator::Softmax { axis } => {
                if *axis < shape.len() {
                    Ok(shape.clone())
                } else {
                    Err(format!("normalizes {shape:?} along axis {axis}"))
                }
            }
        }
    }

    fn joined_shape(&self, node: &QuantizedNode, axis: usize, shape: &[usize]) -> Result<Vec<usize>, String> {
        let mut total = shape.to_vec();
        if axis >= total.len() {
            return Err(format!("joins {shape:?} along axis {axis}"));
        }
        for &other in &node.inputs[1..] {
            let other = &self.value(other).shape;
            let same = other.len() == shape.len()
                && other.iter().zip(shape).enumerate().all(|(place, (a, b))| place == axis || a == b);
            if !same {
                return Err(format!("joins {shape:?} with {other:?} along axis {axis}"));
            }
            total[axis] += other[axis];
        }
        Ok(total)
    }
}

fn verify_value(value: &QuantizedValue) -> Result<(), String> {
    let count = element_count(&value.shape).filter(|&count| count > 0 && count <= ELEMENT_LIMIT);
    let Some(count) = count else {
        return Err(format!(
            "`{}` has the shape {:?}, expected 1 to {ELEMENT_LIMIT} elements",
            value.name, value.shape
        ));
    };
    if !value.encoding.is_valid() {
        return Err(format!("`{}` has the scale {:e}, expected a positive number", value.name, value.encoding.scale));
    }
    let sized = value.channels.is_empty() || (value.shape.len() == 4 && value.channels.len() == value.shape[1]);
    if !sized
        || value.constant.is_some() && !value.channels.is_empty()
        || !value.channels.iter().all(|it| it.is_valid())
    {
        let (name, found) = (&value.name, value.channels.len());
        return Err(format!("`{name}` has {found} encodings of channels, expected a valid one for each"));
    }
    match &value.constant {
        Some(constant) if constant.len() != count => {
            Err(format!("`{}` holds {} values, its shape {:?}", value.name, constant.len(), value.shape))
        }
        _ => Ok(()),
    }
}

fn verify_multiplier(m: f32) -> Result<(), String> {
    if m.is_finite() { Ok(()) } else { Err("the scales of its inputs are too large for that of its output".to_owned()) }
}

fn verify_weights(
    weights: &Weights,
    channel_axis: usize,
    input: &QuantizedValue,
    output: &QuantizedValue,
) -> Result<(), String> {
    let (shape, count) = (&weights.shape, element_count(&weights.shape).filter(|&count| count > 0));
    let channels = shape.get(channel_axis).copied().unwrap_or(0);
    let sizes = [weights.scales.len(), weights.bias.len()];
    if count != Some(weights.values.len()) || sizes != [channels, channels] {
        return Err(format!(
            "has weights of the shape {shape:?} with {} values and {sizes:?} scales and biases",
            weights.values.len()
        ));
    }
    let length = weights.values.len() / channels;
    for channel in 0..channels {
        let own: Cow<'_, [i8]> = if channel_axis == 0 {
            Cow::Borrowed(&weights.values[channel * length..][..length])
        } else {
            weights.values.iter().skip(channel).step_by(channels).copied().collect()
        };
        if own.contains(&i8::MIN) {
            return Err(format!("has the weight -128 in output channel {channel}, expected -127 to 127"));
        }
        let scale = weights.scales[channel];
        if !(scale.is_finite() && scale > 0.0) {
            return Err(format!(
                "has the weight scale {scale:e} in output channel {channel}, expected a positive number"
            ));
        }
        check_accumulator(&own, weights.bias[channel]).map_err(|error| format!("output channel {channel}: {error}"))?;
        let from = input.encoding_of(input.channel_read_by(channel, channels));
        let m = multiplier(from.scale, weights.scales[channel], output.encoding_of(channel).scale);
        verify_multiplier(m).map_err(|error| format!("output channel {channel}: {error}"))?;
    }
    Ok(())
}

/// The number of windows along an axis.
fn windows(size: usize, kernel: usize, stride: usize, dilation: usize, pads: usize) -> Option<usize> {
    let sane = [kernel, stride, dilation].iter().all(|&size| (1..=GEOMETRY_LIMIT).contains(&size));
    if !sane || pads > GEOMETRY_LIMIT {
        return None;
    }
    let span = (kernel - 1).checked_mul(dilation)? + 1;
    Some((size + pads).checked_sub(span)? / stride + 1)
}

fn convolution_shape(attributes: &Convolution, shape: &[usize], weights: &[usize]) -> Result<Vec<usize>, String> {
    let Convolution { strides, pads, dilations, group } = attributes;
    let computed = match (shape, weights) {
        (&[n, c, h, w], &[o, per_group, kh, kw])
            if *group > 0 && c % group == 0 && per_group == c / group && o % group == 0 =>
        {
            let height = windows(h, kh, strides[0], dilations[0], pads[0].saturating_add(pads[2]));
            let width = windows(w, kw, strides[1], dilations[1], pads[1].saturating_add(pads[3]));
            if let Some(output) = height.zip(width) {
                window::check_extent(shape, *pads, output.into(), [kh, kw])?;
            }
            height.zip(width).map(|(height, width)| vec![n, o, height, width])
        }
        _ => None,
    };
    computed.ok_or_else(|| format!("convolves {shape:?} with {weights:?} in {group} groups"))
}

fn transposed_shape(
    attributes: &TransposedConvolution,
    shape: &[usize],
    weights: &[usize],
) -> Result<Vec<usize>, String> {
    let TransposedConvolution { strides, pads, output_padding, dilations, group } = attributes;
    let sane = [&strides[..], pads, output_padding, dilations].concat().iter().all(|&size| size <= GEOMETRY_LIMIT);
    match (shape, weights) {
        (&[_, c, _, _], &[o, per_group, kh, kw])
            if sane
                && *group > 0
                && o % group == 0
                && per_group.checked_mul(*group) == Some(c)
                && [strides, dilations, &[kh, kw]].iter().all(|pair| !pair.contains(&0)) =>
        {
            attributes.output_shape(shape, &[c, o / group, kh, kw])
        }
        _ => Err(format!("spreads {shape:?} with {weights:?} in {group} groups")),
    }
}

fn extension_shape(extension: &Extension, shape: &[usize]) -> Result<Vec<usize>, String> {
    let pads = extension.before.iter().chain(&extension.after);
    if pads.max().is_some_and(|&pad| pad > GEOMETRY_LIMIT) {
        return Err(format!("pads {shape:?} by {:?} and {:?}", extension.before, extension.after));
    }
    extension.output_shape(shape)
}

/// `numbers` are the scales, the biases and epsilon.
fn instance_shape(numbers: [&[f32]; 3], shape: &[usize]) -> Result<Vec<usize>, String> {
    let finite = numbers.iter().all(|numbers| numbers.iter().all(|number| number.is_finite()));
    let [scales, biases, _] = numbers.map(<[f32]>::len);
    match *shape {
        [_, channels, _, ..] if finite && [scales, biases] == [channels; 2] => Ok(shape.to_vec()),
        _ => Err(format!("normalizes {shape:?} by {scales} scales and {biases} biases")),
    }
}

/// `ceil_mode` is resolved: the output may be one window larger than the whole windows that fit.
fn pool_shape(pool: &Pool, shape: &[usize], output: &QuantizedValue) -> Result<Vec<usize>, String> {
    let wrong = || format!("pools {shape:?} to {:?}", output.shape);
    let (&[n, c, h, w], &[_, _, out_h, out_w]) = (shape, &output.shape[..]) else { return Err(wrong()) };
    let axis = |axis: usize, size: usize, found: usize| {
        let pads = pool.pads[axis].saturating_add(pool.pads[axis + 2]);
        let whole = windows(size, pool.kernel[axis], pool.strides[axis], pool.dilations[axis], pads);
        // Each window must begin inside the padded input, or it would have no elements.
        let begins = (found - 1).saturating_mul(pool.strides[axis]) < size + pool.pads[axis];
        whole.is_some_and(|whole| found == whole || found == whole + 1) && begins
    };
    if axis(0, h, out_h) && axis(1, w, out_w) && pool.kernel[0] * pool.kernel[1] < GEOMETRY_LIMIT {
        window::check_extent(shape, pool.pads, [out_h, out_w], pool.kernel)?;
        Ok(vec![n, c, out_h, out_w])
    } else {
        Err(wrong())
    }
}

fn slice_shape(slice: &Slice, shape: &[usize]) -> Result<Vec<usize>, String> {
    let wrong = || format!("slices {shape:?} by {slice:?}");
    let count = slice.axes.len();
    if [slice.starts.len(), slice.ends.len(), slice.steps.len()] != [count; 3] {
        return Err(wrong());
    }
    let mut sliced = shape.to_vec();
    for (place, &axis) in slice.axes.iter().enumerate() {
        let (start, end, step) = (slice.starts[place], slice.ends[place], slice.steps[place]);
        let size = *shape.get(axis).ok_or_else(wrong)? as i64;
        if place > 0 && slice.axes[place - 1] >= axis
            || step == 0
            || !(0..size).contains(&start)
            || !(-1..=size).contains(&end)
        {
            return Err(wrong());
        }
        let distance = if step > 0 { end - start } else { start - end };
        let steps = step.unsigned_abs();
        sliced[axis] =
            usize::try_from(distance).map_err(|_| wrong())?.div_ceil(usize::try_from(steps).map_err(|_| wrong())?);
    }
    Ok(sliced)
}

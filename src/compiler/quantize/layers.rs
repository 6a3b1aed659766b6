//! The weights of layers, quantized once: ranges of activations decide only their biases.

use std::borrow::Cow;

use crate::compiler::calibrate::for_each_index;
use crate::compiler::error::StageError;
use crate::compiler::graph::Graph;
use crate::compiler::graph::Node;
use crate::compiler::operators::Operator;
use crate::compiler::operators::transposed::by_output_channel;
use crate::compiler::quantize::contract::ChannelError;
use crate::compiler::quantize::contract::ChannelScale;
use crate::compiler::quantize::contract::quantize_channel;

/// The weights of the layers of a graph, by the place of the node: nothing where these are no constants.
#[derive(Debug)]
pub struct LayerWeights {
    layers: Vec<Option<LayerOf>>,
}

/// The weights of one layer.
#[derive(Debug)]
pub(super) struct LayerOf {
    /// As the quantized node has it.
    pub(super) shape: Vec<usize>,
    /// Row-major in the shape; zeros in channels that cannot be quantized.
    pub(super) values: Vec<i8>,
    channels: Vec<Result<ChannelScale, ChannelError>>,
    /// Whether output channels are on the last axis, as in a dense layer, not on the first.
    in_columns: bool,
}

impl LayerWeights {
    /// Quantizes the weights of all layers. What cannot be quantized is told when it is used; fails only where no thread can be
    /// started.
    pub fn of(graph: &Graph, threads: usize) -> Result<Self, StageError> {
        let states = for_each_index(graph.nodes.len(), threads, Vec::new, |own, place| {
            own.push((place, LayerOf::of(graph, &graph.nodes[place])));
            Ok(())
        })?;
        let mut layers: Vec<Option<LayerOf>> = Vec::new();
        layers.resize_with(graph.nodes.len(), || None);
        states.into_iter().flatten().for_each(|(place, layer)| layers[place] = layer);
        Ok(Self { layers })
    }

    pub(super) fn layer(&self, place: usize) -> Option<&LayerOf> {
        self.layers.get(place).and_then(Option::as_ref)
    }
}

impl LayerOf {
    fn of(graph: &Graph, node: &Node) -> Option<Self> {
        let in_columns = match node.operator {
            Operator::Convolution(_) | Operator::TransposedConvolution(_) => false,
            Operator::Dense => true,
            _ => return None,
        };
        let (shape, floats) = floats(graph, node)?;
        let count = if in_columns { shape.get(1) } else { shape.first() }.copied().unwrap_or(0);
        let mut made = Self { shape, values: vec![0; floats.len()], channels: Vec::with_capacity(count), in_columns };
        if floats.is_empty() {
            return Some(made);
        }
        let length = floats.len() / count.max(1);
        for channel in 0..count {
            let own: Cow<'_, [f32]> = if in_columns {
                floats.iter().skip(channel).step_by(count).copied().collect()
            } else {
                Cow::Borrowed(&floats[channel * length..][..length])
            };
            let quantized = ChannelScale::of(&own);
            if let Ok((_, weights)) = &quantized {
                place(&mut made.values, weights, channel, (count, in_columns));
            }
            made.channels.push(quantized.map(|(scale, _)| scale));
        }
        Some(made)
    }

    /// The number of output channels; 0 where the weights have no elements.
    pub(super) fn outputs(&self) -> usize {
        self.channels.len()
    }

    /// Scale and bias of an output channel, for an input of such a scale. `values` become other ones where only these leave
    /// room for the bias (see [`quantize_channel`]); `graph` and `node` are those that the weights were made from.
    pub(super) fn channel(
        &self,
        (graph, node): (&Graph, &Node),
        channel: usize,
        (bias, input_scale): (f32, f32),
        values: &mut [i8],
    ) -> Result<(f32, i32), ChannelError> {
        let own = self.channels[channel]?;
        if let Some(steps) = own.bias(bias, input_scale)? {
            return Ok((own.scale, steps));
        }
        let (_, floats) = floats(graph, node).unwrap_or_default();
        let count = self.outputs();
        let length = floats.len() / count.max(1);
        let at = |k: usize| if self.in_columns { k * count + channel } else { channel * length + k };
        let quantized = quantize_channel(&(0..length).map(|k| floats[at(k)]).collect::<Vec<_>>(), bias, input_scale)?;
        place(values, &quantized.weights, channel, (count, self.in_columns));
        Ok((quantized.scale, quantized.bias))
    }
}

/// Puts the weights of one of `count` output channels among those of all.
fn place(values: &mut [i8], weights: &[i8], channel: usize, (count, in_columns): (usize, bool)) {
    if in_columns {
        values.iter_mut().skip(channel).step_by(count).zip(weights).for_each(|(to, &weight)| *to = weight);
    } else {
        values[channel * weights.len()..][..weights.len()].copy_from_slice(weights);
    }
}

/// Shape and values of a layer's weights, where they are constants; those of a transposed convolution with output channels on
/// axis 0.
fn floats<'a>(graph: &'a Graph, node: &Node) -> Option<(Vec<usize>, Cow<'a, [f32]>)> {
    let value = graph.value(*node.inputs.get(1)?);
    let floats = value.constant.as_ref()?.as_f32()?;
    if let Operator::TransposedConvolution(attributes) = &node.operator {
        let (shape, floats) = by_output_channel(&value.shape, floats, attributes.group);
        return Some((shape, Cow::Owned(floats)));
    }
    Some((value.shape.clone(), Cow::Borrowed(floats)))
}

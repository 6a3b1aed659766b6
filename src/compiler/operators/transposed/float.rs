//! Attributes, shape rule, export and weight layouts of a transposed convolution.

use crate::compiler::onnx::ExportedNode;
use crate::compiler::onnx::Writer;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::operators::window;

/// Attributes of a transposed convolution. Input row `y` and kernel row `k` meet in output row
/// y·stride + k·dilation − padding before; columns likewise.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TransposedConvolution {
    /// Strides of H and W, in the output.
    pub strides: [usize; 2],
    /// Output rows and columns that are left out: before H, before W, after H, after W (`auto_pad` and `output_shape` are
    /// resolved on import).
    pub pads: [usize; 4],
    /// Rows and columns added after H and W, which hold what reaches them and the bias; less than the strides.
    pub output_padding: [usize; 2],
    /// Dilations of H and W.
    pub dilations: [usize; 2],
    /// Groups.
    pub group: usize,
}

impl TransposedConvolution {
    /// The output's shape for an input `[N,C,H,W]` and weights `[C,O/group,kh,kw]`, or what does not fit.
    pub fn output_shape(&self, input: &[usize], weights: &[usize]) -> Result<Vec<usize>, String> {
        window::spatial(input)?;
        let (&[batch, channels, height, width], &[inputs, outputs, kernel_height, kernel_width]) = (input, weights)
        else {
            return Err(format!("its weights have the shape {weights:?}; expected [C, O/group, kh, kw]"));
        };
        if inputs != channels || self.group == 0 || !channels.is_multiple_of(self.group) {
            let group = self.group;
            return Err(format!("weights {weights:?} in {group} groups do not fit an input of {channels} channels"));
        }
        let outputs = outputs.checked_mul(self.group).filter(|&outputs| outputs > 0);
        let (Some(outputs), 1.., 1..) = (outputs, kernel_height, kernel_width) else {
            return Err(format!("its weights have the shape {weights:?}, which is empty"));
        };
        if self.output_padding.iter().zip(self.strides).any(|(&padding, stride)| padding >= stride) {
            let (padding, strides) = (self.output_padding, self.strides);
            return Err(format!("its output is padded by {padding:?}; less than the strides {strides:?} is supported"));
        }
        let axis = |axis: usize, size: usize, kernel: usize| {
            let pads = self.pads[axis].checked_add(self.pads[axis + 2]);
            let natural = natural_size(size, kernel, self.strides[axis], self.dilations[axis]);
            let padded = natural.and_then(|natural| natural.checked_add(self.output_padding[axis]));
            let cropped = padded.zip(pads).and_then(|(padded, pads)| padded.checked_sub(pads));
            cropped.filter(|&cropped| cropped > 0).ok_or_else(|| {
                let pads = [self.pads[axis], self.pads[axis + 2]];
                format!(
                    "{size} elements and a kernel of {kernel} leave nothing, or too much, under the padding {pads:?}"
                )
            })
        };
        let shape = vec![batch, outputs, axis(0, height, kernel_height)?, axis(1, width, kernel_width)?];
        // It reads as a convolution from its output to its input would.
        window::check_extent(&shape, self.pads, [height, width], [kernel_height, kernel_width])?;
        Ok(shape)
    }

    pub(crate) fn export(&self, node: &ExportedNode<'_>, writer: &mut Writer) {
        let integers = |name, values: &[usize]| AttributeProto::integers(name, values.iter().map(|&v| v as i64));
        let kernel = node.input_shapes.get(1).and_then(|shape| shape.get(2..)).unwrap_or_default();
        let attributes = vec![
            integers("dilations", &self.dilations),
            AttributeProto::int("group", self.group as i64),
            integers("kernel_shape", kernel),
            integers("output_padding", &self.output_padding),
            integers("pads", &self.pads),
            integers("strides", &self.strides),
        ];
        writer.node("ConvTranspose", node, &[], attributes);
    }
}

/// Output elements along an axis without any padding: (in − 1)·stride + (kernel − 1)·dilation + 1; `None` when it does
/// not fit.
pub(super) fn natural_size(input: usize, kernel: usize, stride: usize, dilation: usize) -> Option<usize> {
    if stride == 0 {
        return None;
    }
    input.checked_sub(1)?.checked_mul(stride)?.checked_add(window::extent(kernel, dilation)?)
}

/// Weights `[C,O/group,kh,kw]`, as ONNX has them, as `[O,C/group,kh,kw]`: one row an output channel. The shape and the
/// values; the shape must have four axes and its first be a multiple of `group`.
#[must_use]
pub fn by_output_channel<T: Copy>(shape: &[usize], values: &[T], group: usize) -> (Vec<usize>, Vec<T>) {
    exchanged(shape, values, group)
}

/// Weights `[O,C/group,kh,kw]` as `[C,O/group,kh,kw]`: what [`by_output_channel`] was given.
#[must_use]
pub fn by_input_channel<T: Copy>(shape: &[usize], values: &[T], group: usize) -> (Vec<usize>, Vec<T>) {
    exchanged(shape, values, group)
}

/// Exchanges the first two axes within each group.
fn exchanged<T: Copy>(shape: &[usize], values: &[T], group: usize) -> (Vec<usize>, Vec<T>) {
    let &[rows, columns, height, width] = shape else { return (shape.to_vec(), values.to_vec()) };
    let (rows, area) = (rows / group.max(1), height * width);
    let mut made = Vec::with_capacity(values.len());
    for block in values.chunks_exact((rows * columns * area).max(1)) {
        for column in 0..columns {
            for row in block.chunks_exact(columns * area) {
                made.extend_from_slice(&row[column * area..][..area]);
            }
        }
    }
    (vec![columns * group, rows, height, width], made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_of_weights_are_each_others_inverse() {
        let values: Vec<u32> = (0..4 * 3 * 2).collect();
        let (shape, rows) = by_output_channel(&[4, 3, 1, 2], &values, 2);
        assert_eq!(shape, [6, 2, 1, 2]);
        // Output channel 0 reads input channels 0 and 1, output channel 3 (the second group's first) 2 and 3.
        assert_eq!(rows[..4], [0, 1, 6, 7]);
        assert_eq!(rows[12..16], [12, 13, 18, 19]);
        assert_eq!(by_input_channel(&shape, &rows, 2), (vec![4, 3, 1, 2], values));
    }

    #[test]
    fn shapes_follow_the_formula_or_are_refused() {
        struct Case<'a>(&'a TransposedConvolution, &'a [usize], &'a [usize], Option<[usize; 4]>);
        let plain = TransposedConvolution {
            strides: [2, 1],
            pads: [0; 4],
            output_padding: [0; 2],
            dilations: [1; 2],
            group: 1,
        };
        let padded = TransposedConvolution { pads: [1, 0, 1, 2], output_padding: [1, 0], ..plain.clone() };
        let grouped = TransposedConvolution { group: 2, dilations: [2, 3], ..plain.clone() };
        let hostile = TransposedConvolution { strides: [usize::MAX, 1], ..plain.clone() };
        let cases = [
            Case(&plain, &[2, 3, 4, 5], &[3, 6, 3, 3], Some([2, 6, 9, 7])),
            Case(&padded, &[1, 3, 4, 5], &[3, 6, 3, 3], Some([1, 6, 8, 5])),
            Case(&grouped, &[1, 4, 4, 5], &[4, 3, 3, 2], Some([1, 6, 11, 8])),
            Case(&grouped, &[1, 3, 4, 5], &[3, 3, 3, 2], None),
            Case(&plain, &[1, 4, 4, 5], &[3, 6, 3, 3], None),
            Case(&plain, &[1, 3, 4], &[3, 6, 3], None),
            Case(&padded, &[1, 3, 1, 1], &[3, 6, 1, 1], None),
            Case(&hostile, &[1, 3, 4, 5], &[3, 6, 3, 3], None),
        ];
        for Case(attributes, input, weights, expected) in cases {
            let found = attributes.output_shape(input, weights).ok();
            assert_eq!(found, expected.map(Vec::from), "{input:?} {weights:?}");
        }
    }
}

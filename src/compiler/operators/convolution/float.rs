//! Attributes, shape rule and export of a convolution.

use crate::compiler::onnx::ExportedNode;
use crate::compiler::onnx::Writer;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::operators::window;

/// Attributes of a convolution. Two spatial axes; one-dimensional ones are refused by name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Convolution {
    /// Strides of H and W.
    pub strides: [usize; 2],
    /// Padding before H, before W, after H, after W (`auto_pad` is resolved on import).
    pub pads: [usize; 4],
    /// Dilations of H and W.
    pub dilations: [usize; 2],
    /// Groups.
    pub group: usize,
}

impl Convolution {
    /// The output's shape for an input `[N,C,H,W]` and weights `[O,C/group,kh,kw]`, or what does not fit.
    pub fn output_shape(&self, input: &[usize], weights: &[usize]) -> Result<Vec<usize>, String> {
        let [height, width] = window::spatial(input)?;
        let (&[batch, channels, ..], &[outputs, inputs, kernel_height, kernel_width]) = (input, weights) else {
            return Err(format!("its weights have the shape {weights:?}; expected [O, C/group, kh, kw]"));
        };
        if self.group == 0 || inputs.checked_mul(self.group) != Some(channels) || !outputs.is_multiple_of(self.group) {
            return Err(format!(
                "weights {weights:?} in {} groups do not fit an input of {channels} channels",
                self.group
            ));
        }
        if outputs == 0 || kernel_height == 0 || kernel_width == 0 {
            return Err(format!("its weights have the shape {weights:?}, which is empty"));
        }
        let [top, left, bottom, right] = self.pads;
        let rows = window::positions(height, kernel_height, self.strides[0], self.dilations[0], [top, bottom])?;
        let columns = window::positions(width, kernel_width, self.strides[1], self.dilations[1], [left, right])?;
        window::check_extent(input, self.pads, [rows, columns], [kernel_height, kernel_width])?;
        Ok(vec![batch, outputs, rows, columns])
    }

    pub(crate) fn export(&self, node: &ExportedNode<'_>, writer: &mut Writer) {
        let integers = |name, values: &[usize]| AttributeProto::integers(name, values.iter().map(|&v| v as i64));
        let kernel = node.input_shapes.get(1).and_then(|shape| shape.get(2..)).unwrap_or_default();
        writer.node(
            "Conv",
            node,
            &[],
            vec![
                integers("dilations", &self.dilations),
                AttributeProto::int("group", self.group as i64),
                integers("kernel_shape", kernel),
                integers("pads", &self.pads),
                integers("strides", &self.strides),
            ],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case<'a>(&'a Convolution, &'a [usize], &'a [usize], Option<[usize; 4]>);

    #[test]
    fn shapes_follow_the_formula_or_are_refused() {
        let plain = Convolution { strides: [1; 2], pads: [0; 4], dilations: [1; 2], group: 1 };
        let strided = Convolution { strides: [2, 1], pads: [1, 0, 1, 2], ..plain.clone() };
        let grouped = Convolution { group: 4, ..plain.clone() };
        let cases = [
            Case(&plain, &[1, 3, 8, 8], &[16, 3, 3, 3], Some([1, 16, 6, 6])),
            Case(&strided, &[2, 3, 8, 8], &[16, 3, 3, 3], Some([2, 16, 4, 8])),
            Case(&grouped, &[1, 8, 5, 5], &[8, 2, 1, 1], Some([1, 8, 5, 5])),
            Case(&grouped, &[1, 8, 5, 5], &[6, 2, 1, 1], None),
            Case(&plain, &[1, 4, 8, 8], &[16, 3, 3, 3], None),
            Case(&plain, &[1, 3, 2, 8], &[16, 3, 3, 3], None),
            Case(&plain, &[1, 3, 8], &[16, 3, 3], None),
            Case(&plain, &[1, 3, 8, 8], &[0, 3, 3, 3], None),
        ];
        for Case(convolution, input, weights, expected) in cases {
            let found = convolution.output_shape(input, weights).ok();
            assert_eq!(found, expected.map(Vec::from), "{input:?} {weights:?}");
        }
    }
}

//! Attributes, shape rule and export of resampling.

use crate::compiler::onnx::ExportedNode;
use crate::compiler::onnx::Writer;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::operators::window;

/// How an output coordinate maps to an input coordinate (ONNX `coordinate_transformation_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Coordinates {
    /// (x + 0.5)/scale − 0.5
    HalfPixel,
    /// As half pixel, but 0 where the output has one element.
    PytorchHalfPixel,
    /// x/scale
    Asymmetric,
    /// x·(in − 1)/(out − 1)
    AlignCorners,
}

/// How a resize takes its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ResizeMode {
    /// Nearest, ties towards the lower coordinate (`round_prefer_floor`).
    NearestPreferFloor,
    /// Nearest, ties towards the upper coordinate (`round_prefer_ceil`).
    NearestPreferCeil,
    /// The coordinate rounded down (`floor`).
    NearestFloor,
    /// The coordinate rounded up (`ceil`).
    NearestCeil,
    /// Bilinear.
    Linear,
}

/// Attributes of a resize; scales are those of the node (or out/in where it gives sizes).
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Resize {
    /// How values are taken.
    pub mode: ResizeMode,
    /// How coordinates map.
    pub coordinates: Coordinates,
    /// Scale of H and W, as the ONNX node gives it.
    pub scales: [f32; 2],
}

impl Resize {
    /// ⌊in · scale⌋, as ONNX computes an output dimension; `None` when it is not a dimension.
    #[must_use]
    pub fn scaled(input: usize, scale: f32) -> Option<usize> {
        let size = (input as f32 * scale).floor();
        // 2³¹ elements on one axis are refused as any other hostile size.
        (1.0..2_147_483_648.0).contains(&size).then_some(size as usize)
    }

    /// Only H and W may differ.
    pub fn check_shapes(input: &[usize], output: &[usize]) -> Result<(), String> {
        window::spatial(input)?;
        window::spatial(output)?;
        if input[..2] == output[..2] {
            Ok(())
        } else {
            Err(format!("it makes {output:?} of {input:?}; only H and W can be resized"))
        }
    }

    pub(crate) fn export(&self, node: &ExportedNode<'_>, writer: &mut Writer) {
        let (mode, nearest) = match self.mode {
            ResizeMode::NearestPreferFloor => ("nearest", Some("round_prefer_floor")),
            ResizeMode::NearestPreferCeil => ("nearest", Some("round_prefer_ceil")),
            ResizeMode::NearestFloor => ("nearest", Some("floor")),
            ResizeMode::NearestCeil => ("nearest", Some("ceil")),
            ResizeMode::Linear => ("linear", None),
        };
        let coordinates = match self.coordinates {
            Coordinates::HalfPixel => "half_pixel",
            Coordinates::PytorchHalfPixel => "pytorch_half_pixel",
            Coordinates::Asymmetric => "asymmetric",
            Coordinates::AlignCorners => "align_corners",
        };
        let mut attributes = vec![
            AttributeProto::text("coordinate_transformation_mode", coordinates),
            AttributeProto::text("mode", mode),
        ];
        attributes.extend(nearest.map(|nearest| AttributeProto::text("nearest_mode", nearest)));
        let input = node.input_shapes.first().copied().unwrap_or_default();
        let sizes = [2, 3].map(|axis| (input.get(axis), node.output_shape.get(axis)));
        let by_scale = sizes
            .iter()
            .zip(self.scales)
            .all(|(&(input, output), scale)| input.and_then(|&input| Self::scaled(input, scale)) == output.copied());
        if by_scale {
            let scales = writer.floats(node, "scales", &[1.0, 1.0, self.scales[0], self.scales[1]]);
            writer.node("Resize", node, &["", &scales], attributes);
        } else {
            let sizes: Vec<i64> = node.output_shape.iter().map(|&dimension| dimension as i64).collect();
            let sizes = writer.integers(node, "sizes", &sizes);
            writer.node("Resize", node, &["", "", &sizes], attributes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_round_down_and_hostile_ones_are_refused() {
        assert_eq!(Resize::scaled(10, 2.0), Some(20));
        assert_eq!(Resize::scaled(7, 1.5), Some(10));
        for scale in [0.0, -1.0, 1e30, f32::NAN, f32::INFINITY, 0.01] {
            assert_eq!(Resize::scaled(10, scale), None, "{scale}");
        }
    }
}

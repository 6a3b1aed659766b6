//! Attributes, shape rules and export of pooling.

use crate::compiler::onnx::ExportedNode;
use crate::compiler::onnx::Writer;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::operators::window;

/// Which pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum PoolKind {
    /// The largest element.
    Maximum,
    /// The mean.
    Average,
}

/// Attributes of windowed pooling.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Pool {
    /// Which pooling.
    pub kind: PoolKind,
    /// Window of H and W.
    pub kernel: [usize; 2],
    /// Strides of H and W.
    pub strides: [usize; 2],
    /// Padding before H, before W, after H, after W. `auto_pad` is resolved on import, and so is `ceil_mode`: the part
    /// of a window that sticks out is padding after.
    pub pads: [usize; 4],
    /// Dilations of H and W; 1 for average pooling.
    pub dilations: [usize; 2],
    /// Whether padding counts in the mean's divisor.
    pub count_include_pad: bool,
}

impl Pool {
    /// A window of a whole plane `[H,W]`.
    #[must_use]
    pub const fn global(kind: PoolKind, plane: [usize; 2]) -> Self {
        Self { kind, kernel: plane, strides: [1, 1], pads: [0; 4], dilations: [1, 1], count_include_pad: false }
    }

    /// The output's shape for an input `[N,C,H,W]`, or what does not fit.
    pub fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, String> {
        let [height, width] = window::spatial(input)?;
        let mut shape = input.to_vec();
        for (axis, size) in [height, width].into_iter().enumerate() {
            let pads = [self.pads[axis], self.pads[axis + 2]];
            let extent = window::extent(self.kernel[axis], self.dilations[axis]).unwrap_or(0);
            if pads.iter().any(|&pad| pad >= extent) {
                return Err(format!("padding {pads:?} is not smaller than its window of {extent}"));
            }
            let positions = window::positions(size, self.kernel[axis], self.strides[axis], self.dilations[axis], pads)?;
            shape[axis + 2] = positions;
        }
        window::check_extent(input, self.pads, [shape[2], shape[3]], self.kernel)?;
        Ok(shape)
    }

    pub(crate) fn export(&self, node: &ExportedNode<'_>, writer: &mut Writer) {
        let integers = |name, values: &[usize]| AttributeProto::integers(name, values.iter().map(|&v| v as i64));
        let mut attributes = vec![
            integers("kernel_shape", &self.kernel),
            integers("pads", &self.pads),
            integers("strides", &self.strides),
        ];
        match self.kind {
            PoolKind::Maximum => {
                attributes.push(integers("dilations", &self.dilations));
                writer.node("MaxPool", node, &[], attributes);
            }
            PoolKind::Average => {
                attributes.push(AttributeProto::int("count_include_pad", i64::from(self.count_include_pad)));
                writer.node("AveragePool", node, &[], attributes);
            }
        }
    }
}

/// `[N,C,H,W]` → `[N,C,1,1]`.
pub fn global_output_shape(input: &[usize]) -> Result<Vec<usize>, String> {
    window::spatial(input)?;
    let mut shape = input.to_vec();
    for dimension in shape.iter_mut().skip(2) {
        *dimension = 1;
    }
    Ok(shape)
}

pub(crate) fn export_global(kind: PoolKind, node: &ExportedNode<'_>, writer: &mut Writer) {
    let operator = match kind {
        PoolKind::Maximum => "GlobalMaxPool",
        PoolKind::Average => "GlobalAveragePool",
    };
    writer.node(operator, node, &[], vec![]);
}

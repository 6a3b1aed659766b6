//! The node at which the graph cleaner's properties let the postamble begin.

use crate::compiler::StageError;
use crate::compiler::Status;
use crate::compiler::graph::Graph;
use crate::compiler::graph::NodeId;
use crate::compiler::graph::element_count;
use crate::compiler::onnx::Role;
use crate::compiler::onnx::Survey;
use crate::compiler::onnx::SurveyedNode;

/// Which nodes are looked at (`graph_cleaner_node`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointOperator {
    /// Matrix products with a constant.
    MatMul,
    /// Dense layers.
    Gemm,
    /// Clips, whose weight tensors are their bounds: of one element each.
    Clip,
}

/// What of a weight tensor is compared (`graph_cleaner_condition`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointSize {
    /// The number of elements.
    Elements,
    /// The size of the first dimension.
    FirstDimension,
}

/// A split point as the properties describe it: of the nodes with this operator whose size is at least the threshold, the
/// one with the largest; of several the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitPoint {
    /// Which nodes.
    pub operator: PointOperator,
    /// Which size.
    pub size: PointSize,
    /// The least size.
    pub threshold: i64,
}

impl PointOperator {
    /// The ONNX operator.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MatMul => "MatMul",
            Self::Gemm => "Gemm",
            Self::Clip => "Clip",
        }
    }
}

impl SplitPoint {
    /// The size of a node's weight tensor; `None` for another operator, and for one without weights.
    fn size(&self, node: &SurveyedNode<'_>) -> Option<i64> {
        if node.operator != self.operator.name() || node.role != Role::Computed {
            return None;
        }
        if self.operator == PointOperator::Clip {
            return Some(1);
        }
        let constants = node.inputs.iter().take(2).flatten().filter(|operand| operand.is_constant);
        let sizes = constants.filter_map(|operand| {
            let shape = operand.shape.as_deref()?;
            let size = match self.size {
                PointSize::Elements => element_count(shape)?,
                PointSize::FirstDimension => shape.first().copied().unwrap_or(1),
            };
            i64::try_from(size).ok()
        });
        sizes.max()
    }
}

/// Finds the split point in the file as it was given, and in the graph cleaned of it. `None` where no node is large enough.
/// Fails where the file has no node of the kind, or where cleaning took the one that was found.
pub fn find_point(survey: &Survey<'_>, graph: &Graph, point: &SplitPoint) -> Result<Option<NodeId>, StageError> {
    let failed = |message: String| StageError::new(Status::OnnxGraphCleanerError, message);
    let sizes: Vec<(i64, &SurveyedNode<'_>)> =
        survey.nodes.iter().filter_map(|node| Some((point.size(node)?, node))).collect();
    if sizes.is_empty() {
        let operator = point.operator.name();
        let message =
            format!("`graph_cleaner_node` is {operator}, and the model has no {operator} with weights to split at");
        return Err(
            failed(message).hint("remove `graph_cleaner_node` and `graph_cleaner_condition`, or name another node")
        );
    }
    let chosen = sizes.into_iter().filter(|(size, _)| *size >= point.threshold).max_by_key(|(size, _)| *size);
    let Some((_, chosen)) = chosen else { return Ok(None) };
    let writes = |name: &str| graph.nodes.iter().position(|node| graph.value(node.output).name == name);
    // What it writes has its name unless the node behind it was merged into it; then the node has its own.
    let found = chosen.output().and_then(writes);
    let found = found.or_else(|| graph.nodes.iter().position(|node| node.name == chosen.label));
    found.map(|place| Some(NodeId(place as u32))).ok_or_else(|| {
        failed("the graph is to be split here, but cleaning merged the node into another".to_owned())
            .node(chosen.label.clone())
            .hint("choose another `graph_cleaner_node` or `graph_cleaner_threshold`")
    })
}

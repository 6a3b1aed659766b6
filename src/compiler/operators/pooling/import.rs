//! Reading ONNX pooling.

use crate::compiler::graph::ValueId;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;
use crate::compiler::operators::Operator;
use crate::compiler::operators::Pool;
use crate::compiler::operators::PoolKind;
use crate::compiler::operators::pooling::global_output_shape;
use crate::compiler::operators::window;

type Imported = Result<Vec<ValueId>, Refusal>;

/// `MaxPool`; the indices output is not supported, and the storage order only concerns it.
pub(crate) fn max_pool(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    node.ignore(&["storage_order"]);
    pool(PoolKind::Maximum, false, node, builder)
}

/// `AveragePool`.
pub(crate) fn average_pool(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let count_include_pad = node.integer("count_include_pad")?.unwrap_or(0) != 0;
    pool(PoolKind::Average, count_include_pad, node, builder)
}

fn pool(kind: PoolKind, count_include_pad: bool, node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    let size = window::spatial(builder.shape(x))?;
    let kernel = node.integers("kernel_shape")?.ok_or_else(|| Refusal::new("`kernel_shape` is missing"))?;
    let kernel = window::pair(Some(kernel), "kernel_shape", 1)?;
    let window = window::read_window(node, size, kernel)?;
    let ceil_mode = node.integer("ceil_mode")?.unwrap_or(0) != 0;
    let mut pool = Pool {
        kind,
        kernel,
        strides: window.strides,
        pads: window.pads,
        dilations: window.dilations,
        count_include_pad,
    };
    if pool.dilations != [1, 1] {
        return Err(Refusal::new(format!("`dilations` is {:?}; only 1 is supported in pooling", pool.dilations)));
    }
    if ceil_mode {
        let added = round_up(&mut pool, size)?;
        if added && kind == PoolKind::Average && count_include_pad {
            if window.pads != [0; 4] {
                let message = "`ceil_mode` with `count_include_pad` and padding has no agreed divisor";
                return Err(Refusal::new(message));
            }
            // What sticks out counts in no divisor, and there is no other padding.
            pool.count_include_pad = false;
        }
    }
    let shape = pool.output_shape(builder.shape(x))?;
    Ok(vec![builder.push(Operator::Pool(pool), vec![x], shape)?])
}

/// Turns `ceil_mode` into padding after: the last window may stick out, but must begin inside the input or the padding
/// before it. Says whether padding was added.
fn round_up(pool: &mut Pool, size: [usize; 2]) -> Result<bool, Refusal> {
    let mut added = false;
    for (axis, &input) in size.iter().enumerate() {
        let (stride, pads) = (pool.strides[axis], [pool.pads[axis], pool.pads[axis + 2]]);
        let positions = window::positions(input, pool.kernel[axis], stride, pool.dilations[axis], pads)?;
        let extent = window::extent(pool.kernel[axis], pool.dilations[axis]).unwrap_or(1);
        // `positions` checked that none of these overflow.
        let covered = (positions - 1) * stride + extent;
        let padded = input + pads[0] + pads[1];
        let next_begins_inside = positions * stride < input + pads[0];
        if covered < padded && next_begins_inside {
            pool.pads[axis + 2] += covered + stride - padded;
            added = true;
        }
    }
    Ok(added)
}

/// `GlobalAveragePool`.
pub(crate) fn global_average_pool(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    global(PoolKind::Average, node.input(0)?, builder).map(|id| vec![id])
}

/// `GlobalMaxPool`.
pub(crate) fn global_max_pool(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    global(PoolKind::Maximum, node.input(0)?, builder).map(|id| vec![id])
}

pub(super) fn global(kind: PoolKind, x: ValueId, builder: &mut Builder) -> Result<ValueId, Refusal> {
    let shape = global_output_shape(builder.shape(x))?;
    builder.push(Operator::GlobalPool(kind), vec![x], shape)
}

#[cfg(test)]
mod tests {
    use crate::compiler::onnx::sample::Case;
    use crate::compiler::onnx::sample::check;

    #[test]
    fn pooling_is_read_as_the_standard_says() {
        check(&[
            Case(
                "MaxPool-8",
                "x[1,2,7,8]",
                "kernel_shape=[3,3] strides=[2,2] storage_order=1",
                Ok("[1, 2, 3, 3] = max-pool kernel=[3, 3] strides=[2, 2] pads=[0, 0, 0, 0]"),
            ),
            Case(
                "MaxPool-10",
                "x[1,2,7,8]",
                "kernel_shape=[3,3] strides=[2,2] ceil_mode=1",
                Ok("[1, 2, 3, 4] = max-pool kernel=[3, 3] strides=[2, 2] pads=[0, 0, 0, 1]"),
            ),
            Case("MaxPool-10", "x[1,2,4,4]", "kernel_shape=[1,1] strides=[3,3] ceil_mode=1", Ok("[1, 2, 2, 2]")),
            Case("MaxPool-10", "x[1,2,5,5]", "kernel_shape=[1,1] strides=[3,3] ceil_mode=1", Ok("[1, 2, 2, 2]")),
            Case(
                "AveragePool-7",
                "x[1,2,7,8]",
                "kernel_shape=[3,3] auto_pad=SAME_UPPER strides=[2,2]",
                Ok("pads=[1, 0, 1, 1] dilations=[1, 1] count_include_pad=false"),
            ),
            Case(
                "AveragePool-11",
                "x[1,2,7,8]",
                "kernel_shape=[2,2] count_include_pad=1 pads=[1,1,1,1]",
                Ok("count_include_pad=true"),
            ),
            Case(
                "AveragePool-11",
                "x[1,2,7,8]",
                "kernel_shape=[3,3] strides=[2,2] ceil_mode=1 count_include_pad=1",
                Ok("pads=[0, 0, 0, 1] dilations=[1, 1] count_include_pad=false"),
            ),
            Case("GlobalAveragePool-7", "x[1,2,7,8]", "", Ok("[1, 2, 1, 1] = global-average-pool (%0)")),
        ]);
    }

    #[test]
    fn other_pooling_is_refused() {
        check(&[
            Case("MaxPool-10", "x[1,2,7,8]", "", Err("`kernel_shape` is missing")),
            Case("MaxPool-10", "x[1,2,7,8]", "kernel_shape=[3]", Err("`kernel_shape` is [3]; expected two values")),
            Case(
                "MaxPool-10",
                "x[1,2,7,8]",
                "kernel_shape=[2,2] pads=[2,0,0,0]",
                Err("is not smaller than its window of 2"),
            ),
            Case("MaxPool-10", "x[1,2,7,8]", "kernel_shape=[2,2] dilations=[2,2]", Err("`dilations` is [2, 2]")),
            Case("MaxPool-10", "x[1,2,7,8]", "kernel_shape=[9,9]", Err("does not fit")),
            Case(
                "AveragePool-11",
                "x[1,2,7,8]",
                "kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1] ceil_mode=1 count_include_pad=1",
                Err("has no agreed divisor"),
            ),
            Case(
                "MaxPool-10",
                "x[1,1,16000,16000]",
                "kernel_shape=[1000,1000]",
                Err("`MaxPool`: a kernel of [1000, 1000] at [15001, 15001] positions reads more than the 4294967296"),
            ),
        ]);
    }
}

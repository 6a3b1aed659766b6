//! Reading ONNX Gemm and `MatMul`.

use crate::compiler::graph::Tensor;
use crate::compiler::graph::ValueId;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;
use crate::compiler::operators::Operator;
use crate::compiler::operators::dense::output_shape;
use crate::compiler::operators::dense::product_shape;

/// Gemm: alpha·A·B + beta·C with a constant B and C; alpha, beta and `transB` go into the constants.
pub(crate) fn gemm(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    let alpha = node.float("alpha")?.unwrap_or(1.0);
    let beta = node.float("beta")?.unwrap_or(1.0);
    let transpose_b = node.integer("transB")?.unwrap_or(0) != 0;
    if node.integer("transA")?.unwrap_or(0) != 0 {
        return Err(Refusal::new("`transA` is 1; only an input that is not transposed is supported"));
    }
    let (x, b) = (node.input(0)?, node.input(1)?);
    let mut weights = b;
    if transpose_b {
        let &[rows, columns] = builder.shape(b) else {
            return Err(Refusal::new(format!("its weights have the shape {:?}; expected [N, K]", builder.shape(b))));
        };
        builder.floats(b, "weights")?;
        weights = builder.push(Operator::Transpose { permutation: vec![1, 0] }, vec![b], vec![columns, rows])?;
    }
    let weights = scaled(builder, weights, alpha, "weights")?;
    if builder.shape(x).len() != 2 {
        return Err(Refusal::new(format!("its input has the shape {:?}; expected a matrix", builder.shape(x))));
    }
    let shape = output_shape(builder.shape(x), builder.shape(weights))?;
    let mut inputs = vec![x, weights];
    if let Some(c) = node.optional(2) {
        inputs.push(bias(builder, c, beta, &shape)?);
    }
    Ok(vec![builder.push(Operator::Dense, inputs, shape)?])
}

/// The constant C of Gemm as `[N]`, times beta.
fn bias(builder: &mut Builder, c: ValueId, beta: f32, output: &[usize]) -> Result<ValueId, Refusal> {
    let shape = builder.shape(c).to_vec();
    let columns = output.last().copied().unwrap_or(1);
    let values = builder.floats(c, "bias")?;
    let is_row = shape.iter().rev().skip(1).all(|&dimension| dimension == 1);
    let expanded: Vec<f32> = match values {
        &[value] => vec![value * beta; columns],
        values if is_row && values.len() == columns => values.iter().map(|value| value * beta).collect(),
        _ => {
            return Err(Refusal::new(format!("its bias has the shape {shape:?}; expected one value a column")));
        }
    };
    builder.constant_of(Tensor::from_f32(vec![columns], expanded), "bias")
}

fn scaled(builder: &mut Builder, id: ValueId, factor: f32, what: &str) -> Result<ValueId, Refusal> {
    let values = builder.floats(id, what)?;
    if factor.to_bits() == 1.0_f32.to_bits() {
        return Ok(id);
    }
    let values: Vec<f32> = values.iter().map(|value| value * factor).collect();
    let shape = builder.shape(id).to_vec();
    builder.constant_of(Tensor::from_f32(shape, values), what)
}

/// `MatMul`: a dense layer with a constant matrix on the right (leading dimensions of 1 are dropped), else a product.
pub(crate) fn mat_mul(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    let (x, b) = (node.input(0)?, node.input(1)?);
    let shape = builder.shape(b).to_vec();
    let matrix = match shape.as_slice() {
        [outer @ .., rows, columns]
            if builder.constant(b).is_some()
                && outer.iter().all(|&d| d == 1)
                && shape.len() <= builder.shape(x).len().max(2) =>
        {
            vec![*rows, *columns]
        }
        _ => {
            let shape = product_shape(builder.shape(x), &shape)?;
            return Ok(vec![builder.push(Operator::MatrixProduct, vec![x, b], shape)?]);
        }
    };
    builder.floats(b, "right operand")?;
    let weights = if matrix == shape { b } else { builder.push(Operator::Reshape, vec![b], matrix.clone())? };
    if builder.shape(x).len() < 2 {
        return Err(Refusal::new(format!("its left operand has the shape {:?}", builder.shape(x))));
    }
    let shape = output_shape(builder.shape(x), &matrix)?;
    Ok(vec![builder.push(Operator::Dense, vec![x, weights], shape)?])
}

#[cfg(test)]
mod tests {
    use crate::compiler::onnx::sample::Case;
    use crate::compiler::onnx::sample::check;

    #[test]
    fn products_with_constants_are_dense_layers() {
        check(&[
            Case("Gemm-9", "x[3,4] w[4,2] w[2]", "", Ok("[3, 2] = dense (%0, [4, 2]#")),
            Case(
                "Gemm-9",
                "x[3,4] w[1,4]",
                "transB=1 alpha=2.0",
                Ok("[3, 1] = dense (%0, [4, 1][0.5, 1.0, 1.5, 2.0])"),
            ),
            Case("Gemm-9", "x[3,4] w[4,2] w[1,2]", "beta=2.0", Ok(", [2][0.5, 1.0])")),
            Case("Gemm-11", "x[3,4] w[4,2] f1.5", "", Ok(", [2][1.5, 1.5])")),
            Case("Gemm-11", "x[3,4] w[4,2]", "transA=0", Ok("dense (%0, [4, 2]#")),
            Case("MatMul-13", "x[1,3,4] w[1,4,1]", "", Ok("[1, 3, 1] = dense (%0, [4, 1][")),
            Case("MatMul-13", "x[1,2,3,4] x[2,4,5]", "", Ok("[1, 2, 3, 5] = matrix-product (%0, %1)")),
            Case("MatMul-13", "x[3,4] w[2,4,2]", "", Ok("[2, 3, 2] = matrix-product (%0, [2, 4, 2]")),
            Case("MatMul-13", "w[3,4] x[4,2]", "", Ok("[3, 2] = matrix-product ([3, 4]")),
        ]);
    }

    #[test]
    fn other_products_are_refused() {
        check(&[
            Case("Gemm-9", "x[3,4] w[3,2]", "transA=1", Err("`transA` is 1")),
            Case("Gemm-9", "x[3,4] w[3,2]", "", Err("cannot be multiplied by weights [3, 2]")),
            Case("Gemm-9", "x[3,4] w[4,2] w[3,2]", "", Err("its bias has the shape [3, 2]")),
            Case("Gemm-9", "x[3,4] x[4,2]", "", Err("its `weights` is computed at run time")),
            Case("MatMul-13", "x[3,4] x[5,2]", "", Err("[3, 4] cannot be multiplied by [5, 2]")),
            Case("MatMul-13", "x[3,4] w[4]", "", Err("[3, 4] cannot be multiplied by [4]")),
            Case("MatMul-13", "x[3,4] x[4]", "", Err("[3, 4] cannot be multiplied by [4]")),
        ]);
    }
}

//! Which ONNX operators are read, and by what.

use crate::compiler::onnx::Importer;
use crate::compiler::onnx::constants;
use crate::compiler::operators::arithmetic;
use crate::compiler::operators::convolution;
use crate::compiler::operators::dense;
use crate::compiler::operators::function;
use crate::compiler::operators::movement;
use crate::compiler::operators::normalization;
use crate::compiler::operators::pooling;
use crate::compiler::operators::resize;
use crate::compiler::operators::softmax;

/// The importer of an operator of the standard domain; `None` for one that is not supported.
pub(crate) fn importer(operator: &str) -> Option<Importer> {
    Some(match operator {
        "Abs" => function::absolute,
        "Add" => arithmetic::add,
        "AveragePool" => pooling::average_pool,
        "BatchNormalization" => normalization::batch_normalization,
        "Cast" => constants::cast,
        "Ceil" => constants::ceil,
        "Clip" => function::clip,
        "Concat" => movement::concat,
        "Constant" => constants::constant,
        "ConstantOfShape" => constants::constant_of_shape,
        "Conv" => convolution::conv,
        "DepthToSpace" => movement::depth_to_space,
        "Div" => arithmetic::divide,
        "Dropout" => constants::dropout,
        "Equal" => constants::equal,
        "Exp" => function::exponential,
        "Expand" => movement::expand,
        "Flatten" => movement::flatten,
        "Floor" => constants::floor,
        "Gather" => movement::gather,
        "Gemm" => dense::gemm,
        "GlobalAveragePool" => pooling::global_average_pool,
        "GlobalMaxPool" => pooling::global_max_pool,
        "HardSigmoid" => function::hard_sigmoid,
        "HardSwish" => function::hard_swish,
        "Identity" => constants::identity,
        "LeakyRelu" => function::leaky_relu,
        "MatMul" => dense::mat_mul,
        "Max" => function::maximum,
        "MaxPool" => pooling::max_pool,
        "Min" => function::minimum,
        "Mul" => arithmetic::multiply,
        "Neg" => function::negate,
        "PRelu" => function::parametric_relu,
        "Pad" => movement::pad,
        "Pow" => arithmetic::power,
        "Range" => constants::range,
        "Reciprocal" => arithmetic::reciprocal,
        "ReduceMax" => pooling::reduce_max,
        "ReduceMean" => pooling::reduce_mean,
        "Relu" => function::relu,
        "Reshape" => movement::reshape,
        "Resize" => resize::resize,
        "Shape" => constants::shape,
        "Sigmoid" => function::sigmoid,
        "Slice" => movement::slice,
        "Softmax" => softmax::softmax,
        "SpaceToDepth" => movement::space_to_depth,
        "Split" => movement::split,
        "Sqrt" => function::square_root,
        "Squeeze" => movement::squeeze,
        "Sub" => arithmetic::subtract,
        "Sum" => arithmetic::sum,
        "Tanh" => function::tanh,
        "Transpose" => movement::transpose,
        "Unsqueeze" => movement::unsqueeze,
        "Upsample" => resize::upsample,
        "Where" => constants::select,
        _ => return None,
    })
}

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
use crate::compiler::operators::transposed;

/// The domain of operators that ONNX Runtime's optimizer writes.
const CONTRIBUTED: &str = "com.microsoft";

/// The importer of an operator; `None` for one that is not supported. The standard domain is the empty one.
pub(crate) fn importer(domain: &str, operator: &str) -> Option<Importer> {
    match domain {
        "" | "ai.onnx" => standard(operator),
        CONTRIBUTED => contributed(operator),
        _ => None,
    }
}

fn contributed(operator: &str) -> Option<Importer> {
    Some(match operator {
        "FusedConv" => convolution::fused_conv,
        _ => return None,
    })
}

fn standard(operator: &str) -> Option<Importer> {
    Some(match operator {
        "Abs" => function::absolute,
        "Add" => arithmetic::add,
        "Affine" => arithmetic::affine,
        "AveragePool" => pooling::average_pool,
        "BatchNormalization" => normalization::batch_normalization,
        "Cast" => constants::cast,
        "Ceil" => constants::ceil,
        "Clip" => function::clip,
        "Concat" => movement::concat,
        "Constant" => constants::constant,
        "ConstantOfShape" => constants::constant_of_shape,
        "Conv" => convolution::conv,
        "ConvTranspose" => transposed::conv_transpose,
        "Crop" => movement::crop,
        "DepthToSpace" => movement::depth_to_space,
        "Div" => arithmetic::divide,
        "Dropout" => constants::dropout,
        "Elu" => function::elu,
        "Equal" => constants::equal,
        "Erf" => function::error_function,
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
        "ImageScaler" => arithmetic::image_scaler,
        "InstanceNormalization" => normalization::instance_normalization,
        "LayerNormalization" => normalization::layer_normalization,
        "LeakyRelu" => function::leaky_relu,
        "Log" => function::logarithm,
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
        "ReduceSum" => pooling::reduce_sum,
        "Relu" => function::relu,
        "Reshape" => movement::reshape,
        "Resize" => resize::resize,
        "Selu" => function::selu,
        "Shape" => constants::shape,
        "Sigmoid" => function::sigmoid,
        "Slice" => movement::slice,
        "Softmax" => softmax::softmax,
        "Softplus" => function::softplus,
        "Softsign" => function::softsign,
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

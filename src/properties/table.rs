//! The table: every property once. From each row come a field of [`CompilerConfig`] and a [`Property`].
//!
//! A row reads: what it does, `[the step it influences, what the embedded compiler does with it]`, name, type, default,
//! then where needed `kind` (a narrower kind than the type's) and `old` (other names). A text after the step says why it is
//! this one, where that is not obvious from the group; a text after the host's word says why.
//!
//! A step declared too late gives wrong builds, one declared too early needless ones. Where the vendor does not say which
//! of two steps reads a property, the earlier one stands here.

use std::collections::BTreeMap;

use crate::base::Share;

use super::choices::{
    CompilerMode, ConstantsHome, DpuAllocationAlgorithm, GraphCleanerCondition, GraphCleanerNode, InstructionsHome,
    MemoryPool, MulticoreMode, ProfilingLevel, QuantizationScheme,
};
use super::field::Field;
use super::property::{Group, HostSupport, Influence, Kind, Property};
use super::value::{Value, ValueError};

macro_rules! kind {
    ($type:ty) => {
        <$type as Field>::KIND
    };
    ($type:ty, $kind:expr) => {
        $kind
    };
}

macro_rules! table {
    ($( $group:ident { $(
        $(#[doc = $doc:literal])+
        [$influence:ident $($reason:literal)?, $host:ident $($why:literal)?]
        $name:ident: $type:ty = $default:expr
        $(, kind $kind:expr)?
        $(, old $($old:literal)+)?
        ;
    )+ } )+) => {
        /// The effective configuration of one compilation: every property with its type, and nothing about where a value
        /// came from. The default is the documented one.
        #[derive(Debug, Clone, PartialEq)]
        pub struct CompilerConfig { $($( $(#[doc = $doc])+ pub $name: $type, )+)+ }

        impl Default for CompilerConfig {
            fn default() -> Self {
                Self { $($( $name: $default, )+)+ }
            }
        }

        impl CompilerConfig {
            /// Every property and its value.
            #[must_use]
            pub fn values(&self) -> BTreeMap<String, Value> {
                BTreeMap::from([$($( (stringify!($name).to_owned(), Field::to_value(&self.$name)), )+)+])
            }

            /// The value of a property; `None` when there is no such property.
            #[must_use]
            pub fn get(&self, name: &str) -> Option<Value> {
                match name {
                    $($( stringify!($name) => Some(Field::to_value(&self.$name)), )+)+
                    _ => None,
                }
            }

            /// Stores a value that already has the property's own form (see [`Property::check`]).
            fn store(&mut self, name: &str, value: &Value) -> bool {
                match name {
                    $($( stringify!($name) => {
                        Field::from_value(value).map(|value| self.$name = value).is_some()
                    } )+)+
                    _ => false,
                }
            }
        }

        pub(super) fn rows() -> Vec<Property> {
            vec![$($( Property {
                name: stringify!($name),
                group: Group::$group,
                kind: kind!($type $(, $kind)?),
                nullable: <$type as Field>::NULLABLE,
                default: { let default: $type = $default; Field::to_value(&default) },
                doc: concat!($($doc),+).trim_start(),
                influences: Influence::$influence,
                reason: [$($reason)?].first().copied(),
                host: HostSupport::$host,
                why: [$($why)?].first().copied(),
                old_names: &[$($($old),+)?],
            }, )+)+]
        }
    };
}

/// The number of cores that any board has at most: what bounds cores and shares where no board is known.
const MOST_CORES: u32 = 8;

impl CompilerConfig {
    /// The configuration with these values over the documented defaults. Names are today's; cores and shares are checked
    /// against the largest board, since the configuration alone does not know its board.
    pub fn from_values(values: &BTreeMap<String, Value>) -> Result<Self, ValueError> {
        let mut config = Self::default();
        for (name, value) in values {
            config.set(name, value)?;
        }
        Ok(config)
    }

    /// Checks and stores one value, as [`CompilerConfig::from_values`] does.
    pub fn set(&mut self, name: &str, value: &Value) -> Result<(), ValueError> {
        let unknown = || ValueError::UnknownProperty { name: name.to_owned() };
        let property = super::property::find(name).ok_or_else(unknown)?;
        let checked = property.check(value, MOST_CORES)?;
        if self.store(name, &checked) { Ok(()) } else { Err(unknown()) }
    }
}

const fn at_least(min: i64) -> Kind {
    Kind::Int { min, max: i64::MAX }
}

const fn from_to(min: i64, max: i64) -> Kind {
    Kind::Int { min, max }
}

table! {
    Quantization {
        /// What to do: quantize, compile for the hardware, or both.
        [Nothing "it decides which steps there are, not what one of them writes", Honoured "`lower_only` lowers the quantized model that `prequantized_path` names"]
        compiler_mode: CompilerMode = CompilerMode::QuantizeAndLower;

        /// How the ranges of activations are found. Weights are quantized per output channel in every scheme.
        [Quantize, Honoured]
        quantization_scheme: QuantizationScheme = QuantizationScheme::PerTensorHistogram, old "ptq_scheme";

        /// Quantize the activations into depth-wise convolutions for each channel.
        [Quantize, Honoured]
        quantize_dw_channel_wise: bool = false;

        /// The ONNX opset that a PyTorch model is exported to. An imported ONNX file may be older.
        [Clean "the export comes before the graph is cleaned", Ignored "ONNX files are read as they are and nothing is exported from PyTorch"]
        onnx_opset_version: i64 = 17, kind at_least(17);

        /// Write the quantized model out for accuracy debugging.
        [Nothing "a dump beside the results", Ignored "the quantized model is always written, as ONNX"]
        quantization_debug: bool = false;

        /// Leave the quantize and dequantize operators at the graph's inputs and outputs to the host.
        [Quantize "the operators go before the quantized model is written, so lowering sees the result only", Honoured "`quantized_model.onnx` is the core with int8 inputs and outputs; their scales are in the manifest"]
        remove_io_quantization: bool = false, old "remove_quantization_of_inputs_outputs_from_graph";

        /// Write the quantized graph to a JSON file.
        [Quantize "the file is a result of the step, and lowering reads it", Ignored "the quantized graph is always written"]
        quantized_graph_export: bool = true;
    }
    Graph {
        /// Pad input channels to a multiple of the hardware's word of 64.
        [Lower, Honoured "in how tensors are laid out; the numbers stay as they are"]
        apply_pword_padding: bool = true;

        /// Turn concatenation into padding, shifts and additions.
        [Lower, Honoured "in the memory plan and the estimate, where channels do not begin at words; the C program joins at once, to the same bits"]
        rewrite_concat_to_resadd: bool = true;

        /// Turn dense layers into convolutions with a kernel of 1×1.
        [Lower, Honoured "in the memory plan and the estimate, layers over vectors; the C program multiplies at once, to the same bits"]
        rewrite_dense_to_conv2d: bool = true;

        /// Drop padding and transposition at the graph's ends, which the SDK's pipeline does.
        [Lower, Honoured "inputs lie in the plan as the host pads them, or packed"]
        remove_io_padding_and_layout_transform: bool = true,
            old "remove_padding_and_layout_transform_of_inputs_outputs";

        /// Simplify arithmetic even where that changes numbers slightly.
        [Lower "the rewrites work on the quantized graph: calibration and scales stay as they are", Honoured "only what cannot change a bit: nodes that do nothing go, chains of reshapes become one"]
        apply_arithmetic_simplification: bool = true;

        /// Merge multiplications and additions into the look-up tables beside them, even where that changes numbers slightly.
        [Lower "the tables are made when lowering: calibration and scales stay as they are", Honoured "only what cannot change a bit: tables are composed, or become clamps of the layer before them"]
        simplify_mac_before_after_lut: bool = true;

        /// Check before compilation that the hardware can do every operator.
        [Lower "it decides whether the step fails, and what is not checked could be wrong", Emulated "unsupported operators are refused whatever is set"]
        validate_operators: bool = true;
    }
    Cleaner {
        /// Clean the ONNX graph: what belongs on the host is cut off before and after the core.
        [Clean, Honoured "`false` cuts nothing off; the graph is cleaned all the same"]
        run_graph_cleaner: bool = true;

        /// Cut off what comes before and what comes after the core in passes of their own.
        [Clean, Honoured "`false` cuts nothing off: the whole graph is quantized and runs as one program"]
        graph_cleaner_split_pre_post_processing: bool = true;

        /// By which size the node to split at is found.
        [Clean, Honoured "with `graph_cleaner_node`: the postamble begins at the largest such node"]
        graph_cleaner_condition: Option<GraphCleanerCondition> = None;

        /// Which nodes the condition looks at.
        [Clean, Honoured "with `graph_cleaner_condition`: the postamble begins at the largest such node"]
        graph_cleaner_node: Option<GraphCleanerNode> = None;

        /// The size from which on the condition holds.
        [Clean, Honoured "with the two above: the least size of the node"]
        graph_cleaner_threshold: i64 = 0;

        /// The file to write the cleaned core to, as ONNX, for debugging.
        [Nothing "a dump beside the results", Ignored "only `axzoo compile` writes it; the quantized core is `quantized_model.json`"]
        graph_cleaner_dump_core_onnx: Option<String> = None, kind Kind::Path;

        /// The file to write the whole cleaned model to, as ONNX, for debugging.
        [Nothing "a dump beside the results", Ignored "only `axzoo compile` writes it"]
        graph_cleaner_dump_full_opt_onnx: Option<String> = None, kind Kind::Path;

        /// Drop transposition and reshaping before the core of models in NHWC layout.
        [Clean, Ignored "transposition before the core stays in the graph that the host runs"]
        remove_layout_transform_from_preamble: bool = false;
    }
    Cores {
        /// How many cores the model is compiled for.
        [Lower "the graph is divided after it is quantized; numbers stay as they are", Honoured "the manifest's batch is this number; the memory plan holds a work space for each image"]
        aipu_cores_used: u32 = 1, kind Kind::Cores, old "aipu_cores";

        /// How cores share the work.
        [Lower "the program itself is divided, not only how it is started", Honoured "`cooperative` divides every image over the cores; under any other mode each core has its own image, with `batch` all of them in one run"]
        multicore_mode: MulticoreMode = MulticoreMode::Multiprocess;

        /// Overlap the tasks of successive tiles along the height.
        [Lower, Honoured "tiles are there twice in L1, and the estimate lets them overlap"]
        pipeline_spatial_tiles: bool = true, old "async_pipeline_spatial_tiles";

        /// Overlap the tasks of successive tiles along the output channels.
        [Lower, Honoured "tiles are there twice in L1, and the estimate lets them overlap"]
        pipeline_channel_tiles: bool = true, old "async_pipeline_channel_tiles";

        /// Let an operator start before the one ahead of it has ended.
        [Lower, Honoured "in the estimate: the next weights are loaded while an operator works"]
        inter_operator_async: bool = true, old "async_inter_operator";

        /// Schedule with the list scheduler, which knows the resources.
        [Lower, Ignored "operators run in the order that the memory plan is made for"]
        use_list_scheduler: bool = false;

        /// Unroll the beginning and the end of pipelined loops to expose more parallelism.
        [Lower, Ignored "no code for the device is made"]
        unroll_prologue_epilogue: bool = false;

        /// Synchronise with the hardware's tokens.
        [Lower, Ignored "no code for the device is made"]
        use_hw_tokens: bool = true;

        /// Start loading inputs of depth-wise convolutions earlier, for better use of the weight sets.
        [Lower, Ignored "no code for the device is made"]
        group_ifdw_tasks: bool = false;

        /// Keep two buffers for transfers between host and device, so that they overlap with the work.
        [Lower "the buffers are part of the memory plan, not a switch of the runtime", Honoured "inputs and outputs are in the memory plan twice"]
        double_buffer: bool = true;

        /// How many processes of the host run the model.
        [Lower "a compiler checks the resources by it", Ignored "the program runs in one process"]
        host_processes_used: i64 = 1, kind at_least(1);
    }
    Tiling {
        /// How often the memory planner may try.
        [Lower "one attempt more may find another plan", Honoured "so many ways to choose what moves up are tried, up to 64, and the best is kept"]
        max_memplan_attempts: i64 = 5, kind at_least(1);

        /// How often an operator may be tiled anew until it fits the memory.
        [Lower "one attempt more may find another tiling", Honoured "attempt n divides an operator into at most 2ⁿ⁻¹ tiles; the fastest that fits is kept"]
        max_tiling_attempts: i64 = 8, kind at_least(1);

        /// The tiling factor along the height, instead of the one that is found.
        [Lower, Honoured "the number of tiles, or of rows where there are fewer"]
        force_h_tiling: Option<i64> = None, kind at_least(1);

        /// The tiling factor along the output channels, instead of the one that is found.
        [Lower, Honoured "the number of tiles, or of words of channels where there are fewer"]
        force_oc_tiling: Option<i64> = None, kind at_least(1);

        /// How many operators in a row may be tiled together, depth first; 1 is none.
        [Lower, Honoured "in L1 and in the estimate; what lies between such operators has a place in L2 or DDR too, for a program that runs them one after another"]
        tiling_depth: i64 = 1, kind at_least(1);

        /// A bound on the depth-first search; 1 suits large networks.
        [Lower, Honoured "so many lengths of a chain are tried from each operator, the longest first"]
        dfs_search_constraint: Option<i64> = None, kind at_least(0);
    }
    Memory {
        /// Let buffers move up from DDR to L2 and to L1.
        [Lower, Honoured]
        enable_buffer_promotion: bool = true;

        /// Promote to L1 and to L2 in two passes, with the depth-first schedule between them.
        [Lower, Honoured "chains are looked for when it is known what stays in L1, else before"]
        split_buffer_promotion: bool = false;

        /// Where inputs and outputs live at first.
        [Lower, Honoured "inputs and outputs stay where they live"]
        io_memory_pool: MemoryPool = MemoryPool::Ddr, old "io_pool";

        /// Where constants live at first.
        [Lower, Honoured]
        constant_memory_pool: MemoryPool = MemoryPool::Ddr, old "constant_pool";

        /// Where work space lives at first.
        [Lower, Honoured]
        workspace_memory_pool: MemoryPool = MemoryPool::Ddr, old "workspace_pool";

        /// The most L1 that the compiler may use, in bytes.
        [Lower, Honoured]
        l1_constraint: Option<i64> = None, kind at_least(0);

        /// The most L2 that the compiler may use, in bytes.
        [Lower, Honoured]
        l2_constraint: Option<i64> = None, kind at_least(0);

        /// The most DDR that the compiler may use, in bytes.
        [Lower, Honoured]
        ddr_constraint: Option<i64> = None, kind at_least(0);

        /// The L1 that there is for the compiler, in bytes.
        [Lower, Honoured]
        l1_size_used: i64 = 4_194_304, kind at_least(0);

        /// The L2 that there is for the compiler, in bytes.
        [Lower, Honoured]
        l2_size_used: i64 = 33_554_432, kind at_least(0);

        /// The DDR that there is for the compiler, in bytes.
        [Lower, Honoured]
        ddr_size_used: i64 = 1_073_741_824, kind at_least(0);

        /// Move weights from DDR to L2 with the system's DMA instead of a core's.
        [Lower, Honoured "in the estimate"]
        use_sysdma: bool = false;

        /// Use both channels of the DMA.
        [Lower, Honoured "in the estimate"]
        dma_dual_channel: bool = true;

        /// Page L2 and DDR, against fragmentation.
        [Lower, Honoured "buffers of 4096 bytes and more are made of whole pages"]
        page_memory: bool = true;

        /// Keep the ELF file in DDR rather than in L2.
        [Lower, Ignored "there is no ELF file"]
        elf_in_ddr: bool = true;

        /// Bring the task list into the device piece by piece while it runs.
        [Lower, Ignored "there is no task list"]
        stream_tasklist: bool = true;

        /// Where constants of the vector unit live.
        [Lower, Honoured "biases, scales and tables in the memory plan"]
        dpu_constants_home: ConstantsHome = ConstantsHome::L2;
    }
    Matrix {
        /// The part of the matrix unit that may be active at once; less of it draws less power.
        [Lower, Honoured "in the estimate"]
        mvm_utilization_limit: f64 = 1.0, kind Kind::Float { min: 0.125, max: 1.0 };

        /// Replicate weights inside the matrix unit for layers with few output channels.
        [Lower, Honoured "in the estimate"]
        enable_icr: bool = true, old "in_core_replication";

        /// The replication factor, instead of the one that is found; -1 finds it.
        [Lower, Honoured "in the estimate"]
        icrx_force: i64 = -1, kind at_least(-1);

        /// Up to how many parallel blocks weights are still replicated.
        [Lower, Honoured "in the estimate"]
        icrx_parallel_block_threshold: i64 = 4, kind from_to(1, 4);

        /// The largest replication factor along the image's width.
        [Lower, Honoured "in the estimate"]
        icrx_max_factor: i64 = 8, kind from_to(2, 8);

        /// Replicate inside a word for first layers with few input channels.
        [Lower, Honoured "in the estimate"]
        enable_swicr: bool = true;

        /// Load the next weights while the present ones work, in pipelined sections.
        [Lower, Honoured "weights are there twice in L1, and the estimate hides their loading"]
        imc_double_buffer_pipeline: bool = false;

        /// Load the next weights while the present ones work, in sequential sections.
        [Lower, Honoured "weights are there twice in L1, and the estimate hides their loading"]
        imc_double_buffer_sequential: bool = false;

        /// How registers of the vector unit are allocated.
        [Lower, Ignored "no code for the vector unit is made"]
        dpu_allocation_algorithm: DpuAllocationAlgorithm = DpuAllocationAlgorithm::TryAll;

        /// The value that pads the inputs of softmax: so low that its share of the result is zero.
        [Lower "channels are padded when lowering; the scales do not know the padding", Ignored "softmax is executed without padding"]
        softmax_neutral_value: f64 = -100_000.0;
    }
    Output {
        /// The folder for results.
        [Nothing "where results lie is not what they are", Ignored "results of a build lie below the build folder; `axzoo compile` writes here where `-o` names no folder"]
        output_dir: Option<String> = None, kind Kind::Path;

        /// Empty the folder for results before compilation. Only artifacts that axzoo names are removed, never foreign files.
        [Nothing "what lies beside the results is not what they are", Ignored "results that the plan no longer names go after every successful build; `axzoo compile` empties its folder first"]
        remove_output_dir: bool = false;

        /// The model's name in logs; also chooses presets that the compiler has for well-known models.
        [Quantize "which settings a preset changes is not documented, so it counts from the first step that could read one", Ignored "there are no presets"]
        model_name: String = String::new();

        /// Keep an archive with the lowered model and the messages when compilation fails.
        [Nothing "only a failure writes it", Ignored "of a build the step's log and the command to repeat it are kept instead; `axzoo compile` writes it"]
        save_error_artifact: bool = false;

        /// Replace the weights in that archive by random ones.
        [Nothing "only a failure's archive has these weights", Ignored "only `axzoo compile` writes the archive"]
        randomize_onnx_model: bool = true;
    }
    Hardware {
        /// The device's clock, in Hz.
        [Lower "a schedule may be made for a clock", Honoured "in the estimate"]
        frequency: i64 = 800_000_000, kind from_to(20_000_000, 800_000_000);

        /// The share of the device's memory that one instance may use.
        [Lower "it bounds the memory plan; numbers stay as they are", Honoured "checked over the network; bounds L2 and DDR in the memory plan"]
        resources_used: Share = Share::WHOLE, old "resources";

        /// Move inputs by DMA buffers.
        [Lower "the transfers are part of the program", Ignored "there are no transfers to a device"]
        input_dmabuf: bool = false;

        /// Move outputs by DMA buffers.
        [Lower "the transfers are part of the program", Ignored "there are no transfers to a device"]
        output_dmabuf: bool = false;
    }
    Debugging {
        /// Which lines the profiler writes; several kinds at once make times less exact.
        [Nothing "profiling watches a result and is no part of it", Ignored "nothing is profiled"]
        profiling_levels: Vec<ProfilingLevel> = Vec::new();

        /// The part of the samples to drop at either end as outliers.
        [Nothing "profiling watches a result and is no part of it", Ignored "nothing is profiled"]
        profiling_drop_percentile: f64 = 0.25, kind Kind::Float { min: 0.0, max: 100.0 };

        /// Write down when each pass began and ended.
        [Nothing "profiling watches a result and is no part of it", Ignored "there are no TVM passes"]
        trace_tvm_passes: bool = false;

        /// Carry the places of the source through the compiler.
        [Quantize "places may stand in the quantized graph's files, which are results", Ignored "errors always name the node"]
        propagate_span_information: bool = true;

        /// The folder to save the quantized or optimised model to, for debugging.
        [Nothing "a dump beside the results", Ignored "only `axzoo compile` writes it"]
        model_debug_save_dir: Option<String> = None, kind Kind::Path;
    }
    Paths {
        /// The compiler's own folder.
        [Nothing "which compiler works enters every key by its version and digest", Ignored "the embedded compiler has no folder"]
        compiler_dir: Option<String> = None, kind Kind::Path;

        /// The runtime's folder.
        [Nothing "which compiler works enters every key by its version and digest", Ignored "the embedded compiler has no runtime folder"]
        runtime_dir: Option<String> = None, kind Kind::Path;

        /// The folder of device resources.
        [Nothing "which compiler works enters every key by its version and digest", Ignored "the embedded compiler has no device folder"]
        device_dir: Option<String> = None, kind Kind::Path;
    }
    Layout {
        /// The L1 that the system keeps, in bytes.
        [Lower, Honoured]
        l1_size_reserved: i64 = 524_288, kind at_least(0);

        /// The L2 that the system keeps, in bytes.
        [Lower, Honoured]
        l2_size_reserved: i64 = 1_245_184, kind at_least(0);

        /// The L2 that each core keeps for its task list, in bytes.
        [Lower, Honoured]
        l2_size_reserved_tasklist: i64 = 1_048_576, kind at_least(0), old "l2_reserved_nbytes_tasklist";

        /// The whole DDR, in bytes.
        [Lower, Honoured]
        ddr_size_max: i64 = 1_073_741_824, kind at_least(0);

        /// The DDR that the system keeps, in bytes.
        [Lower, Honoured]
        ddr_size_reserved: i64 = 33_554_432, kind at_least(0);

        /// The virtual address of L1.
        [Lower, Ignored "addresses are offsets"]
        l1_virtual_address: i64 = 206_175_207_424, kind at_least(0);

        /// The physical address of L1 in core 0.
        [Lower, Ignored "addresses are offsets"]
        l1_core0_physical_address: i64 = 402_653_184, kind at_least(0);

        /// Where instructions of the vector unit live.
        [Lower, Ignored "no code for the vector unit is made"]
        dpu_instructions_home: InstructionsHome = InstructionsHome::Default;

        /// Where instructions of the depth-wise unit live.
        [Lower, Ignored "no code for the depth-wise unit is made"]
        dwpu_instructions_home: InstructionsHome = InstructionsHome::Default;

        /// Leave weights out of account when tiling factors are chosen.
        [Lower, Honoured "weights then stream through L1 by blocks; otherwise those of a tile stay there"]
        ignore_weight_buffers: bool = true;
    }
}

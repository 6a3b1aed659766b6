//! The enums of the configuration: each word once, with its meaning.

/// Declares enums whose variants are words.
macro_rules! choices {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident { $( $(#[doc = $variant_doc:literal])+ $variant:ident = $word:literal, )+ }
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $( $(#[doc = $variant_doc])+ $variant, )+ }

        impl $name {
            /// Every word, in the order of the reference.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word in cards and TOML files.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The variant of a word, which is matched as written.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    )+};
}

choices! {
    /// What the compiler is asked to do.
    CompilerMode {
        /// Quantize, then compile for the hardware.
        QuantizeAndLower = "quantize_and_lower",
        /// Stop after quantization.
        QuantizeOnly = "quantize_only",
        /// Compile a model that is quantized already.
        LowerOnly = "lower_only",
    }

    /// How the ranges of activations are found. Weights are quantized per output channel with their minimum and
    /// maximum in every scheme (SPEC 4).
    QuantizationScheme {
        /// One scale for a whole activation, its range chosen from a histogram.
        PerTensorHistogram = "per_tensor_histogram",
        /// One scale for a whole activation, its range from the smallest to the largest value seen.
        PerTensorMinMax = "per_tensor_min_max",
        /// As the histogram scheme, but the inputs of depth-wise convolutions have one scale for each channel.
        HybridPerTensorPerChannel = "hybrid_per_tensor_per_channel",
    }

    /// How cores share the work.
    MulticoreMode {
        /// Each core runs a process of its own.
        Multiprocess = "multiprocess",
        /// Cores are threads of one process.
        Multithread = "multithread",
        /// The images of a batch run on different cores at the same time.
        Batch = "batch",
        /// Cores work on one inference together.
        Cooperative = "cooperative",
        /// Each core runs one part of the model.
        Pipeline = "pipeline",
    }

    /// How registers of the vector unit are allocated.
    DpuAllocationAlgorithm {
        /// One after the other until one succeeds.
        TryAll = "try_all",
        /// By colouring a graph.
        Graph = "graph",
        /// Greedily.
        Lazy = "lazy",
        /// By search with backtracking.
        BackjumpRecursive = "backjump_recursive",
    }

    /// By which size the graph cleaner finds the node to split at.
    GraphCleanerCondition {
        /// The node with the largest weight tensor.
        MaximumWeightTensorSize = "maximum_weight_tensor_size",
        /// The node whose weight tensor has the largest first dimension.
        MaximumWeightTensorFirstDimensionSize = "maximum_weight_tensor_first_dimension_size",
    }

    /// Which nodes the graph cleaner's condition looks at.
    GraphCleanerNode {
        /// Matrix products.
        MatMul = "MatMul",
        /// General matrix products with bias.
        Gemm = "Gemm",
        /// Clips.
        Clip = "Clip",
    }

    /// One of the three memories.
    MemoryPool {
        /// The device's DRAM.
        Ddr = "global.ddr",
        /// The memory that all cores share.
        L2 = "global.l2",
        /// A core's own memory.
        L1 = "global.l1",
    }

    /// Where constants of the vector unit live.
    ConstantsHome {
        /// The device's DRAM.
        Ddr = "global.ddr",
        /// The memory that all cores share.
        L2 = "global.l2",
    }

    /// Where instructions of a unit live.
    InstructionsHome {
        /// Where the compiler thinks best.
        Default = "default",
        /// The memory that all cores share.
        L2 = "l2",
    }

    /// Which lines the profiler writes, by the letter that begins such a line. May be written with brackets (`[PB]`).
    ProfilingLevel {
        /// Lines of any kind.
        Any = "?",
        /// Lines `[B]`.
        B = "B",
        /// Lines `[PB]`.
        Pb = "PB",
        /// Lines `[PE]`.
        Pe = "PE",
        /// Lines `[K]`.
        K = "K",
        /// Lines `[M]`.
        M = "M",
        /// Lines `[T]`.
        T = "T",
    }
}

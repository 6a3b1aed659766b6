//! What the memory plan reads of a configuration.

use crate::compiler::device::Form;
use crate::compiler::device::Rates;
use crate::compiler::memory::Budget;
use crate::compiler::memory::DepthOptions;
use crate::compiler::memory::Pool;
use crate::compiler::memory::TilingOptions;
use crate::properties::CompilerConfig;
use crate::properties::ConstantsHome;
use crate::properties::MulticoreMode;

/// What the memory plan is told.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct MemoryOptions {
    /// How much of each pool there is.
    pub budget: Budget,
    /// How operators are divided.
    pub tiling: TilingOptions,
    /// Which operators are tiled together.
    pub depth: DepthOptions,
    /// How fast the device is: of tilings that fit the fastest is taken.
    pub rates: Rates,
    /// How channels are stored.
    pub form: Form,
    /// Network inputs are stored as the host pads them, for the convolution that reads them.
    pub host_pads: bool,
    /// Whether the cores work on one image together.
    pub cooperates: bool,
    /// Images that are worked on at once, each with its own work space.
    pub images: u32,
    /// Where inputs and outputs live.
    pub io_home: Pool,
    /// Where weights live at first.
    pub constant_home: Pool,
    /// Where other tensors live at first.
    pub workspace_home: Pool,
    /// Where constants of the vector unit live.
    pub tables_home: Pool,
    /// Whether buffers may move to a nearer pool than their home.
    pub promotes: bool,
    /// Whether inputs and outputs are there twice, so that the host may fill one while the device reads the other.
    pub doubles_io: bool,
    /// Whether large buffers of L2 and DDR are made of whole pages.
    pub pages: bool,
    /// How many ways of choosing what moves up are tried.
    pub attempts: i64,
}

impl MemoryOptions {
    /// As a configuration says. Cores that cooperate work on one image; under every other mode each has its own.
    #[must_use]
    pub fn of(config: &CompilerConfig) -> Self {
        let cores = config.aipu_cores_used.max(1);
        let cooperates = config.multicore_mode == MulticoreMode::Cooperative;
        let [images, together] = if cooperates { [1, cores] } else { [cores, 1] };
        Self {
            budget: Budget::of(config),
            tiling: TilingOptions::of(config),
            depth: DepthOptions::of(config),
            rates: Rates::of(config, images, together),
            form: Form { padded: config.apply_pword_padding, packs_pixels: config.enable_swicr },
            host_pads: config.remove_io_padding_and_layout_transform,
            cooperates,
            images,
            io_home: config.io_memory_pool.into(),
            constant_home: config.constant_memory_pool.into(),
            workspace_home: config.workspace_memory_pool.into(),
            tables_home: match config.dpu_constants_home {
                ConstantsHome::L2 => Pool::L2,
                ConstantsHome::Ddr => Pool::Ddr,
            },
            promotes: config.enable_buffer_promotion,
            doubles_io: config.double_buffer,
            pages: config.page_memory,
            attempts: config.max_memplan_attempts,
        }
    }
}

//! Settings with which a model fits that does not fit as it is told. Each is tried on the whole plan before it is named: what one
//! memory lacks, another may lack as well.

use crate::compiler::memory::Budget;
use crate::compiler::memory::MemoryOptions;
use crate::compiler::memory::Pool;

/// A size that a pool is tried with: what it was found to need, times these over 8. More may be needed than what was seen when
/// the plan was given up, such as room for tiles beside what stays in L1.
const SIZES: [usize; 5] = [8, 9, 10, 12, 16];

/// Sizes of a pool with which it has room for `needed` bytes or somewhat more, the smallest first.
pub(super) fn sizes(budget: &Budget, pool: Pool, needed: usize) -> Vec<usize> {
    let parts = SIZES.iter().map(|part| needed.div_ceil(8).saturating_mul(*part));
    parts.filter_map(|bytes| budget.size_for(pool, bytes)).collect()
}

/// A hint for a pool that needs `needed` bytes. `fits` says whether the model fits with other options.
pub(super) fn help(
    options: &MemoryOptions,
    pool: Pool,
    needed: usize,
    fits: &dyn Fn(&MemoryOptions) -> bool,
) -> String {
    let changed = |change: &dyn Fn(&mut MemoryOptions)| {
        let mut options = options.clone();
        change(&mut options);
        options
    };
    let mut settings = Vec::new();
    let mut shares = options.budget.shares_for(pool, needed);
    if let Some(share) = shares.find(|&share| fits(&changed(&|it| it.budget.resources = share))) {
        settings.push(format!("`resources_used` of {share} or more"));
    }
    let with_cores = |cores| changed(&|it| (it.budget.cores, it.images) = (cores, cores));
    if let Some(cores) = (1..options.images).rev().find(|&cores| fits(&with_cores(cores))) {
        settings.push(format!("`aipu_cores_used` of {cores} or fewer"));
    }
    if options.doubles_io && fits(&changed(&|it| it.doubles_io = false)) {
        settings.push("`double_buffer` false".to_owned());
    }
    if pool != Pool::Ddr {
        type Home = fn(&mut MemoryOptions) -> &mut Pool;
        let homes: [(Home, &str); 4] = [
            (|it| &mut it.workspace_home, "workspace_memory_pool"),
            (|it| &mut it.io_home, "io_memory_pool"),
            (|it| &mut it.constant_home, "constant_memory_pool"),
            (|it| &mut it.tables_home, "dpu_constants_home"),
        ];
        for (home, name) in homes {
            let moved = changed(&|it| *home(it) = Pool::Ddr);
            if moved != *options && *home(&mut options.clone()) == pool && fits(&moved) {
                settings.push(format!("`{name}` global.ddr"));
            }
        }
    }
    let name = pool.name().to_lowercase();
    for size in sizes(&options.budget, pool, needed) {
        if fits(&changed(&|it| it.budget.set_size(pool, size))) {
            settings.push(format!("`{name}_size_used` (and `{name}_constraint`) of {size}, where the device has that"));
            break;
        }
    }
    if settings.is_empty() {
        return format!("no setting by itself is enough: with as much {pool} as it needs, another memory is too small");
    }
    format!("it would fit with {}", settings.join("; or with "))
}
